/* SPDX-License-Identifier: MIT */
/* A guest's ACPI tables: its vCPUs and interrupt controllers, where its PM block is, how it powers off. Pure. */
#ifndef HV_VM_ACPI_TABLES_H
#define HV_VM_ACPI_TABLES_H

#include <stdint.h>

#define ACPI_TABLES_AT 0xE0000u /* guest-physical; the root pointer is the first thing there (ACPI 5.2.5.1) */
#define ACPI_TABLES_MAX 1024u

/* Write them for so many vCPUs (1 to 8), as they are to stand at ACPI_TABLES_AT. Returns how many bytes. */
unsigned acpi_tables_write(uint8_t to[ACPI_TABLES_MAX], unsigned vcpus);

#endif
