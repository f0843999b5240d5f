/* SPDX-License-Identifier: MIT */
#include "hv/core/smp.h"

#include "hv/core/console.h"
#include "hv/core/lapic.h"
#include "hv/core/memory.h"
#include "hv/core/percore.h"
#include "hv/core/text.h"

#define TRAMPOLINE 0x8000u
#define STACK_ORDER 2 /* 16 KiB */
#define AFTER_INIT_US 200
#define AFTER_STARTUP_US 200
#define PATIENCE_US 100000

extern char trampoline_start[], trampoline_end[];

void smp_core_main(uint32_t index) __attribute__((noreturn));

/* Read by boot/entry.S; one core starts at a time. */
uint64_t smp_start_stack;
uint32_t smp_start_argument;

static void (*main_function)(unsigned index);

void smp_core_main(uint32_t index)
{
    struct percore *core = &percores[index];

    percore_init(index, core->apic_id);
    lapic_init();
    __atomic_store_n(&core->running, true, __ATOMIC_RELEASE);
    main_function(index);
    panic("core %u has nothing to do", index);
}

static bool wait_until_running(const struct percore *core, unsigned microseconds, uint32_t ticks_per_ms)
{
    for (unsigned waited = 0; waited < microseconds; waited += AFTER_STARTUP_US) {
        if (__atomic_load_n(&core->running, __ATOMIC_ACQUIRE))
            return true;
        lapic_delay(AFTER_STARTUP_US, ticks_per_ms);
    }
    return __atomic_load_n(&core->running, __ATOMIC_ACQUIRE);
}

static bool start_core(struct percore *core, uint32_t index, uint32_t ticks_per_ms)
{
    uint64_t stack = memory_alloc(STACK_ORDER);

    if (!stack)
        panic("out of memory for the stack of core %u", index);
    smp_start_stack = stack + ((uint64_t)PAGE_SIZE << STACK_ORDER);
    smp_start_argument = index;
    lapic_send_init(core->apic_id);
    lapic_delay(AFTER_INIT_US, ticks_per_ms);
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        lapic_send_startup(core->apic_id, TRAMPOLINE >> PAGE_SHIFT);
        if (wait_until_running(core, attempt ? PATIENCE_US : AFTER_STARTUP_US, ticks_per_ms))
            return true;
    }
    return false;
}

void smp_start_cores(const struct acpi_topology *topology, unsigned maxcpus, uint32_t ticks_per_ms,
                     void (*main)(unsigned index))
{
    size_t size = (size_t)(trampoline_end - trampoline_start);
    char saved[128];

    if (size > sizeof(saved))
        panic("the trampoline has %lu bytes", (unsigned long)size);
    main_function = main;
    /* Whoever's memory that is gets it back. */
    memcpy(saved, memory_pointer(TRAMPOLINE), size);
    memcpy(memory_pointer(TRAMPOLINE), trampoline_start, size);
    for (unsigned i = 0; i < topology->core_count && percore_count < maxcpus && percore_count < CORES_MAX; i++) {
        struct percore *core = &percores[percore_count];

        if (topology->cores[i].apic_id == percores[0].apic_id) {
            percores[0].node = topology->cores[i].node;
            continue;
        }
        core->apic_id = topology->cores[i].apic_id;
        core->node = topology->cores[i].node;
        if (start_core(core, percore_count, ticks_per_ms))
            percore_count++;
        else
            console_print("hv: core with APIC id %u does not answer", core->apic_id);
    }
    memcpy(memory_pointer(TRAMPOLINE), saved, size);
}
