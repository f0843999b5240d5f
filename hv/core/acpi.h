/* SPDX-License-Identifier: MIT */
/* The firmware's tables, as far as hv reads them: which cores there are (MADT) and on which node (SRAT). */
#ifndef HV_CORE_ACPI_H
#define HV_CORE_ACPI_H

#include <stddef.h>
#include <stdint.h>

#define ACPI_CORES_MAX 64
#define ACPI_RANGES_MAX 32

struct acpi_core {
    uint32_t apic_id;
    uint32_t node; /* 0 without SRAT */
};

struct acpi_range {
    uint64_t base, size;
    uint32_t node;
};

struct acpi_topology {
    unsigned core_count, range_count;
    struct acpi_core cores[ACPI_CORES_MAX]; /* in the MADT's order: the boot core first */
    struct acpi_range ranges[ACPI_RANGES_MAX];
};

/* The root pointer in [start, end), which begins on a 16-byte boundary; NULL if there is none. Pure. */
const void *acpi_find_root(const void *start, const void *end);
/*
 * Read the tables below the root. `limit`: tables at or above this address are not mapped and are passed over.
 * NULL, or one line: what is wrong. Pure: addresses are pointers.
 */
const char *acpi_read(const void *root, uint64_t limit, struct acpi_topology *topology);

#endif
