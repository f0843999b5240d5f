/* SPDX-License-Identifier: MIT */
#include "hv/migrate/cpuid_mask.h"

#include <string.h>

#include "sim/unit_test.h"

static enum cpuid_mask_choice choose(const char *options, struct cpu_features *features)
{
    struct cpuid_mask chosen;
    enum cpuid_mask_choice choice = cpuid_mask_choose(options, &chosen);

    *features = chosen.features;
    return choice;
}

/* hypervisor-features.md F: the rightmost column says what each adds to the one before. */
START_TEST(each_mask_is_the_one_before_and_what_is_added)
{
    static const struct { const char *name, *before, *added; } rows[] = {
        { "fam_0f_rev_d", "fam_0f_rev_c", "LahfSahf FFXSR" },
        { "fam_0f_rev_e", "fam_0f_rev_d", "SSE3 HTT CmpLegacy" },
        { "fam_0f_rev_f", "fam_0f_rev_e", "CMPXCHG16B SVM ExtApicSpace AltMovCr8 RDTSCP" },
        { "fam_0f_rev_g", "fam_0f_rev_f", "3DNowPrefetch" },
        { "fam_10_rev_b", "fam_0f_rev_f", "MONITOR POPCNT ABM SSE4A MisAlignSse OSVW IBS Page1GB" },
        { "fam_10_rev_c", "fam_10_rev_b", "SKINIT WDT" },
        { "fam_11_rev_b", "fam_0f_rev_g", "SKINIT" },
    };
    char text[200];

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct cpuid_mask *mask = cpuid_mask_find(rows[i].name), *before = cpuid_mask_find(rows[i].before);

        ck_assert(features_missing(&mask->features, &before->features, text, sizeof(text)));
        ck_assert_str_eq(text, rows[i].added);
        ck_assert(!features_missing(&before->features, &mask->features, text, sizeof(text)));
    }
}
END_TEST

START_TEST(both_spellings_choose_by_name)
{
    struct cpu_features features;

    ck_assert_int_eq(choose("asid=0 cpuid_mask_cpu=fam_0f_rev_e", &features), CPUID_MASK_CHOSEN);
    ck_assert_uint_eq(features.ecx81, 3);
    ck_assert_int_eq(choose("amd_cpu=fam_10_rev_c", &features), CPUID_MASK_CHOSEN);
    ck_assert_uint_eq(features.ecx81, 0x36FF);
    ck_assert_int_eq(choose("", &features), CPUID_MASK_NONE);
    ck_assert_int_eq(choose("amd_cpu=fam_12_rev_a", &features), CPUID_MASK_UNKNOWN);
    ck_assert_int_eq(choose("amd_cpu=a_name_of_more_than_fifteen_letters", &features), CPUID_MASK_UNKNOWN);
}
END_TEST

START_TEST(one_word_takes_the_name_s_place_and_the_others_are_all_ones)
{
    struct cpu_features features;

    ck_assert_int_eq(choose("cpuid_mask_cpu=fam_0f_rev_c cpuid_mask_ext_ecx=0x1f", &features), CPUID_MASK_CHOSEN);
    ck_assert_uint_eq(features.ecx81, 0x1F);
    ck_assert_uint_eq(features.ecx1, UINT32_MAX);
    ck_assert_uint_eq(features.edx1, UINT32_MAX);
    ck_assert_uint_eq(features.edx81, UINT32_MAX);
    ck_assert_int_eq(choose("cpuid_mask_cpu=fam_0f_rev_c cpuid_mask_ecx=0", &features), CPUID_MASK_CHOSEN);
    ck_assert_uint_eq(features.edx81, 0xE1D3FBFF);
    ck_assert_int_eq(choose("cpuid_mask_ecx=much", &features), CPUID_MASK_BAD);
    ck_assert_int_eq(choose("cpuid_mask_ecx=0x100000000", &features), CPUID_MASK_BAD);
}
END_TEST

START_TEST(missing_bits_have_names_and_a_long_list_ends_in_dots)
{
    struct cpu_features guest = { 0x80800009, 0x078BFBFF, 0x80000040, 0xE1D3FBFF }, host = guest, none = { 0 };
    char text[32];

    ck_assert(!features_missing(&guest, &host, text, sizeof(text)));
    host.ecx1 = 0x9; /* the hypervisor's bit does not count */
    host.ecx81 = 0;
    ck_assert(features_missing(&guest, &host, text, sizeof(text)));
    ck_assert_str_eq(text, "POPCNT SSE4A ...");
    ck_assert(features_missing(&guest, &none, text, sizeof(text)));
    ck_assert(strlen(text) < sizeof(text));
    ck_assert_str_eq(text + strlen(text) - 4, " ...");
}
END_TEST

/* Signatures of published parts: SH7-B3, SH7-C0, CG, D4, F2, and Family 10h B3. */
START_TEST(revisions_before_c_cannot_be_masked)
{
    static const uint32_t later[] = { 0xF58, 0xF5A, 0x10F50, 0x40F13, 0x100F23 };

    ck_assert_ptr_nonnull(cpuid_mask_refused(0xF51));
    ck_assert_ptr_nonnull(cpuid_mask_refused(0x6FB)); /* not AMD's Family 0Fh at all */
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        ck_assert_ptr_null(cpuid_mask_refused(later[i]));
}
END_TEST

UNIT_TESTS("hv cpuid masks", revisions_before_c_cannot_be_masked,
           each_mask_is_the_one_before_and_what_is_added, both_spellings_choose_by_name,
           one_word_takes_the_name_s_place_and_the_others_are_all_ones,
           missing_bits_have_names_and_a_long_list_ends_in_dots)
