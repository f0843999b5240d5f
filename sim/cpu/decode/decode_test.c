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

START_TEST(rex_counts_only_right_before_the_opcode)
{
    ck_assert_int_eq(try("\x48\x66\x89\xC8", 4, code64), DECODE_OK); /* REX, then 66: mov ax, cx */
    ck_assert_uint_eq(decoded.operand_size, 2);
    ck_assert_int_eq(try("\x66\x48\x89\xC8", 4, code64), DECODE_OK); /* mov rax, rcx */
    ck_assert_uint_eq(decoded.operand_size, 8);
    ck_assert_int_eq(try("\x40\x88\xE0", 3, code64), DECODE_OK); /* any REX: spl, not ah */
    ck_assert_uint_eq(decoded.op[1].reg, RSP);
    ck_assert(!decoded.op[1].high_byte);
    ck_assert_int_eq(try("\x88\xE0", 2, code64), DECODE_OK);
    ck_assert_uint_eq(decoded.op[1].reg, RAX);
    ck_assert(decoded.op[1].high_byte);
    ck_assert_int_eq(try("\x45\x89\x0C\x37", 4, code64), DECODE_OK); /* mov [r15+rsi], r9d */
    ck_assert_uint_eq(decoded.op[1].reg, R9);
    ck_assert_uint_eq(decoded.base, R15);
    ck_assert_uint_eq(decoded.index, RSI);
}
END_TEST

START_TEST(operand_sizes_follow_mode_prefix_and_row)
{
    static const struct {
        const char *bytes;
        uint8_t size, bits, expected;
    } cases[] = {
        { "\x89\xC8", 2, 16, 2 }, { "\x66\x89\xC8", 3, 16, 4 }, { "\x89\xC8", 2, 32, 4 },
        { "\x66\x89\xC8", 3, 32, 2 }, { "\x89\xC8", 2, 64, 4 },
        { "\x50", 1, 64, 8 }, { "\x66\x50", 2, 64, 2 }, { "\x50", 1, 32, 4 }, /* push: 64 by default */
        { "\xE8\0\0\0\0", 5, 64, 8 }, { "\x66\xE8\0\0", 4, 64, 2 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert_int_eq(try(cases[i].bytes, cases[i].size, (struct decode_mode){ cases[i].bits, false }), DECODE_OK);
        ck_assert_uint_eq(decoded.operand_size, cases[i].expected);
        ck_assert_uint_eq(decoded.length, cases[i].size);
    }
}
END_TEST

START_TEST(immediates_are_extended_to_the_operand)
{
    ck_assert_int_eq(try("\x48\x81\xC0\x00\x00\x00\x80", 7, code64), DECODE_OK); /* add rax, imm32 */
    ck_assert_uint_eq(decoded.immediate, 0xFFFFFFFF80000000);
    ck_assert_int_eq(try("\x66\x83\xC0\x80", 4, code64), DECODE_OK); /* add ax, imm8 */
    ck_assert_uint_eq(decoded.immediate, 0xFF80);
    ck_assert_int_eq(try("\x48\xB8\x08\x07\x06\x05\x04\x03\x02\x01", 10, code64), DECODE_OK);
    ck_assert_uint_eq(decoded.immediate, 0x0102030405060708);
    ck_assert_int_eq(try("\xC8\x34\x12\x85", 4, code64), DECODE_OK); /* enter */
    ck_assert_uint_eq(decoded.immediate, 0x1234);
    ck_assert_uint_eq(decoded.immediate2, 0x85);
    ck_assert_int_eq(try("\xEB\x80", 2, code64), DECODE_OK);
    ck_assert_uint_eq(decoded.immediate, (uint64_t)-128);
}
END_TEST

START_TEST(memory_operands_without_a_base)
{
    ck_assert_int_eq(try("\x8B\x05\x10\x00\x00\x00", 6, code64), DECODE_OK); /* [rip+10] */
    ck_assert(decoded.rip_relative);
    ck_assert_int_eq(try("\x8B\x05\x10\x00\x00\x00", 6, code32), DECODE_OK); /* [10] */
    ck_assert(!decoded.rip_relative && decoded.base == NO_REGISTER);
    ck_assert_int_eq(try("\x8B\x04\x25\xF0\xFF\xFF\xFF", 7, code64), DECODE_OK); /* [-10], no RIP */
    ck_assert(!decoded.rip_relative && decoded.displacement == -0x10);
    ck_assert_int_eq(try("\x67\x8B\x46\x80", 4, code32), DECODE_OK); /* [bp-80] */
    ck_assert_uint_eq(decoded.base, RBP);
    ck_assert_uint_eq(decoded.segment, SEG_SS);
    ck_assert_int_eq(decoded.displacement, -0x80);
    ck_assert_int_eq(try("\x67\x8B\x0E\xF0\xFF", 5, code32), DECODE_OK); /* [FFF0], 16 bits */
    ck_assert_int_eq(decoded.displacement, 0xFFF0);
    ck_assert_uint_eq(decoded.segment, SEG_DS);
    ck_assert_int_eq(try("\xA1\x08\x07\x06\x05\x04\x03\x02\x01", 9, code64), DECODE_OK);
    ck_assert_int_eq(decoded.displacement, 0x0102030405060708);
}
END_TEST

START_TEST(segment_overrides_other_than_fs_and_gs_are_ignored_in_64_bit_mode)
{
    ck_assert_int_eq(try("\x26\x8B\x04\x24", 4, code64), DECODE_OK); /* es: [rsp] */
    ck_assert_uint_eq(decoded.segment, SEG_SS);
    ck_assert_int_eq(try("\x64\x26\x8B\x03", 4, code64), DECODE_OK); /* fs: es: [rbx]: FS stays */
    ck_assert_uint_eq(decoded.segment, SEG_FS);
    ck_assert_int_eq(try("\x26\x8B\x04\x24", 4, code32), DECODE_OK);
    ck_assert_uint_eq(decoded.segment, SEG_ES);
}
END_TEST

START_TEST(control_register_moves_ignore_mod_and_lock_means_cr8)
{
    ck_assert_int_eq(try("\x0F\x20\x18", 3, code64), DECODE_OK); /* mod = 0: still mov rax, cr3 */
    ck_assert_uint_eq(decoded.length, 3);
    ck_assert_uint_eq(decoded.op[0].kind, OPERAND_GPR);
    ck_assert_uint_eq(decoded.op[1].reg, 3);
    ck_assert_uint_eq(decoded.op[1].size, 8);
    ck_assert_int_eq(try("\xF0\x0F\x22\xC0", 4, code32), DECODE_OK); /* lock mov cr0, eax */
    ck_assert_uint_eq(decoded.op[0].reg, 8);
    ck_assert_int_eq(try("\xF0\x0F\x22\xD8", 4, code32), DECODE_INVALID);
}
END_TEST

START_TEST(what_family_10h_does_not_have_is_invalid)
{
    ck_assert_int_eq(try("\x0F\x38\xF0\x03", 4, code64), DECODE_INVALID); /* movbe */
    ck_assert_int_eq(try("\x0F\xC7\xF0", 3, code64), DECODE_INVALID);     /* rdrand */
    ck_assert_int_eq(try("\x0F\x01\xD0", 3, code64), DECODE_INVALID);     /* xgetbv */
    ck_assert_int_eq(try("\x0F\x01\xCA", 3, code64), DECODE_INVALID);     /* clac */
    ck_assert_int_eq(try("\xC5\xF8\x77", 3, code64), DECODE_INVALID);     /* vzeroupper */
    ck_assert_int_eq(try("\x27", 1, code64), DECODE_INVALID);             /* daa: not in 64-bit mode */
}
END_TEST

/* Its ModRM byte was fetched: over the segment's limit it is #GP, and a store to it may define the instruction. */
START_TEST(an_instruction_undefined_by_its_modrm_byte_has_that_byte)
{
    ck_assert_int_eq(try("\xFF\xFF", 2, code32), DECODE_INVALID);        /* FF /7 */
    ck_assert_uint_eq(decoded.length, 2);
    ck_assert_int_eq(try("\xFF", 1, code32), DECODE_TRUNCATED);
    ck_assert_int_eq(try("\x66\x0F\xBA\xC0", 4, code64), DECODE_INVALID); /* 0F BA /0 */
    ck_assert_uint_eq(decoded.length, 4);
    ck_assert_int_eq(try("\x0F\x04\xC0", 3, code32), DECODE_INVALID);    /* no row has this opcode */
    ck_assert_uint_eq(decoded.length, 2);
}
END_TEST

UNIT_TESTS("decode", an_instruction_of_fifteen_bytes_decodes_and_of_sixteen_is_too_long,
           the_repeat_prefix_turns_nop_into_pause,
           a_sib_operand_has_its_base_index_scale_displacement_and_segment,
           lock_on_a_row_that_does_not_take_it_is_invalid, rex_counts_only_right_before_the_opcode,
           operand_sizes_follow_mode_prefix_and_row, immediates_are_extended_to_the_operand,
           memory_operands_without_a_base, segment_overrides_other_than_fs_and_gs_are_ignored_in_64_bit_mode,
           control_register_moves_ignore_mod_and_lock_means_cr8, what_family_10h_does_not_have_is_invalid,
           an_instruction_undefined_by_its_modrm_byte_has_that_byte)
