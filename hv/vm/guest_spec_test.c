/* SPDX-License-Identifier: MIT */
#include "hv/vm/guest_spec.h"

#include "sim/unit_test.h"

START_TEST(a_module_string_describes_the_guest)
{
    struct guest_spec spec;

    ck_assert_ptr_null(guest_spec_parse(&spec, "path/sums.elf name=web width=32 memory=1G vcpus=2 backing=1g "
                                        "populate=demand other=x", 0, NPT_1G));
    ck_assert_str_eq(spec.name, "web");
    ck_assert_uint_eq(spec.width, 32);
    ck_assert_uint_eq(spec.vcpus, 2);
    ck_assert_uint_eq(spec.memory, 1ull << 30);
    ck_assert_uint_eq(spec.backing, NPT_1G);
    ck_assert(spec.on_demand);
}
END_TEST

START_TEST(an_empty_string_gives_defaults)
{
    struct guest_spec spec;

    ck_assert_ptr_null(guest_spec_parse(&spec, "", 12, NPT_1G));
    ck_assert_str_eq(spec.name, "g12");
    ck_assert_uint_eq(spec.width, 64);
    ck_assert_uint_eq(spec.vcpus, 1);
    ck_assert_uint_eq(spec.memory, 64u << 20);
    ck_assert_uint_eq(spec.backing, NPT_2M);
    ck_assert(!spec.on_demand);
    ck_assert_ptr_null(guest_spec_parse(&spec, "", 7, NPT_1G));
    ck_assert_str_eq(spec.name, "g7");
}
END_TEST

START_TEST(hv_options_bound_the_backing)
{
    struct guest_spec spec;

    ck_assert_ptr_null(guest_spec_parse(&spec, "backing=1g", 0, NPT_4K));
    ck_assert_uint_eq(spec.backing, NPT_4K);
}
END_TEST

START_TEST(impossible_guests_are_refused)
{
    static const char *const wrong[] = { "width=16", "vcpus=0", "vcpus=9", "memory=1M", "memory=4097K", "memory=x",
                                         "memory=513G", "backing=4m", "populate=later", "vcpus=4294967297" };
    struct guest_spec spec;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(guest_spec_parse(&spec, wrong[i], 0, NPT_1G) != NULL, "%s", wrong[i]);
}
END_TEST

START_TEST(cores_are_lists_of_ranges_and_exceptions)
{
    static const struct { const char *list; uint64_t cores; } rows[] = {
        { "0", 1 }, { "0,1", 3 }, { "2-5", 0x3C }, { "0-7,^3", 0xF7 }, { "0-63", ~0ull }, { "all", ~0ull },
        { "", 0 }, { "a", 0 }, { "1-", 0 }, { "3-2", 0 }, { "64", 0 }, { "1,^1", 0 }, { "1 ", 0 }, { "99999999999", 0 },
    };
    uint64_t cores;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(guest_spec_cores(rows[i].list, &cores) == (rows[i].cores != 0), "%s", rows[i].list);
        if (rows[i].cores)
            ck_assert_uint_eq(cores, rows[i].cores);
    }
}
END_TEST

START_TEST(a_flat_image_begins_in_real_mode)
{
    static const struct { const char *string; enum guest_start start; } rows[] = {
        { "x", GUEST_START_IMAGE }, { "firmware=bios", GUEST_START_FIRMWARE }, { "boot=a", GUEST_START_FLOPPY },
        { "boot=c", GUEST_START_HARD_DISK },
    };
    static const char *const wrong[] = { "firmware=uefi", "firmware=", "firmware=a_long_name", "boot=d", "boot=",
                                         "firmware=bios boot=c", "type=pv boot=a", "type=pv firmware=bios" };
    struct guest_spec spec;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_ptr_null(guest_spec_parse(&spec, rows[i].string, 0, NPT_1G));
        ck_assert_uint_eq(spec.start, rows[i].start);
    }
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(guest_spec_parse(&spec, wrong[i], 0, NPT_1G) != NULL, "%s", wrong[i]);
}
END_TEST

UNIT_TESTS("hv guest_spec", a_flat_image_begins_in_real_mode, cores_are_lists_of_ranges_and_exceptions,
           a_module_string_describes_the_guest, an_empty_string_gives_defaults,
           hv_options_bound_the_backing, impossible_guests_are_refused)
