/* SPDX-License-Identifier: MIT */
/* As an operating system finds its way through them (ACPI 3.0, chapter 5). */
#include "hv/vm/acpi_tables.h"

#include <string.h>

#include "sim/unit_test.h"

static uint8_t tables[ACPI_TABLES_MAX];

static uint64_t value(unsigned at, unsigned size)
{
    uint64_t result = 0;

    for (unsigned i = 0; i < size; i++)
        result |= (uint64_t)tables[at + i] << i * 8;
    return result;
}

static uint8_t sum(unsigned at, unsigned size)
{
    uint8_t result = 0;

    for (unsigned i = 0; i < size; i++)
        result = (uint8_t)(result + tables[at + i]);
    return result;
}

/* Where a table of the XSDT stands; checks it. */
static unsigned find(const char *signature)
{
    unsigned xsdt = (unsigned)value(24, 8) - ACPI_TABLES_AT, count = ((unsigned)value(xsdt + 4, 4) - 36) / 8;

    for (unsigned i = 0; i < count; i++) {
        unsigned at = (unsigned)value(xsdt + 36 + i * 8, 8) - ACPI_TABLES_AT;

        if (memcmp(tables + at, signature, 4) == 0) {
            ck_assert_uint_eq(sum(at, (unsigned)value(at + 4, 4)), 0);
            return at;
        }
    }
    ck_abort_msg("no %s", signature);
    return 0;
}

START_TEST(the_root_pointer_leads_to_tables_with_right_sums)
{
    unsigned end = acpi_tables_write(tables, 8), xsdt;

    ck_assert_uint_le(end, ACPI_TABLES_MAX);
    ck_assert_mem_eq(tables, "RSD PTR ", 8);
    ck_assert_uint_eq(sum(0, 20), 0);
    ck_assert_uint_eq(sum(0, 36), 0);
    xsdt = (unsigned)value(24, 8) - ACPI_TABLES_AT;
    ck_assert_mem_eq(tables + xsdt, "XSDT", 4);
    ck_assert_uint_eq(sum(xsdt, (unsigned)value(xsdt + 4, 4)), 0);
    find("FACP");
    find("APIC");
}
END_TEST

START_TEST(the_fadt_names_the_pm_block_and_the_dsdt_power_off)
{
    static const uint8_t s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 8, 4, 0x0A, 5, 0x0A, 5, 0, 0 };
    unsigned fadt, dsdt;

    acpi_tables_write(tables, 1);
    fadt = find("FACP");
    ck_assert_uint_eq(value(fadt + 56, 4), 0x600);
    ck_assert_uint_eq(value(fadt + 64, 4), 0x604);
    ck_assert_uint_eq(value(fadt + 76, 4), 0x608);
    ck_assert_uint_eq(value(fadt + 46, 2), 9);
    ck_assert_uint_eq(value(fadt + 148, 4), 0x03002001); /* I/O, 32 bits */
    ck_assert_uint_eq(value(fadt + 36, 4) % 64, 0);
    dsdt = (unsigned)value(fadt + 40, 4) - ACPI_TABLES_AT;
    ck_assert_uint_eq(sum(dsdt, (unsigned)value(dsdt + 4, 4)), 0);
    ck_assert_mem_eq(tables + dsdt + 36, s5, sizeof(s5));
}
END_TEST

START_TEST(the_madt_lists_each_vcpu_the_ioapic_and_where_the_timer_comes_in)
{
    unsigned madt, end, seen[5] = { 0 };

    acpi_tables_write(tables, 3);
    madt = find("APIC");
    ck_assert_uint_eq(value(madt + 36, 4), 0xFEE00000);
    end = madt + (unsigned)value(madt + 4, 4);
    for (unsigned at = madt + 44; at < end; at += tables[at + 1]) {
        unsigned type = tables[at];

        ck_assert_uint_lt(type, 5);
        ck_assert_uint_gt(tables[at + 1], 1);
        if (type == 0)
            ck_assert_uint_eq(tables[at + 3], seen[0]);
        if (type == 1)
            ck_assert_uint_eq(value(at + 4, 4), 0xFEC00000);
        if (type == 2 && tables[at + 3] == 0)
            ck_assert_uint_eq(value(at + 4, 4), 2);
        seen[type]++;
    }
    ck_assert_uint_eq(seen[0], 3);
    ck_assert_uint_eq(seen[1], 1);
    ck_assert_uint_eq(seen[2], 2);
    ck_assert_uint_eq(seen[4], 1);
}
END_TEST

UNIT_TESTS("hv acpi tables", the_root_pointer_leads_to_tables_with_right_sums,
           the_fadt_names_the_pm_block_and_the_dsdt_power_off,
           the_madt_lists_each_vcpu_the_ioapic_and_where_the_timer_comes_in)
