/* SPDX-License-Identifier: MIT */
#include "hv/core/clock.h"

#include "sim/unit_test.h"

/* BKDG10: 100 MHz x (CpuFid + 10h) / 2^CpuDid. */
START_TEST(a_pstate_tells_its_frequency)
{
    ck_assert_uint_eq(clock_pstate_khz(0x800001F530003007), 2300000); /* fid 7, did 0 */
    ck_assert_uint_eq(clock_pstate_khz(0x8000000000000040), 800000);  /* fid 0, did 1 */
}
END_TEST

START_TEST(scales_are_normalised_and_right_to_a_part_in_two_to_the_31)
{
    static const uint32_t khz[] = { 100000, 800000, 999999, 1000000, 1000001, 2000000, 2300000, 4000000 };

    for (unsigned i = 0; i < sizeof(khz) / sizeof(khz[0]); i++) {
        struct clock_scale scale = clock_scale_of(khz[i]);
        uint64_t hour = 3600000ull * khz[i], ns = clock_scaled(hour, scale);

        ck_assert(scale.mul >> 31);
        ck_assert_uint_le(ns, 3600000000000ull);
        ck_assert_uint_ge(ns, 3600000000000ull - 3600000000000ull / (1ull << 31) - 2);
    }
}
END_TEST

START_TEST(one_gigahertz_counts_nanoseconds)
{
    struct clock_scale scale = clock_scale_of(1000000);

    ck_assert_uint_eq(scale.mul, 0x80000000u);
    ck_assert_int_eq(scale.shift, 1);
    ck_assert_uint_eq(clock_scaled(123456789, scale), 123456789);
}
END_TEST

UNIT_TESTS("hv clock", a_pstate_tells_its_frequency, scales_are_normalised_and_right_to_a_part_in_two_to_the_31,
           one_gigahertz_counts_nanoseconds)
