/* SPDX-License-Identifier: MIT */
/* IRET in real, protected and long mode (APM2 8.6, 8.7.4, 8.9.4; APM3 IRET). Virtual-8086: virtual_8086_test.c. */
#include "sim/cpu/event/event_setup.h"

#define TARGET 0x9000

static void put_frame(struct setup *s, unsigned size, uint64_t rip, uint64_t cs, uint64_t flags, uint64_t rsp,
                      uint64_t ss)
{
    const uint64_t values[] = { rip, cs, flags, rsp, ss };

    for (unsigned i = 0; i < 5; i++)
        poke(s, STACK + i * size, size, values[i]);
}

/* The outcome of IRET itself, a fault not yet delivered. */
static enum outcome iret(struct setup *s, unsigned size)
{
    bool is_default = size == (s->core->mode == MODE_64BIT ? 4 : s->core->code_size);

    if (is_default)
        return TRANSFER(s, "\xCF");
    return size == 8 ? TRANSFER(s, "\x48\xCF") : TRANSFER(s, "\x66\xCF");
}

/* ---- Where to ------------------------------------------------------------------------------------------ */

START_TEST(sixty_four_bit_iretq_always_pops_the_stack_pointer)
{
    struct setup *s = setup_64(0);

    put_frame(s, 8, TARGET, CODE64_0, 0x246, 0x1E008, DATA32_0);
    ck_assert_int_eq(RESOLVE(s, "\x48\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->rip, TARGET);
    assert_hex(s->core->gpr[RSP], 0x1E008);
    assert_hex(rflags_read(s->core), 0x246);
    setup_free(s);
}
END_TEST

START_TEST(iretq_to_cpl_3_nulls_segments_that_cpl_3_may_not_use)
{
    struct setup *s = setup_64(0);
    struct core *core = s->core;

    set_segment(s, SEG_ES, DATA32_3 | 3);
    set_segment(s, SEG_FS, CONFORMING_0);
    core->seg[SEG_GS].base = 0x7777;
    put_frame(s, 8, TARGET, CODE64_3 | 3, 0x202, 0x1E000, DATA32_3 | 3);
    ck_assert_int_eq(RESOLVE(s, "\x48\xCF"), OUTCOME_NEXT);
    assert_hex(core->cpl, 3);
    assert_hex(core->access, MMU_USER);
    assert_hex(core->seg[SEG_SS].selector, DATA32_3 | 3);
    assert_hex(core->seg[SEG_ES].selector, DATA32_3 | 3);
    assert_hex(core->seg[SEG_DS].selector, 0);
    assert_hex(core->seg[SEG_FS].selector, CONFORMING_0);
    assert_hex(core->seg[SEG_GS].selector, 0);
    assert_hex(core->seg[SEG_GS].base, 0x7777); /* a null load keeps the base on AMD processors */
    setup_free(s);
}
END_TEST

START_TEST(iret_reaches_compatibility_mode)
{
    struct setup *s = setup_64(0);

    put_frame(s, 8, TARGET, CODE32_3 | 3, 0x202, UINT64_C(0x100000000) | 0x1E000, DATA32_3 | 3);
    ck_assert_int_eq(RESOLVE(s, "\x48\xCF"), OUTCOME_NEXT);
    ck_assert_int_eq(s->core->mode, MODE_COMPATIBILITY);
    assert_hex(s->core->gpr[RSP], 0x1E000); /* a 32-bit stack pointer */
    setup_free(s);
}
END_TEST

START_TEST(a_null_ss_is_good_for_64_bit_code_below_cpl_3)
{
    struct setup *s = setup_64(0);

    put_frame(s, 8, TARGET, CODE64_0, 0x202, 0x1E000, 0);
    ck_assert_int_eq(RESOLVE(s, "\x48\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->seg[SEG_SS].selector, 0);
    setup_free(s);
    for (uint64_t rpl = 1; rpl < 4; rpl++) { /* target mode and CPL are the only conditions (APM2 4.11.3, 8.9.5) */
        s = setup_64(0);
        put_frame(s, 8, TARGET, CODE64_0, 0x202, 0x1E000, rpl);
        ck_assert_int_eq(RESOLVE(s, "\x48\xCF"), OUTCOME_NEXT);
        assert_hex(s->core->seg[SEG_SS].selector, rpl);
        setup_free(s);
    }
    s = setup_64(0);
    put_frame(s, 8, TARGET, CODE64_3 | 3, 0x202, 0x1E000, 3);
    assert_fault(s, iret(s, 8), EXC_GP, 0);
    put_frame(s, 8, TARGET, CODE32_0, 0x202, 0x1E000, 0);
    assert_fault(s, iret(s, 8), EXC_GP, 0);
    setup_free(s);
}
END_TEST

START_TEST(protected_mode_same_level_pops_three)
{
    struct setup *s = setup_protected(0);

    put_frame(s, 4, TARGET, CODE32_0, 0x202, 0xDEAD, 0xDEAD);
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], STACK + 12);
    setup_free(s);
    s = setup_protected(0);
    put_frame(s, 2, TARGET, CODE16_0, 0x202, 0, 0);
    ck_assert_int_eq(RESOLVE(s, "\x66\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], STACK + 6);
    ck_assert_int_eq(s->core->code_size, 2);
    setup_free(s);
}
END_TEST

START_TEST(protected_mode_outer_level_pops_ss_and_esp)
{
    struct setup *s = setup_protected(0);

    put_frame(s, 4, TARGET, CODE32_3 | 3, 0x202, 0x1E000, DATA32_3 | 3);
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->gpr[RSP], 0x1E000);
    assert_hex(s->core->cpl, 3);
    assert_hex(s->core->seg[SEG_DS].selector, 0);
    setup_free(s);
}
END_TEST

START_TEST(real_mode_iret_takes_all_16_flag_bits)
{
    struct setup *s = setup_real();

    poke(s, 0x1F000, 2, 0x1234);
    poke(s, 0x1F002, 2, 0x900);
    poke(s, 0x1F004, 2, 0x7FD5); /* every flag of the low half */
    rflags_write(s->core, RFLAGS_AC | 2);
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->rip, 0x1234);
    assert_hex(s->core->gpr[RSP], 0xF006);
    assert_hex(rflags_read(s->core), RFLAGS_AC | 0x7FD7);
    setup_free(s);
    s = setup_real();
    poke(s, 0x1F000, 4, 0x10000);
    assert_fault(s, iret(s, 4), EXC_GP, 0); /* beyond CS's limit */
    setup_free(s);
}
END_TEST

/* ---- Faults ------------------------------------------------------------------------------------------------ */

/* From 64-bit mode at CPL 0; `code` and `data` are descriptors at FREE and FREE2. */
static const struct {
    uint16_t cs, ss;
    uint64_t code, data, rip;
    uint8_t vector;
    uint32_t error;
} bad_returns[] = {
    { 0, DATA32_0, 0, 0, TARGET, EXC_GP, 0 },
    { 3, DATA32_0, 0, 0, TARGET, EXC_GP, 0 },
    { 0xC0, DATA32_0, 0, 0, TARGET, EXC_GP, 0xC0 },
    { DATA32_0, DATA32_0, 0, 0, TARGET, EXC_GP, DATA32_0 },
    { CODE64_3, DATA32_0, 0, 0, TARGET, EXC_GP, CODE64_3 },              /* DPL 3, RPL 0 */
    { CODE64_0 | 3, DATA32_3 | 3, 0, 0, TARGET, EXC_GP, CODE64_0 },      /* DPL 0, RPL 3 */
    { FREE, DATA32_0, 0x00EF9B000000FFFF, 0, TARGET, EXC_GP, FREE },     /* L and D */
    { FREE, DATA32_0, 0x00AFDF000000FFFF, 0, TARGET, EXC_GP, FREE },     /* conforming, DPL 2 > RPL 0 */
    { FREE, DATA32_0, 0x00AF1B000000FFFF, 0, TARGET, EXC_NP, FREE },
    { CODE64_0, 0xC0, 0, 0, TARGET, EXC_GP, 0xC0 },
    { CODE64_0, DATA32_0 | 3, 0, 0, TARGET, EXC_GP, DATA32_0 },          /* RPL 3, CPL 0 */
    { CODE64_0, DATA32_3, 0, 0, TARGET, EXC_GP, DATA32_3 },
    { CODE64_0, CODE64_0, 0, 0, TARGET, EXC_GP, CODE64_0 },
    { CODE64_0, FREE2, 0, 0x00CF91000000FFFF, TARGET, EXC_GP, FREE2 },   /* read-only */
    { CODE64_0, FREE2, 0, 0x00CF13000000FFFF, TARGET, EXC_SS, FREE2 },   /* not present */
    { CODE64_0, DATA32_0, 0, 0, UINT64_C(0x0000800000000000), EXC_GP, 0 },
    { FREE, DATA32_0, 0x00409B0000000FFF, 0, 0x1000, EXC_GP, 0 },        /* beyond its limit */
};

START_TEST(iret_checks_code_and_stack_segments)
{
    for (size_t i = 0; i < sizeof(bad_returns) / sizeof(bad_returns[0]); i++) {
        struct setup *s = setup_64(0);

        poke(s, GDT + FREE, 8, bad_returns[i].code);
        poke(s, GDT + FREE2, 8, bad_returns[i].data);
        put_frame(s, 8, bad_returns[i].rip, bad_returns[i].cs, 2, 0x1E000, bad_returns[i].ss);
        assert_fault(s, iret(s, 8), bad_returns[i].vector, bad_returns[i].error);
        assert_hex(s->core->rip, CODE);
        assert_hex(s->core->gpr[RSP], STACK);
        assert_hex(s->core->seg[SEG_CS].selector, CODE64_0);
        setup_free(s);
    }
}
END_TEST

START_TEST(iret_cannot_go_to_an_inner_level)
{
    struct setup *s = setup_64(3);

    put_frame(s, 8, TARGET, CODE64_0, 2, 0x1E000, DATA32_0);
    assert_fault(s, iret(s, 8), EXC_GP, CODE64_0);
    setup_free(s);
}
END_TEST

START_TEST(a_frame_outside_the_stack_is_ss)
{
    struct setup *s = setup_64(0);

    s->core->gpr[RSP] = UINT64_C(0x00007FFFFFFFFFD8); /* all of it below the hole, but not mapped */
    assert_fault(s, iret(s, 8), EXC_PF, 0);
    s->core->gpr[RSP] = UINT64_C(0x00007FFFFFFFFFF8); /* rFLAGS, which is read first, in the hole */
    assert_fault(s, iret(s, 8), EXC_SS, 0);
    s->core->gpr[RSP] = UINT64_C(0x0000800000000000);
    assert_fault(s, iret(s, 8), EXC_SS, 0);
    setup_free(s);
}
END_TEST

START_TEST(long_mode_has_no_nested_tasks)
{
    struct setup *s = setup_64(0);

    rflags_write(s->core, RFLAGS_NT | 2);
    put_frame(s, 8, TARGET, CODE64_0, 2, 0x1E000, DATA32_0);
    assert_fault(s, iret(s, 8), EXC_GP, 0);
    setup_free(s);
}
END_TEST

/* ---- Flags --------------------------------------------------------------------------------------------------- */

START_TEST(who_may_change_which_flag)
{
    static const struct {
        unsigned cpl, iopl, size;
        uint64_t changed; /* of all flags set in the image, over a register with IOPL alone */
    } cases[] = {
        { 0, 0, 4, 0x3F7FD5 & ~RFLAGS_VM },   /* everything but VM, which would be another return */
        { 0, 0, 2, 0x7FD5 },
        { 3, 0, 4, 0x274DD5 & ~(RFLAGS_VM) }, /* no IOPL, IF, VIF, VIP; RF, AC, ID may */
        { 3, 3, 4, 0x274FD5 & ~(RFLAGS_VM) },
        { 3, 0, 2, 0x4DD5 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setup *s = setup_protected(cases[i].cpl);
        uint64_t before = 2 | (uint64_t)cases[i].iopl << 12;
        uint16_t cs = s->core->seg[SEG_CS].selector;

        rflags_write(s->core, before);
        put_frame(s, cases[i].size, TARGET, cs, 0x3F7FD7 & ~RFLAGS_VM, 0, 0);
        ck_assert_int_eq(iret(s, cases[i].size), OUTCOME_NEXT);
        assert_hex(rflags_read(s->core), before | cases[i].changed);
        setup_free(s);
    }
}
END_TEST

START_TEST(a_16_bit_iret_leaves_the_upper_flags_but_rf)
{
    struct setup *s = setup_protected(0);

    rflags_write(s->core, RFLAGS_VIF | RFLAGS_VIP | RFLAGS_AC | RFLAGS_ID | RFLAGS_RF | 2);
    put_frame(s, 2, TARGET, CODE32_0, RFLAGS_CF, 0, 0);
    ck_assert_int_eq(iret(s, 2), OUTCOME_NEXT);
    assert_hex(rflags_read(s->core), RFLAGS_VIF | RFLAGS_VIP | RFLAGS_AC | RFLAGS_ID | RFLAGS_CF | 2);
    setup_free(s);
}
END_TEST

START_TEST(vm_in_the_image_counts_at_cpl_0_of_legacy_mode_alone)
{
    struct setup *s = setup_protected(3);

    put_frame(s, 4, TARGET, CODE32_3 | 3, RFLAGS_VM | 2, 0x1E000, DATA32_3 | 3);
    ck_assert_int_eq(iret(s, 4), OUTCOME_NEXT);
    ck_assert_int_eq(s->core->mode, MODE_PROTECTED);
    setup_free(s);
    s = setup_compatibility(0);
    put_frame(s, 4, TARGET, CODE32_0, RFLAGS_VM | 2, 0, 0);
    ck_assert_int_eq(iret(s, 4), OUTCOME_NEXT);
    ck_assert_int_eq(s->core->mode, MODE_COMPATIBILITY);
    setup_free(s);
}
END_TEST

START_TEST(iret_unmasks_nmis_and_exits_first_when_intercepted)
{
    struct setup *s = setup_64(0);

    s->core->nmi_masked = true;
    put_frame(s, 8, TARGET, CODE64_0, 2, 0x1E000, DATA32_0);
    ck_assert_int_eq(RESOLVE(s, "\x48\xCF"), OUTCOME_NEXT);
    ck_assert(!s->core->nmi_masked);
    ck_assert_int_eq(s->insn.row->intercept.stage, ISA_STAGE_PRE); /* the interpreter tests it (3.11) */
    assert_hex(s->insn.row->intercept.code, VMEXIT_IRET);
    setup_free(s);
}
END_TEST

UNIT_TESTS("iret", sixty_four_bit_iretq_always_pops_the_stack_pointer,
           iretq_to_cpl_3_nulls_segments_that_cpl_3_may_not_use,
           iret_reaches_compatibility_mode,
           a_null_ss_is_good_for_64_bit_code_below_cpl_3,
           protected_mode_same_level_pops_three,
           protected_mode_outer_level_pops_ss_and_esp,
           real_mode_iret_takes_all_16_flag_bits,
           iret_checks_code_and_stack_segments,
           iret_cannot_go_to_an_inner_level,
           a_frame_outside_the_stack_is_ss,
           long_mode_has_no_nested_tasks,
           who_may_change_which_flag,
           a_16_bit_iret_leaves_the_upper_flags_but_rf,
           vm_in_the_image_counts_at_cpl_0_of_legacy_mode_alone,
           iret_unmasks_nmis_and_exits_first_when_intercepted)
