/* SPDX-License-Identifier: MIT */
/*
 * Every fault that a row of x87, MMX, 3DNow! and SSE declares is raised, no other is, and none leaves a trace
 * but the exception flags of MXCSR. Each row also retires.
 */
#include <stdio.h>

#include "sim/cpu/exec/exec_setup.h"
#include "sim/cpu/exec/media.h"
#include "sim/cpu/exec/x87.h"
#include "sim/cpu/isa/semantics.h"

#define FINE SETUP_DATA
#define NOT_PRESENT 0x12800u
#define NON_CANONICAL UINT64_C(0x800000000000)

enum condition { NOTHING, EM, NO_OSFXSR, TS, PENDING, ALIGNMENT, MISALIGNED, UNMASKED, NO_XMMEXCPT };

static const struct scenario {
    enum condition condition;
    uint64_t memory;
    bool stack;         /* through rBP: SS */
    bool registers;     /* the register form, where there is one */
    bool wide;          /* REX.W */
} scenarios[] = {
    { .condition = NOTHING, .memory = FINE },
    { .condition = NOTHING, .memory = FINE, .registers = true },
    { .condition = EM, .memory = FINE },
    { .condition = NO_OSFXSR, .memory = FINE },
    { .condition = TS, .memory = FINE },
    { .condition = PENDING, .memory = FINE },
    { .condition = PENDING, .memory = FINE, .registers = true },
    { .condition = NOTHING, .memory = NOT_PRESENT },
    { .condition = NOTHING, .memory = NON_CANONICAL },
    { .condition = NOTHING, .memory = NON_CANONICAL, .stack = true },
    { .condition = NOTHING, .memory = FINE + 4 },
    { .condition = ALIGNMENT, .memory = FINE + 1 },
    { .condition = MISALIGNED, .memory = FINE + 1 },
    { .condition = UNMASKED, .memory = FINE },
    { .condition = UNMASKED, .memory = FINE, .wide = true },
    { .condition = NO_XMMEXCPT, .memory = FINE },
};

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool is_media(const struct isa_row *row)
{
    return strstr(row->faults, "NM") != NULL;
}

/* ---- Bytes and state ---------------------------------------------------------------------------------------- */

static void make_bytes(uint8_t bytes[15], const struct isa_form *form, const struct scenario *scenario)
{
    uint8_t reg = (uint8_t)__builtin_ctz(form->regs);
    unsigned at = 0;

    memset(bytes, 0, 15);
    if (!(form->prefixes & ISA_PREFIX_NONE))
        bytes[at++] = form->prefixes & ISA_PREFIX_66 ? 0x66 : form->prefixes & ISA_PREFIX_F3 ? 0xF3 : 0xF2;
    if (scenario->wide)
        bytes[at++] = 0x48;
    if (form->map)
        bytes[at++] = 0x0F;
    bytes[at++] = form->map == 2 ? 0x0F : form->first;
    if (form->modrm && (!(form->mods & 1) || (scenario->registers && (form->mods & 2))))
        bytes[at++] = (uint8_t)(0xC0 | reg << 3 | __builtin_ctz(form->rms));
    else if (form->modrm && scenario->stack)
        bytes[at++] = (uint8_t)(0x45 | reg << 3), bytes[at++] = 0; /* [rbp+0] */
    else if (form->modrm)
        bytes[at++] = (uint8_t)(0x03 | reg << 3); /* [rbx] */
    if (form->map == 2)
        bytes[at++] = form->first;
}

/* Random numbers, half of them single-precision and double-precision SNaNs, infinities and denormals. */
static uint64_t operand_value(void)
{
    static const uint64_t values[] = { 0x7FF000017F800001, 0x7FF0000000000001, 0x000000017F800001, 0x7F8000017F800001,
                                       0x0010000000800000, 0x3FF800003FC00001, 0x3FD555553EAAAAAB, 0x7FEFFFFF7FFFFFFF };
    uint64_t roll = next_random();

    return roll & 1 ? values[roll >> 8 & 7] : next_random();
}

static void set_state(struct setup *s, const struct scenario *scenario)
{
    struct core *core = &s->core;

    setup_64(s, 3);
    core->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    core->mxcsr = 0x1F80;
    x87_initialize(core);
    for (unsigned i = 0; i < 8; i++)
        core->x87.reg[i] = (struct x87_register){ operand_value() | UINT64_C(1) << 63, 0x3FFF };
    core->x87.full = 0xFE;
    for (unsigned i = 0; i < 32; i++)
        core->xmm[i / 2].q[i % 2] = operand_value();
    for (unsigned i = 0; i < 64; i++)
        setup_poke(s, FINE + 8 * i, 8, operand_value());
    setup_poke(s, FINE, 2, 0x037F);
    setup_poke(s, FINE + 24, 8, 0x1F80);
    for (unsigned reg = 0; reg < GPR_COUNT; reg++)
        core->gpr[reg] = operand_value();
    core->gpr[RBX] = core->gpr[RBP] = core->gpr[RDI] = scenario->memory;
    switch (scenario->condition) {
    case EM: core->cr0 |= CR0_EM; break;
    case NO_OSFXSR: core->cr4 &= ~CR4_OSFXSR; break;
    case TS: core->cr0 |= CR0_TS | CR0_MP; break;
    case PENDING:
        core->cr0 |= CR0_NE;
        core->x87.control &= (uint16_t)~X87_IE;
        core->x87.status |= X87_IE;
        x87_summarize(core);
        break;
    case MISALIGNED: core->mxcsr |= MXCSR_MM; /* fall through */
    case ALIGNMENT:
        core->cr0 |= CR0_AM;
        core->rflags |= RFLAGS_AC;
        break;
    case NO_XMMEXCPT: core->cr4 &= ~CR4_OSXMMEXCPT; /* fall through */
    case UNMASKED: core->mxcsr = 0; break;
    default: break;
    }
}

/* ---- One run -------------------------------------------------------------------------------------------------- */

static struct core before;
static uint8_t memory[0x8000];

static void assert_no_trace(struct setup *s, const struct isa_row *row)
{
    struct core *core = &s->core;

    if (core->fault.vector == EXC_XF || core->fault.vector == EXC_UD)
        before.mxcsr |= core->mxcsr & MXCSR_FLAGS;
    ck_assert_msg(memcmp(before.gpr, core->gpr, sizeof(core->gpr)) == 0 &&
                      memcmp(before.xmm, core->xmm, sizeof(core->xmm)) == 0 && before.mxcsr == core->mxcsr &&
                      memcmp(&before.x87, &core->x87, sizeof(core->x87)) == 0 && before.rflags == rflags_read(core) &&
                      memcmp(memory, s->ram + SETUP_DATA, sizeof(memory)) == 0,
                  "%s \"%s\" #%u left a trace", row->name, row->encoding, core->fault.vector);
}

/* A bit for the vector raised; bit 31 if it retired. */
static uint32_t run_scenario(struct setup *s, unsigned number, const struct scenario *scenario)
{
    const struct isa_row *row = &isa_rows[number];
    enum outcome outcome;
    uint8_t bytes[15];

    make_bytes(bytes, &isa_forms[number], scenario);
    set_state(s, scenario);
    rflags_read(&s->core);
    before = s->core;
    memcpy(memory, s->ram + SETUP_DATA, sizeof(memory));
    outcome = setup_run(s, bytes, 15);
    ck_assert_msg(s->insn.row == row, "%s \"%s\": decoded as %s", row->name, row->encoding,
                  s->insn.row ? s->insn.row->name : "invalid");
    if (outcome == OUTCOME_NEXT)
        return UINT32_C(1) << 31;
    ck_assert_int_eq(outcome, OUTCOME_FAULT);
    assert_no_trace(s, row);
    return UINT32_C(1) << s->core.fault.vector;
}

START_TEST(every_declared_fault_of_media_instructions_is_raised_and_leaves_no_trace)
{
    static const struct {
        const char *name;
        unsigned vector;
    } faults[] = { { "UD", EXC_UD }, { "NM", EXC_NM }, { "MF", EXC_MF }, { "XF", EXC_XF },
                   { "SS", EXC_SS }, { "GP", EXC_GP }, { "PF", EXC_PF }, { "AC", EXC_AC } };
    struct setup *s = setup_new();
    unsigned wrong = 0, rows = 0;

    for (unsigned number = 0; number < isa_row_count; number++) {
        const struct isa_row *row = &isa_rows[number];
        uint32_t raised = 0;

        if (!is_media(row))
            continue;
        rows++;
        for (unsigned i = 0; i < G_N_ELEMENTS(scenarios); i++)
            for (unsigned n = 0; n < (scenarios[i].condition >= UNMASKED ? 40 : 1); n++)
                raised |= run_scenario(s, number, &scenarios[i]);
        ck_assert_msg(raised >> 31, "%s \"%s\" never retires", row->name, row->encoding);
        for (unsigned i = 0; i < G_N_ELEMENTS(faults); i++) {
            bool declared = strstr(row->faults, faults[i].name) != NULL, seen = raised >> faults[i].vector & 1;

            if (declared == seen)
                continue;
            fprintf(stderr, "# %s \"%s\": #%s %s\n", row->name, row->encoding, faults[i].name,
                    declared ? "declared, not raised" : "raised, not declared");
            wrong++;
        }
    }
    ck_assert_uint_gt(rows, 400);
    ck_assert_uint_eq(wrong, 0);
    setup_free(s);
}
END_TEST

UNIT_TESTS("media faults", every_declared_fault_of_media_instructions_is_raised_and_leaves_no_trace)
