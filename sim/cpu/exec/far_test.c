/* SPDX-License-Identifier: MIT */
/* Far JMP, CALL and RET, call gates (APM2 4.11; APM3 CALL, JMP, RET far). Tasks: event/task_test.c. */
#include "sim/cpu/event/event_setup.h"

#define TARGET 0x9000

/* JMP and CALL ptr16:32 to `selector`:TARGET, by immediate in 32-bit code and through memory in 64-bit code. */
static enum outcome go_far(struct setup *s, bool is_call, uint16_t selector)
{
    uint8_t direct[7] = { is_call ? 0x9A : 0xEA, 0x00, 0x90, 0x00, 0x00, (uint8_t)selector, (uint8_t)(selector >> 8) };

    if (s->core->mode != MODE_64BIT)
        return setup_run(s, direct, sizeof(direct));
    poke(s, 0x7000, 4, TARGET);
    poke(s, 0x7004, 2, selector);
    s->core->gpr[RAX] = 0x7000;
    return is_call ? RUN(s, "\xFF\x18") : RUN(s, "\xFF\x28");
}

/* ---- Direct ---------------------------------------------------------------------------------------------- */

START_TEST(a_far_call_pushes_cs_and_rip_by_operand_size)
{
    struct setup *s = setup_protected(3);

    ck_assert_int_eq(go_far(s, true, CODE32_3), OUTCOME_NEXT);
    assert_hex(s->core->rip, TARGET);
    assert_hex(s->core->seg[SEG_CS].selector, CODE32_3 | 3); /* RPL becomes CPL */
    assert_hex(peek(s, STACK - 8, 4), CODE + 7);
    assert_hex(peek(s, STACK - 4, 4), CODE32_3 | 3);
    assert_hex(s->core->gpr[RSP], STACK - 8);
    setup_free(s);
    s = setup_64(0);
    ck_assert_int_eq(go_far(s, true, CODE64_0), OUTCOME_NEXT); /* 32-bit operands by default */
    assert_hex(s->core->gpr[RSP], STACK - 8);
    assert_hex(peek(s, STACK - 8, 4), CODE + 2);
    setup_free(s);
    s = setup_protected(0);
    ck_assert_int_eq(RUN(s, "\x66\x9A\x00\x90\x08\x00"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], STACK - 4);
    assert_hex(peek(s, STACK - 4, 2), CODE + 6);
    setup_free(s);
}
END_TEST

START_TEST(a_far_jump_changes_between_64_bit_and_compatibility_mode)
{
    struct setup *s = setup_64(0);

    ck_assert_int_eq(go_far(s, false, CODE32_0), OUTCOME_NEXT);
    ck_assert_int_eq(s->core->mode, MODE_COMPATIBILITY);
    s->core->gpr[RSP] = STACK;
    ck_assert_int_eq(go_far(s, true, CODE64_0), OUTCOME_NEXT);
    ck_assert_int_eq(s->core->mode, MODE_64BIT);
    setup_free(s);
}
END_TEST

/* Mode (true: 64-bit), CPL, what the selector names at FREE, and the fault. */
static const struct {
    bool is64;
    unsigned cpl;
    uint16_t selector;
    uint64_t descriptor;
    uint8_t vector; /* 0: it goes through */
    uint32_t error;
} direct[] = {
    { false, 0, 0, 0, EXC_GP, 0 },
    { false, 0, 3, 0, EXC_GP, 0 },
    { false, 0, 0xC0, 0, EXC_GP, 0xC0 },
    { false, 0, 0x104, 0, EXC_GP, 0x104 }, /* beyond the LDT, TI in the error code */
    { false, 0, DATA32_0, 0, EXC_GP, DATA32_0 },
    { false, 0, LOCAL, 0, EXC_GP, LOCAL },
    { false, 0, CODE32_3, 0, EXC_GP, CODE32_3 },     /* DPL 3, CPL 0 */
    { false, 3, CODE32_0, 0, EXC_GP, CODE32_0 },
    { false, 0, CODE32_0 | 3, 0, EXC_GP, CODE32_0 }, /* RPL > CPL */
    { false, 3, CONFORMING_0, 0, 0, 0 },
    { false, 0, FREE, 0x00CFFF000000FFFF, EXC_GP, FREE }, /* conforming, DPL 3 > CPL 0 */
    { false, 0, FREE, 0x00CF1B000000FFFF, EXC_NP, FREE },
    { false, 0, FREE, 0x00409B0000008FFF, EXC_GP, 0 },    /* TARGET is beyond the limit */
    { false, 0, FREE, 0x00409B0000009000, 0, 0 },
    { true, 0, FREE, 0x00EF9B000000FFFF, EXC_GP, FREE },  /* L and D */
    { true, 0, FREE, 0x00AF9A000000FFFF, 0, 0 },
};

START_TEST(direct_far_transfers_check_the_code_segment)
{
    for (size_t i = 0; i < sizeof(direct) / sizeof(direct[0]); i++) {
        for (unsigned call = 0; call < 2; call++) {
            struct setup *s = direct[i].is64 ? setup_64(direct[i].cpl) : setup_protected(direct[i].cpl);
            enum outcome outcome;

            poke(s, GDT + FREE, 8, direct[i].descriptor);
            outcome = go_far(s, call, direct[i].selector);
            if (direct[i].vector) {
                assert_fault(s, outcome, direct[i].vector, direct[i].error);
                assert_hex(s->core->gpr[RSP], STACK);
            } else {
                ck_assert_int_eq(outcome, OUTCOME_NEXT);
                assert_hex(s->core->cpl, direct[i].cpl);
                assert_hex(s->core->seg[SEG_CS].attr & 1, 1);
            }
            setup_free(s);
        }
    }
}
END_TEST

START_TEST(far_transfers_in_real_mode_load_a_paragraph)
{
    struct setup *s = setup_real();

    ck_assert_int_eq(RUN(s, "\x9A\x34\x12\x00\x20"), OUTCOME_NEXT);
    assert_hex(s->core->rip, 0x1234);
    assert_hex(s->core->seg[SEG_CS].base, 0x20000);
    assert_hex(peek(s, 0x1EFFC, 2), 5);
    assert_hex(peek(s, 0x1EFFE, 2), 0x800);
    ck_assert_int_eq(RUN(s, "\xCA\x04\x00"), OUTCOME_NEXT);
    assert_hex(s->core->rip, 5);
    assert_hex(s->core->seg[SEG_CS].base, 0x8000);
    assert_hex(s->core->gpr[RSP], 0xF004);
    assert_fault(s, RUN(s, "\x66\xEA\x00\x00\x01\x00\x00\x20"), EXC_GP, 0); /* offset 10000h */
    setup_free(s);
}
END_TEST

START_TEST(a_far_call_looks_at_the_stack_before_the_target)
{
    struct setup *s = setup_protected(0);

    poke(s, GDT + FREE, 8, 0x00409B0000008FFF); /* TARGET is beyond the limit */
    s->core->seg[SEG_SS].limit = 0x1000;
    assert_fault(s, go_far(s, true, FREE), EXC_SS, 0);
    assert_fault(s, go_far(s, false, FREE), EXC_GP, 0);
    setup_free(s);
}
END_TEST

/* ---- Call gates --------------------------------------------------------------------------------------------- */

START_TEST(a_call_gate_to_an_inner_level_copies_parameters)
{
    struct setup *s = setup_protected(3);

    poke(s, GDT + FREE, 8, gate_of(CODE32_0, TARGET, 0xEC, 2));
    poke(s, STACK, 4, 0x1111);
    poke(s, STACK + 4, 4, 0x2222);
    ck_assert_int_eq(go_far(s, true, FREE), OUTCOME_NEXT);
    assert_hex(s->core->rip, TARGET);
    assert_hex(s->core->cpl, 0);
    assert_hex(s->core->gpr[RSP], STACK_0 - 24);
    assert_hex(peek(s, STACK_0 - 4, 4), DATA32_3 | 3);
    assert_hex(peek(s, STACK_0 - 8, 4), STACK);
    assert_hex(peek(s, STACK_0 - 12, 4), 0x2222);
    assert_hex(peek(s, STACK_0 - 16, 4), 0x1111);
    assert_hex(peek(s, STACK_0 - 20, 4), CODE32_3 | 3);
    assert_hex(peek(s, STACK_0 - 24, 4), CODE + 7);
    assert_hex(rflags_read(s->core), RFLAGS_IF | 2);
    /* RET 8 goes back and drops the parameters on both stacks. */
    ck_assert_int_eq(RUN(s, "\xCA\x08\x00"), OUTCOME_NEXT);
    assert_hex(s->core->rip, CODE + 7);
    assert_hex(s->core->cpl, 3);
    assert_hex(s->core->gpr[RSP], STACK + 8);
    assert_hex(s->core->seg[SEG_SS].selector, DATA32_3 | 3);
    setup_free(s);
}
END_TEST

START_TEST(a_16_bit_call_gate_pushes_words)
{
    struct setup *s = setup_protected(3);

    poke(s, GDT + FREE, 8, gate_of(CODE32_0, 0xFFFF0000 | TARGET, 0xE4, 1));
    poke(s, STACK, 2, 0x1111);
    ck_assert_int_eq(go_far(s, true, FREE), OUTCOME_NEXT);
    assert_hex(s->core->rip, TARGET); /* the upper offset does not count */
    assert_hex(s->core->gpr[RSP], STACK_0 - 10);
    assert_hex(peek(s, STACK_0 - 4, 2), STACK & 0xFFFF);
    assert_hex(peek(s, STACK_0 - 6, 2), 0x1111);
    setup_free(s);
}
END_TEST

START_TEST(a_long_mode_call_gate_takes_rsp_from_the_tss_and_a_null_ss)
{
    struct setup *s = setup_64(3);

    poke(s, GDT + FREE, 8, gate_of(CODE64_0, TARGET, 0xEC, 5));
    poke(s, GDT + FREE + 8, 8, 0);
    ck_assert_int_eq(go_far(s, true, FREE), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], STACK_0 - 32);
    assert_hex(peek(s, STACK_0 - 8, 8), DATA32_3 | 3);
    assert_hex(peek(s, STACK_0 - 16, 8), STACK);
    assert_hex(peek(s, STACK_0 - 24, 8), CODE64_3 | 3);
    assert_hex(peek(s, STACK_0 - 32, 8), CODE + 2);
    assert_hex(s->core->seg[SEG_SS].selector, 0);
    ck_assert_int_eq(RUN(s, "\x48\xCB"), OUTCOME_NEXT);
    assert_hex(s->core->rip, CODE + 2);
    assert_hex(s->core->gpr[RSP], STACK);
    assert_hex(s->core->cpl, 3);
    setup_free(s);
}
END_TEST

START_TEST(a_call_gate_takes_compatibility_mode_to_64_bit_code)
{
    struct setup *s = setup_compatibility(0);

    poke(s, GDT + FREE, 8, gate_of(CODE64_0, TARGET, 0x8C, 0));
    s->core->seg[SEG_SS].base = 0x10000; /* of no effect in 64-bit mode */
    ck_assert_int_eq(go_far(s, true, FREE), OUTCOME_NEXT);
    ck_assert_int_eq(s->core->mode, MODE_64BIT);
    assert_hex(s->core->gpr[RSP], STACK - 16);
    assert_hex(peek(s, STACK - 16, 8), CODE + 7);
    assert_hex(peek(s, STACK - 8, 8), CODE32_0);
    setup_free(s);
}
END_TEST

START_TEST(a_call_gate_to_the_same_level_keeps_the_stack)
{
    struct setup *s = setup_protected(0);

    poke(s, GDT + FREE, 8, gate_of(CODE32_0, TARGET, 0x8C, 3));
    ck_assert_int_eq(go_far(s, true, FREE), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], STACK - 8);
    s->core->rip = CODE;
    ck_assert_int_eq(go_far(s, false, FREE), OUTCOME_NEXT);
    assert_hex(s->core->rip, TARGET);
    setup_free(s);
}
END_TEST

/* The gate at FREE, its target at FREE2, and the fault. */
static const struct {
    bool is64, is_call;
    unsigned cpl;
    uint16_t through;
    uint64_t gate, gate_high, code;
    uint8_t vector;
    uint32_t error;
} gates[] = {
    { false, true, 3, FREE, 0x00008C0000089000, 0, 0, EXC_GP, FREE },     /* gate DPL 0 < CPL 3 */
    { false, true, 0, FREE | 3, 0x00008C0000089000, 0, 0, EXC_GP, FREE }, /* gate DPL 0 < RPL 3 */
    { false, true, 3, FREE, 0x00006C0000089000, 0, 0, EXC_NP, FREE },
    { false, true, 0, FREE, 0x00008C0000009000, 0, 0, EXC_GP, 0 },
    { false, true, 0, FREE, 0x00008C0000C09000, 0, 0, EXC_GP, 0xC0 },
    { false, true, 0, FREE, 0x00008C0000109000, 0, 0, EXC_GP, DATA32_0 },
    { false, true, 0, FREE, 0x00008C0000189000, 0, 0, EXC_GP, CODE32_3 },  /* outward */
    { false, true, 0, FREE, 0x00008C0000A09000, 0, 0x00CF1B000000FFFF, EXC_NP, FREE2 },
    { false, true, 0, FREE, 0x00008C0000A09000, 0, 0x00409B0000008FFF, EXC_GP, 0 },
    { false, false, 3, FREE, 0x0000EC0000089000, 0, 0, EXC_GP, CODE32_0 }, /* JMP does not change CPL */
    { false, true, 0, FREE, 0x00008E0000089000, 0, 0, EXC_GP, FREE },      /* an interrupt gate */
    { true, true, 0, FREE, 0x0000840000289000, 0, 0, EXC_GP, FREE },       /* 16-bit gate in long mode */
    { true, true, 0, FREE, 0x00008C0000289000, 0x0000010000000000, 0, EXC_GP, FREE },
    { true, true, 0, FREE, 0x00008C0000089000, 0, 0, EXC_GP, CODE32_0 },   /* L = 0 */
    { true, true, 0, FREE, 0x00008C0000A09000, 0, 0x00EF9B000000FFFF, EXC_GP, FREE2 },
    { true, true, 0, FREE, 0x00008C0000289000, 0x8000, 0, EXC_GP, 0 },     /* not canonical */
};

START_TEST(call_gate_checks_give_the_manuals_faults)
{
    for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
        struct setup *s = gates[i].is64 ? setup_64(gates[i].cpl) : setup_protected(gates[i].cpl);

        poke(s, GDT + FREE, 8, gates[i].gate);
        if (gates[i].is64)
            poke(s, GDT + FREE + 8, 8, gates[i].gate_high);
        if (gates[i].code)
            poke(s, GDT + FREE2, 8, gates[i].code);
        assert_fault(s, go_far(s, gates[i].is_call, gates[i].through), gates[i].vector, gates[i].error);
        assert_hex(s->core->gpr[RSP], STACK);
        setup_free(s);
    }
}
END_TEST

START_TEST(a_call_gate_checks_the_inner_stack)
{
    struct setup *s = setup_protected(3);

    poke(s, GDT + FREE, 8, gate_of(CODE32_0, TARGET, 0xEC, 0));
    poke(s, TSS + 8, 2, DATA32_3);
    assert_fault(s, go_far(s, true, FREE), EXC_TS, DATA32_3);
    poke(s, TSS + 8, 2, FREE2);
    poke(s, GDT + FREE2, 8, 0x004093000000FFFF);
    assert_fault(s, go_far(s, true, FREE), EXC_SS, FREE2); /* the push at 17FFC is beyond FFFF */
    setup_free(s);
    s = setup_64(3);
    poke(s, GDT + FREE, 8, gate_of(CODE64_0, TARGET, 0xEC, 0));
    poke(s, TSS + 4, 8, UINT64_C(0x0000800000000000));
    assert_fault(s, go_far(s, true, FREE), EXC_SS, 0);
    s->core->seg[SEG_TR].limit = 0xA;
    assert_fault(s, go_far(s, true, FREE), EXC_TS, TASK);
    setup_free(s);
}
END_TEST

/* ---- RET ------------------------------------------------------------------------------------------------------ */

START_TEST(a_far_return_checks_like_iret)
{
    static const struct {
        uint16_t cs, ss;
        uint8_t vector;
        uint32_t error;
    } cases[] = {
        { 0, 0, EXC_GP, 0 },
        { DATA32_0, 0, EXC_GP, DATA32_0 },
        { CODE32_3, 0, EXC_GP, CODE32_3 },
        { CODE32_3 | 3, 0, EXC_GP, 0 },
        { CODE32_3 | 3, DATA32_0, EXC_GP, DATA32_0 },
        { CODE32_3 | 3, DATA32_3, EXC_GP, DATA32_3 },
        { FREE, 0, EXC_NP, FREE },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setup *s = setup_protected(0);

        poke(s, GDT + FREE, 8, 0x00CF1B000000FFFF);
        poke(s, STACK, 4, TARGET);
        poke(s, STACK + 4, 4, cases[i].cs);
        poke(s, STACK + 8, 4, 0x1E000);
        poke(s, STACK + 12, 4, cases[i].ss);
        assert_fault(s, RUN(s, "\xCB"), cases[i].vector, cases[i].error);
        assert_hex(s->core->gpr[RSP], STACK);
        setup_free(s);
    }
}
END_TEST

UNIT_TESTS("far", a_far_call_pushes_cs_and_rip_by_operand_size,
           a_far_jump_changes_between_64_bit_and_compatibility_mode,
           direct_far_transfers_check_the_code_segment,
           far_transfers_in_real_mode_load_a_paragraph,
           a_far_call_looks_at_the_stack_before_the_target,
           a_call_gate_to_an_inner_level_copies_parameters,
           a_16_bit_call_gate_pushes_words,
           a_long_mode_call_gate_takes_rsp_from_the_tss_and_a_null_ss,
           a_call_gate_takes_compatibility_mode_to_64_bit_code,
           a_call_gate_to_the_same_level_keeps_the_stack,
           call_gate_checks_give_the_manuals_faults,
           a_call_gate_checks_the_inner_stack,
           a_far_return_checks_like_iret)
