/* SPDX-License-Identifier: MIT */
#include "hv/core/percore.h"

#include "hv/core/console.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"

#define MACHINE_CHECK_STACK_ORDER 1 /* a panic prints from there */

struct percore percores[CORES_MAX];
unsigned percore_count;

uint64_t percore_of_node(unsigned node)
{
    uint64_t cores = 0;

    for (unsigned i = 0; i < percore_count; i++)
        cores |= percores[i].node == node ? 1ull << i : 0;
    return cores;
}

/* At a stack's end: whose it is, for who comes in while GS is a guest's (hv/x86/pv_entry.S). */
static uint64_t marked_stack(const struct percore *core, unsigned order)
{
    uint64_t at = memory_alloc(order), end = at + ((uint64_t)PAGE_SIZE << order);

    if (!at)
        panic("out of memory for the stacks of core %u", core->index);
    memcpy(memory_pointer(end - 8), &core, sizeof(core));
    return end - 16;
}

void percore_init(unsigned index, uint32_t apic_id)
{
    struct percore *core = &percores[index];

    core->self = core;
    core->index = index;
    core->apic_id = apic_id;
    descriptors_load(&core->tables, marked_stack(core, ORDER_4K), (uintptr_t)memory_alloc_page() + PAGE_SIZE,
                     marked_stack(core, MACHINE_CHECK_STACK_ORDER));
    msr_write(MSR_GS_BASE, (uintptr_t)core);
}
