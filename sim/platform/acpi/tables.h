/* SPDX-License-Identifier: MIT */
/* Firmware tables: RSDP, RSDT, XSDT, FADT, FACS, DSDT, MADT, SRAT, SLIT, HPET, MCFG (ACPI 3.0; fact sheet 7). */
#ifndef FAM10H_PLATFORM_ACPI_TABLES_H
#define FAM10H_PLATFORM_ACPI_TABLES_H

#include <glib.h>

#include "sim/platform/fabric.h"
#include "sim/platform/platform.h"

#define ACPI_HEADER 36

/* What the tables describe. */
struct acpi_machine {
    const struct platform_config *config;
    const struct fabric *fabric;
    const struct memory_range *memory;
    size_t memory_count;
    const uint8_t *apic_ids; /* by core index, node by node */
    unsigned cores;
    uint8_t ioapic_id;
    spa_t top_mem;           /* where DRAM below 4 GiB ends */
    const uint64_t *pstate;  /* MSRC001_0064-68 */
};

/* One table under construction; little-endian values are added at its end. */
GByteArray *acpi_table_new(const char *signature, unsigned revision);
void acpi_add(GByteArray *table, uint64_t value, unsigned size);
void acpi_put(GByteArray *table, unsigned offset, uint64_t value, unsigned size);
/* Length and checksum into the header. */
void acpi_table_finish(GByteArray *table);
/* What makes the bytes sum up to zero. */
uint8_t acpi_checksum(const uint8_t *bytes, size_t size);

GByteArray *acpi_madt(const struct acpi_machine *machine);
GByteArray *acpi_srat(const struct acpi_machine *machine);
GByteArray *acpi_slit(const struct acpi_machine *machine);
GByteArray *acpi_dsdt(const struct acpi_machine *machine);
GByteArray *acpi_hpet(void);
GByteArray *acpi_mcfg(void);
GByteArray *acpi_facs(void);
GByteArray *acpi_fadt(spa_t facs, spa_t dsdt);

#endif
