/* SPDX-License-Identifier: MIT */
/* Stack instructions: sizes, rSP as operand, privilege rules of RFLAGS, frames, all or nothing. */
#include "sim/cpu/exec/exec_setup.h"

START_TEST(push_and_pop_move_eight_bytes_in_64_bit_mode_and_two_with_66)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RBX] = 0x1122334455667788;
    assert_retires(s, "\x53"); /* push rbx */
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK - 8);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 8), 0x1122334455667788);
    assert_retires(s, "\x66\x53"); /* push bx */
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK - 10);
    assert_retires(s, "\x66\x59\x58"); /* pop cx */
    ck_assert_uint_eq(s->core.gpr[RCX], 0x7788);
    assert_retires(s, "\x58"); /* pop rax */
    ck_assert_uint_eq(s->core.gpr[RAX], 0x1122334455667788);
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK);
    assert_retires(s, "\x6A\x80"); /* push -128 */
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 8), 0xFFFFFFFFFFFFFF80);
    setup_free(s);
}
END_TEST

START_TEST(push_rsp_pushes_the_old_value_and_pop_rsp_takes_the_popped_one)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    assert_retires(s, "\x54"); /* push rsp */
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 8), SETUP_STACK);
    setup_poke(s, SETUP_STACK - 8, 8, 0x1A000);
    assert_retires(s, "\x5C"); /* pop rsp */
    ck_assert_uint_eq(s->core.gpr[RSP], 0x1A000);
    setup_free(s);
}
END_TEST

START_TEST(pop_to_memory_addresses_with_the_incremented_stack_pointer)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RSP] = SETUP_STACK - 16;
    setup_poke(s, SETUP_STACK - 16, 8, 0x55);
    assert_retires(s, "\x8F\x04\x24"); /* pop qword [rsp] */
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 8), 0x55);
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK - 8);
    s->core.rip = SETUP_RIP;
    s->core.gpr[RBX] = 0x13000;
    assert_faults(s, "\x8F\x03", EXC_PF); /* pop qword [rbx], read-only: rSP as before */
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK - 8);
    setup_free(s);
}
END_TEST

START_TEST(a_16_bit_stack_wraps_inside_64k_and_keeps_the_upper_half)
{
    struct setup *s = setup_new();

    setup_real(s);
    s->core.gpr[RSP] = 0x12340000;
    s->core.gpr[RAX] = 0xABCD;
    assert_retires(s, "\x50"); /* push ax: to SS:FFFE */
    ck_assert_uint_eq(s->core.gpr[RSP], 0x1234FFFE);
    ck_assert_uint_eq(setup_peek(s, 0xFFFE, 2), 0xABCD);
    setup_free(s);
}
END_TEST

START_TEST(pusha_and_popa_are_inverse_and_pusha_is_all_or_nothing)
{
    struct setup *s = setup_new();

    setup_32(s, 3);
    for (unsigned n = 0; n < 8; n++)
        if (n != RSP)
            s->core.gpr[n] = 0x100 + n;
    assert_retires(s, "\x60");
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK - 32);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 4, 4), 0x100 + RAX);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 20, 4), SETUP_STACK);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 32, 4), 0x100 + RDI);
    memset(s->core.gpr, 0, 4 * sizeof(uint64_t));
    assert_retires(s, "\x61");
    ck_assert_uint_eq(s->core.gpr[RBX], 0x100 + RBX);
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK);
    /* four of eight pushes reach the page that is not present */
    s->core.rip = SETUP_RIP;
    s->core.gpr[RSP] = 0x18010;
    setup_poke(s, SETUP_TABLES + 0x3000 + 8 * 0x17, 8, 0);
    setup_poke(s, 0x18000, 8, 0x7777);
    assert_faults(s, "\x60", EXC_PF);
    ck_assert_uint_eq(setup_peek(s, 0x18000, 8), 0x7777);
    ck_assert_uint_eq(s->core.gpr[RSP], 0x18010);
    setup_free(s);
}
END_TEST

/* ---- RFLAGS --------------------------------------------------------------------------------------------- */

static uint64_t popf(struct setup *s, uint64_t value)
{
    unsigned size = s->core.mode == MODE_64BIT ? 8 : 2;
    uint64_t at = s->core.gpr[RSP];

    setup_poke(s, s->core.seg[SEG_SS].base + at, size, value);
    ck_assert_int_eq(RUN(s, "\x9D"), OUTCOME_NEXT);
    s->core.gpr[RSP] = at;
    return rflags_read(&s->core);
}

START_TEST(popf_changes_iopl_at_cpl_0_and_if_up_to_iopl)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.gpr[RSP] -= 8;
    ck_assert_uint_eq(popf(s, 0xFFFFFFFFFFFFFFFF), 0x247FD7); /* no RF, VM, VIF, VIP; reserved as ever */
    ck_assert_uint_eq(popf(s, 0), 2);
    setup_64(s, 3);
    s->core.gpr[RSP] -= 8;
    ck_assert_uint_eq(popf(s, RFLAGS_IOPL | RFLAGS_IF | RFLAGS_CF), 2 | RFLAGS_CF);
    rflags_write(&s->core, RFLAGS_IOPL);
    ck_assert_uint_eq(popf(s, RFLAGS_IF), 2 | RFLAGS_IOPL | RFLAGS_IF);
    setup_free(s);
}
END_TEST

START_TEST(pushf_clears_rf_and_vm_in_the_image)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    rflags_write(&s->core, RFLAGS_RF | RFLAGS_CF | RFLAGS_ID);
    assert_retires(s, "\x9C");
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 8), 2 | RFLAGS_CF | RFLAGS_ID);
    setup_free(s);
}
END_TEST

START_TEST(virtual_8086_flags_need_iopl_3_or_vme)
{
    struct setup *s = setup_new();

    setup_virtual_8086(s, 0);
    assert_faults(s, "\x9C", EXC_GP);
    assert_faults(s, "\x9D", EXC_GP);
    s->core.cr4 = CR4_VME;
    rflags_write(&s->core, RFLAGS_VM | RFLAGS_VIF);
    assert_retires(s, "\x9C"); /* IF shows VIF, IOPL shows 3 */
    ck_assert_uint_eq(setup_peek(s, 0xEFFE, 2), 2 | RFLAGS_IF | RFLAGS_IOPL);
    s->core.rip = SETUP_RIP;
    ck_assert_uint_eq(popf(s, RFLAGS_CF), 2 | RFLAGS_VM | RFLAGS_CF);
    ck_assert_uint_eq(popf(s, RFLAGS_IF), 2 | RFLAGS_VM | RFLAGS_VIF);
    s->core.rip = SETUP_RIP;
    rflags_write(&s->core, RFLAGS_VM | RFLAGS_VIP);
    setup_poke(s, s->core.gpr[RSP], 2, RFLAGS_IF);
    assert_faults(s, "\x9D", EXC_GP); /* an interrupt was waiting for this */
    setup_poke(s, s->core.gpr[RSP], 2, RFLAGS_TF);
    assert_faults(s, "\x9D", EXC_GP);
    assert_faults(s, "\x66\x9C", EXC_GP);
    setup_virtual_8086(s, 3);
    ck_assert_uint_eq(popf(s, RFLAGS_IF), 2 | RFLAGS_VM | RFLAGS_IOPL | RFLAGS_IF);
    setup_free(s);
}
END_TEST

/* ---- Frames ----------------------------------------------------------------------------------------------- */

START_TEST(enter_builds_a_frame_and_leave_removes_it)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RBP] = 0x1234;
    assert_retires(s, "\xC8\x20\x00\x00"); /* enter 32, 0 */
    ck_assert_uint_eq(s->core.gpr[RBP], SETUP_STACK - 8);
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK - 8 - 32);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 8), 0x1234);
    assert_retires(s, "\xC9");
    ck_assert_uint_eq(s->core.gpr[RBP], 0x1234);
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK);
    setup_free(s);
}
END_TEST

START_TEST(enter_with_a_level_copies_the_enclosing_frame_pointers)
{
    struct setup *s = setup_new();

    setup_32(s, 3);
    s->core.gpr[RBP] = 0x1E000;
    setup_poke(s, 0x1E000 - 4, 4, 0xAAAA);
    setup_poke(s, 0x1E000 - 8, 4, 0xBBBB);
    assert_retires(s, "\xC8\x04\x00\x03"); /* enter 4, 3 */
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 4, 4), 0x1E000);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 4), 0xAAAA);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 12, 4), 0xBBBB);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 16, 4), SETUP_STACK - 4);
    ck_assert_uint_eq(s->core.gpr[RBP], SETUP_STACK - 4);
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK - 16 - 4);
    setup_free(s);
}
END_TEST

START_TEST(enter_checks_the_final_stack_pointer_for_writing)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RSP] = 0x18100;
    s->core.gpr[RBP] = 0x1234;
    assert_faults(s, "\xC8\x00\x02\x00", EXC_PF); /* enter 512, 0: ends in the page that is not present */
    ck_assert_uint_eq(s->core.gpr[RBP], 0x1234);
    ck_assert_uint_eq(setup_peek(s, 0x180F8, 8), 0);
    setup_free(s);
}
END_TEST

START_TEST(bound_accepts_both_ends_and_faults_outside)
{
    struct setup *s = setup_new();

    setup_32(s, 3);
    s->core.gpr[RBX] = SETUP_DATA;
    setup_poke(s, SETUP_DATA, 4, (uint32_t)-5);
    setup_poke(s, SETUP_DATA + 4, 4, 10);
    for (int index = -6; index <= 11; index++) {
        s->core.rip = SETUP_RIP;
        s->core.gpr[RAX] = (uint32_t)index;
        if (index < -5 || index > 10)
            assert_faults(s, "\x62\x03", EXC_BR);
        else
            assert_retires(s, "\x62\x03");
    }
    setup_free(s);
}
END_TEST

UNIT_TESTS("stack", push_and_pop_move_eight_bytes_in_64_bit_mode_and_two_with_66,
           push_rsp_pushes_the_old_value_and_pop_rsp_takes_the_popped_one,
           pop_to_memory_addresses_with_the_incremented_stack_pointer,
           a_16_bit_stack_wraps_inside_64k_and_keeps_the_upper_half,
           pusha_and_popa_are_inverse_and_pusha_is_all_or_nothing, popf_changes_iopl_at_cpl_0_and_if_up_to_iopl,
           pushf_clears_rf_and_vm_in_the_image, virtual_8086_flags_need_iopl_3_or_vme,
           enter_builds_a_frame_and_leave_removes_it, enter_with_a_level_copies_the_enclosing_frame_pointers,
           enter_checks_the_final_stack_pointer_for_writing, bound_accepts_both_ends_and_faults_outside)
