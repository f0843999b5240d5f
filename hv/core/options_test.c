/* SPDX-License-Identifier: MIT */
#include "hv/core/options.h"

#include "sim/unit_test.h"

START_TEST(the_last_word_of_a_name_counts)
{
    char value[8];

    ck_assert(option_text("name=a names=b name=cc x", "name", value, sizeof(value)));
    ck_assert_str_eq(value, "cc");
    ck_assert(!option_text("xname=a name", "name", value, sizeof(value)));
    ck_assert(!option_text("name=12345678", "name", value, sizeof(value)));
    ck_assert(option_text("name=", "name", value, sizeof(value)));
    ck_assert_str_eq(value, "");
}
END_TEST

START_TEST(flags_are_spelled_as_xen_spells_them)
{
    ck_assert(option_flag("hap", "hap", false));
    ck_assert(!option_flag("no-hap", "hap", true));
    ck_assert(option_flag("a hap=on b", "hap", false));
    ck_assert(!option_flag("hap=off", "hap", true));
    ck_assert(!option_flag("hap no-hap", "hap", true));
    ck_assert(option_flag("no-hap hap=1", "hap", false));
    ck_assert(option_flag("hap_2mb=0", "hap", true));
    ck_assert(option_flag("hap=maybe", "hap", true)); /* no spelling of yes or no: the default stands */
}
END_TEST

START_TEST(sizes_take_suffixes_and_both_bases)
{
    bool bad = false;

    ck_assert_uint_eq(option_size("m=256M", "m", 1, &bad), 256ull << 20);
    ck_assert_uint_eq(option_size("m=0x40", "m", 1, &bad), 64);
    ck_assert_uint_eq(option_size("m=3g", "m", 1, &bad), 3ull << 30);
    ck_assert_uint_eq(option_size("other=2", "m", 7, &bad), 7);
    ck_assert_uint_eq(option_size("m=18446744073709551615", "m", 1, &bad), UINT64_MAX);
    ck_assert(!bad);
}
END_TEST

START_TEST(what_is_no_size_says_so)
{
    static const char *const wrong[] = { "m=", "m=x", "m=1Q", "m=1MM", "m=0x", "m=18446744073709551616",
                                         "m=99999999999999T" };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bool bad = false;

        ck_assert_uint_eq(option_size(wrong[i], "m", 5, &bad), 5);
        ck_assert_msg(bad, "%s", wrong[i]);
    }
}
END_TEST

UNIT_TESTS("hv options", the_last_word_of_a_name_counts, flags_are_spelled_as_xen_spells_them,
           sizes_take_suffixes_and_both_bases, what_is_no_size_says_so)
