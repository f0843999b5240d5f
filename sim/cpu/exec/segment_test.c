/* SPDX-License-Identifier: MIT */
/* Loading and storing segment registers, LAR to ARPL (APM2 4.10, 4.11; APM3). */
#include "sim/cpu/event/event_setup.h"

/* MOV DS, AX or MOV SS, AX. */
static enum outcome load(struct setup *s, unsigned which, uint16_t selector)
{
    uint8_t code[] = { 0x8E, (uint8_t)(0xC0 | which << 3) };

    s->core->gpr[RAX] = selector;
    return setup_run(s, code, sizeof(code));
}

START_TEST(real_mode_keeps_limit_and_attributes)
{
    struct setup *s = setup_real();

    s->core->seg[SEG_DS].limit = 0xFFFFFFFF; /* "unreal" mode */
    ck_assert_int_eq(load(s, SEG_DS, 0x1234), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_DS].base, 0x12340);
    assert_hex(s->core->seg[SEG_DS].limit, 0xFFFFFFFF);
    setup_free(s);
    s = setup_virtual_8086(0);
    s->core->seg[SEG_DS].limit = 0xFFFFFFFF;
    ck_assert_int_eq(load(s, SEG_DS, 0x1234), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_DS].limit, 0xFFFF);
    assert_hex(s->core->seg[SEG_DS].attr, 0xF3);
    setup_free(s);
}
END_TEST

START_TEST(a_null_selector_keeps_the_hidden_base)
{
    struct setup *s = setup_64(0);

    s->core->seg[SEG_FS].base = UINT64_C(0xFFFF800000001000);
    ck_assert_int_eq(load(s, SEG_FS, 0), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_FS].selector, 0);
    assert_hex(s->core->seg[SEG_FS].base, UINT64_C(0xFFFF800000001000));
    ck_assert_int_eq(load(s, SEG_FS, 3), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_FS].selector, 3);
    ck_assert_int_eq(load(s, SEG_FS, DATA32_0), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_FS].base, 0);
    setup_free(s);
}
END_TEST

/* CPL, register, selector, descriptor at FREE, fault (0: loads). Protected mode. */
static const struct {
    unsigned cpl, which;
    uint16_t selector;
    uint64_t descriptor;
    uint8_t vector;
    uint32_t error;
} loads[] = {
    { 0, SEG_DS, 0xC0, 0, EXC_GP, 0xC0 },
    { 0, SEG_DS, 0x104, 0, EXC_GP, 0x104 },
    { 0, SEG_DS, TASK, 0, EXC_GP, TASK },                       /* a system descriptor */
    { 0, SEG_ES, FREE, 0x00CF99000000FFFF, EXC_GP, FREE },      /* execute only */
    { 0, SEG_ES, CODE32_0, 0, 0, 0 },                           /* readable code */
    { 3, SEG_ES, DATA32_0 | 3, 0, EXC_GP, DATA32_0 },           /* DPL 0 < CPL 3 */
    { 0, SEG_ES, DATA32_0 | 3, 0, EXC_GP, DATA32_0 },           /* DPL 0 < RPL 3 */
    { 3, SEG_FS, CONFORMING_0 | 3, 0, 0, 0 },                   /* conforming: any level */
    { 0, SEG_GS, FREE, 0x00CF13000000FFFF, EXC_NP, FREE },
    { 0, SEG_SS, 0, 0, EXC_GP, 0 },
    { 0, SEG_SS, DATA32_0 | 3, 0, EXC_GP, DATA32_0 },           /* RPL <> CPL */
    { 0, SEG_SS, DATA32_3, 0, EXC_GP, DATA32_3 },               /* DPL <> CPL */
    { 0, SEG_SS, FREE, 0x00CF91000000FFFF, EXC_GP, FREE },      /* read-only */
    { 0, SEG_SS, CODE32_0, 0, EXC_GP, CODE32_0 },
    { 0, SEG_SS, FREE, 0x00CF13000000FFFF, EXC_SS, FREE },      /* not present: #SS */
    { 3, SEG_SS, DATA32_3 | 3, 0, 0, 0 },
};

START_TEST(loads_check_type_privilege_and_presence)
{
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        struct setup *s = setup_protected(loads[i].cpl);
        struct segment before = s->core->seg[loads[i].which];
        enum outcome outcome;

        poke(s, GDT + FREE, 8, loads[i].descriptor);
        outcome = load(s, loads[i].which, loads[i].selector);
        if (loads[i].vector) {
            assert_fault(s, outcome, loads[i].vector, loads[i].error);
            ck_assert_mem_eq(&s->core->seg[loads[i].which], &before, sizeof(before));
        } else {
            ck_assert_int_eq(outcome, OUTCOME_NEXT);
            assert_hex(s->core->seg[loads[i].which].selector, loads[i].selector);
        }
        setup_free(s);
    }
}
END_TEST

START_TEST(mov_cs_and_segment_6_and_7_do_not_exist)
{
    struct setup *s = setup_64(0);

    assert_fault(s, RUN(s, "\x8E\xC8"), EXC_UD, 0);
    assert_fault(s, RUN(s, "\x8E\xF0"), EXC_UD, 0);
    assert_fault(s, RUN(s, "\x8C\xF0"), EXC_UD, 0);
    setup_free(s);
}
END_TEST

START_TEST(a_null_ss_is_legal_in_64_bit_mode_below_cpl_3)
{
    struct setup *s = setup_64(0);

    ck_assert_int_eq(load(s, SEG_SS, 0), OUTCOME_NEXT);
    assert_fault(s, load(s, SEG_SS, 1), EXC_GP, 0);
    setup_free(s);
    s = setup_64(3);
    assert_fault(s, load(s, SEG_SS, 3), EXC_GP, 0);
    setup_free(s);
    s = setup_compatibility(0);
    assert_fault(s, load(s, SEG_SS, 0), EXC_GP, 0);
    setup_free(s);
}
END_TEST

START_TEST(the_ldt_is_used_with_ti_and_only_when_loaded)
{
    struct setup *s = setup_protected(0);

    poke(s, LDT + 8, 8, entry_of(0x1230000, 0xFFF, 0x492));
    ck_assert_int_eq(load(s, SEG_ES, 8 | 4), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_ES].base, 0x1230000);
    assert_hex(peek(s, LDT + 13, 1), 0x93); /* accessed */
    s->core->seg[SEG_LDTR].attr = 0;
    assert_fault(s, load(s, SEG_ES, 8 | 4), EXC_GP, 8 | 4);
    setup_free(s);
}
END_TEST

START_TEST(ss_loads_shadow_the_next_instruction)
{
    struct setup *s = setup_64(0);

    ck_assert_int_eq(load(s, SEG_DS, DATA32_0), OUTCOME_NEXT);
    ck_assert(!s->core->interrupt_shadow);
    ck_assert_int_eq(load(s, SEG_SS, DATA32_0), OUTCOME_NEXT);
    ck_assert(s->core->interrupt_shadow && s->core->shadow_blocks_debug);
    setup_free(s);
}
END_TEST

START_TEST(push_and_pop_of_segments_move_the_operand_size)
{
    struct setup *s = setup_64(0);

    set_segment(s, SEG_FS, DATA32_3 | 3);
    ck_assert_int_eq(RUN(s, "\x0F\xA0"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], STACK - 8);
    assert_hex(peek(s, STACK - 8, 8), DATA32_3 | 3);
    ck_assert_int_eq(RUN(s, "\x0F\xA9"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], STACK);
    assert_hex(s->core->seg[SEG_GS].selector, DATA32_3 | 3);
    poke(s, STACK, 8, 0xC0);
    assert_fault(s, RUN(s, "\x0F\xA9"), EXC_GP, 0xC0);
    assert_hex(s->core->gpr[RSP], STACK);
    setup_free(s);

    s = setup_protected(0);
    poke(s, STACK, 4, DATA16_0);
    ck_assert_int_eq(RUN(s, "\x17"), OUTCOME_NEXT); /* POP SS: by the old stack's width */
    assert_hex(s->core->gpr[RSP], STACK + 4);
    ck_assert_int_eq(s->core->stack_size, 2);
    ck_assert_int_eq(RUN(s, "\x66\x06"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], STACK + 2);
    setup_free(s);
}
END_TEST

START_TEST(far_pointer_loads_fill_register_and_segment)
{
    struct setup *s = setup_protected(0);

    poke(s, 0x7000, 4, 0x12345678);
    poke(s, 0x7004, 2, DATA32_3);
    s->core->gpr[RBX] = 0x7000;
    ck_assert_int_eq(RUN(s, "\xC4\x03"), OUTCOME_NEXT); /* LES EAX, [EBX] */
    assert_hex(s->core->gpr[RAX], 0x12345678);
    assert_hex(s->core->seg[SEG_ES].selector, DATA32_3);
    poke(s, 0x7004, 2, 0xC0);
    s->core->gpr[RAX] = 0;
    assert_fault(s, RUN(s, "\x0F\xB2\x03"), EXC_GP, 0xC0); /* LSS EAX, [EBX] */
    assert_hex(s->core->gpr[RAX], 0);
    poke(s, 0x7002, 2, DATA32_0);
    ck_assert_int_eq(RUN(s, "\x66\x0F\xB5\x0B"), OUTCOME_NEXT); /* LGS CX, [EBX] */
    assert_hex(s->core->gpr[RCX], 0x5678);
    setup_free(s);
}
END_TEST

START_TEST(mov_from_a_segment_stores_a_word_or_zero_extends)
{
    struct setup *s = setup_64(0);

    s->core->gpr[RAX] = UINT64_MAX;
    ck_assert_int_eq(RUN(s, "\x8C\xD0"), OUTCOME_NEXT); /* MOV EAX, SS */
    assert_hex(s->core->gpr[RAX], DATA32_0);
    s->core->gpr[RAX] = UINT64_MAX;
    ck_assert_int_eq(RUN(s, "\x66\x8C\xD0"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RAX], UINT64_C(0xFFFFFFFFFFFF0000) | DATA32_0);
    s->core->gpr[RBX] = 0x7000;
    poke(s, 0x7000, 8, UINT64_MAX);
    ck_assert_int_eq(RUN(s, "\x48\x8C\x13"), OUTCOME_NEXT);
    assert_hex(peek(s, 0x7000, 8), UINT64_C(0xFFFFFFFFFFFF0000) | DATA32_0);
    setup_free(s);
}
END_TEST

/* ---- LAR, LSL, VERR, VERW, ARPL --------------------------------------------------------------------------- */

static bool zf_after(struct setup *s, const char *code, uint16_t selector)
{
    s->core->gpr[RAX] = selector;
    s->core->gpr[RCX] = 0x5555;
    ck_assert_int_eq(setup_run(s, code, 3), OUTCOME_NEXT);
    return rflags_read(s->core) & RFLAGS_ZF;
}

#define LAR_ECX_AX "\x0F\x02\xC8"
#define LSL_ECX_AX "\x0F\x03\xC8"
#define VERR_AX "\x0F\x00\xE0"
#define VERW_AX "\x0F\x00\xE8"

START_TEST(lar_and_lsl_show_what_the_cpl_may_see)
{
    struct setup *s = setup_protected(3);

    ck_assert(zf_after(s, LAR_ECX_AX, DATA32_3));
    assert_hex(s->core->gpr[RCX], 0x00CFF300);
    ck_assert(zf_after(s, LSL_ECX_AX, DATA32_3));
    assert_hex(s->core->gpr[RCX], 0xFFFFFFFF);
    ck_assert(!zf_after(s, LAR_ECX_AX, DATA32_0)); /* DPL 0 */
    assert_hex(s->core->gpr[RCX], 0x5555);
    ck_assert(zf_after(s, LAR_ECX_AX, CONFORMING_0));
    ck_assert(!zf_after(s, LAR_ECX_AX, 0));
    ck_assert(!zf_after(s, LAR_ECX_AX, 0xC0));
    setup_free(s);
}
END_TEST

START_TEST(lar_and_lsl_accept_these_system_types)
{
    static const uint16_t legacy_lar = 0x1A3E, legacy_lsl = 0x0A0E, long_lar = 0x1A04, long_lsl = 0x0A04;

    for (unsigned type = 0; type < 16; type++) {
        struct setup *s = setup_protected(0);

        poke(s, GDT + FREE, 8, entry_of(0, 0x67, 0x080 | type));
        ck_assert_int_eq(zf_after(s, LAR_ECX_AX, FREE), bit(legacy_lar, type));
        ck_assert_int_eq(zf_after(s, LSL_ECX_AX, FREE), bit(legacy_lsl, type));
        setup_free(s);
        s = setup_64(0);
        poke(s, GDT + FREE, 8, entry_of(0, 0x67, 0x080 | type));
        ck_assert_int_eq(zf_after(s, LAR_ECX_AX, FREE), bit(long_lar, type));
        ck_assert_int_eq(zf_after(s, LSL_ECX_AX, FREE), bit(long_lsl, type));
        setup_free(s);
    }
}
END_TEST

START_TEST(verr_and_verw_tell_readable_and_writable)
{
    struct setup *s = setup_protected(3);

    ck_assert(zf_after(s, VERR_AX, DATA32_3) && zf_after(s, VERW_AX, DATA32_3));
    ck_assert(zf_after(s, VERR_AX, CODE32_3) && !zf_after(s, VERW_AX, CODE32_3));
    ck_assert(!zf_after(s, VERR_AX, DATA32_0) && !zf_after(s, VERW_AX, DATA32_0));
    ck_assert(zf_after(s, VERR_AX, CONFORMING_0));
    poke(s, GDT + FREE, 8, 0x00CFF9000000FFFF); /* execute only */
    ck_assert(!zf_after(s, VERR_AX, FREE));
    poke(s, GDT + FREE, 8, 0x00CFF1000000FFFF); /* read-only data */
    ck_assert(zf_after(s, VERR_AX, FREE) && !zf_after(s, VERW_AX, FREE));
    ck_assert(!zf_after(s, VERR_AX, LOCAL));
    setup_free(s);
}
END_TEST

START_TEST(these_need_protected_mode)
{
    struct setup *s = setup_real();

    assert_fault(s, RUN(s, LAR_ECX_AX), EXC_UD, 0);
    assert_fault(s, RUN(s, LSL_ECX_AX), EXC_UD, 0);
    assert_fault(s, RUN(s, VERR_AX), EXC_UD, 0);
    assert_fault(s, RUN(s, VERW_AX), EXC_UD, 0);
    assert_fault(s, RUN(s, "\x63\xC8"), EXC_UD, 0);
    setup_free(s);
}
END_TEST

START_TEST(arpl_raises_rpl_only)
{
    struct setup *s = setup_protected(0);

    s->core->gpr[RAX] = 0x11110010;
    s->core->gpr[RCX] = 3;
    ck_assert_int_eq(RUN(s, "\x63\xC8"), OUTCOME_NEXT); /* ARPL AX, CX */
    assert_hex(s->core->gpr[RAX], 0x11110013);
    ck_assert(rflags_read(s->core) & RFLAGS_ZF);
    s->core->gpr[RCX] = 1;
    ck_assert_int_eq(RUN(s, "\x63\xC8"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RAX], 0x11110013);
    ck_assert(!(rflags_read(s->core) & RFLAGS_ZF));
    setup_free(s);
}
END_TEST

UNIT_TESTS("segment", real_mode_keeps_limit_and_attributes,
           a_null_selector_keeps_the_hidden_base,
           loads_check_type_privilege_and_presence,
           mov_cs_and_segment_6_and_7_do_not_exist,
           a_null_ss_is_legal_in_64_bit_mode_below_cpl_3,
           the_ldt_is_used_with_ti_and_only_when_loaded,
           ss_loads_shadow_the_next_instruction,
           push_and_pop_of_segments_move_the_operand_size,
           far_pointer_loads_fill_register_and_segment,
           mov_from_a_segment_stores_a_word_or_zero_extends,
           lar_and_lsl_show_what_the_cpl_may_see,
           lar_and_lsl_accept_these_system_types,
           verr_and_verw_tell_readable_and_writable,
           these_need_protected_mode,
           arpl_raises_rpl_only)
