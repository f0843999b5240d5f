/* SPDX-License-Identifier: MIT */
#include "hv/core/acpi.h"

#include <stdbool.h>

#include "hv/core/text.h"

#define RSDP_SIZE_1 20
#define RSDP_SIZE_2 36
#define HEADER_SIZE 36
#define TABLE_SIZE_MAX 0x100000u
#define MADT_ENTRIES 44
#define MADT_LOCAL_APIC 0
#define SRAT_ENTRIES 48
#define SRAT_CORE 0
#define SRAT_MEMORY 1
#define SRAT_CORE_SIZE 16
#define SRAT_MEMORY_SIZE 40
#define SLIT_ENTRIES 44
#define ENABLED 1u

static uint32_t read32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t read64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static bool sums_to_zero(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    while (size--)
        sum = (uint8_t)(sum + *bytes++);
    return sum == 0;
}

const void *acpi_find_root(const void *start, const void *end)
{
    for (const uint8_t *at = start; at + RSDP_SIZE_1 <= (const uint8_t *)end; at += 16)
        if (!memcmp(at, "RSD PTR ", 8) && sums_to_zero(at, RSDP_SIZE_1))
            return at;
    return NULL;
}

/* A table that is mapped and whole, or NULL. */
static const uint8_t *table_at(uint64_t address, uint64_t limit)
{
    const uint8_t *table = (const uint8_t *)(uintptr_t)address;
    uint32_t length;

    if (!address || address > limit - HEADER_SIZE)
        return NULL;
    length = read32(table + 4);
    if (length < HEADER_SIZE || length > TABLE_SIZE_MAX || address > limit - length || !sums_to_zero(table, length))
        return NULL;
    return table;
}

static void read_madt(const uint8_t *table, struct acpi_topology *topology)
{
    const uint8_t *end = table + read32(table + 4);

    for (const uint8_t *at = table + MADT_ENTRIES; at + 2 <= end && at[1] >= 2 && at + at[1] <= end; at += at[1]) {
        if (at[0] != MADT_LOCAL_APIC || at[1] < 8 || !(read32(at + 4) & ENABLED))
            continue;
        if (topology->core_count < ACPI_CORES_MAX)
            topology->cores[topology->core_count++].apic_id = at[3];
    }
}

static void note_domain(uint32_t domain, struct acpi_topology *topology)
{
    for (unsigned i = 0; i < topology->domain_count; i++)
        if (topology->domains[i] == domain)
            return;
    if (topology->domain_count == ACPI_DOMAINS_MAX)
        topology->srat_wrong = "too many proximity domains";
    else
        topology->domains[topology->domain_count++] = domain;
}

static void read_srat_memory(const uint8_t *at, struct acpi_topology *topology)
{
    struct acpi_range range = { 0 };

    if (at[1] != SRAT_MEMORY_SIZE) {
        topology->srat_wrong = "a memory entry is not 40 bytes long";
        return;
    }
    range = (struct acpi_range){ read64(at + 8), read64(at + 16), read32(at + 2) };
    if (!(read32(at + 28) & ENABLED))
        return;
    note_domain(range.node, topology);
    if (topology->range_count == ACPI_RANGES_MAX)
        topology->srat_wrong = "too many memory entries";
    else
        topology->ranges[topology->range_count++] = range;
}

static void read_srat_core(const uint8_t *at, struct acpi_topology *topology)
{
    uint32_t domain;

    if (at[1] != SRAT_CORE_SIZE) {
        topology->srat_wrong = "a core's entry is not 16 bytes long";
        return;
    }
    if (!(read32(at + 4) & ENABLED))
        return;
    domain = at[2] | (uint32_t)at[9] << 8 | (uint32_t)at[10] << 16 | (uint32_t)at[11] << 24;
    note_domain(domain, topology);
    for (unsigned i = 0; i < topology->core_count; i++) {
        if (topology->cores[i].apic_id == at[3]) {
            topology->cores[i].node = domain;
            topology->cores[i].on_node = true;
        }
    }
}

static void read_slit(const uint8_t *table, struct acpi_topology *topology)
{
    uint64_t count = read32(table + 4) >= SLIT_ENTRIES ? read64(table + HEADER_SIZE) : 0;

    if (count == 0 || count > ACPI_SLIT_MAX || read32(table + 4) < SLIT_ENTRIES + count * count)
        return;
    topology->slit_count = (unsigned)count;
    for (unsigned i = 0; i < count * count; i++)
        topology->slit[i / count][i % count] = table[SLIT_ENTRIES + i];
}

static void read_srat(const uint8_t *table, struct acpi_topology *topology)
{
    const uint8_t *end = table + read32(table + 4);

    for (const uint8_t *at = table + SRAT_ENTRIES; at + 2 <= end && at[1] >= 2 && at + at[1] <= end; at += at[1]) {
        if (at[0] == SRAT_CORE)
            read_srat_core(at, topology);
        else if (at[0] == SRAT_MEMORY)
            read_srat_memory(at, topology);
    }
}

/* Tables of one signature, in the root table's order. */
static void each_table(const uint8_t *root_table, unsigned entry_size, uint64_t limit, const char *signature,
                       void (*take)(const uint8_t *table, struct acpi_topology *topology),
                       struct acpi_topology *topology)
{
    uint32_t length = read32(root_table + 4);

    for (uint32_t at = HEADER_SIZE; at + entry_size <= length; at += entry_size) {
        uint64_t address = entry_size == 8 ? read64(root_table + at) : read32(root_table + at);
        const uint8_t *table = table_at(address, limit);

        if (table && !memcmp(table, signature, 4))
            take(table, topology);
    }
}

const char *acpi_read(const void *root, uint64_t limit, struct acpi_topology *topology)
{
    const uint8_t *rsdp = root;
    const uint8_t *root_table = NULL;
    unsigned entry_size = 8;

    *topology = (struct acpi_topology){ 0 };
    if (rsdp[15] >= 2 && sums_to_zero(rsdp, RSDP_SIZE_2))
        root_table = table_at(read64(rsdp + 24), limit);
    if (!root_table) {
        root_table = table_at(read32(rsdp + 16), limit);
        entry_size = 4;
    }
    if (!root_table)
        return "neither XSDT nor RSDT can be read";
    each_table(root_table, entry_size, limit, "APIC", read_madt, topology);
    each_table(root_table, entry_size, limit, "SRAT", read_srat, topology);
    each_table(root_table, entry_size, limit, "SLIT", read_slit, topology);
    return topology->core_count ? NULL : "the MADT names no core";
}
