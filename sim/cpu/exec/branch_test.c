/* SPDX-License-Identifier: MIT */
/* Near branches: targets by operand size, limits and canonical form, counters, return addresses. */
#include "sim/cpu/exec/exec_setup.h"

START_TEST(relative_jumps_count_from_the_next_instruction)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    assert_retires(s, "\xEB\xFE"); /* jmp $ */
    ck_assert_uint_eq(s->core.rip, SETUP_RIP);
    assert_retires(s, "\xE9\x00\x01\x00\x00");
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 5 + 0x100);
    setup_free(s);
}
END_TEST

START_TEST(operand_size_66_cuts_rip_to_16_bits_even_in_64_bit_mode)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.rip = 0x128000;
    assert_retires(s, "\x66\xE9\x10\x00"); /* four bytes long */
    ck_assert_uint_eq(s->core.rip, 0x8014);
    setup_free(s);
}
END_TEST

/* All sixteen conditions against the flags that fulfil them. */
START_TEST(each_condition_reads_its_flags)
{
    static const struct {
        uint8_t nibble;
        uint64_t yes, no;
    } cases[] = {
        { 0x0, RFLAGS_OF, RFLAGS_SF },  { 0x2, RFLAGS_CF, RFLAGS_ZF },
        { 0x4, RFLAGS_ZF, RFLAGS_CF },  { 0x6, RFLAGS_CF, RFLAGS_SF },
        { 0x6, RFLAGS_ZF, RFLAGS_OF },  { 0x8, RFLAGS_SF, RFLAGS_OF },
        { 0xA, RFLAGS_PF, RFLAGS_AF },  { 0xC, RFLAGS_SF, RFLAGS_SF | RFLAGS_OF },
        { 0xC, RFLAGS_OF, RFLAGS_ZF },  { 0xE, RFLAGS_ZF, 0 },
        { 0xE, RFLAGS_OF, RFLAGS_CF },  { 0xE, RFLAGS_SF | RFLAGS_ZF | RFLAGS_OF, RFLAGS_OF | RFLAGS_SF },
    };
    struct setup *s = setup_new();

    setup_64(s, 3);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (unsigned negated = 0; negated < 2; negated++) {
            uint8_t jump[2] = { (uint8_t)(0x70 | cases[i].nibble | negated), 0x40 };

            for (unsigned holds = 0; holds < 2; holds++) {
                s->core.rip = SETUP_RIP;
                rflags_write(&s->core, holds ? cases[i].yes : cases[i].no);
                ck_assert_int_eq(setup_run(s, jump, 2), OUTCOME_NEXT);
                ck_assert_uint_eq(s->core.rip, SETUP_RIP + 2 + (holds != negated ? 0x40 : 0));
            }
        }
    }
    setup_free(s);
}
END_TEST

START_TEST(setcc_and_cmovcc_follow_the_condition)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    rflags_write(&s->core, RFLAGS_ZF);
    s->core.gpr[RAX] = 0xFFFFFFFFFFFFFFFF;
    s->core.gpr[RBX] = 0x1234;
    assert_retires(s, "\x0F\x94\xC0"); /* sete al */
    ck_assert_uint_eq(s->core.gpr[RAX], 0xFFFFFFFFFFFFFF01);
    assert_retires(s, "\x0F\x45\xC3"); /* cmovne eax, ebx: not moved, upper half cleared all the same */
    ck_assert_uint_eq(s->core.gpr[RAX], 0xFFFFFF01);
    assert_retires(s, "\x48\x0F\x44\xC3"); /* cmove rax, rbx */
    ck_assert_uint_eq(s->core.gpr[RAX], 0x1234);
    s->core.rip = SETUP_RIP;
    s->core.gpr[RBX] = 0x12000;
    assert_faults(s, "\x0F\x45\x03", EXC_PF); /* the source is read whatever the condition */
    setup_free(s);
}
END_TEST

START_TEST(targets_beyond_the_limit_or_not_canonical_fault_at_the_branch)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RAX] = 0x800000000000;
    assert_faults(s, "\xFF\xE0", EXC_GP); /* jmp rax */
    ck_assert(s->core.fault.has_error && s->core.fault.error == 0);
    assert_faults(s, "\xFF\xD0", EXC_GP); /* call rax: nothing pushed */
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 8), 0);
    setup_poke(s, SETUP_STACK, 8, 0x800000000000);
    assert_faults(s, "\xC3", EXC_GP);
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK);
    setup_32(s, 3);
    s->core.seg[SEG_CS].limit = 0x8FFF;
    assert_faults(s, "\xE9\x00\x10\x00\x00", EXC_GP);
    s->core.gpr[RCX] = 2;
    s->core.seg[SEG_CS].limit = SETUP_RIP + 0x10;
    assert_faults(s, "\xE2\x20", EXC_GP); /* a taken loop that faults has not counted */
    ck_assert_uint_eq(s->core.gpr[RCX], 2);
    setup_free(s);
}
END_TEST

START_TEST(call_pushes_the_next_rip_and_ret_drops_arguments)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    assert_retires(s, "\xE8\xFB\x0F\x00\x00"); /* call +FFB: to rip + 1000 */
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 0x1000);
    ck_assert_uint_eq(setup_peek(s, SETUP_STACK - 8, 8), SETUP_RIP + 5);
    assert_retires(s, "\xC2\x10\x00");
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 5);
    ck_assert_uint_eq(s->core.gpr[RSP], SETUP_STACK + 0x10);
    setup_free(s);
}
END_TEST

START_TEST(indirect_branches_read_memory_relative_to_rip)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    setup_poke(s, SETUP_RIP + 6 + 0x100, 8, 0x9000);
    assert_retires(s, "\xFF\x25\x00\x01\x00\x00"); /* jmp [rip+100] */
    ck_assert_uint_eq(s->core.rip, 0x9000);
    setup_free(s);
}
END_TEST

START_TEST(loops_count_in_the_address_size)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    s->core.gpr[RCX] = 0x100000000;
    assert_retires(s, "\xE2\x10"); /* loop: rcx = FFFFFFFF, taken */
    ck_assert_uint_eq(s->core.gpr[RCX], 0xFFFFFFFF);
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 0x12);
    s->core.rip = SETUP_RIP;
    s->core.gpr[RCX] = 0x500000001;
    assert_retires(s, "\x67\xE2\x10"); /* ecx: 1 - 1, not taken */
    ck_assert_uint_eq(s->core.gpr[RCX], 0);
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 3);
    s->core.rip = SETUP_RIP;
    s->core.gpr[RCX] = 5;
    rflags_write(&s->core, 0);
    assert_retires(s, "\xE1\x10"); /* loope without ZF: counts, not taken */
    ck_assert_uint_eq(s->core.gpr[RCX], 4);
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 2);
    assert_retires(s, "\xE0\x10"); /* loopne: taken */
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 4 + 0x10);
    s->core.gpr[RCX] = 0x100000000;
    assert_retires(s, "\x67\xE3\x10"); /* jecxz: taken */
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 4 + 0x10 + 3 + 0x10);
    assert_retires(s, "\xE3\x10"); /* jrcxz: not */
    ck_assert_uint_eq(s->core.rip, SETUP_RIP + 4 + 0x10 + 3 + 0x10 + 2);
    setup_free(s);
}
END_TEST

UNIT_TESTS("branch", relative_jumps_count_from_the_next_instruction,
           operand_size_66_cuts_rip_to_16_bits_even_in_64_bit_mode, each_condition_reads_its_flags,
           setcc_and_cmovcc_follow_the_condition, targets_beyond_the_limit_or_not_canonical_fault_at_the_branch,
           call_pushes_the_next_rip_and_ret_drops_arguments, indirect_branches_read_memory_relative_to_rip,
           loops_count_in_the_address_size)
