/* SPDX-License-Identifier: MIT */
#include "hv/vm/acpi_tables.h"

#include "hv/core/text.h"
#include "hv/vdev/vdev.h"

#define HEADER_BYTES 36
#define RSDP_BYTES 36
#define RSDP_OLD_BYTES 20 /* what the first checksum covers */
#define FADT_BYTES 244    /* revision 3 */
#define FACS_BYTES 64
#define FACS_ALIGN 64
#define RESET_PORT 0xCF9u
#define RESET_VALUE 6u
#define CENTURY 0x32u

#define FADT_BOOT_LEGACY 0x01u
#define FADT_BOOT_NO_VGA 0x04u
#define FADT_BOOT_NO_MSI 0x08u
/* WBINVD, C1, no fixed power or sleep button, no RTC wake in fixed registers, reset register. */
#define FADT_FLAGS (1u << 0 | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 10)
#define MADT_PCAT_COMPAT 1u
#define MADT_LEVEL_HIGH 0x000Du

struct tables {
    uint8_t *bytes;
    unsigned end;
};

static void put(struct tables *tables, unsigned at, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++)
        tables->bytes[at + i] = (uint8_t)(value >> i * 8);
}

static void put_text(struct tables *tables, unsigned at, const char *text)
{
    memcpy(tables->bytes + at, text, text_length(text));
}

static unsigned reserve(struct tables *tables, unsigned size, unsigned align)
{
    unsigned at = (tables->end + align - 1) & ~(align - 1);

    tables->end = at + size;
    return at;
}

/* All bytes add up to 0. */
static void put_checksum(struct tables *tables, unsigned from, unsigned size, unsigned at)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < size; i++)
        sum = (uint8_t)(sum + tables->bytes[from + i]);
    tables->bytes[at] = (uint8_t)-sum;
}

static void put_header(struct tables *tables, unsigned at, const char *signature, unsigned revision)
{
    unsigned size = tables->end - at;

    put_text(tables, at, signature);
    put(tables, at + 4, 4, size);
    put(tables, at + 8, 1, revision);
    put_text(tables, at + 10, "FAM10H");
    put_text(tables, at + 16, "HVGUEST ");
    put(tables, at + 24, 4, 1);
    put_text(tables, at + 28, "FHV ");
    put(tables, at + 32, 4, 1);
    put_checksum(tables, at, size, at + 9);
}

/* Name (\_S5, Package () { 5, 5, 0, 0 }): SLP_TYP for power off (ACPI 7.4.2). */
static unsigned write_dsdt(struct tables *tables)
{
    static const uint8_t s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0A, VPM_SLEEP_S5, 0x0A, VPM_SLEEP_S5,
                                  0x00, 0x00 };
    unsigned at = reserve(tables, HEADER_BYTES + sizeof(s5), 16);

    memcpy(tables->bytes + at + HEADER_BYTES, s5, sizeof(s5));
    put_header(tables, at, "DSDT", 2);
    return at;
}

static unsigned write_facs(struct tables *tables)
{
    unsigned at = reserve(tables, FACS_BYTES, FACS_ALIGN);

    put_text(tables, at, "FACS");
    put(tables, at + 4, 4, FACS_BYTES);
    put(tables, at + 32, 1, 1); /* version */
    return at;
}

/* Generic address: I/O space, width in bits, access by size. */
static void put_io_address(struct tables *tables, unsigned at, unsigned port, unsigned bytes)
{
    put(tables, at, 4, 1u | bytes * 8 << 8 | (bytes == 4 ? 3u : bytes == 2 ? 2u : 1u) << 24);
    put(tables, at + 4, 8, port);
}

static unsigned write_fadt(struct tables *tables, unsigned facs, unsigned dsdt)
{
    unsigned at = reserve(tables, FADT_BYTES, 16);

    put(tables, at + 36, 4, ACPI_TABLES_AT + facs);
    put(tables, at + 40, 4, ACPI_TABLES_AT + dsdt);
    put(tables, at + 46, 2, VPM_SCI);
    put(tables, at + 56, 4, VPM_EVENT);
    put(tables, at + 64, 4, VPM_CONTROL);
    put(tables, at + 76, 4, VPM_TIMER);
    put(tables, at + 88, 1, 4);   /* lengths: PM1 event, PM1 control, PM timer */
    put(tables, at + 89, 1, 2);
    put(tables, at + 91, 1, 4);
    put(tables, at + 96, 2, 101); /* no C2, no C3 */
    put(tables, at + 98, 2, 1001);
    put(tables, at + 108, 1, CENTURY);
    put(tables, at + 109, 2, FADT_BOOT_LEGACY | FADT_BOOT_NO_VGA | FADT_BOOT_NO_MSI);
    put(tables, at + 112, 4, FADT_FLAGS);
    put_io_address(tables, at + 116, RESET_PORT, 1);
    put(tables, at + 128, 1, RESET_VALUE);
    put(tables, at + 140, 8, ACPI_TABLES_AT + dsdt);
    put_io_address(tables, at + 148, VPM_EVENT, 4);
    put_io_address(tables, at + 172, VPM_CONTROL, 2);
    put_io_address(tables, at + 208, VPM_TIMER, 4);
    put_header(tables, at, "FACP", 3);
    return at;
}

static void put_entry(struct tables *tables, unsigned type, unsigned size)
{
    unsigned at = reserve(tables, size, 1);

    put(tables, at, 1, type);
    put(tables, at + 1, 1, size);
}

/* An interrupt of the ISA bus that does not come in at the pin of its number, as an active-high edge. */
static void put_override(struct tables *tables, unsigned irq, unsigned pin, unsigned flags)
{
    put_entry(tables, 2, 10);
    put(tables, tables->end - 7, 1, irq);
    put(tables, tables->end - 6, 4, pin);
    put(tables, tables->end - 2, 2, flags);
}

static unsigned write_madt(struct tables *tables, unsigned vcpus)
{
    unsigned at = reserve(tables, HEADER_BYTES + 8, 16);

    put(tables, at + 36, 4, VLAPIC_BASE);
    put(tables, at + 40, 4, MADT_PCAT_COMPAT);
    for (unsigned i = 0; i < vcpus; i++) {
        put_entry(tables, 0, 8);
        put(tables, tables->end - 6, 2, i | i << 8); /* processor and APIC id */
        put(tables, tables->end - 4, 4, 1);          /* enabled */
    }
    put_entry(tables, 1, 12);
    put(tables, tables->end - 10, 1, VIOAPIC_ID);
    put(tables, tables->end - 8, 4, VIOAPIC_BASE);
    put_override(tables, 0, VDEV_TIMER_PIN, 0);
    put_override(tables, VPM_SCI, VPM_SCI, MADT_LEVEL_HIGH);
    put_entry(tables, 4, 6); /* NMI: LINT1 of every local APIC */
    put(tables, tables->end - 4, 1, 0xFF);
    put(tables, tables->end - 1, 1, 1);
    put_header(tables, at, "APIC", 1);
    return at;
}

unsigned acpi_tables_write(uint8_t to[ACPI_TABLES_MAX], unsigned vcpus)
{
    struct tables tables = { text_zero(to, ACPI_TABLES_MAX), RSDP_BYTES };
    unsigned dsdt = write_dsdt(&tables), facs = write_facs(&tables), fadt = write_fadt(&tables, facs, dsdt);
    unsigned madt = write_madt(&tables, vcpus), xsdt = reserve(&tables, HEADER_BYTES + 16, 16);

    put(&tables, xsdt + HEADER_BYTES, 8, ACPI_TABLES_AT + fadt);
    put(&tables, xsdt + HEADER_BYTES + 8, 8, ACPI_TABLES_AT + madt);
    put_header(&tables, xsdt, "XSDT", 1);
    put_text(&tables, 0, "RSD PTR ");
    put_text(&tables, 9, "FAM10H");
    put(&tables, 15, 1, 2); /* revision */
    put(&tables, 20, 4, RSDP_BYTES);
    put(&tables, 24, 8, ACPI_TABLES_AT + xsdt);
    put_checksum(&tables, 0, RSDP_OLD_BYTES, 8);
    put_checksum(&tables, 0, RSDP_BYTES, 32);
    return tables.end;
}
