/* SPDX-License-Identifier: MIT */
/* The tables that describe processors, interrupt controllers and memory. */
#include "sim/platform/acpi/tables.h"

#include <string.h>

#include "sim/platform/ioapic.h"
#include "sim/platform/map.h"
#include "sim/platform/pm.h"

#define LAPIC_ADDRESS UINT32_C(0xfee00000)
#define OFFSET_LENGTH 4
#define OFFSET_CHECKSUM 9

/* ---- Any table ------------------------------------------------------------------------------------------------- */

void acpi_add(GByteArray *table, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        g_byte_array_append(table, &byte, 1);
    }
}

void acpi_put(GByteArray *table, unsigned offset, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        table->data[offset + i] = (uint8_t)(value >> (8 * i));
}

uint8_t acpi_checksum(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return (uint8_t)-sum;
}

static void acpi_add_text(GByteArray *table, const char *text, unsigned size)
{
    for (unsigned i = 0, length = (unsigned)strlen(text); i < size; i++)
        acpi_add(table, i < length ? (uint8_t)text[i] : ' ', 1);
}

GByteArray *acpi_table_new(const char *signature, unsigned revision)
{
    GByteArray *table = g_byte_array_new();

    acpi_add_text(table, signature, 4);
    acpi_add(table, 0, 4);          /* length: acpi_table_finish */
    acpi_add(table, revision, 1);
    acpi_add(table, 0, 1);          /* checksum: acpi_table_finish */
    acpi_add_text(table, "FAM10H", 6);
    acpi_add_text(table, "BARCLONA", 8);
    acpi_add(table, 1, 4);          /* OEM revision */
    acpi_add_text(table, "F10H", 4);
    acpi_add(table, 1, 4);          /* creator revision */
    return table;
}

void acpi_table_finish(GByteArray *table)
{
    acpi_put(table, OFFSET_LENGTH, table->len, 4);
    acpi_put(table, OFFSET_CHECKSUM, 0, 1);
    acpi_put(table, OFFSET_CHECKSUM, acpi_checksum(table->data, table->len), 1);
}

/* ---- MADT (fact sheet 7.3) --------------------------------------------------------------------------------------- */

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4 };

#define MADT_PCAT_COMPAT 1 /* there are 8259s as well */
#define MADT_ENABLED 1
#define OVERRIDE_CONFORMS 0x0000
#define OVERRIDE_LEVEL_LOW 0x000f

static void madt_add_override(GByteArray *table, unsigned irq, unsigned gsi, unsigned flags)
{
    acpi_add(table, MADT_OVERRIDE, 1);
    acpi_add(table, 10, 1);
    acpi_add(table, 0, 1); /* bus: ISA */
    acpi_add(table, irq, 1);
    acpi_add(table, gsi, 4);
    acpi_add(table, flags, 2);
}

/* Cores node by node, the boot processor first. */
GByteArray *acpi_madt(const struct acpi_machine *machine)
{
    GByteArray *table = acpi_table_new("APIC", 1);

    acpi_add(table, LAPIC_ADDRESS, 4);
    acpi_add(table, MADT_PCAT_COMPAT, 4);
    for (unsigned core = 0; core < machine->cores; core++) {
        acpi_add(table, MADT_LAPIC, 1);
        acpi_add(table, 8, 1);
        acpi_add(table, core, 1); /* ACPI processor id */
        acpi_add(table, machine->apic_ids[core], 1);
        acpi_add(table, MADT_ENABLED, 4);
    }
    acpi_add(table, MADT_IOAPIC, 1);
    acpi_add(table, 12, 1);
    acpi_add(table, machine->ioapic_id, 1);
    acpi_add(table, 0, 1);
    acpi_add(table, IOAPIC_BASE, 4);
    acpi_add(table, 0, 4); /* its first global system interrupt */
    madt_add_override(table, 0, 2, OVERRIDE_CONFORMS);
    madt_add_override(table, PM_SCI_IRQ, PM_SCI_IRQ, OVERRIDE_LEVEL_LOW);
    acpi_add(table, MADT_LAPIC_NMI, 1);
    acpi_add(table, 6, 1);
    acpi_add(table, 0xff, 1); /* all processors */
    acpi_add(table, 0, 2);
    acpi_add(table, 1, 1);    /* LINT1 */
    acpi_table_finish(table);
    return table;
}

/* ---- SRAT (7.4): one proximity domain for each node -------------------------------------------------------------- */

#define SRAT_ENABLED 1

static void srat_add_memory(GByteArray *table, unsigned node, spa_t base, uint64_t size)
{
    acpi_add(table, 1, 1);
    acpi_add(table, 40, 1);
    acpi_add(table, node, 4);
    acpi_add(table, 0, 2);
    acpi_add(table, base, 8);
    acpi_add(table, size, 8);
    acpi_add(table, 0, 4);
    acpi_add(table, SRAT_ENABLED, 4);
    acpi_add(table, 0, 8);
}

/* DRAM as the memory map reports it: neighbours of one node are one range, the VGA window and the hole split. */
static void srat_add_all_memory(GByteArray *table, const struct acpi_machine *machine)
{
    spa_t base = 0, end = 0;
    unsigned node = 0;

    for (size_t i = 0; i < machine->memory_count; i++) {
        const struct memory_range *range = &machine->memory[i];

        if (range->type == 2 && range->base >= MAP_VGA_BASE) /* the EBDA is DRAM, what firmware keeps above is not */
            continue;
        if (range->base == end && range->node == node) {
            end += range->size;
            continue;
        }
        srat_add_memory(table, node, base, end - base);
        base = range->base;
        end = base + range->size;
        node = range->node;
    }
    srat_add_memory(table, node, base, end - base);
}

GByteArray *acpi_srat(const struct acpi_machine *machine)
{
    GByteArray *table = acpi_table_new("SRAT", 2);

    acpi_add(table, 1, 4); /* reserved, must be 1 */
    acpi_add(table, 0, 8);
    for (unsigned core = 0; core < machine->cores; core++) {
        unsigned node = core / machine->config->cores_per_node;

        acpi_add(table, 0, 1);
        acpi_add(table, 16, 1);
        acpi_add(table, node, 1); /* proximity domain[7:0] */
        acpi_add(table, machine->apic_ids[core], 1);
        acpi_add(table, SRAT_ENABLED, 4);
        acpi_add(table, 0, 8);    /* SAPIC EID, proximity domain[31:8], clock domain */
    }
    srat_add_all_memory(table, machine);
    acpi_table_finish(table);
    return table;
}

/* ---- SLIT (7.5) -------------------------------------------------------------------------------------------------- */

/*
 * 10 + 6 x hops. deviation: without probe filter the BKDG gives 10 to every node but the farthest (13), which Linux and
 * Xen discard, as each distance to another node must be above 10; the fully connected rule (16 for one hop) is used
 * for all, which is also the BKDG's rule for revision D.
 */
GByteArray *acpi_slit(const struct acpi_machine *machine)
{
    GByteArray *table = acpi_table_new("SLIT", 1);
    unsigned nodes = machine->config->nodes;

    acpi_add(table, nodes, 8);
    for (unsigned from = 0; from < nodes; from++)
        for (unsigned to = 0; to < nodes; to++)
            acpi_add(table, 10 + 6 * machine->fabric->hops[from][to], 1);
    acpi_table_finish(table);
    return table;
}
