/* SPDX-License-Identifier: MIT */
/* FADT, FACS, HPET and MCFG: the fixed hardware. */
#include "sim/platform/acpi/tables.h"

#include <string.h>

#include "sim/platform/hpet.h"
#include "sim/platform/map.h"
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

/* Fact sheet 7.7. */
GByteArray *acpi_hpet(void)
{
    GByteArray *table = acpi_table_new("HPET", 1);

    acpi_add(table, HPET_ID, 4);
    acpi_add(table, 0, 1);  /* generic address: memory, 64 bits */
    acpi_add(table, 64, 1);
    acpi_add(table, 0, 2);
    acpi_add(table, HPET_BASE, 8);
    acpi_add(table, 0, 1);  /* HPET number */
    acpi_add(table, HPET_MIN_TICKS, 2);
    acpi_add(table, 0, 1);  /* no page protection */
    acpi_table_finish(table);
    return table;
}

/* Fact sheet 7.6: all 256 buses of segment 0, where firmware opened the window (MSRC001_0058). */
GByteArray *acpi_mcfg(void)
{
    GByteArray *table = acpi_table_new("MCFG", 1);

    acpi_add(table, 0, 8);
    acpi_add(table, MAP_CONFIG_BASE, 8);
    acpi_add(table, 0, 2);
    acpi_add(table, 0x00, 1);
    acpi_add(table, 0xff, 1);
    acpi_add(table, 0, 4);
    acpi_table_finish(table);
    return table;
}
