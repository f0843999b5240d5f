/* SPDX-License-Identifier: MIT */
#include "hv/core/percore.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"

struct percore percores[CORES_MAX];
unsigned percore_count;

uint64_t percore_of_node(unsigned node)
{
    uint64_t cores = 0;

    for (unsigned i = 0; i < percore_count; i++)
        cores |= percores[i].node == node ? 1ull << i : 0;
    return cores;
}

void percore_init(unsigned index, uint32_t apic_id)
{
    struct percore *core = &percores[index];
    char *fault_stack = memory_alloc_page();

    core->self = core;
    core->index = index;
    core->apic_id = apic_id;
    /* At the stack's end: whose it is, for who comes in while GS is a guest's (hv/x86/pv_entry.S). */
    memcpy(fault_stack + PAGE_SIZE - 8, &core, sizeof(core));
    descriptors_load(&core->tables, (uintptr_t)fault_stack + PAGE_SIZE - 16,
                     (uintptr_t)memory_alloc_page() + PAGE_SIZE);
    msr_write(MSR_GS_BASE, (uintptr_t)core);
}
