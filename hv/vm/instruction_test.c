/* SPDX-License-Identifier: MIT */
#include "hv/vm/instruction.h"

#include "sim/unit_test.h"

#define LENGTH(in_64bit, which, ...)                                                                        \
    instruction_length((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), in_64bit, which)

START_TEST(plain_instructions_have_their_length)
{
    ck_assert_uint_eq(LENGTH(true, INSTRUCTION_CPUID, 0x0F, 0xA2, 0x90), 2);
    ck_assert_uint_eq(LENGTH(false, INSTRUCTION_RDMSR, 0x0F, 0x32), 2);
    ck_assert_uint_eq(LENGTH(false, INSTRUCTION_WRMSR, 0x0F, 0x30), 2);
    ck_assert_uint_eq(LENGTH(false, INSTRUCTION_HLT, 0xF4), 1);
    ck_assert_uint_eq(LENGTH(true, INSTRUCTION_VMMCALL, 0x0F, 0x01, 0xD9), 3);
    ck_assert_uint_eq(LENGTH(true, INSTRUCTION_INVD, 0x0F, 0x08), 2);
}
END_TEST

START_TEST(prefixes_count)
{
    ck_assert_uint_eq(LENGTH(true, INSTRUCTION_CPUID, 0x66, 0x48, 0x0F, 0xA2), 4);
    ck_assert_uint_eq(LENGTH(false, INSTRUCTION_HLT, 0xF3, 0x2E, 0xF4), 3);
    ck_assert_uint_eq(LENGTH(false, INSTRUCTION_HLT, 0x48, 0xF4), 0); /* 48h is DEC EAX there */
}
END_TEST

START_TEST(other_bytes_are_not_the_instruction)
{
    ck_assert_uint_eq(LENGTH(true, INSTRUCTION_CPUID, 0x0F, 0x32), 0);
    ck_assert_uint_eq(LENGTH(true, INSTRUCTION_VMMCALL, 0x0F, 0x01), 0);
    ck_assert_uint_eq(LENGTH(true, INSTRUCTION_HLT, 0x66, 0x66), 0);
}
END_TEST

#define DECODE(function, in_64bit, to, ...)                                                                  \
    function((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), in_64bit, to)

START_TEST(mov_cr8_names_its_register_and_direction)
{
    struct instruction_cr8 mov;

    ck_assert_uint_eq(DECODE(instruction_mov_cr8, true, &mov, 0x44, 0x0F, 0x20, 0xC1), 4); /* MOV RCX, CR8 */
    ck_assert(!mov.is_write);
    ck_assert_uint_eq(mov.gpr, 1);
    ck_assert_uint_eq(DECODE(instruction_mov_cr8, true, &mov, 0x45, 0x0F, 0x22, 0xC7), 4); /* MOV CR8, R15 */
    ck_assert(mov.is_write);
    ck_assert_uint_eq(mov.gpr, 15);
    ck_assert_uint_eq(DECODE(instruction_mov_cr8, false, &mov, 0xF0, 0x0F, 0x22, 0xC3), 4); /* AltMovCr8 */
    ck_assert(mov.is_write);
    ck_assert_uint_eq(mov.gpr, 3);
    ck_assert_uint_eq(DECODE(instruction_mov_cr8, true, &mov, 0x0F, 0x20, 0xC0), 0);       /* CR0 */
    ck_assert_uint_eq(DECODE(instruction_mov_cr8, true, &mov, 0x44, 0x0F, 0x20, 0xD8), 0); /* CR11 */
    ck_assert_uint_eq(DECODE(instruction_mov_cr8, true, &mov, 0x44, 0x0F, 0x20), 0);
}
END_TEST

UNIT_TESTS("hv instruction", plain_instructions_have_their_length, prefixes_count, other_bytes_are_not_the_instruction,
           mov_cr8_names_its_register_and_direction)
