/* SPDX-License-Identifier: MIT */
/* Addition, subtraction and logic: results and all six flags, by hand arithmetic. */
#include "sim/cpu/exec/exec_setup.h"

#define O RFLAGS_OF
#define S RFLAGS_SF
#define Z RFLAGS_ZF
#define A RFLAGS_AF
#define P RFLAGS_PF
#define C RFLAGS_CF

/* OP rAX, rBX in the form that `bytes` encode. */
struct binary_case {
    const char *bytes;
    size_t length;
    uint64_t a, b;
    bool carry;
    uint64_t result, flags;
};

#define CASE(bytes, a, b, carry, result, flags) { bytes, sizeof(bytes) - 1, a, b, carry, result, flags }

static const struct binary_case binary_cases[] = {
    /* add al, bl: 7F + 1 = 80: overflow, sign, auxiliary carry (F + 1), one bit set: no parity */
    CASE("\x00\xD8", 0x7F, 0x01, false, 0x80, O | S | A),
    /* FF + 1 = 100: carry, zero, auxiliary carry, parity of 0 is even; upper bytes of rAX stay */
    CASE("\x00\xD8", 0x1234567890ABCDFF, 0x01, false, 0x1234567890ABCD00, Z | A | P | C),
    CASE("\x66\x01\xD8", 0x1111222233338000, 0x8000, false, 0x1111222233330000, O | Z | P | C),
    /* a 32-bit result clears the upper half: F0 = 11110000 has even parity */
    CASE("\x01\xD8", 0xFFFFFFFF7FFFFFF0, 0x80000000, false, 0xFFFFFFF0, S | P),
    CASE("\x48\x01\xD8", 0x8000000000000000, 0x8000000000000000, false, 0, O | Z | P | C),
    /* adc: FF + 0 + 1; 7FFFFFFF + 0 + 1 */
    CASE("\x10\xD8", 0xFF, 0x00, true, 0x00, Z | A | P | C),
    CASE("\x11\xD8", 0x7FFFFFFF, 0x00, true, 0x80000000, O | S | A | P),
    CASE("\x48\x11\xD8", 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, true, 0xFFFFFFFFFFFFFFFF, S | A | P | C),
    /* sub: 0 - 1 borrows; 80 - 1 = 7F overflows */
    CASE("\x28\xD8", 0x00, 0x01, false, 0xFF, S | A | P | C),
    CASE("\x28\xD8", 0x80, 0x01, false, 0x7F, O | A),
    CASE("\x48\x29\xD8", 0x10, 0x10, false, 0, Z | P),
    /* sbb: 0 - FF - 1 = -100: borrow, result 0 */
    CASE("\x18\xD8", 0x00, 0xFF, true, 0x00, Z | A | P | C),
    CASE("\x19\xD8", 0x80000000, 0x7FFFFFFF, true, 0x00000000, O | Z | A | P),
    /* cmp leaves rAX, upper half included */
    CASE("\x39\xD8", 0xAAAAAAAA00000005, 0x00000007, false, 0xAAAAAAAA00000005, S | A | C),
    /* logic clears OF and CF, and by our rule AF */
    CASE("\x20\xD8", 0xF0, 0x0F, true, 0x00, Z | P),
    CASE("\x09\xD8", 0x80000000, 0x00000001, true, 0x80000001, S),
    CASE("\x48\x31\xD8", 0x5555555555555555, 0xAAAAAAAAAAAAAAAA, true, 0xFFFFFFFFFFFFFFFF, S | P),
    CASE("\x85\xD8", 0x8000000000000003, 0x00000003, true, 0x8000000000000003, P),
    /* ah, bh: 10 + F0 */
    CASE("\x00\xFC", 0x1000, 0xF000, false, 0x0000, Z | P | C),
};

START_TEST(binary_operations_give_the_arithmetic_result_and_flags)
{
    struct setup *s = setup_new();

    for (size_t i = 0; i < G_N_ELEMENTS(binary_cases); i++) {
        const struct binary_case *c = &binary_cases[i];

        setup_64(s, 0);
        s->core.gpr[RAX] = c->a;
        s->core.gpr[RBX] = c->b;
        rflags_write(&s->core, c->carry ? C : 0);
        ck_assert_int_eq(setup_run(s, c->bytes, c->length), OUTCOME_NEXT);
        ck_assert_msg(s->core.gpr[RAX] == c->result, "case %zu: result %" PRIx64, i, s->core.gpr[RAX]);
        ck_assert_msg((rflags_read(&s->core) & RFLAGS_ARITH) == c->flags, "case %zu: flags %" PRIx64 " not %" PRIx64, i,
                      s->core.rflags & RFLAGS_ARITH, c->flags);
    }
    setup_free(s);
}
END_TEST

START_TEST(inc_and_dec_keep_carry)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.gpr[RAX] = 0xFF;
    rflags_write(&s->core, C);
    assert_retires(s, "\xFE\xC0"); /* inc al */
    ck_assert_uint_eq(s->core.gpr[RAX], 0);
    ck_assert_uint_eq(rflags_read(&s->core) & RFLAGS_ARITH, Z | A | P | C);
    rflags_write(&s->core, 0);
    assert_retires(s, "\x48\xFF\xC8"); /* dec rax */
    ck_assert_uint_eq(s->core.gpr[RAX], UINT64_MAX);
    ck_assert_uint_eq(rflags_read(&s->core) & RFLAGS_ARITH, S | A | P);
    s->core.gpr[RAX] = 0x80000000;
    assert_retires(s, "\xFF\xC8"); /* dec eax: 7FFFFFFF overflows */
    ck_assert_uint_eq(s->core.gpr[RAX], 0x7FFFFFFF);
    ck_assert_uint_eq(rflags_read(&s->core) & RFLAGS_ARITH, O | A | P);
    setup_free(s);
}
END_TEST

START_TEST(inc_after_a_lazy_carry_keeps_it)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.gpr[RAX] = UINT64_MAX;
    s->core.gpr[RBX] = 1;
    assert_retires(s, "\x48\x01\xD8"); /* add rax, rbx: carry */
    assert_retires(s, "\x48\xFF\xC0"); /* inc rax */
    assert_retires(s, "\x48\x19\xC9"); /* sbb rcx, rcx: all ones when CF */
    ck_assert_uint_eq(s->core.gpr[RCX], UINT64_MAX);
    setup_free(s);
}
END_TEST

START_TEST(neg_sets_carry_unless_zero_and_not_touches_no_flag)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.gpr[RAX] = 0x80;
    assert_retires(s, "\xF6\xD8"); /* neg al: 80 stays, overflows */
    ck_assert_uint_eq(s->core.gpr[RAX], 0x80);
    ck_assert_uint_eq(rflags_read(&s->core) & RFLAGS_ARITH, O | S | C);
    s->core.gpr[RAX] = 0;
    assert_retires(s, "\xF7\xD8");
    ck_assert_uint_eq(rflags_read(&s->core) & RFLAGS_ARITH, Z | P);
    rflags_write(&s->core, RFLAGS_ARITH);
    assert_retires(s, "\x48\xF7\xD0");
    ck_assert_uint_eq(s->core.gpr[RAX], UINT64_MAX);
    ck_assert_uint_eq(rflags_read(&s->core) & RFLAGS_ARITH, RFLAGS_ARITH);
    setup_free(s);
}
END_TEST

START_TEST(a_memory_destination_is_modified_in_place)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    setup_poke(s, SETUP_DATA + 8, 4, 41);
    s->core.gpr[RDI] = SETUP_DATA;
    assert_retires(s, "\xFF\x47\x08"); /* inc dword [rdi+8] */
    ck_assert_uint_eq(setup_peek(s, SETUP_DATA + 8, 4), 42);
    setup_free(s);
}
END_TEST

START_TEST(a_faulting_destination_leaves_flags_and_memory)
{
    struct setup *s = setup_new();

    setup_64(s, 3);
    setup_poke(s, 0x13000, 4, 41);
    s->core.gpr[RDI] = 0x13000;
    rflags_write(&s->core, RFLAGS_ARITH);
    assert_faults(s, "\xFF\x07", EXC_PF); /* inc dword [rdi]: read-only */
    ck_assert_uint_eq(s->core.fault.error, 7); /* present, write, user */
    ck_assert_uint_eq(s->core.fault.address, 0x13000);
    ck_assert_uint_eq(setup_peek(s, 0x13000, 4), 41);
    ck_assert_uint_eq(rflags_read(&s->core) & RFLAGS_ARITH, RFLAGS_ARITH);
    setup_free(s);
}
END_TEST

START_TEST(xadd_swaps_and_adds)
{
    struct setup *s = setup_new();

    setup_64(s, 0);
    s->core.gpr[RAX] = 5;
    s->core.gpr[RBX] = 7;
    assert_retires(s, "\x0F\xC1\xD8"); /* xadd eax, ebx */
    ck_assert_uint_eq(s->core.gpr[RAX], 12);
    ck_assert_uint_eq(s->core.gpr[RBX], 5);
    assert_retires(s, "\x0F\xC1\xC0"); /* xadd eax, eax: the sum stays */
    ck_assert_uint_eq(s->core.gpr[RAX], 24);
    setup_free(s);
}
END_TEST

UNIT_TESTS("alu", binary_operations_give_the_arithmetic_result_and_flags, inc_and_dec_keep_carry,
           inc_after_a_lazy_carry_keeps_it, neg_sets_carry_unless_zero_and_not_touches_no_flag,
           a_memory_destination_is_modified_in_place, a_faulting_destination_leaves_flags_and_memory,
           xadd_swaps_and_adds)
