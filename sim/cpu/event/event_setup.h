/* SPDX-License-Identifier: MIT */
/*
 * For unit tests of events, segments and system instructions: a real core on four megabytes of RAM with
 * descriptor tables in it, brought into the mode that a test wants.
 *
 *     0001000 GDT   0002000 IDT   0003000 TSS   0004000 TSS of a second task   0006000 LDT
 *     0008000 code  001F000 top of the current stack   0018000 of ring 0   001A000 of IST 1
 *     0300000 page tables (long mode; the first 2 MiB by 4K pages, identity)
 */
#ifndef FAM10H_CPU_EVENT_SETUP_H
#define FAM10H_CPU_EVENT_SETUP_H

#include <inttypes.h>
#include <string.h>

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/exec/descriptor.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/memory.h"
#include "sim/cpu/flat_ram.h"
#include "sim/cpu/isa/evidence_setup.h"
#include "sim/unit_test.h"

#define RAM_BYTES 0x400000u
#define GDT 0x1000u
#define IDT 0x2000u
#define TSS 0x3000u
#define TSS_B 0x4000u
#define LDT 0x6000u
#define CODE 0x8000u
#define STACK 0x1F000u
#define STACK_0 0x18000u
#define STACK_IST 0x1A000u
#define HANDLER 0xC000u
#define TABLES 0x300000u

/* The GDT. System descriptors have 16 bytes' room, so that long mode can use them. */
#define CODE32_0 0x08
#define DATA32_0 0x10
#define CODE32_3 0x18
#define DATA32_3 0x20
#define CODE64_0 0x28
#define CODE64_3 0x30
#define CONFORMING_0 0x38
#define TASK 0x40
#define LOCAL 0x50
#define CODE16_0 0x60
#define DATA16_0 0x68
#define TASK_B 0x70
#define CODE32_1 0x80
#define DATA32_1 0x88
#define FREE 0x90 /* tests put their own descriptors here and at FREE2, FREE3 */
#define FREE2 0xA0
#define FREE3 0xB0
#define GDT_BYTES 0xC0

/* Descriptor: attr as in struct segment (bits 47:40 and 55:52), limit in the descriptor's own units. */
static inline uint64_t entry_of(uint32_t base, uint32_t limit, unsigned attr)
{
    return bits(limit, 15, 0) | bits(base, 23, 0) << 16 | bits(attr, 7, 0) << 40 | bits(limit, 19, 16) << 48 |
           bits(attr, 11, 8) << 52 | bits(base, 31, 24) << 56;
}

/* Gate: attr is byte 5 (P, DPL, type), low5 the parameter count or IST. */
static inline uint64_t gate_of(uint16_t selector, uint32_t offset, unsigned attr, unsigned low5)
{
    return bits(offset, 15, 0) | (uint64_t)selector << 16 | (uint64_t)low5 << 32 | (uint64_t)attr << 40 |
           bits(offset, 31, 16) << 48;
}

struct setup {
    struct core *core;
    struct clock clock;
    struct spa_space space;
    struct pio_space pio;
    struct block_cache *blocks;
    struct exit_table *exits;
    struct unmodelled *unmodelled;
    uint8_t *ram;
    struct flat_ram flat; /* `ram` */
    struct insn insn;
};

/* ---- Surroundings ------------------------------------------------------------------------------------- */

static inline bool setup_send(void *ctx, const struct apic_message *message)
{
    (void)ctx, (void)message;
    return false;
}

static inline void poke(struct setup *s, uint64_t address, unsigned size, uint64_t value)
{
    memcpy(s->ram + address, &value, size);
}

static inline uint64_t peek(const struct setup *s, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, s->ram + address, size);
    return value;
}

/* ---- Building --------------------------------------------------------------------------------------------- */

static inline void setup_gdt(struct setup *s)
{
    static const struct {
        uint16_t selector;
        uint32_t base, limit;
        uint16_t attr;
    } entries[] = {
        { CODE32_0, 0, 0xFFFFF, 0xC9B }, { DATA32_0, 0, 0xFFFFF, 0xC93 },
        { CODE32_3, 0, 0xFFFFF, 0xCFB }, { DATA32_3, 0, 0xFFFFF, 0xCF3 },
        { CODE64_0, 0, 0xFFFFF, 0xA9B }, { CODE64_3, 0, 0xFFFFF, 0xAFB },
        { CONFORMING_0, 0, 0xFFFFF, 0xC9F }, { LOCAL, LDT, 0xFF, 0x082 },
        { CODE16_0, 0, 0xFFFF, 0x09B }, { DATA16_0, 0, 0xFFFF, 0x093 },
        { CODE32_1, 0, 0xFFFFF, 0xCBB }, { DATA32_1, 0, 0xFFFFF, 0xCB3 },
        { TASK, TSS, 0x1FF, 0x08B }, { TASK_B, TSS_B, 0x67, 0x089 },
    };

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        poke(s, GDT + entries[i].selector, 8, entry_of(entries[i].base, entries[i].limit, entries[i].attr));
    s->core->gdtr = (struct table_register){ GDT, GDT_BYTES - 1 };
}

static inline struct setup *setup_new(void)
{
    struct setup *s = calloc(1, sizeof(*s));
    struct core_wiring wiring = {
        .cores_in_node = 1, .nodes = 1, .model = cpu_model_find("10h-b3"),
        .messages = { NULL, setup_send },
    };

    s->ram = calloc(1, RAM_BYTES);
    s->flat = (struct flat_ram){ .bytes = s->ram, .size = RAM_BYTES };
    s->space = flat_ram_space(&s->flat);
    clock_init(&s->clock);
    wiring.space = &s->space;
    wiring.pio = &s->pio;
    wiring.clock = &s->clock;
    wiring.unmodelled = s->unmodelled = unmodelled_new();
    wiring.blocks = s->blocks = block_cache_new(&s->space);
    wiring.exits = s->exits = exit_table_new();
    s->core = core_new(&wiring);
    s->core->cr0 = CR0_ET;
    return s;
}

static inline void setup_free(struct setup *s)
{
    core_free(s->core);
    block_cache_free(s->blocks);
    exit_table_free(s->exits);
    unmodelled_free(s->unmodelled);
    free(s->ram);
    free(s);
}

/* A segment register as loading `selector` from the GDT would leave it; RPL as given. */
static inline void set_segment(struct setup *s, unsigned which, uint16_t selector)
{
    uint64_t low = peek(s, GDT + (selector & 0xFFF8u), 8);

    s->core->seg[which] = (struct segment){ selector, descriptor_attr(low), descriptor_limit(low),
                                            descriptor_base(low) };
}

static inline void setup_registers(struct setup *s, uint16_t code, uint16_t data, unsigned cpl)
{
    static const uint8_t others[] = { SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS };
    struct core *core = s->core;

    set_segment(s, SEG_CS, code | cpl);
    for (unsigned i = 0; i < sizeof(others); i++)
        set_segment(s, others[i], data | cpl);
    set_segment(s, SEG_TR, TASK);
    set_segment(s, SEG_LDTR, LOCAL);
    core->idtr = (struct table_register){ IDT, 0xFFF };
    core->cpl = (uint8_t)cpl;
    core->rip = core->next_rip = CODE;
    core->gpr[RSP] = STACK;
    rflags_write(core, RFLAGS_IF | 2);
    core_mode_changed(core, true);
}

/* Protected mode without paging, flat 32-bit segments, TSS with the ring-0 stack. */
static inline struct setup *setup_protected(unsigned cpl)
{
    struct setup *s = setup_new();

    setup_gdt(s);
    poke(s, TSS + 4, 4, STACK_0);
    poke(s, TSS + 8, 2, DATA32_0);
    poke(s, TSS + 0x66, 2, 0x88); /* I/O map; the redirection bitmap is 068-087 */
    s->core->cr0 |= CR0_PE;
    setup_registers(s, cpl ? CODE32_3 : CODE32_0, cpl ? DATA32_3 : DATA32_0, cpl);
    return s;
}

/* Every page present, writable, user, accessed and dirty (67h). */
static inline void setup_page_tables(struct setup *s)
{
    for (unsigned level = 0; level < 3; level++)
        poke(s, TABLES + 0x1000 * level, 8, (TABLES + 0x1000 * (level + 1)) | 0x67);
    for (unsigned page = 0; page < 512; page++)
        poke(s, TABLES + 0x3000 + 8 * page, 8, (uint64_t)page << 12 | 0x67);
}

/* One page's entry: page_entry(s, 0x18000, 0) takes it away. */
static inline void set_page(struct setup *s, uint64_t address, uint64_t flags)
{
    poke(s, TABLES + 0x3000 + 8 * (address >> 12), 8, flags ? (address & ~PAGE_MASK) | flags : 0);
    mmu_flush_all(s->core->mmu);
}

static inline struct setup *setup_long(uint16_t code, unsigned cpl)
{
    struct setup *s = setup_new();

    setup_gdt(s);
    setup_page_tables(s);
    poke(s, TSS + 4, 8, STACK_0);
    poke(s, TSS + 0x24, 8, STACK_IST);
    s->core->cr0 |= CR0_PE | CR0_PG | CR0_WP;
    s->core->cr4 = CR4_PAE;
    s->core->cr3 = TABLES;
    s->core->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    setup_registers(s, code, cpl ? DATA32_3 : DATA32_0, cpl);
    return s;
}

static inline struct setup *setup_64(unsigned cpl)
{
    return setup_long(cpl ? CODE64_3 : CODE64_0, cpl);
}

static inline struct setup *setup_compatibility(unsigned cpl)
{
    return setup_long(cpl ? CODE32_3 : CODE32_0, cpl);
}

/* CS:IP = 0800:0000, SS:SP = 1000:F000, IVT at 0. */
static inline struct setup *setup_real(void)
{
    struct setup *s = setup_new();
    struct core *core = s->core;

    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        core->seg[n] = (struct segment){ .selector = 0x1000, .attr = 0x93, .limit = 0xFFFF, .base = 0x10000 };
    core->seg[SEG_CS] = (struct segment){ .selector = 0x800, .attr = 0x9B, .limit = 0xFFFF, .base = CODE };
    core->idtr = (struct table_register){ 0, 0x3FF };
    core->rip = core->next_rip = 0;
    core->gpr[RSP] = 0xF000;
    rflags_write(core, RFLAGS_IF | 2);
    core_mode_changed(core, true);
    return s;
}

/* Virtual-8086 mode over the protected setup; the same addresses as in real mode. */
static inline struct setup *setup_virtual_8086(unsigned iopl)
{
    struct setup *s = setup_protected(0);
    struct core *core = s->core;

    for (unsigned n = SEG_ES; n <= SEG_GS; n++)
        core->seg[n] = (struct segment){ .selector = 0x1000, .attr = 0xF3, .limit = 0xFFFF, .base = 0x10000 };
    core->seg[SEG_CS] = (struct segment){ .selector = 0x800, .attr = 0xF3, .limit = 0xFFFF, .base = CODE };
    core->rip = core->next_rip = 0;
    core->gpr[RSP] = 0xF000;
    rflags_write(core, RFLAGS_VM | RFLAGS_IF | (uint64_t)iopl << 12 | 2);
    core_mode_changed(core, true);
    return s;
}

/* Every vector has its own handler address, so that rIP tells what was delivered. */
static inline uint64_t handler_of(unsigned vector)
{
    return HANDLER + 16 * vector;
}

/* attr: byte 5, for example 8Eh: present, DPL 0, 32-bit (in long mode 64-bit) interrupt gate. */
static inline void set_gate_ist(struct setup *s, unsigned vector, uint16_t selector, unsigned attr, unsigned ist)
{
    bool is_long = core_in_long_mode(s->core);

    poke(s, IDT + vector * (is_long ? 16 : 8), 8, gate_of(selector, (uint32_t)handler_of(vector), attr, ist));
    if (is_long)
        poke(s, IDT + vector * 16 + 8, 8, 0);
}

static inline void set_gate(struct setup *s, unsigned vector, uint16_t selector, unsigned attr)
{
    set_gate_ist(s, vector, selector, attr, 0);
}

/*
 * Handlers for #DF and 10-14 that no broken TSS or stack gets in the way of: on IST 1 in long mode, at the
 * current level (conforming code) in protected mode.
 */
static inline void set_fault_gates(struct setup *s)
{
    bool is_long = core_in_long_mode(s->core);

    for (unsigned vector = 0; vector < 32; vector++)
        set_gate_ist(s, vector, is_long ? CODE64_0 : CONFORMING_0, 0x8E, is_long ? 1 : 0);
}

/* A guest that intercepts nothing yet; the VMCB is not looked at. */
static inline void become_guest(struct setup *s)
{
    s->core->svm.guest = true;
}

static inline void intercept(struct setup *s, unsigned code)
{
    s->core->svm.intercept[code >> 5] |= 1u << (code & 31);
}

/* ---- Running ------------------------------------------------------------------------------------------------ */

/* What one instruction comes to, before anything is delivered. rip moves only when it retires. */
static inline enum outcome setup_run(struct setup *s, const void *bytes, size_t size)
{
    struct core *core = s->core;
    struct decode_mode mode = {
        .code_bits = (uint8_t)(core->mode == MODE_64BIT ? 64 : 8 * core->code_size),
        .real_style = core->mode <= MODE_VIRTUAL_8086,
    };
    enum outcome outcome;

    if (decode(bytes, size, mode, &s->insn) != DECODE_OK)
        return core_fault(core, EXC_UD);
    core->next_rip = core->rip + s->insn.length;
    outcome = s->insn.run(core, &s->insn);
    record_evidence(core, s->insn.row, outcome);
    if (outcome == OUTCOME_NEXT)
        core->rip = core->next_rip;
    return outcome;
}

/* The same, and what event/ makes of it: rip is where execution goes on. */
static inline enum outcome setup_resolve(struct setup *s, const void *bytes, size_t size)
{
    struct core *core = s->core;
    enum outcome first = setup_run(s, bytes, size), outcome;
    struct event raised = core->fault;

    outcome = event_resolve(core, first);
    if (first == OUTCOME_TRAP && outcome == OUTCOME_NEXT)
        record_evidence(core, s->insn.row, OUTCOME_NEXT); /* INT3, ICEBP: their whole effect */
    if (memcmp(&raised, &core->fault, sizeof(raised)) != 0) /* a fault of the transfer itself */
        record_evidence(core, s->insn.row, OUTCOME_FAULT);
    return outcome;
}

/* IRET or a task switch, its fault not yet delivered. */
static inline enum outcome setup_transfer(struct setup *s, const void *bytes, size_t size)
{
    struct core *core = s->core;
    enum outcome outcome = setup_run(s, bytes, size);

    if (outcome == OUTCOME_IRET)
        outcome = event_iret(core);
    else if (outcome == OUTCOME_TASK)
        outcome = event_task(core, core->pending.selector, core->pending.is_call ? TASK_CALL : TASK_JUMP);
    record_evidence(core, s->insn.row, outcome);
    return outcome;
}

/* RUN(s, "\x0F\x06"): the bytes of a string literal. */
#define RUN(s, literal) setup_run((s), (literal), sizeof(literal) - 1)
#define RESOLVE(s, literal) setup_resolve((s), (literal), sizeof(literal) - 1)
#define TRANSFER(s, literal) setup_transfer((s), (literal), sizeof(literal) - 1)

static inline enum outcome deliver(struct setup *s, uint8_t kind, uint8_t vector)
{
    return event_deliver(s->core, &(struct event){ .vector = vector, .kind = kind });
}

static inline enum outcome deliver_error(struct setup *s, uint8_t vector, uint32_t error)
{
    return event_deliver(s->core, &(struct event){ .vector = vector, .kind = EVENT_EXCEPTION, .has_error = true,
                                                   .error = error });
}

#define assert_hex(value, expected) ck_assert_uint_eq((uint64_t)(value), (uint64_t)(expected))

/* Delivered to this vector's handler, with this error code on top of the stack. */
#define assert_handler(s, outcome, vector)                          \
    do {                                                            \
        ck_assert_int_eq((outcome), OUTCOME_NEXT);                  \
        assert_hex((s)->core->rip, handler_of(vector));             \
    } while (0)

#define assert_handler_error(s, outcome, vector, error_)            \
    do {                                                            \
        assert_handler(s, outcome, vector);                         \
        assert_hex(peek((s), (s)->core->gpr[RSP], 4), (error_));    \
    } while (0)

#define assert_fault(s, outcome, vector_, error_)                   \
    do {                                                            \
        ck_assert_int_eq((outcome), OUTCOME_FAULT);                 \
        ck_assert_uint_eq((s)->core->fault.vector, (vector_));      \
        ck_assert_uint_eq((s)->core->fault.error, (error_));        \
    } while (0)

#define assert_exit(s, outcome, code_, info1_, info2_)              \
    do {                                                            \
        ck_assert_int_eq((outcome), OUTCOME_VMEXIT);                \
        assert_hex((s)->core->exit.code, (code_));                  \
        assert_hex((s)->core->exit.info1, (info1_));                \
        assert_hex((s)->core->exit.info2, (info2_));                \
    } while (0)

#endif
