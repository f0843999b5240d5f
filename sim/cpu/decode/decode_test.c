/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/fake_core.h"
#include "sim/unit_test.h"

static const struct decode_mode code64 = { 64, false };
static const struct decode_mode code32 = { 32, false };

static struct insn decoded;

static enum decode_result try(const char *bytes, size_t size, struct decode_mode mode)
{
    return decode((const uint8_t *)bytes, size, mode, &decoded);
}

START_TEST(an_instruction_of_fifteen_bytes_decodes_and_of_sixteen_is_too_long)
{
    char bytes[16];

    memset(bytes, 0x66, sizeof(bytes));
    bytes[14] = (char)0x90;
    ck_assert_int_eq(try(bytes, 15, code64), DECODE_OK);
    ck_assert_uint_eq(decoded.length, 15);
    ck_assert_int_eq(try(bytes, 14, code64), DECODE_TRUNCATED);
    bytes[14] = 0x66;
    bytes[15] = (char)0x90;
    ck_assert_int_eq(try(bytes, 16, code64), DECODE_TOO_LONG);
}
END_TEST

START_TEST(the_repeat_prefix_turns_nop_into_pause)
{
    ck_assert_int_eq(try("\x90", 1, code32), DECODE_OK);
    ck_assert_str_eq(decoded.row->name, "nop");
    ck_assert_int_eq(try("\xF3\x90", 2, code32), DECODE_OK);
    ck_assert_str_eq(decoded.row->name, "pause");
}
END_TEST

START_TEST(a_sib_operand_has_its_base_index_scale_displacement_and_segment)
{
    /* 0F 1F 84 05 ...: nop [rbp+rax*1+12345678h]; base rBP means SS. */
    ck_assert_int_eq(try("\x0F\x1F\x84\x05\x78\x56\x34\x12", 8, code64), DECODE_OK);
    ck_assert_uint_eq(decoded.length, 8);
    ck_assert_uint_eq(decoded.op[0].kind, OPERAND_MEMORY);
    ck_assert_uint_eq(decoded.op[0].size, 4);
    ck_assert_uint_eq(decoded.base, RBP);
    ck_assert_uint_eq(decoded.index, RAX);
    ck_assert_uint_eq(decoded.scale, 0);
    ck_assert_int_eq(decoded.displacement, 0x12345678);
    ck_assert_uint_eq(decoded.segment, SEG_SS);
    ck_assert_uint_eq(decoded.address_size, 8);
}
END_TEST

START_TEST(lock_on_a_row_that_does_not_take_it_is_invalid)
{
    ck_assert_int_eq(try("\xF0\x90", 2, code64), DECODE_INVALID);
}
END_TEST

UNIT_TESTS("decode", an_instruction_of_fifteen_bytes_decodes_and_of_sixteen_is_too_long,
           the_repeat_prefix_turns_nop_into_pause,
           a_sib_operand_has_its_base_index_scale_displacement_and_segment,
           lock_on_a_row_that_does_not_take_it_is_invalid)
