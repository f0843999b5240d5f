/* SPDX-License-Identifier: MIT */
#include "hv/vm/paging_choice.h"

#include <string.h>

#include "sim/unit_test.h"

/* The decision table of nested and shadow paging: NPT in CPUID, boot hap, guest hap. */
START_TEST(a_guest_is_nested_if_processor_boot_option_and_guest_all_say_so)
{
    static const struct {
        bool processor, boot, guest;
        enum paging_mode mode;
    } rows[] = {
        { true, true, true, PAGING_NESTED },
        { true, true, false, PAGING_SHADOW },
        { true, false, true, PAGING_SHADOW },
        { true, false, false, PAGING_SHADOW },
        { false, true, true, PAGING_SHADOW },
        { false, true, false, PAGING_SHADOW },
        { false, false, true, PAGING_SHADOW },
        { false, false, false, PAGING_SHADOW },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(paging_choose(rows[i].processor, rows[i].boot, rows[i].guest) == rows[i].mode, "row %u", i);
}
END_TEST

START_TEST(the_boot_log_says_supported_but_disabled)
{
    ck_assert(strstr(paging_boot_line(true, false), "supported but disabled"));
    ck_assert(strstr(paging_boot_line(true, true), "enabled"));
    ck_assert(strstr(paging_boot_line(false, true), "not supported"));
    ck_assert(strstr(paging_boot_line(false, false), "not supported"));
}
END_TEST

UNIT_TESTS("hv paging choice", a_guest_is_nested_if_processor_boot_option_and_guest_all_say_so,
           the_boot_log_says_supported_but_disabled)
