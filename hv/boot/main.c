/* SPDX-License-Identifier: MIT */
/* From the loader's information to every core in the scheduler. */
#include "hv/core/acpi.h"
#include "hv/core/clock.h"
#include "hv/core/console.h"
#include "hv/core/lapic.h"
#include "hv/core/link.h"
#include "hv/core/memory.h"
#include "hv/core/options.h"
#include "hv/core/percore.h"
#include "hv/core/smp.h"
#include "hv/core/timer.h"
#include "hv/migrate/cpuid_mask.h"
#include "hv/migrate/mask_cores.h"
#include "hv/live/migrate.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/machine_check.h"
#include "hv/vm/modules.h"
#include "hv/vm/paging.h"
#include "hv/vm/schedule.h"

#define SLICE_MS_DEFAULT 1
#define SLICE_MS_MAX 1000

#define EBDA_SEGMENT 0x40Eu /* word in the BIOS data area */
#define BIOS_START 0xE0000u
#define BIOS_END 0x100000u
#define MAPPED_BELOW (4ull << 30)

void hv_main(uint32_t magic, uint32_t info_address) __attribute__((noreturn));

static struct schedule_options schedule_options;
static bool all_started; /* atomic */
static struct acpi_topology topology;
static const char *topology_wrong; /* NULL: it says what there is */

static const char *command_line(const struct multiboot_info *info)
{
    return info->flags & MULTIBOOT_INFO_CMDLINE ? memory_pointer(info->cmdline) : "";
}

static enum npt_size backing_limit(const char *options)
{
    if (!option_flag(options, "hap_2mb", true))
        return NPT_4K;
    return option_flag(options, "hap_1gb", true) ? NPT_1G : NPT_2M;
}

/* Panics: nobody is there yet who could be told. */
static void create_guest(unsigned module, bool control)
{
    struct guest *guest = guest_claim(control);
    const char *wrong = guest ? guest_build(guest, module_at(module), module_string(module))
                              : "there is a control domain already";

    if (wrong)
        panic("module %u: %s", module, wrong);
    console_print("hv: guest %s: %lu KiB, %u vCPUs, width %u, %s paging, domain %u, map %lx", guest->spec.name,
                  (unsigned long)(guest->spec.memory >> 10), guest->spec.vcpus, guest->spec.width,
                  guest->paging->name, guest->domid,
                  (unsigned long)guest->npt.root);
}

/*
 * A module that says dom0 is the control domain, and the others are for it to use; else each is a guest, of which one
 * may say control.
 */
static void create_guests(void)
{
    unsigned count = modules_count();

    if (count == 0)
        panic("no guests: give each as a module (name= width= memory= vcpus= backing=)");
    if (count > GUESTS_MAX)
        panic("%u modules, at most %u guests", count, GUESTS_MAX);
    for (unsigned i = 0; i < count; i++) {
        if (option_flag(module_string(i), "dom0", false)) {
            create_guest(i, true);
            return;
        }
    }
    for (unsigned i = 0; i < count; i++)
        if (!option_flag(module_string(i), "ramdisk", false)) /* a guest's ramdisk= names it */
            create_guest(i, option_flag(module_string(i), "control", false));
}

static uint64_t number_option(const char *options, const char *name, uint64_t fallback)
{
    bool bad = false;
    uint64_t value = option_size(options, name, fallback, &bad);

    if (bad)
        panic("%s= wants a number", name);
    return value;
}

/* First KiB of the extended BIOS data area, then the BIOS area (ACPI 5.2.5.1). */
static const void *find_acpi_root(void)
{
    volatile uintptr_t at = EBDA_SEGMENT; /* keeps the compiler from taking a small address for a null pointer */
    uintptr_t ebda = (uintptr_t)*(const volatile uint16_t *)memory_pointer(at) << 4;
    const void *root = NULL;

    if (ebda >= 0x400 && ebda < BIOS_START)
        root = acpi_find_root(memory_pointer(ebda), memory_pointer(ebda + 0x400));
    return root ? root : acpi_find_root(memory_pointer(BIOS_START), memory_pointer(BIOS_END));
}

/* The firmware's tables are read before anything is allocated: which memory is whose decides from where. */
static void start_memory(const struct multiboot_info *info, const char *options)
{
    const void *root = find_acpi_root();
    enum numa_choice choice;
    unsigned fake;

    topology_wrong = root ? acpi_read(root, MAPPED_BELOW, &topology) : "no ACPI root pointer";
    if (!numa_choose(options, &choice, &fake))
        panic("numa= wants on, off, noacpi or fake=1 to fake=%u", NUMA_NODES_MAX);
    memory_init(info, topology_wrong ? NULL : &topology, choice, fake);
    if (memory_numa()->rejected)
        console_print("hv: SRAT is not used: %s", memory_numa()->rejected);
    if (choice != NUMA_OFF)
        console_print("hv: %u nodes", memory_numa()->nodes);
}

static void core_main(unsigned index)
{
    (void)index;
    while (!__atomic_load_n(&all_started, __ATOMIC_ACQUIRE))
        cpu_pause();
    schedule_loop(&schedule_options);
}

static void start_cores(const char *options, uint32_t ticks_per_ms)
{
    uint64_t maxcpus = number_option(options, "maxcpus", CORES_MAX);

    if (topology_wrong)
        console_print("hv: one core only: %s", topology_wrong);
    else
        smp_start_cores(&topology, maxcpus < CORES_MAX ? (unsigned)maxcpus : CORES_MAX, ticks_per_ms, core_main);
    for (unsigned i = 0; i < topology.range_count; i++)
        memory_add_node_range(topology.ranges[i].base, topology.ranges[i].size, topology.ranges[i].node);
    console_print("hv: %u cores", percore_count);
    __atomic_store_n(&all_started, true, __ATOMIC_RELEASE);
}

static void read_options(const char *options)
{
    uint64_t slice = number_option(options, "sched_credit_tslice_ms", SLICE_MS_DEFAULT);
    uint64_t cr8 = number_option(options, "cr8", CR8_NEVER);

    if (slice < 1 || slice > SLICE_MS_MAX)
        panic("sched_credit_tslice_ms= must be 1 to %u", SLICE_MS_MAX);
    if (cr8 >= CR8_GENERATIONS)
        panic("cr8= must be 0, 1 or 2");
    interrupts_init((enum cr8_generation)cr8);
    schedule_options = (struct schedule_options){
        .asids = option_flag(options, "asid", true),
        .switch_bumps = option_flag(options, "asid_switch_bump", false),
        .asid_bench = number_option(options, "asid_bench", 0),
        .link_work = link_is_there() ? migrate_link_work : NULL,
    };
    schedule_set_slice(slice * CLOCK_MS);
}

/*
 * Before guests are made: a guest keeps the features that it has seen. Options that cannot be followed change nothing.
 */
static void mask_cpuid(const char *options)
{
    struct cpuid_mask mask;
    enum cpuid_mask_choice choice = cpuid_mask_choose(options, &mask);
    const char *refused = mask_cores_init();
    struct cpu_features now;

    if (choice == CPUID_MASK_BAD)
        panic("cpuid_mask_ecx=, _edx=, _ext_ecx=, _ext_edx= want numbers of 32 bits");
    if (choice == CPUID_MASK_UNKNOWN)
        console_print("hv: CPUID mask %s is unknown: nothing is masked", mask.name);
    if (choice != CPUID_MASK_CHOSEN)
        return;
    if (refused) {
        console_print("hv: %s", refused);
        return;
    }
    mask_cores_set(&mask.features);
    mask_cores_follow(percore_self());
    now = mask_cores_reported();
    console_print("hv: CPUID mask %s: 1.ecx=%08x 1.edx=%08x 80000001.ecx=%08x 80000001.edx=%08x",
                  mask.name[0] ? mask.name : "of words", now.ecx1, now.edx1, now.ecx81, now.edx81);
}

static void start_svm(const char *options)
{
    struct svm_options chosen = { .intercept_cr3_write = option_flag(options, "npt_cr3w", false),
                                  .machine_check = machine_check_init(options) };
    struct svm_features features;
    const char *missing = svm_missing(&features);

    if (missing)
        panic("%s", missing);
    console_print("hv: SVM revision %u, %u ASIDs%s", features.revision, features.asids,
                  features.nrip_save ? ", nRIP" : "");
    svm_init(&chosen);
    paging_init(options, features.nested_paging);
}

static const struct hypercall_mover mover = { .migrate = migrate_domctl, .destroyed = migrate_source_destroyed };

void hv_main(uint32_t magic, uint32_t info_address)
{
    const struct multiboot_info *info = memory_pointer(info_address);
    const char *options;
    uint32_t ticks_per_ms, tsc_per_ms;

    console_init();
    descriptors_init();
    if (magic != MULTIBOOT_LOADER_MAGIC)
        panic("not started by a multiboot loader (EAX %x)", magic);
    options = command_line(info);
    start_memory(info, options);
    percore_init(0, lapic_id());
    percore_count = 1;
    console_print("hv: %lu MiB free", (unsigned long)(memory_free_frames() >> 8));
    hypercall_domctl_init(&mover);
    start_svm(options);
    lapic_silence_8259();
    lapic_init();
    ticks_per_ms = lapic_timer_calibrate(&tsc_per_ms);
    clock_init(tsc_per_ms);
    timer_init(ticks_per_ms);
    mask_cpuid(options);
    link_init(percores[0].apic_id);
    read_options(options);
    guest_init(backing_limit(options));
    modules_init(info);
    create_guests();
    console_input_begin(percores[0].apic_id);
    start_cores(options, ticks_per_ms);
    schedule_loop(&schedule_options);
}
