/* SPDX-License-Identifier: MIT */
/* From the loader's information to every core in the scheduler. */
#include "hv/core/console.h"
#include "hv/core/lapic.h"
#include "hv/core/memory.h"
#include "hv/core/options.h"
#include "hv/core/percore.h"
#include "hv/vm/schedule.h"

#define SLICE_MS_DEFAULT 1

void hv_main(uint32_t magic, uint32_t info_address) __attribute__((noreturn));
void smp_core_main(uint32_t index) __attribute__((noreturn));

uint64_t smp_start_stack;
uint32_t smp_start_argument;

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

static void create_guests(const struct multiboot_info *info, enum npt_size limit)
{
    const struct multiboot_module *modules = memory_pointer(info->mods_addr);
    uint32_t count = info->flags & MULTIBOOT_INFO_MODULES ? info->mods_count : 0;

    if (count == 0)
        panic("no guests: give each as a module (name= width= memory= vcpus= backing=)");
    if (count > GUESTS_MAX)
        panic("%u modules, at most %u guests", count, GUESTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const char *wrong = guest_create(&guests[i], i, &modules[i], limit);

        if (wrong)
            panic("module %u: %s", i, wrong);
        guest_count++;
        console_print("hv: guest %s: %lu KiB, %u vCPUs, width %u", guests[i].spec.name,
                      (unsigned long)(guests[i].spec.memory >> 10), guests[i].spec.vcpus, guests[i].spec.width);
    }
}

void smp_core_main(uint32_t index)
{
    percore_init(index, 0);
    for (;;)
        cpu_halt();
}

void hv_main(uint32_t magic, uint32_t info_address)
{
    const struct multiboot_info *info = memory_pointer(info_address);
    struct svm_features features;
    const char *options, *missing;
    uint32_t ticks;

    console_init();
    descriptors_init();
    if (magic != MULTIBOOT_LOADER_MAGIC)
        panic("not started by a multiboot loader (EAX %x)", magic);
    options = command_line(info);
    memory_init(info);
    percore_init(0, lapic_id());
    percore_count = 1;
    console_print("hv: %lu MiB free", (unsigned long)(memory_free_frames() >> 8));
    missing = svm_missing(&features);
    if (missing)
        panic("%s", missing);
    svm_init();
    lapic_silence_8259();
    lapic_init();
    ticks = lapic_timer_calibrate();
    create_guests(info, backing_limit(options));
    schedule_loop(option_flag(options, "asid", true), ticks * SLICE_MS_DEFAULT);
}
