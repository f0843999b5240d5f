/* SPDX-License-Identifier: MIT */
#include "hv/vm/control_registers.h"

#include "sim/unit_test.h"

#define PE 1u
#define ET 0x10u
#define WP 0x10000u
#define NW 0x20000000u
#define CD 0x40000000u
#define PG 0x80000000u
#define PSE 0x10u
#define PAE 0x20u
#define PGE 0x80u
#define LME 0x100u
#define LMA 0x400u

static bool loads;

static bool write_register(struct svm_paging *now, unsigned reg, uint64_t value)
{
    return control_register_write(now, reg, value, false, &loads);
}

/* APM2 3.1.1 and 14.6.1. */
START_TEST(cr0_takes_what_the_manual_allows)
{
    struct svm_paging now = { .cr0 = PE | ET };

    ck_assert(!write_register(&now, 0, 1ull << 32));
    ck_assert(!write_register(&now, 0, PG));
    ck_assert(!write_register(&now, 0, PE | NW));
    ck_assert(write_register(&now, 0, PE | NW | CD));
    ck_assert_uint_eq(now.cr0, PE | NW | CD | ET); /* ET is always 1 */
    ck_assert(write_register(&now, 0, PE | 0x1000)); /* a bit that is not implemented is dropped */
    ck_assert_uint_eq(now.cr0, PE | ET);
    ck_assert(!loads);
    ck_assert(write_register(&now, 0, PE | PG));
    ck_assert(loads);
    ck_assert(write_register(&now, 0, PE | PG | WP));
    ck_assert(!loads);
}
END_TEST

START_TEST(long_mode_begins_and_ends_with_paging)
{
    struct svm_paging now = { .cr0 = PE | ET, .efer = LME };

    ck_assert(!write_register(&now, 0, PE | PG)); /* without PAE */
    ck_assert(write_register(&now, 4, PAE));
    ck_assert(!control_register_write(&now, 0, PE | PG, true, &loads)); /* CS.L */
    ck_assert(write_register(&now, 0, PE | PG));
    ck_assert_uint_eq(now.efer, LME | LMA);
    ck_assert(!write_register(&now, 4, 0)); /* PAE must stay */
    ck_assert(!control_register_write(&now, 0, PE, true, &loads));
    ck_assert_uint_eq(now.efer, LME | LMA);
    ck_assert(write_register(&now, 0, PE));
    ck_assert_uint_eq(now.efer, LME);
}
END_TEST

START_TEST(cr3_and_cr4_have_reserved_bits)
{
    struct svm_paging now = { .cr0 = PE | PG };

    ck_assert(!write_register(&now, 3, 1ull << 48));
    ck_assert(write_register(&now, 3, 0x123000));
    ck_assert_uint_eq(now.cr3, 0x123000);
    ck_assert(loads);
    ck_assert(!write_register(&now, 4, 0x800));
    ck_assert(write_register(&now, 4, 0x600)); /* OSFXSR, OSXMMEXCPT */
    ck_assert(!loads);
    ck_assert(write_register(&now, 4, 0x600 | PGE));
    ck_assert(loads);
    ck_assert(write_register(&now, 4, 0x600 | PGE | PSE));
    ck_assert(loads);
}
END_TEST

UNIT_TESTS("hv control registers", cr0_takes_what_the_manual_allows, long_mode_begins_and_ends_with_paging,
           cr3_and_cr4_have_reserved_bits)
