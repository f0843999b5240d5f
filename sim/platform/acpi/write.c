/* SPDX-License-Identifier: MIT */
/* Puts the tables into memory: RSDP into the firmware's shadow below 1 MiB, the rest into the ACPI range. */
#include <string.h>

#include "sim/platform/acpi/tables.h"
#include "sim/platform/parts.h"
#include "sim/spa.h"

#define TABLE_ALIGN UINT64_C(64) /* the FACS needs it */
#define BDA_EBDA_SEGMENT 0x40e
#define BDA_MEMORY_KIB 0x413
#define IOAPIC_IDS 16
#define CONFIG_WINDOW_256 0x21 /* MSRC001_0058: enabled, 2^8 buses */

/* Where the next table goes. */
struct acpi_place {
    struct spa_space *space;
    spa_t next;
};

/* Writes and frees a table; its address. */
static spa_t acpi_write(struct acpi_place *place, GByteArray *table)
{
    spa_t at = place->next;

    spa_write_block(place->space, at, table->data, table->len);
    place->next = (at + table->len + TABLE_ALIGN - 1) & ~(TABLE_ALIGN - 1);
    g_byte_array_unref(table);
    return at;
}

static spa_t acpi_write_root(struct acpi_place *place, const char *signature, const spa_t *tables, unsigned count,
                             unsigned width)
{
    GByteArray *table = acpi_table_new(signature, 1);

    for (unsigned i = 0; i < count; i++)
        acpi_add(table, tables[i], width);
    acpi_table_finish(table);
    return acpi_write(place, table);
}

static void acpi_write_rsdp(struct spa_space *space, spa_t rsdt, spa_t xsdt)
{
    GByteArray *rsdp = g_byte_array_new();

    g_byte_array_append(rsdp, (const uint8_t *)"RSD PTR ", 8);
    acpi_add(rsdp, 0, 1);  /* checksum of the first 20 bytes */
    g_byte_array_append(rsdp, (const uint8_t *)"FAM10H", 6);
    acpi_add(rsdp, 2, 1);  /* revision: ACPI 2.0 and later */
    acpi_add(rsdp, rsdt, 4);
    acpi_add(rsdp, 36, 4);
    acpi_add(rsdp, xsdt, 8);
    acpi_add(rsdp, 0, 4);  /* checksum of all 36 bytes, reserved */
    acpi_put(rsdp, 8, acpi_checksum(rsdp->data, 20), 1);
    acpi_put(rsdp, 32, acpi_checksum(rsdp->data, 36), 1);
    spa_write_block(space, PLATFORM_RSDP, rsdp->data, rsdp->len);
    g_byte_array_unref(rsdp);
}

/*
 * BKDG10 2.13 (fact sheet 7.3): with fewer than 16 APICs the IOAPIC's id follows those of the cores. Core ids may have
 * gaps, so: the lowest id above all of them; when that leaves the four bits, the lowest that no core has, else 0.
 */
static uint8_t acpi_choose_ioapic_id(const uint8_t *apic_ids, unsigned cores)
{
    bool used[256] = { false };
    unsigned above = 0;

    for (unsigned i = 0; i < cores; i++) {
        used[apic_ids[i]] = true;
        if (apic_ids[i] >= above)
            above = apic_ids[i] + 1u;
    }
    if (above < IOAPIC_IDS)
        return (uint8_t)above;
    for (unsigned id = 0; id < IOAPIC_IDS; id++) {
        if (!used[id])
            return (uint8_t)id;
    }
    return 0;
}

/* The words of the BIOS data area by which an OS finds the EBDA and the size of low memory. */
static void write_bios_data(struct spa_space *space)
{
    spa_write(space, BDA_EBDA_SEGMENT, 2, MAP_EBDA_BASE >> 4);
    spa_write(space, BDA_MEMORY_KIB, 2, MAP_EBDA_BASE / 1024);
    spa_write(space, MAP_EBDA_BASE, 1, (MAP_VGA_BASE - MAP_EBDA_BASE) / 1024);
}

spa_t platform_write_tables(struct platform *platform, const struct firmware_cores *cores)
{
    struct map *map = &platform->map;
    struct acpi_place place = { &map->space, map->top_mem - MAP_ACPI_BYTES };
    const struct acpi_machine machine = {
        .config = &platform->config, .fabric = &platform->fabric, .memory = map->range,
        .memory_count = map->ranges, .apic_ids = cores->apic_ids, .cores = cores->count,
        .ioapic_id = acpi_choose_ioapic_id(cores->apic_ids, cores->count), .top_mem = map->top_mem,
        .pstate = cores->pstate,
    };
    spa_t tables[6], rsdt, xsdt, facs, dsdt;

    facs = acpi_write(&place, acpi_facs());
    dsdt = acpi_write(&place, acpi_dsdt(&machine));
    tables[0] = acpi_write(&place, acpi_fadt(facs, dsdt));
    tables[1] = acpi_write(&place, acpi_madt(&machine));
    tables[2] = acpi_write(&place, acpi_srat(&machine));
    tables[3] = acpi_write(&place, acpi_slit(&machine));
    tables[4] = acpi_write(&place, acpi_hpet());
    tables[5] = acpi_write(&place, acpi_mcfg());
    rsdt = acpi_write_root(&place, "RSDT", tables, G_N_ELEMENTS(tables), 4);
    xsdt = acpi_write_root(&place, "XSDT", tables, G_N_ELEMENTS(tables), 8);
    acpi_write_rsdp(&map->space, rsdt, xsdt);
    platform->ioapic.id = machine.ioapic_id;
    write_bios_data(&map->space);
    pci_set_window(&platform->pci, MAP_CONFIG_BASE | CONFIG_WINDOW_256); /* what the MCFG tells */
    return PLATFORM_RSDP;
}
