/* SPDX-License-Identifier: MIT */
/* FADT, FACS and DSDT: the fixed hardware, and the little that needs AML. */
#include "sim/platform/acpi/tables.h"

#include <string.h>

#include "sim/platform/pm.h"

#define FADT_BYTES 244        /* ACPI 2.0 and 3.0 (revision 3) */
#define PROFILE_SERVER 4
#define BIT32(n) (UINT32_C(1) << (n))
#define FLAG_WBINVD BIT32(0)
#define FLAG_PROC_C1 BIT32(2)
#define FLAG_NO_POWER_BUTTON BIT32(4)
#define FLAG_NO_SLEEP_BUTTON BIT32(5)
#define FLAG_TIMER_32 BIT32(8)
#define FLAG_RESET_REGISTER BIT32(10)
#define BOOT_LEGACY_8042 3
#define RESET_PORT 0xcf9
#define RESET_VALUE 6
#define LEVEL2_LATENCY 101    /* above 100: there is no C2 */
#define LEVEL3_LATENCY 1001   /* above 1000: there is no C3 */

/* Generic address structure of an I/O port. */
static void fadt_put_port(GByteArray *table, unsigned offset, unsigned port, unsigned bits, unsigned access)
{
    acpi_put(table, offset, 1, 1);
    acpi_put(table, offset + 1, bits, 1);
    acpi_put(table, offset + 3, access, 1);
    acpi_put(table, offset + 4, port, 8);
}

static void fadt_put_blocks(GByteArray *table)
{
    acpi_put(table, 56, PM_EVENT, 4);
    acpi_put(table, 64, PM_CONTROL, 4);
    acpi_put(table, 76, PM_TIMER, 4);
    acpi_put(table, 88, 4, 1); /* lengths of the three */
    acpi_put(table, 89, 2, 1);
    acpi_put(table, 91, 4, 1);
    fadt_put_port(table, 148, PM_EVENT, 32, 2);
    fadt_put_port(table, 172, PM_CONTROL, 16, 2);
    fadt_put_port(table, 208, PM_TIMER, 32, 3);
}

/* SMI_CMD, PSTATE_CNT and CST_CNT stay 0: there is no hand-over from SMM (fact sheet 7.2). */
GByteArray *acpi_fadt(spa_t facs, spa_t dsdt)
{
    GByteArray *table = acpi_table_new("FACP", 3);

    g_byte_array_set_size(table, FADT_BYTES);
    memset(table->data + ACPI_HEADER, 0, FADT_BYTES - ACPI_HEADER);
    acpi_put(table, 36, facs, 4);
    acpi_put(table, 40, dsdt, 4);
    acpi_put(table, 45, PROFILE_SERVER, 1);
    acpi_put(table, 46, PM_SCI_IRQ, 2);
    fadt_put_blocks(table);
    acpi_put(table, 96, LEVEL2_LATENCY, 2);
    acpi_put(table, 98, LEVEL3_LATENCY, 2);
    acpi_put(table, 108, 0x32, 1); /* CMOS index of the century */
    acpi_put(table, 109, BOOT_LEGACY_8042, 2);
    acpi_put(table, 112, FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON | FLAG_TIMER_32 |
             FLAG_RESET_REGISTER, 4);
    fadt_put_port(table, 116, RESET_PORT, 8, 1);
    acpi_put(table, 128, RESET_VALUE, 1);
    acpi_put(table, 132, facs, 8);
    acpi_put(table, 140, dsdt, 8);
    acpi_table_finish(table);
    return table;
}

/* The FACS has no checksum and its own header. */
GByteArray *acpi_facs(void)
{
    GByteArray *table = g_byte_array_new();

    g_byte_array_append(table, (const uint8_t *)"FACS", 4);
    acpi_add(table, 64, 4);
    while (table->len < 64)
        acpi_add(table, 0, 1);
    acpi_put(table, 32, 1, 1); /* version */
    return table;
}

/*
 * Name (\_S5, Package () {0, 0, 0, 0})
 * Scope (\_SB) { Device (PCI0) { Name (_HID, EisaId ("PNP0A03"))  Name (_BBN, 0) } }
 */
static const uint8_t dsdt_aml[] = {
    0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, PM_S5_TYPE, PM_S5_TYPE, 0x00, 0x00,
    0x10, 0x1d, '\\', '_', 'S', 'B', '_',
    0x5b, 0x82, 0x15, 'P', 'C', 'I', '0',
    0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a, 0x03,
    0x08, '_', 'B', 'B', 'N', 0x00,
};

GByteArray *acpi_dsdt(void)
{
    GByteArray *table = acpi_table_new("DSDT", 2);

    g_byte_array_append(table, dsdt_aml, sizeof dsdt_aml);
    acpi_table_finish(table);
    return table;
}
