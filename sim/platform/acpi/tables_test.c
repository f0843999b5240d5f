/* SPDX-License-Identifier: MIT */
/* Expected values: fact sheet section 7 and the ACPI 3.0 table layouts. Read back from guest memory, as an OS does. */
#include <inttypes.h>

#include "sim/platform/fixture.h"

static uint64_t field(struct fixture *f, spa_t table, unsigned offset, unsigned size)
{
    return load(f, table + offset, size);
}

static uint8_t sum(struct fixture *f, spa_t at, unsigned size)
{
    uint8_t total = 0;

    for (unsigned i = 0; i < size; i++)
        total = (uint8_t)(total + load(f, at + i, 1));
    return total;
}

/* The RSDP by an operating system's search: 16-byte steps through E0000-FFFFF. */
static spa_t find_rsdp(struct fixture *f)
{
    for (spa_t at = 0xe0000; at < 0x100000; at += 16) {
        if (load(f, at, 8) == UINT64_C(0x2052545020445352)) /* "RSD PTR " */
            return at;
    }
    return 0;
}

static spa_t find_table(struct fixture *f, const char *signature)
{
    spa_t xsdt = field(f, find_rsdp(f), 24, 8);
    unsigned count = ((unsigned)field(f, xsdt, 4, 4) - 36) / 8;

    for (unsigned i = 0; i < count; i++) {
        spa_t table = field(f, xsdt, 36 + 8 * i, 8);
        uint32_t name = (uint32_t)load(f, table, 4);

        if (memcmp(&name, signature, 4) == 0)
            return table;
    }
    return 0;
}

static struct fixture *new_machine(unsigned nodes, unsigned cores, uint64_t memory)
{
    struct fixture *f = fixture_new(nodes, cores, memory);
    uint8_t apic_ids[48];
    const struct firmware_cores firmware = {
        apic_ids, nodes * cores, { UINT64_C(0x800001f530003007), UINT64_C(0x800001bc30005047), 0x30000000 },
    };

    for (unsigned i = 0; i < nodes * cores; i++) /* ApicId = NodeId * 4 + core (section 1.3) */
        apic_ids[i] = (uint8_t)(i / cores * (cores > 4 ? 8 : 4) + i % cores);
    ck_assert_uint_eq(platform_write_tables(f->platform, &firmware), find_rsdp(f));
    return f;
}

START_TEST(rsdp_rsdt_and_xsdt_agree_and_every_checksum_is_right)
{
    struct fixture *f = new_machine(2, 4, 4 * GIB);
    spa_t rsdp = find_rsdp(f), rsdt = field(f, rsdp, 16, 4), xsdt = field(f, rsdp, 24, 8);
    unsigned count = ((unsigned)field(f, xsdt, 4, 4) - 36) / 8;

    ck_assert_uint_eq(sum(f, rsdp, 20), 0);
    ck_assert_uint_eq(sum(f, rsdp, 36), 0);
    ck_assert_uint_eq(field(f, rsdp, 15, 1), 2);
    ck_assert_uint_eq(field(f, rsdp, 20, 4), 36);
    ck_assert_uint_eq(sum(f, rsdt, (unsigned)field(f, rsdt, 4, 4)), 0);
    ck_assert_uint_eq(sum(f, xsdt, (unsigned)field(f, xsdt, 4, 4)), 0);
    ck_assert_uint_eq(count, 6);
    for (unsigned i = 0; i < count; i++) {
        spa_t table = field(f, xsdt, 36 + 8 * i, 8);

        ck_assert_uint_eq(field(f, rsdt, 36 + 4 * i, 4), table);
        ck_assert_uint_eq(sum(f, table, (unsigned)field(f, table, 4, 4)), 0);
    }
    fixture_free(f);
}
END_TEST

START_TEST(all_tables_lie_in_the_range_reported_as_acpi)
{
    struct fixture *f = new_machine(8, 6, 8 * GIB); /* the largest tables */
    size_t count;
    const struct memory_range *range = platform_memory(f->platform, &count), *acpi = NULL;
    spa_t xsdt = field(f, find_rsdp(f), 24, 8);

    for (size_t i = 0; i < count; i++)
        acpi = range[i].type == 3 ? &range[i] : acpi;
    ck_assert_ptr_nonnull(acpi);
    ck_assert_uint_eq(acpi->base, 0xbfff0000);
    ck_assert_uint_eq(acpi->size, 0x10000);
    ck_assert_uint_ge(xsdt, acpi->base);
    ck_assert_uint_le(xsdt + field(f, xsdt, 4, 4), acpi->base + acpi->size);
    ck_assert_uint_ge(find_table(f, "FACP"), acpi->base);
    ck_assert_uint_ge(field(f, find_table(f, "FACP"), 140, 8), acpi->base);
    fixture_free(f);
}
END_TEST

START_TEST(madt_lists_cores_boot_processor_first_then_ioapic_overrides_and_nmi)
{
    struct fixture *f = new_machine(2, 2, GIB);
    spa_t madt = find_table(f, "APIC");
    static const uint8_t ids[] = { 0, 1, 4, 5 };
    unsigned at = 44;

    ck_assert_uint_eq(field(f, madt, 36, 4), 0xfee00000);
    ck_assert_uint_eq(field(f, madt, 40, 4), 1);
    for (unsigned i = 0; i < 4; i++, at += 8) {
        ck_assert_uint_eq(field(f, madt, at, 2), 0x0800);
        ck_assert_uint_eq(field(f, madt, at + 2, 1), i);
        ck_assert_uint_eq(field(f, madt, at + 3, 1), ids[i]);
        ck_assert_uint_eq(field(f, madt, at + 4, 4), 1);
    }
    ck_assert_uint_eq(field(f, madt, at, 2), 0x0c01);
    ck_assert_uint_eq(field(f, madt, at + 2, 1), 6); /* 4 + 1 < 16 APICs: after the cores' ids */
    ck_assert_uint_eq(field(f, madt, at + 4, 4), 0xfec00000);
    ck_assert_uint_eq(field(f, madt, at + 8, 4), 0);
    store(f, 0xfec00000, 4, 0);
    ck_assert_uint_eq(load(f, 0xfec00010, 4), 6 << 24); /* and the IOAPIC has it */
    at += 12;
    ck_assert_uint_eq(field(f, madt, at, 8), UINT64_C(0x0000000200000a02)); /* IRQ 0 -> 2, conforms */
    ck_assert_uint_eq(field(f, madt, at + 8, 2), 0);
    at += 10;
    ck_assert_uint_eq(field(f, madt, at, 8), UINT64_C(0x0000000909000a02)); /* IRQ 9 -> 9 */
    ck_assert_uint_eq(field(f, madt, at + 8, 2), 0x000f);
    at += 10;
    ck_assert_uint_eq(field(f, madt, at, 4), 0x00ff0604); /* LINT1 of all */
    ck_assert_uint_eq(field(f, madt, at + 4, 2), 0x0100);
    ck_assert_uint_eq(field(f, madt, 4, 4), at + 6);
    fixture_free(f);
}
END_TEST

START_TEST(the_ioapics_id_collides_with_no_core)
{
    struct fixture *f = new_machine(4, 4, GIB); /* ids 0-15 are all taken: 0, for four bits have no room */
    spa_t madt = find_table(f, "APIC");

    ck_assert_uint_eq(field(f, madt, 44 + 16 * 8 + 2, 1), 0);
    fixture_free(f);
    f = new_machine(4, 2, GIB); /* 0 1 4 5 8 9 12 13 */
    madt = find_table(f, "APIC");
    ck_assert_uint_eq(field(f, madt, 44 + 8 * 8 + 2, 1), 14);
    fixture_free(f);
}
END_TEST

/* Visits SRAT: cores by proximity domain; returns the bytes of memory in a domain. */
static uint64_t srat_memory(struct fixture *f, unsigned domain, unsigned *cores, unsigned *ranges)
{
    spa_t srat = find_table(f, "SRAT");
    unsigned end = (unsigned)field(f, srat, 4, 4), at = 48;
    uint64_t bytes = 0;

    ck_assert_uint_eq(field(f, srat, 36, 4), 1);
    *cores = *ranges = 0;
    while (at < end) {
        if (field(f, srat, at, 1) == 0) {
            ck_assert_uint_eq(field(f, srat, at + 1, 1), 16);
            *cores += field(f, srat, at + 2, 1) == domain;
        } else {
            ck_assert_uint_eq(field(f, srat, at, 2), 0x2801);
            ck_assert_uint_eq(field(f, srat, at + 28, 4), 1);
            if (field(f, srat, at + 2, 4) == domain) {
                bytes += field(f, srat, at + 16, 8);
                ++*ranges;
            }
        }
        at += (unsigned)field(f, srat, at + 1, 1);
    }
    ck_assert_uint_eq(at, end);
    return bytes;
}

START_TEST(srat_gives_each_node_its_cores_and_memory)
{
    struct fixture *f = new_machine(2, 2, 8 * GIB);
    unsigned cores, ranges;

    /* Node 0: 0-A0000, 1 MiB-C0000000, 100000000-13FFFFFFF. Node 1: one range. */
    ck_assert_uint_eq(srat_memory(f, 0, &cores, &ranges), 0xa0000 + (3 * GIB - MIB) + GIB);
    ck_assert_uint_eq(cores, 2);
    ck_assert_uint_eq(ranges, 3);
    ck_assert_uint_eq(srat_memory(f, 1, &cores, &ranges), 4 * GIB);
    ck_assert_uint_eq(cores, 2);
    ck_assert_uint_eq(ranges, 1);
    fixture_free(f);
}
END_TEST

START_TEST(srat_of_many_nodes_adds_up)
{
    struct fixture *f = new_machine(4, 1, 6 * GIB); /* node 2 begins exactly at the hole: 3 GiB -> 4 GiB */
    unsigned cores, ranges;

    ck_assert_uint_eq(srat_memory(f, 1, &cores, &ranges), 3 * GIB / 2);
    ck_assert_uint_eq(ranges, 1); /* the ACPI tables are part of its DRAM */
    ck_assert_uint_eq(srat_memory(f, 2, &cores, &ranges), 3 * GIB / 2);
    ck_assert_uint_eq(ranges, 1);
    ck_assert_uint_eq(config_read(f, 2, 1, 0x50), 0x01000003);
    fixture_free(f);
}
END_TEST

START_TEST(slit_distances)
{
    struct fixture *f = new_machine(4, 1, GIB);
    spa_t slit = find_table(f, "SLIT");
    static const uint8_t square[] = { 10, 16, 16, 22, 16, 10, 22, 16, 16, 22, 10, 16, 22, 16, 16, 10 };

    ck_assert_uint_eq(field(f, slit, 36, 8), 4);
    ck_assert_uint_eq(field(f, slit, 4, 4), 44 + 16);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(field(f, slit, 44 + i, 1), square[i]);
    fixture_free(f);
    f = new_machine(2, 1, GIB);
    slit = find_table(f, "SLIT");
    ck_assert_uint_eq(field(f, slit, 44, 4), 0x0a10100a); /* the BKDG's two-socket table */
    fixture_free(f);
}
END_TEST

START_TEST(fadt_points_to_the_ports_that_answer)
{
    struct fixture *f = new_machine(1, 1, GIB);
    spa_t fadt = find_table(f, "FACP");
    spa_t dsdt = field(f, fadt, 140, 8), facs = field(f, fadt, 132, 8);
    uint16_t timer = (uint16_t)field(f, fadt, 76, 4);

    ck_assert_uint_eq(field(f, fadt, 4, 4), 244);
    ck_assert_uint_eq(field(f, fadt, 40, 4), dsdt);
    ck_assert_uint_eq(load(f, dsdt, 4), 0x54445344); /* "DSDT" */
    ck_assert_uint_eq(sum(f, dsdt, (unsigned)field(f, dsdt, 4, 4)), 0);
    ck_assert_uint_eq(load(f, facs, 4), 0x53434146); /* "FACS", 64-byte aligned */
    ck_assert_uint_eq(facs % 64, 0);
    ck_assert_uint_eq(field(f, fadt, 46, 2), 9);
    f->clock.now_ps = PS_PER_S;
    ck_assert_uint_eq(in(f, timer, 4), 3579545);
    ck_assert_uint_eq(field(f, fadt, 208 + 4, 8), timer);
    ck_assert_uint_eq(in(f, (uint16_t)field(f, fadt, 64, 4), 2), 1);
    outb(f, (uint16_t)field(f, fadt, 120, 8), (uint8_t)field(f, fadt, 128, 1)); /* RESET_REG, RESET_VALUE */
    ck_assert_uint_eq(f->resets, 1);
    fixture_free(f);
}
END_TEST

/* ---- AML, read back by the grammar of ACPI 3.0 19.2 ---- */

/* What the walk over the DSDT met. */
struct aml_walk {
    struct fixture *f;
    GString *names; /* every term's name in order, " {" and " }" round the bodies */
    spa_t resources; /* the last buffer's bytes */
    unsigned resource_bytes;
};

/* Returns the end of the package whose PkgLength is at *at, and steps over the length. */
static spa_t aml_package_end(struct aml_walk *w, spa_t *at)
{
    uint8_t lead = (uint8_t)load(w->f, *at, 1);
    unsigned more = lead >> 6;
    uint64_t length = more ? (lead & 0x0f) | load(w->f, *at + 1, 4) << 4 : lead & 0x3f;

    if (more)
        length &= (UINT64_C(1) << (4 + 8 * more)) - 1;
    *at += 1 + more;
    return *at - 1 - more + length;
}

static uint64_t aml_integer_at(struct aml_walk *w, spa_t *at)
{
    uint8_t opcode = (uint8_t)load(w->f, *at, 1);
    unsigned size = opcode == 0x0a ? 1 : opcode == 0x0b ? 2 : opcode == 0x0c ? 4 : opcode == 0x0e ? 8 : 0;
    uint64_t value = size ? load(w->f, *at + 1, size) : opcode;

    ck_assert(size || opcode <= 1);
    *at += 1 + size;
    return value;
}

static void aml_walk_object(struct aml_walk *w, spa_t *at)
{
    uint8_t opcode = (uint8_t)load(w->f, *at, 1);
    spa_t end;

    if (opcode != 0x11 && opcode != 0x12) {
        g_string_append_printf(w->names, " %" PRIu64, aml_integer_at(w, at));
        return;
    }
    ++*at;
    end = aml_package_end(w, at);
    if (opcode == 0x11) {
        w->resource_bytes = (unsigned)aml_integer_at(w, at);
        w->resources = *at;
        *at += w->resource_bytes;
    } else {
        unsigned count = (unsigned)load(w->f, (*at)++, 1);

        g_string_append(w->names, " (");
        while (count--)
            aml_walk_object(w, at);
        g_string_append(w->names, " )");
    }
    ck_assert_uint_eq(*at, end);
}

static void aml_walk_name(struct aml_walk *w, spa_t *at)
{
    if (load(w->f, *at, 1) == '\\')
        ++*at;
    g_string_append_c(w->names, ' ');
    for (unsigned i = 0; i < 4; i++, ++*at)
        g_string_append_c(w->names, (char)load(w->f, *at, 1));
}

static void aml_walk_terms(struct aml_walk *w, spa_t at, spa_t end)
{
    while (at < end) {
        uint8_t opcode = (uint8_t)load(w->f, at++, 1);
        spa_t body_end;

        if (opcode == 0x08) {
            aml_walk_name(w, &at);
            aml_walk_object(w, &at);
            continue;
        }
        if (opcode == 0x5b)
            opcode = (uint8_t)load(w->f, at++, 1);
        ck_assert(opcode == 0x10 || opcode == 0x82 || opcode == 0x83);
        body_end = aml_package_end(w, &at);
        aml_walk_name(w, &at);
        at += opcode == 0x83 ? 6 : 0; /* ProcID, PblkAddr, PblkLen */
        g_string_append(w->names, " {");
        aml_walk_terms(w, at, body_end);
        g_string_append(w->names, " }");
        at = body_end;
    }
    ck_assert_uint_eq(at, end);
}

static GString *walk_dsdt(struct fixture *f)
{
    spa_t dsdt = field(f, find_table(f, "FACP"), 140, 8);
    struct aml_walk w = { .f = f, .names = g_string_new(NULL) };

    aml_walk_terms(&w, dsdt + 36, dsdt + field(f, dsdt, 4, 4));
    return w.names;
}

/* P-states of a DR-B3 8650 (section 2.5): 2300 MHz at 1.25 V and 24.5 A, 1150 MHz at 1.05 V and 18.8 A. */
START_TEST(the_dsdt_describes_sleep_processors_and_devices)
{
    struct fixture *f = new_machine(2, 1, GIB);
    GString *names = walk_dsdt(f);

    ck_assert_str_eq(names->str,
                     " _S5_ ( 0 0 0 0 )"
                     " _PR_ {"
                     " C000 { _PCT ( ) _PSS ( ( 2300 30625 2 2 0 0 ) ( 1200 19740 2 2 1 1 ) ) _PPC 0"
                     " _PSD ( ( 5 0 0 253 1 ) ) }"
                     " C001 { _PCT ( ) _PSS ( ( 2300 30625 2 2 0 0 ) ( 1200 19740 2 2 1 1 ) ) _PPC 0"
                     " _PSD ( ( 5 0 4 253 1 ) ) } }"
                     " _SB_ { PCI0 { _HID 51040321 _BBN 0 _UID 0 _CRS" /* 30AD041h: PNP0A03 */
                     " PIC_ { _HID 53313 _CRS }"
                     " TMR_ { _HID 118849 _CRS } RTC_ { _HID 774209 _CRS } KBC_ { _HID 50581569 _CRS }"
                     " PS2M { _HID 319803457 _CRS }"
                     " COM1 { _HID 17158209 _CRS } }"
                     " MBRD { _HID 34394177 _CRS } }");
    g_string_free(names, TRUE);
    fixture_free(f);
}
END_TEST

START_TEST(the_dsdts_lengths_are_right_for_the_largest_machine)
{
    struct fixture *f = new_machine(8, 6, 8 * GIB);
    GString *names = walk_dsdt(f);

    ck_assert_ptr_nonnull(strstr(names->str, " C02F { _PCT"));
    g_string_free(names, TRUE);
    fixture_free(f);
}
END_TEST

START_TEST(the_hpet_table_and_the_registers_agree)
{
    struct fixture *f = new_machine(1, 1, GIB);
    spa_t table = find_table(f, "HPET");

    ck_assert_uint_eq(field(f, table, 4, 4), 56);
    ck_assert_uint_eq(field(f, table, 40, 4), 64 << 8); /* memory, 64 bits */
    ck_assert_uint_eq(field(f, table, 44, 8), 0xfed00000);
    ck_assert_uint_eq(load(f, 0xfed00000, 4), field(f, table, 36, 4));
    fixture_free(f);
}
END_TEST

START_TEST(the_mcfg_tells_where_the_window_is_open)
{
    struct fixture *f = new_machine(2, 1, GIB);
    spa_t mcfg = find_table(f, "MCFG"), base = field(f, mcfg, 44, 8);

    ck_assert_uint_eq(field(f, mcfg, 4, 4), 60);
    ck_assert_uint_eq(base, 0xe0000000);
    ck_assert_uint_eq(field(f, mcfg, 52, 4), 0xff000000); /* segment 0, buses 0-255 */
    ck_assert_uint_eq(load(f, base + (0x19 << 15 | 3 << 12), 4), 0x12031022); /* node 1's F3x00 */
    fixture_free(f);
}
END_TEST

START_TEST(the_bios_data_area_tells_low_memory)
{
    struct fixture *f = new_machine(1, 1, GIB);

    ck_assert_uint_eq(load(f, 0x40e, 2), 0x9fc0);
    ck_assert_uint_eq(load(f, 0x413, 2), 639);
    ck_assert_uint_eq(load(f, 0x9fc00, 1), 1);
    fixture_free(f);
}
END_TEST

UNIT_TESTS("acpi", rsdp_rsdt_and_xsdt_agree_and_every_checksum_is_right,
           all_tables_lie_in_the_range_reported_as_acpi,
           madt_lists_cores_boot_processor_first_then_ioapic_overrides_and_nmi,
           the_ioapics_id_collides_with_no_core, srat_gives_each_node_its_cores_and_memory,
           srat_of_many_nodes_adds_up, slit_distances, fadt_points_to_the_ports_that_answer,
           the_dsdt_describes_sleep_processors_and_devices, the_dsdts_lengths_are_right_for_the_largest_machine,
           the_hpet_table_and_the_registers_agree, the_mcfg_tells_where_the_window_is_open,
           the_bios_data_area_tells_low_memory)
