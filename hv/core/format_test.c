/* SPDX-License-Identifier: MIT */
#include "hv/core/format.h"

#include <stdint.h>

#include "sim/unit_test.h"

static const char *formatted(const char *format, ...)
{
    static char line[64];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    return line;
}

START_TEST(numbers_print_as_printf_prints_them)
{
    ck_assert_str_eq(formatted("%d %d %u", -1, 0, 4294967295u), "-1 0 4294967295");
    ck_assert_str_eq(formatted("%x %lx", 0xC001u, 0xC0010114DEADul), "c001 c0010114dead");
    ck_assert_str_eq(formatted("%ld", INT64_MIN), "-9223372036854775808");
    ck_assert_str_eq(formatted("%llu", 18446744073709551615ull), "18446744073709551615");
}
END_TEST

START_TEST(fields_are_padded_on_the_side_asked_for)
{
    ck_assert_str_eq(formatted("%08x|%4u|%-4u|%5s|%-5s|", 0x1Au, 7u, 7u, "ab", "ab"),
                     "0000001a|   7|7   |   ab|ab   |");
    ck_assert_str_eq(formatted("%c%%%s", 'x', (const char *)NULL), "x%(null)");
}
END_TEST

START_TEST(what_does_not_fit_is_cut_and_terminated)
{
    char small[4] = "zzz";

    ck_assert_uint_eq(format_text(small, sizeof(small), "%s", "abcdef"), 3);
    ck_assert_str_eq(small, "abc");
}
END_TEST

UNIT_TESTS("hv format", numbers_print_as_printf_prints_them, fields_are_padded_on_the_side_asked_for,
           what_does_not_fit_is_cut_and_terminated)
