/* SPDX-License-Identifier: MIT */
/* Delivery by mode: frames, gates, error codes. Expectations: APM2 8.4, 8.6, 8.7, 8.9. */
#include "sim/cpu/event/event_setup.h"

#define VECTOR 0x40                       /* of the event under test */
#define IDT_ERROR (VECTOR * 8 | 2)        /* names its IDT entry (APM2 8.4.1); EXT is bit 0 */

/* ---- Long mode --------------------------------------------------------------------------------------- */

START_TEST(long_mode_pushes_five_words_on_rsp0_and_nulls_ss)
{
    struct setup *s = setup_64(3);
    struct core *core = s->core;

    set_gate(s, VECTOR, CODE64_0, 0x8E);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    assert_hex(core->gpr[RSP], STACK_0 - 40);
    assert_hex(peek(s, STACK_0 - 8, 8), DATA32_3 | 3);
    assert_hex(peek(s, STACK_0 - 16, 8), STACK);
    assert_hex(peek(s, STACK_0 - 24, 8), RFLAGS_IF | 2);
    assert_hex(peek(s, STACK_0 - 32, 8), CODE64_3 | 3);
    assert_hex(peek(s, STACK_0 - 40, 8), CODE);
    assert_hex(core->seg[SEG_SS].selector, 0); /* null, RPL = new CPL (APM2 8.9.3) */
    ck_assert(!attr_is_present(core->seg[SEG_SS].attr));
    assert_hex(core->seg[SEG_CS].selector, CODE64_0);
    assert_hex(core->cpl, 0);
    assert_hex(rflags_read(core), 2);
    setup_free(s);
}
END_TEST

START_TEST(a_trap_gate_leaves_if_set_and_an_interrupt_gate_clears_it)
{
    struct setup *s = setup_64(0);

    set_gate(s, VECTOR, CODE64_0, 0x8F);
    rflags_write(s->core, RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    assert_hex(rflags_read(s->core), RFLAGS_IF | RFLAGS_AC | 2); /* TF, NT, RF are cleared by both */
    set_gate(s, VECTOR, CODE64_0, 0x8E);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    assert_hex(rflags_read(s->core), RFLAGS_AC | 2);
    setup_free(s);
}
END_TEST

START_TEST(long_mode_aligns_the_stack_and_keeps_ss_at_the_same_level)
{
    struct setup *s = setup_64(0);
    struct core *core = s->core;

    core->gpr[RSP] = STACK - 3;
    set_gate(s, EXC_GP, CODE64_0, 0x8E);
    assert_handler_error(s, deliver_error(s, EXC_GP, 0x1234), EXC_GP, 0x1234);
    assert_hex(core->gpr[RSP], STACK - 16 - 48); /* aligned down to 16, then six words */
    assert_hex(peek(s, STACK - 16 - 16, 8), STACK - 3);
    assert_hex(core->seg[SEG_SS].selector, DATA32_0);
    setup_free(s);
}
END_TEST

START_TEST(an_ist_entry_wins_over_the_current_stack)
{
    struct setup *s = setup_64(0);

    set_gate_ist(s, VECTOR, CODE64_0, 0x8E, 1);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    assert_hex(s->core->gpr[RSP], STACK_IST - 40);
    assert_hex(s->core->seg[SEG_SS].selector, DATA32_0); /* no change of CPL: not null */
    setup_free(s);
}
END_TEST

START_TEST(compatibility_mode_is_interrupted_into_64_bit_mode)
{
    struct setup *s = setup_compatibility(3);

    s->core->gpr[RSP] = UINT64_C(0xFFFFFFFF00000000) | STACK;
    set_gate(s, VECTOR, CODE64_0, 0x8E);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    ck_assert_int_eq(s->core->mode, MODE_64BIT);
    assert_hex(peek(s, STACK_0 - 32, 8), CODE32_3 | 3);
    setup_free(s);
}
END_TEST

/* What is wrong with the gate or its target, and the fault that comes of it. */
static const struct {
    uint64_t low, high;
    uint64_t target; /* descriptor at FREE, 0: none */
    uint8_t kind;
    uint8_t cpl;
    uint8_t vector;
    uint32_t error;
} long_gates[] = {
    /* not a 64-bit interrupt or trap gate: #GP naming the IDT entry, EXT for an external event */
    { 0x0000850000280000, 0, 0, EVENT_INTR, 0, EXC_GP, IDT_ERROR | 1 },
    { 0x0000860000280000, 0, 0, EVENT_INTR, 0, EXC_GP, IDT_ERROR | 1 },
    { 0x00008C0000280000, 0, 0, EVENT_INTR, 0, EXC_GP, IDT_ERROR | 1 },
    { 0x00009E0000280000, 0, 0, EVENT_INTR, 0, EXC_GP, IDT_ERROR | 1 }, /* S = 1 */
    { 0x00000E0000280000, 0, 0, EVENT_INTR, 0, EXC_NP, IDT_ERROR | 1 },
    /* of the upper half only the offset counts: unlike a call gate's, bits 12:8 of byte +12 may be set (APM2 4.8.4) */
    { 0x00008E0000280000, 0xFFFFFFFF00000000, 0, EVENT_INTR, 0, VECTOR, 0 },
    /* INT n checks the gate's DPL, without EXT; an external interrupt does not (APM2 8.7.4) */
    { 0x00008E0000280000, 0, 0, EVENT_SOFT_INT, 3, EXC_GP, IDT_ERROR },
    { 0x0000CE0000280000, 0, 0, EVENT_SOFT_INT, 3, 0, 0 },
    { 0x0000EE0000280000, 0, 0, EVENT_SOFT_INT, 3, VECTOR, 0 },
    { 0x00008E0000280000, 0, 0, EVENT_INTR, 3, VECTOR, 0 },
    /* the code segment */
    { 0x00008E0000000000, 0, 0, EVENT_INTR, 0, EXC_GP, 1 },
    { 0x00008E0000030000, 0, 0, EVENT_INTR, 0, EXC_GP, 1 },
    { 0x00008E0000C00000, 0, 0, EVENT_INTR, 0, EXC_GP, 0xC0 | 1 }, /* beyond the GDT */
    { 0x00008E0000100000, 0, 0, EVENT_INTR, 0, EXC_GP, DATA32_0 | 1 },
    { 0x00008E0000080000, 0, 0, EVENT_INTR, 0, EXC_GP, CODE32_0 | 1 }, /* L = 0 */
    { 0x00008E0000900000, 0, 0x00EF9B000000FFFF, EVENT_INTR, 0, EXC_GP, FREE | 1 }, /* L and D */
    { 0x00008E0000300000, 0, 0, EVENT_INTR, 0, EXC_GP, CODE64_3 | 1 }, /* less privileged */
    { 0x00008E0000900000, 0, 0x00AF1B000000FFFF, EVENT_INTR, 0, EXC_NP, FREE | 1 },
    { 0x00008E0000900000, 0, 0x00AF1B000000FFFF, EVENT_SOFT_INT, 0, EXC_NP, FREE },
    /* the offset is not canonical */
    { 0x00008E0000280000, 0x0000000000008000, 0, EVENT_INTR, 0, EXC_GP, 1 },
};

START_TEST(long_mode_gate_checks_give_the_manuals_faults)
{
    for (size_t i = 0; i < sizeof(long_gates) / sizeof(long_gates[0]); i++) {
        struct setup *s = setup_64(long_gates[i].cpl);
        uint64_t offset = handler_of(VECTOR);
        uint8_t vector = long_gates[i].vector;

        set_fault_gates(s);
        poke(s, IDT + VECTOR * 16, 8, long_gates[i].low | offset);
        poke(s, IDT + VECTOR * 16 + 8, 8, long_gates[i].high);
        if (long_gates[i].target)
            poke(s, GDT + FREE, 8, long_gates[i].target);
        if (vector == 0) { /* DPL 2 < CPL 3 */
            assert_handler_error(s, deliver(s, long_gates[i].kind, VECTOR), EXC_GP, IDT_ERROR);
        } else if (vector == VECTOR) {
            assert_handler(s, deliver(s, long_gates[i].kind, VECTOR), VECTOR);
        } else {
            assert_handler_error(s, deliver(s, long_gates[i].kind, VECTOR), vector, long_gates[i].error);
            assert_hex(peek(s, s->core->gpr[RSP] + 8, 8), CODE);  /* the fault's rIP: nothing was delivered */
            assert_hex(peek(s, s->core->gpr[RSP] + 32, 8), STACK);
        }
        setup_free(s);
    }
}
END_TEST

START_TEST(a_vector_beyond_the_idt_is_gp)
{
    struct setup *s = setup_64(0);

    set_fault_gates(s);
    s->core->idtr.limit = VECTOR * 16 + 14; /* one byte short */
    assert_handler_error(s, deliver(s, EVENT_INTR, VECTOR), EXC_GP, IDT_ERROR | 1);
    setup_free(s);
}
END_TEST

START_TEST(a_tss_stack_that_is_not_there_is_ts_and_one_that_is_not_canonical_ss)
{
    struct setup *s = setup_64(3);

    set_fault_gates(s);
    set_gate(s, VECTOR, CODE64_0, 0x8E);
    poke(s, TSS + 4, 8, UINT64_C(0x0000800000000000));
    assert_handler_error(s, deliver(s, EVENT_INTR, VECTOR), EXC_SS, 1);
    setup_free(s);

    s = setup_64(3);
    set_fault_gates(s);
    set_gate_ist(s, VECTOR, CODE64_0, 0x8E, 2);
    s->core->seg[SEG_TR].limit = 0x24 + 8 + 7 - 1; /* IST2 is at 02C-033 */
    assert_handler_error(s, deliver(s, EVENT_INTR, VECTOR), EXC_TS, TASK | 1);
    setup_free(s);
}
END_TEST

START_TEST(a_push_that_page_faults_leaves_the_stack_and_registers_alone)
{
    struct setup *s = setup_64(3);

    set_fault_gates(s);
    set_gate(s, VECTOR, CODE64_0, 0x8E);
    poke(s, TSS + 4, 8, 0x18010); /* two words fit on the page of 018000, the third does not */
    poke(s, 0x18000, 8, 0x5555);
    set_page(s, 0x17000, 0);
    assert_handler_error(s, deliver(s, EVENT_INTR, VECTOR), EXC_PF, 2); /* a supervisor write, not present */
    assert_hex(s->core->cr2, 0x17FF8);
    assert_hex(peek(s, 0x18000, 8), 0x5555);
    setup_free(s);
}
END_TEST

/* ---- Protected mode ------------------------------------------------------------------------------------ */

START_TEST(protected_mode_same_level_pushes_by_the_gates_size)
{
    struct setup *s = setup_protected(0);

    set_gate(s, VECTOR, CODE32_0, 0x8E);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    assert_hex(s->core->gpr[RSP], STACK - 12);
    assert_hex(peek(s, STACK - 12, 4), CODE);
    assert_hex(peek(s, STACK - 8, 4), CODE32_0);
    assert_hex(peek(s, STACK - 4, 4), RFLAGS_IF | 2);
    setup_free(s);

    s = setup_protected(0);
    set_gate(s, VECTOR, CODE16_0, 0x86);
    ck_assert_int_eq(deliver(s, EVENT_INTR, VECTOR), OUTCOME_NEXT);
    assert_hex(s->core->rip, handler_of(VECTOR) & 0xFFFF);
    assert_hex(s->core->gpr[RSP], STACK - 6);
    assert_hex(peek(s, STACK - 6, 2), CODE);
    ck_assert_int_eq(s->core->code_size, 2);
    setup_free(s);
}
END_TEST

START_TEST(protected_mode_inner_level_switches_stacks)
{
    struct setup *s = setup_protected(3);
    struct core *core = s->core;

    set_gate(s, EXC_GP, CODE32_0, 0x8E);
    assert_handler_error(s, deliver_error(s, EXC_GP, 0x18), EXC_GP, 0x18);
    assert_hex(core->gpr[RSP], STACK_0 - 24);
    assert_hex(peek(s, STACK_0 - 4, 4), DATA32_3 | 3);
    assert_hex(peek(s, STACK_0 - 8, 4), STACK);
    assert_hex(peek(s, STACK_0 - 12, 4), RFLAGS_RF | RFLAGS_IF | 2); /* RF is set for a fault (APM2 3.1.6) */
    assert_hex(peek(s, STACK_0 - 16, 4), CODE32_3 | 3);
    assert_hex(core->seg[SEG_SS].selector, DATA32_0);
    assert_hex(core->cpl, 0);
    setup_free(s);
}
END_TEST

START_TEST(conforming_code_stays_at_the_current_level)
{
    struct setup *s = setup_protected(3);

    set_gate(s, VECTOR, CONFORMING_0, 0x8E);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    assert_hex(s->core->cpl, 3);
    assert_hex(s->core->seg[SEG_CS].selector, CONFORMING_0 | 3);
    assert_hex(s->core->gpr[RSP], STACK - 12);
    setup_free(s);
}
END_TEST

/* What the TSS says about the ring-0 stack, and the fault (APM2 8.4.4, 8.4.6). SS's descriptor is at FREE. */
static const struct {
    uint16_t selector;
    uint64_t descriptor;
    uint16_t tr_limit;
    uint32_t esp;
    uint8_t vector;
    uint32_t error;
} inner_stacks[] = {
    { DATA32_0, 0, 8, STACK_0, EXC_TS, TASK | 1 },       /* SS0 is at 008-009 */
    { DATA32_0, 0, 9, STACK_0, VECTOR, 0 },
    { 0, 0, 0x67, STACK_0, EXC_TS, 1 },
    { 0xC0, 0, 0x67, STACK_0, EXC_TS, 0xC0 | 1 },
    { DATA32_0 | 3, 0, 0x67, STACK_0, EXC_TS, DATA32_0 | 1 },
    { DATA32_3, 0, 0x67, STACK_0, EXC_TS, DATA32_3 | 1 },
    { CODE32_0, 0, 0x67, STACK_0, EXC_TS, CODE32_0 | 1 },
    { FREE, 0x00CF91000000FFFF, 0x67, STACK_0, EXC_TS, FREE | 1 }, /* read-only */
    { FREE, 0x00CF13000000FFFF, 0x67, STACK_0, EXC_SS, FREE | 1 }, /* not present */
    { FREE, 0x004093000000FFFF, 0x67, STACK_0, EXC_SS, FREE | 1 }, /* limit FFFF, the push at 17FFC */
    { FREE, 0x004093000000FFFF, 0x67, 0x10000, VECTOR, 0 },
    { FREE, 0x00C0970000000010, 0x67, 0x11010, EXC_SS, FREE | 1 }, /* expand down: only above 10FFF */
    { FREE, 0x00C0970000000010, 0x67, 0x11014, VECTOR, 0 },
};

START_TEST(protected_mode_checks_the_inner_stack)
{
    for (size_t i = 0; i < sizeof(inner_stacks) / sizeof(inner_stacks[0]); i++) {
        struct setup *s = setup_protected(3);
        uint8_t vector = inner_stacks[i].vector;

        set_fault_gates(s);
        set_gate(s, VECTOR, CODE32_0, 0x8E);
        poke(s, GDT + FREE, 8, inner_stacks[i].descriptor);
        poke(s, TSS + 4, 4, inner_stacks[i].esp);
        poke(s, TSS + 8, 2, inner_stacks[i].selector);
        s->core->seg[SEG_TR].limit = inner_stacks[i].tr_limit;
        if (vector == VECTOR)
            assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
        else
            assert_handler_error(s, deliver(s, EVENT_INTR, VECTOR), vector, inner_stacks[i].error);
        assert_hex(s->core->cpl, vector == VECTOR ? 0 : 3);
        setup_free(s);
    }
}
END_TEST

START_TEST(a_16_bit_tss_gives_a_16_bit_stack_pointer)
{
    struct setup *s = setup_protected(3);

    set_gate(s, VECTOR, CODE32_0, 0x8E);
    s->core->seg[SEG_TR].attr = 0x83; /* busy 16-bit TSS: SP0 at 2, SS0 at 4 */
    s->core->seg[SEG_TR].limit = 0x2B;
    poke(s, TSS + 2, 2, 0x7000);
    poke(s, TSS + 4, 2, DATA16_0);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    assert_hex(s->core->gpr[RSP], 0x7000 - 20);
    ck_assert_int_eq(s->core->stack_size, 2);
    setup_free(s);
}
END_TEST

START_TEST(a_handler_beyond_its_segment_limit_is_gp_without_a_selector)
{
    struct setup *s = setup_protected(0);

    set_fault_gates(s);
    poke(s, GDT + FREE, 8, entry_of(0, (uint32_t)handler_of(VECTOR) - 1, 0x49B));
    set_gate(s, VECTOR, FREE, 0x8E);
    assert_handler_error(s, deliver(s, EVENT_INTR, VECTOR), EXC_GP, 1);
    setup_free(s);
}
END_TEST

START_TEST(the_stack_is_looked_at_before_the_handlers_offset)
{
    struct setup *s = setup_64(0);

    set_fault_gates(s);
    set_gate(s, VECTOR, CODE64_0, 0x8E);
    poke(s, IDT + VECTOR * 16 + 8, 8, 0x8000); /* not canonical */
    s->core->gpr[RSP] = UINT64_C(0x0000800000000000) + 16;
    assert_handler_error(s, deliver(s, EVENT_INTR, VECTOR), EXC_SS, 1);
    setup_free(s);
}
END_TEST

START_TEST(a_real_mode_handler_beyond_the_cs_limit_is_gp)
{
    struct setup *s = setup_real();

    s->core->seg[SEG_CS].limit = 0x3FFF;
    poke(s, 0x21 * 4, 4, 0x4000);
    poke(s, EXC_GP * 4, 4, 0x3FFF);
    ck_assert_int_eq(RESOLVE(s, "\xCD\x21"), OUTCOME_NEXT);
    assert_hex(s->core->rip, 0x3FFF);
    setup_free(s);
}
END_TEST

START_TEST(the_accessed_bit_of_code_and_stack_is_set)
{
    struct setup *s = setup_protected(3);

    poke(s, GDT + CODE32_0, 8, entry_of(0, 0xFFFFF, 0xC9A));
    poke(s, GDT + DATA32_0, 8, entry_of(0, 0xFFFFF, 0xC92));
    set_gate(s, VECTOR, CODE32_0, 0x8E);
    assert_handler(s, deliver(s, EVENT_INTR, VECTOR), VECTOR);
    assert_hex(peek(s, GDT + CODE32_0 + 5, 1), 0x9B);
    assert_hex(peek(s, GDT + DATA32_0 + 5, 1), 0x93);
    assert_hex(s->core->seg[SEG_CS].attr, 0xC9B);
    setup_free(s);
}
END_TEST

/* ---- Real mode ------------------------------------------------------------------------------------------ */

START_TEST(real_mode_takes_the_vector_table_and_pushes_three_words)
{
    struct setup *s = setup_real();
    struct core *core = s->core;

    poke(s, 0x21 * 4, 4, 0x12345678);
    rflags_write(core, RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_CF | 2);
    ck_assert_int_eq(RESOLVE(s, "\xCD\x21"), OUTCOME_NEXT);
    assert_hex(core->rip, 0x5678);
    assert_hex(core->seg[SEG_CS].selector, 0x1234);
    assert_hex(core->seg[SEG_CS].base, 0x12340);
    assert_hex(core->gpr[RSP], 0xF000 - 6);
    assert_hex(peek(s, 0x1EFFA, 2), 2); /* behind the INT */
    assert_hex(peek(s, 0x1EFFC, 2), 0x800);
    assert_hex(peek(s, 0x1EFFE, 2), 0x303); /* IF, TF, CF: 16 bits alone */
    assert_hex(rflags_read(core), RFLAGS_CF | 2);
    setup_free(s);
}
END_TEST

START_TEST(real_mode_pushes_no_error_code)
{
    struct setup *s = setup_real();

    poke(s, EXC_GP * 4, 4, 0x00001111);
    ck_assert_int_eq(deliver_error(s, EXC_GP, 0x18), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], 0xF000 - 6);
    assert_hex(s->core->rip, 0x1111);
    setup_free(s);
}
END_TEST

START_TEST(real_mode_stack_wraps_at_64k_but_not_inside_a_word)
{
    struct setup *s = setup_real();

    s->core->gpr[RSP] = 0xABCD0002; /* only SP counts: FLAGS at 0000, CS at FFFE, IP at FFFC */
    poke(s, 0x21 * 4, 4, 0x5678);
    ck_assert_int_eq(RESOLVE(s, "\xCD\x21"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], 0xABCDFFFC);
    assert_hex(peek(s, 0x1FFFE, 2), 0x800);
    setup_free(s);

    s = setup_real();
    s->core->gpr[RSP] = 1; /* FLAGS at FFFF: #SS, which fails likewise, and so does #DF */
    ck_assert_int_eq(RESOLVE(s, "\xCD\x21"), OUTCOME_SHUTDOWN);
    setup_free(s);
}
END_TEST

START_TEST(real_mode_uses_the_idtr_with_its_limit)
{
    struct setup *s = setup_real();

    s->core->idtr = (struct table_register){ 0x500, 0x21 * 4 + 2 };
    poke(s, 0x500 + EXC_GP * 4, 4, 0x00002222);
    ck_assert_int_eq(RESOLVE(s, "\xCD\x21"), OUTCOME_NEXT);
    assert_hex(s->core->rip, 0x2222);
    assert_hex(peek(s, 0x1EFFA, 2), 0); /* #GP is a fault: back to the INT */
    setup_free(s);
}
END_TEST

UNIT_TESTS("event", long_mode_pushes_five_words_on_rsp0_and_nulls_ss,
           a_trap_gate_leaves_if_set_and_an_interrupt_gate_clears_it,
           long_mode_aligns_the_stack_and_keeps_ss_at_the_same_level,
           an_ist_entry_wins_over_the_current_stack,
           compatibility_mode_is_interrupted_into_64_bit_mode,
           long_mode_gate_checks_give_the_manuals_faults,
           a_vector_beyond_the_idt_is_gp,
           a_tss_stack_that_is_not_there_is_ts_and_one_that_is_not_canonical_ss,
           a_push_that_page_faults_leaves_the_stack_and_registers_alone,
           protected_mode_same_level_pushes_by_the_gates_size,
           protected_mode_inner_level_switches_stacks,
           conforming_code_stays_at_the_current_level,
           protected_mode_checks_the_inner_stack,
           a_16_bit_tss_gives_a_16_bit_stack_pointer,
           a_handler_beyond_its_segment_limit_is_gp_without_a_selector,
           the_stack_is_looked_at_before_the_handlers_offset,
           a_real_mode_handler_beyond_the_cs_limit_is_gp,
           the_accessed_bit_of_code_and_stack_is_set,
           real_mode_takes_the_vector_table_and_pushes_three_words,
           real_mode_pushes_no_error_code,
           real_mode_stack_wraps_at_64k_but_not_inside_a_word,
           real_mode_uses_the_idtr_with_its_limit)
