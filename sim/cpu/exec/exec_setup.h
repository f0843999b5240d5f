/* SPDX-License-Identifier: MIT */
/*
 * For unit tests of semantics: a core with the real MMU on four megabytes of RAM, one device page and I/O
 * ports that remember. Instructions are given as bytes and need not lie in RAM.
 *
 *     gVA 010000 011000  user, writable       014000  supervisor, writable
 *         012000         not present          015000  the device
 *         013000         user, read-only      016000  user, writable, alone (017000 not present)
 *         018000-01FFFF  user, writable: the stack, rSP = 01F000
 */
#ifndef FAM10H_CPU_EXEC_EXEC_SETUP_H
#define FAM10H_CPU_EXEC_EXEC_SETUP_H

#include <inttypes.h>
#include <string.h>

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/fake_core.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/isa/evidence_setup.h"
#include "sim/spa.h"
#include "sim/unit_test.h"

#define SETUP_RAM 0x400000u
#define SETUP_DEVICE UINT64_C(0xF0000000)
#define SETUP_TABLES 0x300000u
#define SETUP_DATA 0x10000u
#define SETUP_STACK 0x1F000u
#define SETUP_RIP 0x8000u

struct setup {
    struct core core;
    struct clock clock;
    struct spa_space space;
    struct pio_space pio;
    uint8_t ram[SETUP_RAM];
    uint64_t device;      /* value that reads of the device page give, and of the last write */
    unsigned device_writes;
    uint32_t port_value;  /* the same for ports */
    uint16_t port;
    unsigned port_size, port_reads, port_writes;
    struct insn insn;
};

/* ---- Memory and ports ---------------------------------------------------------------------------------- */

static inline bool setup_is_dram(void *ctx, spa_t address)
{
    (void)ctx;
    return address < SETUP_RAM;
}

static inline uint8_t *setup_dram(void *ctx, spa_t address, bool allocate)
{
    struct setup *s = ctx;

    (void)allocate;
    return address < SETUP_RAM ? s->ram + (address & ~PAGE_MASK) : NULL;
}

static inline uint8_t *setup_page_flags(void *ctx, spa_t address)
{
    (void)ctx, (void)address;
    return NULL;
}

static inline void setup_stored(void *ctx, spa_t address, unsigned size)
{
    (void)ctx, (void)address, (void)size;
}

static inline uint64_t setup_mmio_read(void *ctx, spa_t address, unsigned size)
{
    struct setup *s = ctx;

    return zero_extend(s->device >> 8 * (address & 7), size);
}

static inline void setup_mmio_write(void *ctx, spa_t address, unsigned size, uint64_t value)
{
    struct setup *s = ctx;

    (void)address;
    s->device = zero_extend(value, size);
    s->device_writes++;
}

static inline unsigned setup_home_node(void *ctx, spa_t address)
{
    (void)ctx, (void)address;
    return 0;
}

static inline uint32_t setup_pio_read(void *ctx, uint16_t port, unsigned size)
{
    struct setup *s = ctx;

    s->port = port;
    s->port_size = size;
    s->port_reads++;
    return (uint32_t)zero_extend(s->port_value, size);
}

static inline void setup_pio_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct setup *s = ctx;

    s->port = port;
    s->port_size = size;
    s->port_value = value;
    s->port_writes++;
}

/* ---- Building --------------------------------------------------------------------------------------------- */

static inline void setup_poke(struct setup *s, uint64_t address, unsigned size, uint64_t value)
{
    memcpy(s->ram + address, &value, size);
}

static inline uint64_t setup_peek(const struct setup *s, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, s->ram + address, size);
    return value;
}

/* Four levels; the first 2 MiB by 4K pages, identity; P RW US A D = 67h. */
static inline void setup_page_tables(struct setup *s)
{
    for (unsigned level = 0; level < 3; level++)
        setup_poke(s, SETUP_TABLES + 0x1000 * level, 8, (SETUP_TABLES + 0x1000 * (level + 1)) | 0x67);
    for (unsigned page = 0; page < 512; page++)
        setup_poke(s, SETUP_TABLES + 0x3000 + 8 * page, 8, (uint64_t)page << 12 | 0x67);
    setup_poke(s, SETUP_TABLES + 0x3000 + 8 * 0x12, 8, 0);
    setup_poke(s, SETUP_TABLES + 0x3000 + 8 * 0x13, 8, 0x13065);
    setup_poke(s, SETUP_TABLES + 0x3000 + 8 * 0x14, 8, 0x14063);
    setup_poke(s, SETUP_TABLES + 0x3000 + 8 * 0x15, 8, SETUP_DEVICE | 0x67);
    setup_poke(s, SETUP_TABLES + 0x3000 + 8 * 0x17, 8, 0);
}

static inline void setup_paging(struct setup *s)
{
    struct paging paging = { .cr0 = s->core.cr0, .cr3 = s->core.cr3, .cr4 = s->core.cr4, .efer = s->core.efer,
                             .pat = UINT64_C(0x0007040600070406) };

    mmu_set_paging(s->core.mmu, &paging);
}

static const struct mmu_geometry setup_geometry = {
    .l1d = { 48, 0 }, .l1i_4k = { 32, 0 }, .l1i_2m = { 16, 0 },
    .l2d_4k = { 512, 4 }, .l2d_2m = { 128, 2 }, .l2i_4k = { 512, 4 },
};

static const struct cpu_model setup_model = { .name = "test", .mhz = 2000 };

/* In 64-bit mode, CPL 3 or 0, with paging as in the table above. */
static inline struct setup *setup_new(void)
{
    struct setup *s = calloc(1, sizeof(*s));
    struct core *core = &s->core;

    s->space = (struct spa_space){
        .ctx = s, .dram = setup_dram, .is_dram = setup_is_dram, .page_flags = setup_page_flags,
        .stored = setup_stored, .mmio_read = setup_mmio_read, .mmio_write = setup_mmio_write,
        .home_node = setup_home_node,
    };
    s->pio = (struct pio_space){ s, setup_pio_read, setup_pio_write };
    clock_init(&s->clock);
    core->space = &s->space;
    core->pio = &s->pio;
    core->clock = &s->clock;
    core->model = &setup_model;
    core->unmodelled = unmodelled_new();
    core->mmu = mmu_new(&setup_geometry, &s->space, 0, &core->cycles);
    mmu_reset(core->mmu);
    core->limit = core->horizon = NEVER;
    core->monitor_line = NEVER;
    setup_page_tables(s);
    return s;
}

static inline void setup_free(struct setup *s)
{
    mmu_free(s->core.mmu);
    unmodelled_free(s->core.unmodelled);
    free(s);
}

/* ---- Modes ------------------------------------------------------------------------------------------------- */

static inline void setup_privilege(struct setup *s, unsigned cpl)
{
    s->core.cpl = (uint8_t)cpl;
    s->core.access = cpl == 3 ? MMU_USER : 0;
}

static inline void setup_segments(struct setup *s, uint16_t code, uint16_t data, uint32_t limit)
{
    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        s->core.seg[n] = (struct segment){ .selector = 0x10, .attr = data, .limit = limit };
    s->core.seg[SEG_CS].attr = code;
}

static inline void setup_common(struct setup *s, enum mode mode, unsigned code_size, unsigned stack_size)
{
    struct core *core = &s->core;

    core->mode = (uint8_t)mode;
    core->code_size = (uint8_t)code_size;
    core->stack_size = (uint8_t)stack_size;
    core->rip = SETUP_RIP;
    core->gpr[RSP] = SETUP_STACK;
    rflags_write(core, 2);
    setup_paging(s);
}

static inline void setup_64(struct setup *s, unsigned cpl)
{
    s->core.cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG;
    s->core.cr4 = CR4_PAE;
    s->core.cr3 = SETUP_TABLES;
    s->core.efer = EFER_LME | EFER_LMA;
    setup_privilege(s, cpl);
    setup_segments(s, 0x29B, 0xC93, 0xFFFFFFFF);
    setup_common(s, MODE_64BIT, 4, 8);
}

/* 32-bit flat segments under the same page tables: compatibility mode. */
static inline void setup_32(struct setup *s, unsigned cpl)
{
    setup_64(s, cpl);
    setup_segments(s, 0xC9B, 0xC93, 0xFFFFFFFF);
    setup_common(s, MODE_COMPATIBILITY, 4, 4);
}

static inline void setup_real(struct setup *s)
{
    s->core.cr0 = CR0_ET;
    s->core.cr4 = s->core.cr3 = s->core.efer = 0;
    setup_privilege(s, 0);
    setup_segments(s, 0x9B, 0x93, 0xFFFF);
    setup_common(s, MODE_REAL, 2, 2);
    s->core.gpr[RSP] = 0xF000;
}

static inline void setup_virtual_8086(struct setup *s, unsigned iopl)
{
    setup_real(s);
    s->core.cr0 = CR0_PE | CR0_ET;
    setup_privilege(s, 3);
    setup_common(s, MODE_VIRTUAL_8086, 2, 2);
    s->core.gpr[RSP] = 0xF000;
    rflags_write(&s->core, RFLAGS_VM | (uint64_t)iopl << 12);
}

/* ---- Running ------------------------------------------------------------------------------------------------ */

static inline enum decode_result setup_decode(struct setup *s, const void *bytes, size_t size)
{
    struct decode_mode mode = {
        .code_bits = (uint8_t)(s->core.mode == MODE_64BIT ? 64 : 8 * s->core.code_size),
        .real_style = s->core.mode <= MODE_VIRTUAL_8086,
    };

    return decode(bytes, size, mode, &s->insn);
}

/* One instruction, as the interpreter runs it: rip moves only when it retires. Invalid bytes: #UD. */
static inline enum outcome setup_run(struct setup *s, const void *bytes, size_t size)
{
    struct core *core = &s->core;
    enum outcome outcome;

    core->pending_dr6 = 0;
    if (setup_decode(s, bytes, size) != DECODE_OK)
        return core_fault(core, EXC_UD);
    core->next_rip = core->rip + s->insn.length;
    outcome = s->insn.run(core, &s->insn);
    record_evidence(core, s->insn.row, outcome);
    if (outcome == OUTCOME_NEXT)
        core->rip = core->next_rip;
    return outcome;
}

/* RUN(s, "\x48\x01\xD8"): the bytes of a string literal. */
#define RUN(s, literal) setup_run((s), (literal), sizeof(literal) - 1)

#define assert_retires(s, literal) ck_assert_int_eq(RUN(s, literal), OUTCOME_NEXT)

#define assert_faults(s, literal, expected)                                                  \
    do {                                                                                     \
        ck_assert_int_eq(RUN(s, literal), OUTCOME_FAULT);                                    \
        ck_assert_uint_eq((s)->core.fault.vector, (expected));                               \
        ck_assert_uint_eq((s)->core.rip, SETUP_RIP);                                         \
    } while (0)

#endif
