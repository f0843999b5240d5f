/* SPDX-License-Identifier: MIT */
/*
 * A kernel that enters the PVH way looks at all that it is given: the state of the processor, the start information
 * with memory map, module and command line (Xen's public start_info.h), the ACPI tables (ACPI 3.0 chapter 5), and
 * the fixed hardware that these name (ACPI 3.0 4.7.3; 4.8.3 in ACPI 6). It ends by SLP_TYP of its DSDT's \_S5.
 *
 * Such a kernel has no firmware to ask: memory, processors, the timer and the way to power off are where these say.
 *
 * The image is 32-bit code in a 64-bit ELF file; Xen's note 18 names its entry, where start.S keeps CR0, CR4,
 * EFLAGS and EBX. What the library wants of a multiboot loader is made of the start information, to which EBX
 * points.
 *
 * In order: of CR0's writable bits PE alone is set, CR4 is clear, EFLAGS has no VM, IF or TF; magic and version 1; the
 * command line is what follows `--`; the map's RAM ends where the memory does; one module, whole, an ELF file. Root
 * pointer (both sums), XSDT of two tables, FADT, MADT, FACS, DSDT, and in the MADT local APIC, IOAPIC, a processor for
 * each that CPUID counts, two overrides. \_S5. PM1_EN keeps the timer, global, power button and RTC bits, PM1_STS
 * clears by ones, SLP_TYP without SLP_EN puts nothing to sleep, SCI_EN stays. The same map by hypercall, and a frame of
 * the grant table in place of a page. 3000 ticks of the PM timer are 1000 of the PIT (14.31818 MHz / 4 and / 12),
 * and less than 200 more.
 *
 * scenarios/pvh.lua runs it under nested and shadow paging, each with one vCPU and with three, counts 36 checks,
 * and wants hv to call it finished: there is no plan, since powering off is the last thing it does.
 */
#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/vcpu.h"

#define START_MAGIC 0x336EC578u
#define MAP_RAM 1
#define MADT_PROCESSOR 0
#define MADT_IOAPIC 1
#define MADT_OVERRIDE 2
#define CR0_PE 1u
#define CR0_WRITABLE 0xE005002Fu /* all but ET, which is always 1 (APM2 3.1.1) */
#define TMR_VAL_EXT 0x100u /* of the FADT's flags: the PM timer has 32 bits */
#define PM_ENABLES 0x0521u /* timer, global, power button, RTC */
#define SCI_EN 1u
#define SLP_EN 0x2000u
#define PIT_CHANNEL_0 0x40
#define PIT_CONTROL 0x43
#define PIT_RATE 0x34      /* channel 0, both bytes, mode 2 */

struct start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist, cmdline, rsdp, memmap;
    uint32_t memmap_entries, reserved;
};
struct start_module {
    uint64_t address, size, cmdline, reserved;
};
struct start_map {
    uint64_t address, size;
    uint32_t type, reserved;
};

uint32_t pvh_info, pvh_state_cr0, pvh_state_cr4, pvh_state_eflags;
const struct multiboot_info *pvh_prepare(void);

static const struct start_info *info(void)
{
    return (const void *)(uintptr_t)pvh_info;
}

static uint64_t field(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = size; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

static const uint8_t *table(uint64_t address)
{
    return (const void *)(uintptr_t)address;
}

static bool begins(const uint8_t *at, const char *text)
{
    while (*text && *at == (uint8_t)*text)
        at++, text++;
    return !*text;
}

static bool adds_up(const uint8_t *at, unsigned size)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < size; i++)
        sum = (uint8_t)(sum + at[i]);
    return sum == 0;
}

static bool table_is(const uint8_t *at, const char *signature)
{
    return begins(at, signature) && adds_up(at, (unsigned)field(at + 4, 4));
}

/* Flat, no paging, on the stack of start.S: what the library wants to know, from what PVH gives. */
const struct multiboot_info *pvh_prepare(void)
{
    static struct multiboot_info made;
    const struct start_map *map = (const void *)(uintptr_t)info()->memmap;

    made.flags = MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MEMORY;
    made.cmdline = (uint32_t)info()->cmdline;
    for (unsigned i = 0; i < info()->memmap_entries; i++)
        if (map[i].address == 0x100000)
            made.mem_upper = (uint32_t)(map[i].size >> 10);
    return &made;
}

static void look_at_start(void)
{
    const struct start_map *map = (const void *)(uintptr_t)info()->memmap;
    const struct start_module *module = (const void *)(uintptr_t)info()->modlist;
    const uint8_t *elf;
    bool bad = false;
    uint64_t top = 0;

    check_equal(pvh_state_cr0 & CR0_WRITABLE, CR0_PE, "CR0 has PE and nothing else that can be written");
    check_equal(pvh_state_cr4, 0, "CR4 is clear");
    check_equal(pvh_state_eflags & 0x20300, 0, "EFLAGS has neither VM nor IF nor TF");
    check_equal(info()->magic, START_MAGIC, "start_info's magic");
    check_equal(info()->version, 1, "start_info's version");
    check_equal(option_size(guest_options, "bell", 0, &bad), 7, "the command line is what follows --");
    for (unsigned i = 0; i < info()->memmap_entries; i++)
        if (map[i].type == MAP_RAM && map[i].address + map[i].size > top)
            top = map[i].address + map[i].size;
    check_equal(top, option_size(guest_options, "top", 0, &bad), "the map's RAM ends where the memory does");
    check_equal(info()->nr_modules, 1, "one module");
    elf = table(module->address);
    check(begins(elf, "\177ELF"), "the module's first bytes");
    check_equal(module->size, field(elf + 32, 4) + field(elf + 46, 2) * field(elf + 48, 2),
                "the module's size: an ELF file whose section headers are its end");
}

static void look_at_madt(const uint8_t *madt)
{
    unsigned processors = 0, overrides = 0;
    uint64_t ioapic = 0;

    for (unsigned at = 44; at + 1 < field(madt + 4, 4) && madt[at + 1]; at += madt[at + 1]) {
        processors += madt[at] == MADT_PROCESSOR && madt[at + 4] & 1;
        overrides += madt[at] == MADT_OVERRIDE;
        if (madt[at] == MADT_IOAPIC)
            ioapic = field(madt + at + 4, 4);
    }
    check_equal(field(madt + 36, 4), 0xFEE00000, "the MADT's local APIC");
    check_equal(processors, vcpu_count(), "a processor in the MADT for each that CPUID counts");
    check_equal(ioapic, 0xFEC00000, "the MADT's IOAPIC");
    check_equal(overrides, 2, "the timer and the SCI come in otherwise than on the ISA bus");
}

/* Returns the FADT. */
static const uint8_t *look_at_tables(void)
{
    const uint8_t *rsdp = table(info()->rsdp), *xsdt = table(field(rsdp + 24, 8)), *fadt, *madt;

    check(begins(rsdp, "RSD PTR ") && adds_up(rsdp, 20) && adds_up(rsdp, 36), "the root pointer, with both sums");
    check(table_is(xsdt, "XSDT"), "the XSDT");
    check_equal(field(xsdt + 4, 4), 36 + 2 * 8, "two tables in it");
    fadt = table(field(xsdt + 36, 8));
    madt = table(field(xsdt + 44, 8));
    check(table_is(fadt, "FACP"), "the FADT");
    check(table_is(madt, "APIC"), "the MADT");
    check(begins(table(field(fadt + 36, 4)), "FACS"), "the FACS");
    check(table_is(table(field(fadt + 40, 4)), "DSDT"), "the DSDT");
    check_equal(field(fadt + 140, 8), field(fadt + 40, 4), "the FADT's two ways to the DSDT");
    look_at_madt(madt);
    return fadt;
}

/* The PIT's clock is a third of the PM timer's (14.31818 MHz / 12 and / 4). */
static void look_at_timer(const uint8_t *fadt)
{
    uint16_t port = (uint16_t)field(fadt + 76, 4), first, second;
    uint32_t start, now;

    port_write8(PIT_CONTROL, PIT_RATE);
    port_write8(PIT_CHANNEL_0, 0);
    port_write8(PIT_CHANNEL_0, 0);
    port_write8(PIT_CONTROL, 0); /* latch */
    first = port_read8(PIT_CHANNEL_0);
    first |= (uint16_t)(port_read8(PIT_CHANNEL_0) << 8);
    start = port_read32(port);
    do
        now = port_read32(port);
    while (((now - start) & 0xFFFFFF) < 3000);
    port_write8(PIT_CONTROL, 0);
    second = port_read8(PIT_CHANNEL_0);
    second |= (uint16_t)(port_read8(PIT_CHANNEL_0) << 8);
    check((field(fadt + 112, 4) & TMR_VAL_EXT) == 0 && now >> 24 == 0, "the PM timer has 24 bits, as the FADT says");
    check_format((uint16_t)(first - second) >= 1000 && (uint16_t)(first - second) < 1200,
                 "3000 ticks of the PM timer are 1000 of the PIT and what reading costs");
}

static void look_at_fixed_hardware(const uint8_t *fadt)
{
    uint16_t event = (uint16_t)field(fadt + 56, 4), control = (uint16_t)field(fadt + 64, 4);

    port_write32(event, 0xFFFFFFFF);
    check_equal(port_read32(event), (uint64_t)PM_ENABLES << 16, "PM1_EN keeps what there is, PM1_STS clears by ones");
    port_write32(event, 0);
    check_equal(port_read32(event), 0, "PM1_EN is clear again");
    port_write32(control, 5u << 10);
    check_equal(port_read32(control) & 0xFFFF, 5u << 10 | SCI_EN, "SLP_TYP alone puts nothing to sleep, SCI_EN stays");
}

/* The same map by hypercall, and a grant table, which is RAM like other RAM to the one who has it. */
static void ask_for_memory(void)
{
    static struct memory_map_entry entry[4];
    static uint32_t window[1024] __attribute__((aligned(4096)));
    const struct start_map *map = (const void *)(uintptr_t)info()->memmap;
    struct memory_map_32 ask = { 4, (uint32_t)(uintptr_t)entry };
    struct gnttab_query_size size = { .domid = DOMID_SELF };
    struct gnttab_version version = { .version = 1 };
    struct memory_add_to_physmap_32 add = { .domid = DOMID_SELF, .space = PHYSMAP_GRANT_TABLE,
                                            .gpfn = (uint32_t)(uintptr_t)window >> 12 };

    check_equal((uintptr_t)hypercall3(HYPERCALL_MEMORY_OP, MEMORY_MEMORY_MAP, (uintptr_t)&ask, 0), 0, "memory_map");
    check_equal(ask.nr_entries, 2, "two pieces of RAM");
    check(entry[0].address == map[0].address && entry[0].size == map[0].size && entry[1].address == map[1].address &&
              entry[1].size == map[1].size, "the pieces that start_info names");
    check_equal((uintptr_t)hypercall3(HYPERCALL_GRANT_TABLE_OP, GNTTABOP_QUERY_SIZE, (uintptr_t)&size, 1), 0,
                "the grant table's size");
    check_equal((uintptr_t)hypercall3(HYPERCALL_GRANT_TABLE_OP, GNTTABOP_SET_VERSION, (uintptr_t)&version, 1), 0,
                "version 1 of grants");
    window[0] = 1;
    check_equal((uintptr_t)hypercall3(HYPERCALL_MEMORY_OP, MEMORY_ADD_TO_PHYSMAP, (uintptr_t)&add, 0), 0,
                "a frame of the grant table over a page");
    check_equal(((volatile uint32_t *)window)[0], 0, "it is clear");
    add.index = size.max_nr_frames;
    check((intptr_t)hypercall3(HYPERCALL_MEMORY_OP, MEMORY_ADD_TO_PHYSMAP, (uintptr_t)&add, 0) < 0,
          "no frame behind its end");
}

void guest_main(void)
{
    const uint8_t *fadt, *s5;

    look_at_start();
    fadt = look_at_tables();
    s5 = table(field(fadt + 40, 4)) + 36;
    check(begins(s5 + 1, "_S5_") && s5[8] == 0x0A, "the DSDT names \\_S5");
    look_at_fixed_hardware(fadt);
    ask_for_memory();
    look_at_timer(fadt);
    guest_print("S5\n");
    port_write32((uint16_t)field(fadt + 64, 4), (uint32_t)s5[9] << 10 | SLP_EN);
    guest_fail("still awake");
}
