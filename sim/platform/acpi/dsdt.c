/* SPDX-License-Identifier: MIT */
/* The DSDT: sleep state S5, processors with their P-states, the PCI root and the devices that PCI cannot tell. */
#include "sim/bits.h"
#include "sim/platform/acpi/aml.h"
#include "sim/platform/acpi/tables.h"
#include "sim/platform/hpet.h"
#include "sim/platform/ioapic.h"
#include "sim/platform/map.h"
#include "sim/platform/pm.h"

/* ---- Processors (fact sheet 7.8) --------------------------------------------------------------------------------- */

#define PSTATE_FID 5, 0
#define PSTATE_DID 8, 6
#define PSTATE_VID 15, 9
#define PSTATE_IDD 39, 32
#define PSTATE_IDD_DIVISOR 41, 40
#define PSTATE_ENABLED 63

/* assumed: 12 x (PowerStepDown + PowerStepUp) with 50 ns each is 1.2 us; no PLL lock, as all FIDs are equal. */
#define TRANSITION_US 2
#define PSD_SW_ANY 0xfd

static unsigned pstate_mhz(uint64_t msr)
{
    unsigned mhz = 100 * ((unsigned)bits(msr, PSTATE_FID) + 16) >> bits(msr, PSTATE_DID);

    return (mhz + 50) / 100 * 100;
}

/* Serial VID: 1.55 V less 12.5 mV each. IddValue / 10^IddDiv is in amperes. */
static unsigned pstate_milliwatts(uint64_t msr)
{
    static const unsigned divisor[] = { 1, 10, 100, 1000 };
    unsigned vid = (unsigned)bits(msr, PSTATE_VID);
    uint64_t decivolts_4 = vid < 124 ? 15500 - 125 * vid : 0; /* 10^-4 V */

    return (unsigned)(decivolts_4 * bits(msr, PSTATE_IDD) / divisor[bits(msr, PSTATE_IDD_DIVISOR)] / 10);
}

static unsigned pstates_enabled(const struct acpi_machine *machine)
{
    unsigned count = 0;

    while (count < PLATFORM_PSTATES && bit(machine->pstate[count], PSTATE_ENABLED))
        count++;
    return count;
}

static void dsdt_add_pct(GByteArray *aml)
{
    unsigned package;

    aml_define(aml, "_PCT");
    package = aml_open_package(aml, 2);
    for (unsigned i = 0; i < 2; i++) { /* control and status */
        GByteArray *resources = resources_open();

        resources_add_fixed_hardware(resources);
        resources_close(resources, aml);
    }
    aml_close(aml, package);
}

static void dsdt_add_pss(GByteArray *aml, const struct acpi_machine *machine, unsigned count)
{
    unsigned package;

    aml_define(aml, "_PSS");
    package = aml_open_package(aml, count);
    for (unsigned n = 0; n < count; n++) {
        unsigned state = aml_open_package(aml, 6);

        aml_integer(aml, pstate_mhz(machine->pstate[n]));
        aml_integer(aml, pstate_milliwatts(machine->pstate[n]));
        aml_integer(aml, TRANSITION_US);
        aml_integer(aml, TRANSITION_US); /* bus master latency */
        aml_integer(aml, n);
        aml_integer(aml, n);
        aml_close(aml, state);
    }
    aml_close(aml, package);
}

/* Each core is a domain of its own. */
static void dsdt_add_psd(GByteArray *aml, unsigned domain)
{
    unsigned package, entry;

    aml_define(aml, "_PSD");
    package = aml_open_package(aml, 1);
    entry = aml_open_package(aml, 5);
    aml_integer(aml, 5);
    aml_integer(aml, 0);
    aml_integer(aml, domain);
    aml_integer(aml, PSD_SW_ANY);
    aml_integer(aml, 1);
    aml_close(aml, entry);
    aml_close(aml, package);
}

/* No P-state objects if only one state is enabled (7.8). */
static void dsdt_add_processors(GByteArray *aml, const struct acpi_machine *machine)
{
    unsigned scope = aml_open_scope(aml, "\\_PR_"), count = pstates_enabled(machine);

    for (unsigned core = 0; core < machine->cores; core++) {
        g_autofree char *name = g_strdup_printf("C%03X", core);
        unsigned processor = aml_open(aml, AML_PROCESSOR);

        aml_name(aml, name);
        acpi_add(aml, core, 1); /* the MADT's processor id */
        acpi_add(aml, 0, 5);    /* no P_BLK */
        if (count > 1) {
            dsdt_add_pct(aml);
            dsdt_add_pss(aml, machine, count);
            aml_define_integer(aml, "_PPC", 0);
            dsdt_add_psd(aml, machine->apic_ids[core]);
        }
        aml_close(aml, processor);
    }
    aml_close(aml, scope);
}

/* ---- Devices ----------------------------------------------------------------------------------------------------- */

#define NO_IRQ (-1)

/* A device of the ISA bridge. */
struct isa_device {
    const char *name, *hid;
    struct {
        uint16_t base, count;
    } port[4];
    int irq;
};

static const struct isa_device isa_devices[] = {
    { "PIC_", "PNP0000", { { 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 } }, NO_IRQ },
    { "TMR_", "PNP0100", { { 0x40, 4 } }, NO_IRQ },
    { "RTC_", "PNP0B00", { { 0x70, 2 } }, 8 },
    { "KBC_", "PNP0303", { { 0x60, 1 }, { 0x64, 1 } }, 1 },
    { "PS2M", "PNP0F13", { { 0, 0 } }, 12 },
    { "COM1", "PNP0501", { { 0x3f8, 8 } }, 4 },
};

static void dsdt_add_isa_devices(GByteArray *aml)
{
    for (size_t i = 0; i < G_N_ELEMENTS(isa_devices); i++) {
        const struct isa_device *row = &isa_devices[i];
        unsigned device = aml_open_device(aml, row->name);
        GByteArray *resources = resources_open();

        aml_define_hid(aml, row->hid);
        aml_define(aml, "_CRS");
        for (size_t k = 0; k < G_N_ELEMENTS(row->port) && row->port[k].count; k++)
            resources_add_port(resources, row->port[k].base, row->port[k].count);
        if (row->irq != NO_IRQ)
            resources_add_irq(resources, (unsigned)row->irq);
        resources_close(resources, aml);
        aml_close(aml, device);
    }
}

/* What the root bridge passes on, as far as nothing else on the board answers there (7.1, 7.10). */
static void dsdt_add_root_windows(GByteArray *aml, const struct acpi_machine *machine)
{
    GByteArray *resources = resources_open();

    aml_define(aml, "_CRS");
    resources_add_bus_window(resources, 0, 0xff);
    resources_add_port(resources, 0xcf8, 8);
    resources_add_port_window(resources, 0, 0xcf7);
    resources_add_port_window(resources, 0xd00, 0xffff);
    resources_add_memory_window(resources, (uint32_t)MAP_VGA_BASE, (uint32_t)MAP_VGA_END - 1);
    resources_add_memory_window(resources, (uint32_t)machine->top_mem, (uint32_t)MAP_CONFIG_BASE - 1);
    resources_add_memory_window(resources, (uint32_t)(MAP_CONFIG_BASE + MAP_CONFIG_BYTES), (uint32_t)IOAPIC_BASE - 1);
    resources_close(resources, aml);
}

/* PNP0C02: the addresses of the board itself. */
static void dsdt_add_board(GByteArray *aml)
{
    unsigned device = aml_open_device(aml, "MBRD");
    GByteArray *resources = resources_open();

    aml_define_hid(aml, "PNP0C02");
    aml_define(aml, "_CRS");
    resources_add_port(resources, PM_EVENT, 12);
    resources_add_memory(resources, (uint32_t)MAP_CONFIG_BASE, (uint32_t)MAP_CONFIG_BYTES);
    resources_add_memory(resources, (uint32_t)HPET_BASE, HPET_BYTES);
    resources_close(resources, aml);
    aml_close(aml, device);
}

static void dsdt_add_devices(GByteArray *aml, const struct acpi_machine *machine)
{
    unsigned scope = aml_open_scope(aml, "\\_SB_"), root = aml_open_device(aml, "PCI0");

    aml_define_hid(aml, "PNP0A03");
    aml_define_integer(aml, "_BBN", 0);
    aml_define_integer(aml, "_UID", 0);
    dsdt_add_root_windows(aml, machine);
    dsdt_add_isa_devices(aml);
    aml_close(aml, root);
    dsdt_add_board(aml);
    aml_close(aml, scope);
}

/* Name (\_S5, Package () {type, type, 0, 0}) */
static void dsdt_add_sleep_state(GByteArray *aml)
{
    unsigned package;

    aml_define(aml, "_S5");
    package = aml_open_package(aml, 4);
    aml_integer(aml, PM_S5_TYPE);
    aml_integer(aml, PM_S5_TYPE);
    aml_integer(aml, 0);
    aml_integer(aml, 0);
    aml_close(aml, package);
}

GByteArray *acpi_dsdt(const struct acpi_machine *machine)
{
    GByteArray *table = acpi_table_new("DSDT", 2);

    dsdt_add_sleep_state(table);
    dsdt_add_processors(table, machine);
    dsdt_add_devices(table, machine);
    acpi_table_finish(table);
    return table;
}
