/* SPDX-License-Identifier: MIT */
/* For the unit tests of svm and apic: cores on a small flat memory, a legal host and a legal guest. */
#ifndef FAM10H_CPU_SVM_SVM_FIXTURE_H
#define FAM10H_CPU_SVM_SVM_FIXTURE_H

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/flat_ram.h"
#include "sim/cpu/svm/exits.h"
#include "sim/cpu/svm/svm.h"
#include "sim/cpu/svm/world.h"
#include "sim/unit_test.h"

#define FIXTURE_BYTES 0x100000
#define FIXTURE_CORES 4
#define VMCB_PA 0x10000
#define HSAVE_PA 0x11000
#define IOPM_PA 0x12000  /* three pages */
#define MSRPM_PA 0x16000 /* two pages */
#define N_CR3_PA 0x20000
#define HOST_RIP UINT64_C(0x5000)  /* of VMRUN; it is three bytes long */
#define HOST_NEXT UINT64_C(0x5003)
#define LONG_MODE_CR0 (CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define PAT_RESET UINT64_C(0x0007040600070406)

struct fixture {
    uint8_t memory[FIXTURE_BYTES];
    struct spa_space space;
    struct pio_space pio;
    struct clock clock;
    struct unmodelled *unmodelled;
    struct block_cache *blocks;
    struct exit_table *exits;
    struct core *core[FIXTURE_CORES];
    struct apic_message sent[16];
    unsigned sent_count;
    uint8_t intack_vector;
    unsigned intacks, eois;
    uint8_t eoi_vector;
    struct flat_ram flat; /* `memory` */
};

static inline uint32_t fixture_in(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx;
    (void)port;
    (void)size;
    return 0xA5A5A5A5;
}

static inline void fixture_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    (void)ctx;
    (void)port;
    (void)size;
    (void)value;
}

/* The interrupt network: delivers at once to whom core_apic_targets names. */
static inline bool fixture_send(void *ctx, const struct apic_message *message)
{
    struct fixture *fix = ctx;
    uint64_t targets = core_apic_targets(fix->core, FIXTURE_CORES, message);

    fix->sent[fix->sent_count++ % 16] = *message;
    for (unsigned i = 0; i < FIXTURE_CORES; i++) {
        if (bit(targets, i))
            core_apic_deliver(fix->core[i], message);
    }
    return targets != 0;
}

static inline uint8_t fixture_intack(void *ctx)
{
    struct fixture *fix = ctx;

    fix->intacks++;
    return fix->intack_vector;
}

static inline void fixture_eoi(void *ctx, uint8_t vector)
{
    struct fixture *fix = ctx;

    fix->eois++;
    fix->eoi_vector = vector;
}

static inline struct fixture *fixture_new(const char *model)
{
    struct fixture *fix = g_new0(struct fixture, 1);

    fix->flat = (struct flat_ram){ .bytes = fix->memory, .size = FIXTURE_BYTES };
    fix->space = flat_ram_space(&fix->flat);
    fix->pio = (struct pio_space){ fix, fixture_in, fixture_out };
    clock_init(&fix->clock);
    fix->unmodelled = unmodelled_new();
    fix->blocks = block_cache_new(&fix->space);
    fix->exits = exit_table_new();
    for (unsigned i = 0; i < FIXTURE_CORES; i++) {
        const struct core_wiring wiring = {
            .index = i, .node = 0, .in_node = i, .apic_id = (uint8_t)i, .cores_in_node = FIXTURE_CORES, .nodes = 1,
            .model = cpu_model_find(model), .space = &fix->space, .pio = &fix->pio, .clock = &fix->clock,
            .unmodelled = fix->unmodelled, .messages = { fix, fixture_send },
            .acknowledge = { fix, fixture_intack, fixture_eoi }, .blocks = fix->blocks, .exits = fix->exits,
        };

        fix->core[i] = core_new(&wiring);
    }
    return fix;
}

static inline void fixture_free(struct fixture *fix)
{
    for (unsigned i = 0; i < FIXTURE_CORES; i++)
        core_free(fix->core[i]);
    exit_table_free(fix->exits);
    block_cache_free(fix->blocks);
    unmodelled_free(fix->unmodelled);
    g_free(fix);
}

static inline void put(struct fixture *fix, spa_t address, unsigned size, uint64_t value)
{
    memcpy(fix->memory + address, &value, size);
}

static inline uint64_t get(const struct fixture *fix, spa_t address, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, fix->memory + address, size);
    return value;
}

static inline uint64_t field(const struct fixture *fix, unsigned offset, unsigned size)
{
    return get(fix, VMCB_PA + offset, size);
}

/* A 64-bit host at CPL 0 about to execute VMRUN. */
static inline struct core *fixture_host(struct fixture *fix)
{
    struct core *core = fix->core[0];

    core->cr0 = LONG_MODE_CR0;
    core->cr3 = 0x30000;
    core->cr4 = CR4_PAE;
    core->efer = EFER_SVME | EFER_LME | EFER_LMA;
    core->pat = PAT_RESET;
    core->seg[SEG_CS] = (struct segment){ 0x0008, 0x29B, 0xFFFFFFFF, 0 };
    for (unsigned i = SEG_ES; i <= SEG_DS; i++) {
        if (i != SEG_CS)
            core->seg[i] = (struct segment){ 0x0010, 0xC93, 0xFFFFFFFF, 0 };
    }
    core->gdtr = (struct table_register){ 0x6000, 0x7F };
    core->idtr = (struct table_register){ 0x7000, 0xFFF };
    core->cpl = 0;
    rflags_write(core, RFLAGS_IF | RFLAGS_ZF);
    core->rip = HOST_RIP;
    core->next_rip = HOST_NEXT;
    core->gpr[RSP] = 0x8000;
    core->gpr[RAX] = VMCB_PA;
    core->svm.vm_hsave_pa = HSAVE_PA;
    core->pending.address = VMCB_PA;
    core_mode_changed(core, true);
    return core;
}

/* A legal VMCB: 64-bit guest, ASID 1, nothing intercepted but VMRUN, no nested paging. */
static inline void fixture_guest(struct fixture *fix)
{
    static const struct {
        uint16_t offset;
        uint8_t size;
        uint64_t value;
    } legal[] = {
        { 0x010, 4, 1 },
        { VMCB_IOPM_BASE_PA, 8, IOPM_PA },
        { VMCB_MSRPM_BASE_PA, 8, MSRPM_PA },
        { VMCB_GUEST_ASID, 4, 1 },
        { VMCB_SEGMENT(SEG_CS), 2, 0x33 },
        { VMCB_SEGMENT(SEG_CS) + VMCB_SEG_ATTR, 2, 0x29B },
        { VMCB_SEGMENT(SEG_CS) + VMCB_SEG_LIMIT, 4, 0xFFFFFFFF },
        { VMCB_SEGMENT(SEG_SS), 2, 0x2B },
        { VMCB_SEGMENT(SEG_SS) + VMCB_SEG_ATTR, 2, 0xC93 },
        { VMCB_SEGMENT(SEG_SS) + VMCB_SEG_LIMIT, 4, 0xFFFFFFFF },
        { VMCB_EFER, 8, 0x1500 }, /* SVME, LMA, LME */
        { VMCB_CR4, 8, 0x20 },
        { VMCB_CR3, 8, 0x40000 },
        { VMCB_CR0, 8, 0x80000011 },
        { VMCB_DR7, 8, 0x400 },
        { VMCB_DR6, 8, 0xFFFF0FF0 },
        { VMCB_RFLAGS, 8, 2 },
        { VMCB_RIP, 8, 0x1000 },
        { VMCB_RSP, 8, 0x2000 },
        { VMCB_RAX, 8, 0xAAAA },
        { VMCB_G_PAT, 8, PAT_RESET },
    };

    memset(fix->memory + VMCB_PA, 0, PAGE_BYTES);
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
        put(fix, VMCB_PA + legal[i].offset, legal[i].size, legal[i].value);
}

/* Host and guest as above, and into the guest. */
static inline struct core *fixture_in_guest(struct fixture *fix)
{
    struct core *core = fixture_host(fix);

    ck_assert_int_eq(svm_vmrun(core), OUTCOME_NEXT);
    ck_assert(core->svm.guest);
    return core;
}

static inline enum outcome fixture_leave(struct core *core, uint64_t code, uint64_t info1, uint64_t info2)
{
    core_vmexit(core, code, info1, info2);
    return svm_vmexit(core);
}

#endif
