/* SPDX-License-Identifier: MIT */
/* Virtual-8086 mode: leaving it by an event, coming back, and CR4.VME (APM2 8.8, 8.10.1; APM3 INT, IRET). */
#include "sim/cpu/event/event_setup.h"

START_TEST(an_interrupt_saves_the_data_segments_and_makes_them_null)
{
    struct setup *s = setup_virtual_8086(3);
    struct core *core = s->core;

    core->seg[SEG_GS].selector = 0x1111;
    core->seg[SEG_FS].selector = 0x2222;
    core->seg[SEG_DS].selector = 0x3333;
    core->seg[SEG_ES].selector = 0x4444;
    set_gate(s, 0x40, CODE32_0, 0x8E);
    assert_handler(s, deliver(s, EVENT_INTR, 0x40), 0x40);
    assert_hex(peek(s, STACK_0 - 4, 4), 0x1111);
    assert_hex(peek(s, STACK_0 - 8, 4), 0x2222);
    assert_hex(peek(s, STACK_0 - 12, 4), 0x3333);
    assert_hex(peek(s, STACK_0 - 16, 4), 0x4444);
    assert_hex(peek(s, STACK_0 - 20, 4), 0x1000);
    assert_hex(peek(s, STACK_0 - 24, 4), 0xF000);
    assert_hex(peek(s, STACK_0 - 28, 4), RFLAGS_VM | RFLAGS_IF | RFLAGS_IOPL | 2);
    assert_hex(peek(s, STACK_0 - 32, 4), 0x800);
    assert_hex(peek(s, STACK_0 - 36, 4), 0);
    assert_hex(core->gpr[RSP], STACK_0 - 36);
    assert_hex(core->seg[SEG_DS].selector, 0);
    ck_assert(!attr_is_present(core->seg[SEG_GS].attr));
    ck_assert_int_eq(core->mode, MODE_PROTECTED);
    assert_hex(core->cpl, 0);
    assert_hex(rflags_read(core), RFLAGS_IOPL | 2);
    setup_free(s);
}
END_TEST

START_TEST(the_handler_must_be_nonconforming_ring_0)
{
    static const struct {
        uint16_t selector;
        uint32_t error;
    } cases[] = { { CODE32_3, CODE32_3 | 1 }, { CODE32_1, CODE32_1 | 1 }, { CONFORMING_0, CONFORMING_0 | 1 } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setup *s = setup_virtual_8086(3);

        set_gate(s, EXC_GP, CODE32_0, 0x8E);
        set_gate(s, 0x40, cases[i].selector, 0x8E);
        assert_handler_error(s, deliver(s, EVENT_INTR, 0x40), EXC_GP, cases[i].error);
        setup_free(s);
    }
}
END_TEST

START_TEST(int_n_needs_iopl_3_without_vme)
{
    struct setup *s = setup_virtual_8086(2);

    assert_fault(s, RUN(s, "\xCD\x21"), EXC_GP, 0);
    setup_free(s);
    s = setup_virtual_8086(3);
    set_gate(s, 0x21, CODE32_0, 0xEE);
    assert_handler(s, RESOLVE(s, "\xCD\x21"), 0x21);
    assert_hex(peek(s, STACK_0 - 36, 4), 2);
    setup_free(s);
    s = setup_virtual_8086(0); /* INT3 does not look at IOPL */
    set_gate(s, EXC_BP, CODE32_0, 0xEE);
    assert_handler(s, RESOLVE(s, "\xCC"), EXC_BP);
    setup_free(s);
}
END_TEST

/* ---- CR4.VME ------------------------------------------------------------------------------------------- */

static struct setup *setup_vme(unsigned iopl)
{
    struct setup *s = setup_virtual_8086(iopl);

    s->core->cr4 |= CR4_VME;
    poke(s, 0x21 * 4, 4, 0x12345678);
    set_gate(s, EXC_GP, CODE32_0, 0x8E);
    return s;
}

START_TEST(a_clear_redirection_bit_sends_int_n_to_the_virtual_table)
{
    struct setup *s = setup_vme(3);

    ck_assert_int_eq(RESOLVE(s, "\xCD\x21"), OUTCOME_NEXT);
    assert_hex(s->core->rip, 0x5678);
    assert_hex(s->core->seg[SEG_CS].base, 0x12340);
    assert_hex(peek(s, 0x1EFFE, 2), 0x3202);
    assert_hex(rflags_read(s->core), RFLAGS_VM | RFLAGS_IOPL | 2); /* IOPL 3: the real IF is cleared */
    ck_assert_int_eq(s->core->mode, MODE_VIRTUAL_8086);
    setup_free(s);
}
END_TEST

START_TEST(below_iopl_3_vif_stands_for_if)
{
    struct setup *s = setup_vme(0);

    rflags_write(s->core, RFLAGS_VM | RFLAGS_VIF | RFLAGS_TF | 2);
    ck_assert_int_eq(RESOLVE(s, "\xCD\x21"), OUTCOME_NEXT);
    assert_hex(peek(s, 0x1EFFE, 2), 0x3302); /* VIF as IF, IOPL as 3, TF */
    assert_hex(rflags_read(s->core), RFLAGS_VM | 2);
    setup_free(s);
}
END_TEST

START_TEST(a_set_redirection_bit_goes_through_the_idt_at_iopl_3_alone)
{
    struct setup *s = setup_vme(3);

    poke(s, TSS + 0x68 + 0x21 / 8, 1, 1 << (0x21 & 7)); /* the 32 bytes below the I/O map at 088 */
    set_gate(s, 0x21, CODE32_0, 0xEE);
    assert_handler(s, RESOLVE(s, "\xCD\x21"), 0x21);
    setup_free(s);
    s = setup_vme(1);
    poke(s, TSS + 0x68 + 0x21 / 8, 1, 1 << (0x21 & 7));
    set_gate(s, 0x21, CODE32_0, 0xEE);
    assert_handler_error(s, RESOLVE(s, "\xCD\x21"), EXC_GP, 0);
    setup_free(s);
}
END_TEST

START_TEST(a_tss_without_room_for_the_bitmap_is_gp)
{
    struct setup *s = setup_vme(3);

    s->core->seg[SEG_TR].limit = 0x68 + 0x21 / 8 - 1;
    assert_handler_error(s, RESOLVE(s, "\xCD\x21"), EXC_GP, 0);
    setup_free(s);
}
END_TEST

/* ---- IRET, CLI, STI, POPF ---------------------------------------------------------------------------------- */

static void put_frame(struct setup *s, uint16_t ip, uint16_t cs, uint16_t flags)
{
    poke(s, 0x1F000, 2, ip);
    poke(s, 0x1F002, 2, cs);
    poke(s, 0x1F004, 2, flags);
}

START_TEST(iret_keeps_iopl_and_vm_at_iopl_3)
{
    struct setup *s = setup_virtual_8086(3);

    put_frame(s, 0x1234, 0x900, 0x0001);
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(s->core->rip, 0x1234);
    assert_hex(s->core->seg[SEG_CS].base, 0x9000);
    assert_hex(s->core->gpr[RSP], 0xF006);
    assert_hex(rflags_read(s->core), RFLAGS_VM | RFLAGS_IOPL | RFLAGS_CF | 2); /* IF came from the image */
    setup_free(s);
}
END_TEST

START_TEST(iret_below_iopl_3_needs_vme_and_16_bits)
{
    struct setup *s = setup_virtual_8086(2);

    assert_fault(s, TRANSFER(s, "\xCF"), EXC_GP, 0);
    s->core->cr4 |= CR4_VME;
    assert_fault(s, TRANSFER(s, "\x66\xCF"), EXC_GP, 0);
    put_frame(s, 0x1234, 0x900, 0x3200);
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(rflags_read(s->core), RFLAGS_VM | RFLAGS_IF | RFLAGS_VIF | 2 << 12 | 2); /* IF, IOPL as before */
    put_frame(s, 0x1234, 0x900, 0);
    s->core->gpr[RSP] = 0xF000;
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    assert_hex(rflags_read(s->core), RFLAGS_VM | RFLAGS_IF | 2 << 12 | 2);
    setup_free(s);
}
END_TEST

START_TEST(iret_with_vme_refuses_tf_and_if_with_vip)
{
    static const uint16_t images[] = { 0x0100, 0x0200 };

    for (unsigned i = 0; i < 2; i++) {
        struct setup *s = setup_vme(0);

        rflags_write(s->core, RFLAGS_VM | RFLAGS_VIP | 2);
        put_frame(s, 0x1234, 0x900, images[i]);
        assert_fault(s, TRANSFER(s, "\xCF"), EXC_GP, 0);
        assert_hex(s->core->gpr[RSP], 0xF000);
        setup_free(s);
    }
}
END_TEST

START_TEST(ring_0_iretd_with_vm_returns_to_virtual_8086_mode)
{
    static const uint32_t frame[] = { 0x1234, 0x900, RFLAGS_VM | RFLAGS_IF | RFLAGS_VIF | 2, 0xFFF0, 0x1000,
                                      0x4444, 0x3333, 0x2222, 0x1111 };
    struct setup *s = setup_protected(0);
    struct core *core = s->core;

    for (unsigned i = 0; i < 9; i++)
        poke(s, STACK + 4 * i, 4, frame[i]);
    ck_assert_int_eq(RESOLVE(s, "\xCF"), OUTCOME_NEXT);
    ck_assert_int_eq(core->mode, MODE_VIRTUAL_8086);
    assert_hex(core->cpl, 3);
    assert_hex(core->rip, 0x1234);
    assert_hex(core->seg[SEG_CS].base, 0x9000);
    assert_hex(core->seg[SEG_CS].limit, 0xFFFF);
    assert_hex(core->seg[SEG_ES].selector, 0x4444);
    assert_hex(core->seg[SEG_DS].selector, 0x3333);
    assert_hex(core->seg[SEG_FS].selector, 0x2222);
    assert_hex(core->seg[SEG_GS].base, 0x11110);
    assert_hex(core->gpr[RSP], 0xFFF0);
    assert_hex(rflags_read(core), RFLAGS_VM | RFLAGS_IF | RFLAGS_VIF | 2);
    setup_free(s);
}
END_TEST

START_TEST(cli_and_sti_touch_vif_under_vme_and_pvi)
{
    struct setup *s = setup_virtual_8086(0);

    assert_fault(s, RUN(s, "\xFA"), EXC_GP, 0);
    assert_fault(s, RUN(s, "\xFB"), EXC_GP, 0);
    s->core->cr4 |= CR4_VME;
    ck_assert_int_eq(RUN(s, "\xFB"), OUTCOME_NEXT);
    assert_hex(rflags_read(s->core), RFLAGS_VM | RFLAGS_IF | RFLAGS_VIF | 2);
    ck_assert(!s->core->interrupt_shadow);
    ck_assert_int_eq(RUN(s, "\xFA"), OUTCOME_NEXT);
    assert_hex(rflags_read(s->core), RFLAGS_VM | RFLAGS_IF | 2);
    rflags_write(s->core, RFLAGS_VM | RFLAGS_VIP | 2);
    assert_fault(s, RUN(s, "\xFB"), EXC_GP, 0); /* a virtual interrupt is pending: let the monitor see it */
    setup_free(s);

    s = setup_64(3);
    assert_fault(s, RUN(s, "\xFA"), EXC_GP, 0);
    s->core->cr4 |= CR4_PVI;
    ck_assert_int_eq(RUN(s, "\xFB"), OUTCOME_NEXT);
    assert_hex(rflags_read(s->core), RFLAGS_IF | RFLAGS_VIF | 2);
    setup_free(s);
}
END_TEST

START_TEST(sti_shadows_one_instruction_when_if_was_clear)
{
    struct setup *s = setup_64(0);

    ck_assert_int_eq(RUN(s, "\xFB"), OUTCOME_NEXT);
    ck_assert(!s->core->interrupt_shadow); /* IF was set already */
    ck_assert_int_eq(RUN(s, "\xFA"), OUTCOME_NEXT);
    assert_hex(rflags_read(s->core), 2);
    ck_assert_int_eq(RUN(s, "\xFB"), OUTCOME_NEXT);
    ck_assert(s->core->interrupt_shadow && !s->core->shadow_blocks_debug);
    setup_free(s);
}
END_TEST

UNIT_TESTS("virtual_8086", an_interrupt_saves_the_data_segments_and_makes_them_null,
           the_handler_must_be_nonconforming_ring_0,
           int_n_needs_iopl_3_without_vme,
           a_clear_redirection_bit_sends_int_n_to_the_virtual_table,
           below_iopl_3_vif_stands_for_if,
           a_set_redirection_bit_goes_through_the_idt_at_iopl_3_alone,
           a_tss_without_room_for_the_bitmap_is_gp,
           iret_keeps_iopl_and_vm_at_iopl_3,
           iret_below_iopl_3_needs_vme_and_16_bits,
           iret_with_vme_refuses_tf_and_if_with_vip,
           ring_0_iretd_with_vm_returns_to_virtual_8086_mode,
           cli_and_sti_touch_vif_under_vme_and_pvi,
           sti_shadows_one_instruction_when_if_was_clear)
