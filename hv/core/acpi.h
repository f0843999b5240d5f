/* SPDX-License-Identifier: MIT */
/*
 * The firmware's tables, as far as hv reads them: which cores there are (MADT), on which node (SRAT), how far (SLIT).
 */
#ifndef HV_CORE_ACPI_H
#define HV_CORE_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_CORES_MAX 64
#define ACPI_RANGES_MAX 32
#define ACPI_DOMAINS_MAX 16
#define ACPI_SLIT_MAX 8

struct acpi_core {
    uint32_t apic_id;
    uint32_t node; /* 0 without SRAT */
    bool on_node;  /* SRAT says so */
};

struct acpi_range {
    uint64_t base, size;
    uint32_t node;
};

struct acpi_topology {
    unsigned core_count, range_count;
    struct acpi_core cores[ACPI_CORES_MAX]; /* in the MADT's order: the boot core first */
    struct acpi_range ranges[ACPI_RANGES_MAX];
    /* Proximity domains in the order in which SRAT first names them. */
    unsigned domain_count;
    uint32_t domains[ACPI_DOMAINS_MAX];
    const char *srat_wrong; /* NULL: every entry of SRAT could be taken; there may be none */
    unsigned slit_count;    /* 0: no SLIT, or one of more than ACPI_SLIT_MAX localities */
    uint8_t slit[ACPI_SLIT_MAX][ACPI_SLIT_MAX];
};

/* The root pointer in [start, end), which begins on a 16-byte boundary; NULL if there is none. Pure. */
const void *acpi_find_root(const void *start, const void *end);
/*
 * Read the tables below the root. `limit`: tables at or above this address are not mapped and are passed over.
 * NULL, or one line: what is wrong. Pure: addresses are pointers.
 */
const char *acpi_read(const void *root, uint64_t limit, struct acpi_topology *topology);

#endif
