/* SPDX-License-Identifier: MIT */
/*
 * Every #SS, #GP, #PF and #AC that a row of the general-purpose instructions declares is raised by some
 * scenario, and every fault that any scenario raises leaves no trace: registers, flags, rIP and memory are
 * as before. The same scenarios run on all other rows; those may need more than a scenario offers.
 */
#include <stdio.h>

#include "sim/cpu/exec/exec_setup.h"
#include "sim/cpu/isa/semantics.h"

static const char *const general_rows[] = {
#define ROW(name, encoding, operands, modes, feature, attributes, intercept, flags, faults, cost, run) encoding,
#include "sim/cpu/isa/integer.def"
#undef ROW
};

enum { IN_64, IN_32, IN_V86 };

/* Where the memory operand and the stack lie, and what makes them fault. */
struct scenario {
    uint8_t mode;
    uint8_t vector;           /* what the scenario is after */
    uint64_t memory, stack;
    uint8_t override;         /* segment prefix */
    bool small_data, small_stack, small_code; /* limits of FFF, FFF, rIP + 10h */
    bool aligned_only;        /* CR0.AM and RFLAGS.AC */
    bool bitmap;              /* the TSS and its bitmap lie at `memory` */
    uint64_t count;           /* rCX */
    uint64_t flags;
};

#define NOT_PRESENT 0x12800u
#define NON_CANONICAL UINT64_C(0x800000000000)
#define FINE SETUP_DATA
#define STACK SETUP_STACK
#define IOPL_3 (BIT(13) | BIT(12))

static const struct scenario scenarios[] = {
    { .mode = IN_64, .vector = EXC_PF, .memory = NOT_PRESENT, .stack = STACK },
    { .mode = IN_64, .vector = EXC_PF, .memory = FINE, .stack = NOT_PRESENT },
    { .mode = IN_64, .vector = EXC_PF, .memory = 0x13000, .stack = STACK },
    { .mode = IN_32, .vector = EXC_PF, .memory = NOT_PRESENT, .stack = STACK },
    { .mode = IN_32, .vector = EXC_PF, .memory = FINE, .stack = NOT_PRESENT },
    { .mode = IN_64, .vector = EXC_PF, .memory = NOT_PRESENT, .stack = STACK, .flags = IOPL_3 },
    { .mode = IN_64, .vector = EXC_PF, .memory = NOT_PRESENT, .stack = STACK, .bitmap = true },
    { .mode = IN_64, .vector = EXC_GP, .memory = NON_CANONICAL, .stack = STACK },
    { .mode = IN_64, .vector = EXC_GP, .memory = NON_CANONICAL, .stack = STACK, .flags = IOPL_3 },
    { .mode = IN_64, .vector = EXC_GP, .memory = FINE + 8, .stack = STACK },
    { .mode = IN_64, .vector = EXC_GP, .memory = FINE, .stack = STACK, .count = 5, .flags = RFLAGS_ARITH },
    { .mode = IN_32, .vector = EXC_GP, .memory = FINE, .stack = STACK, .small_data = true },
    { .mode = IN_32, .vector = EXC_GP, .memory = FINE, .stack = STACK, .small_code = true },
    { .mode = IN_32, .vector = EXC_GP, .memory = FINE, .stack = STACK, .small_code = true, .count = 5 },
    { .mode = IN_32, .vector = EXC_GP, .memory = FINE, .stack = STACK, .small_code = true, .count = 5,
      .flags = RFLAGS_ARITH },
    { .mode = IN_V86, .vector = EXC_GP, .memory = 0x1000, .stack = 0xF000 },
    { .mode = IN_64, .vector = EXC_SS, .memory = NON_CANONICAL, .stack = STACK },
    { .mode = IN_64, .vector = EXC_SS, .memory = FINE, .stack = NON_CANONICAL },
    { .mode = IN_32, .vector = EXC_SS, .memory = FINE, .stack = STACK, .small_stack = true },
    { .mode = IN_32, .vector = EXC_SS, .memory = FINE, .stack = STACK, .small_stack = true, .override = 0x36,
      .flags = IOPL_3 },
    { .mode = IN_64, .vector = EXC_AC, .memory = FINE + 1, .stack = STACK, .aligned_only = true, .flags = IOPL_3 },
    { .mode = IN_64, .vector = EXC_AC, .memory = FINE, .stack = STACK + 1, .aligned_only = true },
    { .mode = IN_32, .vector = EXC_AC, .memory = FINE + 1, .stack = STACK, .aligned_only = true },
    { .mode = IN_32, .vector = EXC_AC, .memory = FINE, .stack = STACK + 1, .aligned_only = true },
};

/* ---- Bytes ----------------------------------------------------------------------------------------------- */

/* With the memory operand at [rBX], for #SS at [rBP], or rBX itself where memory is not allowed. */
static unsigned make_bytes(uint8_t bytes[24], unsigned number, const struct scenario *scenario)
{
    const struct isa_form *form = &isa_forms[number];
    uint8_t reg = (uint8_t)__builtin_ctz(form->regs);
    unsigned at = 0;

    memset(bytes, 0, 24);
    if (scenario->override)
        bytes[at++] = scenario->override;
    if (form->prefixes == ISA_PREFIX_F3)
        bytes[at++] = 0xF3;
    else if (!(form->prefixes & ISA_PREFIX_NONE))
        bytes[at++] = form->prefixes & ISA_PREFIX_66 ? 0x66 : 0xF2;
    if (scenario->mode == IN_64 && !(form->rexw & 1))
        bytes[at++] = 0x48;
    if (form->map)
        bytes[at++] = 0x0F;
    bytes[at++] = form->first;
    if (form->modrm && !(form->mods & 1))
        bytes[at++] = (uint8_t)(0xC0 | reg << 3 | __builtin_ctz(form->rms));
    else if (form->modrm && scenario->vector == EXC_SS && scenario->mode == IN_64)
        bytes[at++] = (uint8_t)(0x45 | reg << 3), bytes[at++] = 0; /* [rbp+0] */
    else if (form->modrm)
        bytes[at++] = (uint8_t)(0x03 | reg << 3); /* [rbx] */
    if (form->op[0].method == ISA_METHOD_O || form->op[1].method == ISA_METHOD_O)
        memcpy(bytes + at, &scenario->memory, 8);
    else if (form->op[0].method == ISA_METHOD_J)
        bytes[at] = 0x40;
    return 15;
}

/* ---- State ------------------------------------------------------------------------------------------------ */

#define WATCHED 0x10000u /* bytes from WATCHED on */

static void set_state(struct setup *s, const struct scenario *scenario)
{
    struct core *core = &s->core;

    if (scenario->mode == IN_64)
        setup_64(s, 3);
    else if (scenario->mode == IN_32)
        setup_32(s, 3);
    else
        setup_virtual_8086(s, 0);
    for (unsigned reg = 0; reg < GPR_COUNT; reg++)
        core->gpr[reg] = 0x01010101 * reg;
    core->gpr[RBX] = core->gpr[RBP] = core->gpr[RSI] = core->gpr[RDI] = scenario->memory;
    core->gpr[RSP] = scenario->stack;
    core->gpr[RCX] = scenario->count;
    core->gpr[RAX] = 0; /* XLAT's index */
    rflags_write(core, scenario->flags | (core->mode == MODE_VIRTUAL_8086 ? RFLAGS_VM : 0));
    if (scenario->small_data)
        core->seg[SEG_DS].limit = core->seg[SEG_ES].limit = 0xFFF;
    if (scenario->small_stack)
        core->seg[SEG_SS].limit = 0xFFF;
    if (scenario->small_code)
        core->seg[SEG_CS].limit = SETUP_RIP + 0x10;
    if (scenario->aligned_only) {
        core->cr0 |= CR0_AM;
        core->rflags |= RFLAGS_AC;
    }
    core->seg[SEG_TR] = (struct segment){ .attr = 0x8B, .limit = 0x67, /* no room for a bitmap: no port */
                                          .base = scenario->bitmap ? scenario->memory : FINE };
    for (uint64_t at = FINE; at < 0x20000; at += 8) /* as a target: not canonical, beyond any limit */
        setup_poke(s, at, 8, 0x8888123456789ABC);
}

static void assert_no_trace(struct setup *s, const struct isa_row *row, const uint64_t *gpr, uint64_t rflags,
                            const uint8_t *memory)
{
    ck_assert_msg(memcmp(gpr, s->core.gpr, sizeof(s->core.gpr)) == 0, "%s \"%s\" #%u: registers changed", row->name,
                  row->encoding, s->core.fault.vector);
    ck_assert_msg(rflags_read(&s->core) == rflags, "%s \"%s\" #%u: flags changed", row->name, row->encoding,
                  s->core.fault.vector);
    ck_assert_uint_eq(s->core.rip, SETUP_RIP);
    ck_assert_msg(memcmp(memory, s->ram + WATCHED, WATCHED) == 0, "%s \"%s\" #%u: memory changed", row->name,
                  row->encoding, s->core.fault.vector);
}

/* The vector raised; 0xFF if the instruction did not fault, or is not valid in the scenario's mode. */
static unsigned run_scenario(struct setup *s, unsigned number, const struct scenario *scenario)
{
    static uint8_t memory[WATCHED];
    uint64_t gpr[GPR_COUNT], rflags;
    uint8_t bytes[24];
    unsigned size = make_bytes(bytes, number, scenario);

    set_state(s, scenario);
    if (setup_decode(s, bytes, size) != DECODE_OK || s->insn.row != &isa_rows[number])
        return 0xFF;
    memcpy(gpr, s->core.gpr, sizeof(gpr));
    rflags = rflags_read(&s->core);
    memcpy(memory, s->ram + WATCHED, WATCHED);
    if (setup_run(s, bytes, size) != OUTCOME_FAULT)
        return 0xFF;
    assert_no_trace(s, &isa_rows[number], gpr, rflags, memory);
    return s->core.fault.vector;
}

static bool declares(const struct isa_row *row, const char *fault)
{
    return strstr(row->faults, fault) != NULL;
}

/* ---- Tests -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned vector;
} wanted[] = { { "SS", EXC_SS }, { "GP", EXC_GP }, { "PF", EXC_PF }, { "AC", EXC_AC } };

static unsigned raised_by_row(struct setup *s, unsigned number)
{
    unsigned raised = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(scenarios); i++) {
        unsigned vector = run_scenario(s, number, &scenarios[i]);

        if (vector < 32)
            raised |= 1u << vector;
    }
    return raised;
}

START_TEST(every_declared_memory_fault_is_raised_and_leaves_no_trace)
{
    struct setup *s = setup_new();
    unsigned missing = 0;

    for (unsigned number = 0; number < G_N_ELEMENTS(general_rows); number++) {
        const struct isa_row *row = &isa_rows[number];
        unsigned raised = raised_by_row(s, number);

        ck_assert_str_eq(row->encoding, general_rows[number]); /* integer.def comes first in rows.def */
        for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
            bool declared = declares(row, wanted[i].name), seen = raised >> wanted[i].vector & 1;

            if (declared != seen) {
                fprintf(stderr, "# %s \"%s\": #%s %s\n", row->name, row->encoding, wanted[i].name,
                        declared ? "declared, not raised" : "raised, not declared");
                missing++;
            }
        }
    }
    ck_assert_uint_eq(missing, 0);
    setup_free(s);
}
END_TEST

START_TEST(no_fault_of_any_other_row_leaves_a_trace)
{
    struct setup *s = setup_new();

    for (unsigned number = G_N_ELEMENTS(general_rows); number < isa_row_count; number++)
        if (declares(&isa_rows[number], F_MEM))
            raised_by_row(s, number);
    setup_free(s);
}
END_TEST

UNIT_TESTS("fault", every_declared_memory_fault_is_raised_and_leaves_no_trace,
           no_fault_of_any_other_row_leaves_a_trace)
