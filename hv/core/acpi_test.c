/* SPDX-License-Identifier: MIT */
#include "hv/core/acpi.h"

#include <string.h>

#include "sim/unit_test.h"

static uint8_t area[0x1000] __attribute__((aligned(16)));

#define RSDP 0x40
#define XSDT 0x100
#define MADT 0x200
#define SRAT 0x300

static void checksum(uint8_t *table, size_t size, size_t at)
{
    uint8_t sum = 0;

    table[at] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + table[i]);
    table[at] = (uint8_t)-sum;
}

static void put(size_t at, uint64_t value, unsigned bytes)
{
    memcpy(area + at, &value, bytes);
}

static uint64_t address(size_t at)
{
    return (uintptr_t)area + at;
}

static void begin(size_t at, const char *signature, uint32_t length)
{
    memcpy(area + at, signature, 4);
    put(at + 4, length, 4);
}

static void finish(size_t at)
{
    uint32_t length;

    memcpy(&length, area + at + 4, 4);
    checksum(area + at, length, 9);
}

/* Two enabled cores (ids 0 and 4), one disabled; core 4 and 1 GiB at 4 GiB belong to node 1. */
static void build(void)
{
    memset(area, 0, sizeof(area));
    memcpy(area + RSDP, "RSD PTR ", 8);
    area[RSDP + 15] = 2;
    put(RSDP + 20, 36, 4);
    put(RSDP + 24, address(XSDT), 8);
    checksum(area + RSDP, 20, 8);
    checksum(area + RSDP, 36, 32);
    begin(XSDT, "XSDT", 36 + 16);
    put(XSDT + 36, address(MADT), 8);
    put(XSDT + 44, address(SRAT), 8);
    finish(XSDT);
    begin(MADT, "APIC", 44 + 12 + 3 * 8);
    memcpy(area + MADT + 44, (const uint8_t[]){ 0, 8, 0, 0, 1, 0, 0, 0 }, 8);
    memcpy(area + MADT + 52, (const uint8_t[]){ 1, 12, 9, 0 }, 4); /* IOAPIC: not a core */
    memcpy(area + MADT + 64, (const uint8_t[]){ 0, 8, 1, 4, 1, 0, 0, 0 }, 8);
    memcpy(area + MADT + 72, (const uint8_t[]){ 0, 8, 2, 5, 0, 0, 0, 0 }, 8);
    finish(MADT);
    begin(SRAT, "SRAT", 48 + 16 + 40);
    memcpy(area + SRAT + 48, (const uint8_t[]){ 0, 16, 1, 4, 1 }, 5);
    memcpy(area + SRAT + 64, (const uint8_t[]){ 1, 40, 1 }, 3);
    put(SRAT + 64 + 8, 4ull << 30, 8);
    put(SRAT + 64 + 16, 1ull << 30, 8);
    put(SRAT + 64 + 28, 1, 4);
    finish(SRAT);
}

START_TEST(enabled_cores_and_their_nodes_are_found)
{
    struct acpi_topology topology;
    const void *root;

    build();
    root = acpi_find_root(area, area + sizeof(area));
    ck_assert_ptr_eq(root, area + RSDP);
    ck_assert_ptr_null(acpi_read(root, UINT64_MAX, &topology));
    ck_assert_uint_eq(topology.core_count, 2);
    ck_assert_uint_eq(topology.cores[0].apic_id, 0);
    ck_assert_uint_eq(topology.cores[0].node, 0);
    ck_assert_uint_eq(topology.cores[1].apic_id, 4);
    ck_assert_uint_eq(topology.cores[1].node, 1);
    ck_assert_uint_eq(topology.range_count, 1);
    ck_assert_uint_eq(topology.ranges[0].base, 4ull << 30);
    ck_assert_uint_eq(topology.ranges[0].size, 1ull << 30);
    ck_assert_uint_eq(topology.ranges[0].node, 1);
}
END_TEST

START_TEST(a_wrong_checksum_hides_the_root)
{
    build();
    area[RSDP + 9]++;
    ck_assert_ptr_null(acpi_find_root(area, area + sizeof(area)));
}
END_TEST

START_TEST(broken_tables_are_passed_over)
{
    struct acpi_topology topology;

    build();
    area[MADT + 10]++;
    ck_assert_ptr_nonnull(acpi_read(area + RSDP, UINT64_MAX, &topology));
    build();
    ck_assert_ptr_nonnull(acpi_read(area + RSDP, address(0), &topology)); /* all lie above the limit */
    build();
    area[MADT + 45] = 0; /* an entry of no length must not hang the reader */
    finish(MADT);
    ck_assert_ptr_nonnull(acpi_read(area + RSDP, UINT64_MAX, &topology));
}
END_TEST

UNIT_TESTS("hv acpi", enabled_cores_and_their_nodes_are_found, a_wrong_checksum_hides_the_root,
           broken_tables_are_passed_over)
