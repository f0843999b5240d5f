/* SPDX-License-Identifier: MIT */
#include "hv/core/percore.h"

#include "hv/core/memory.h"

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

    core->self = core;
    core->index = index;
    core->apic_id = apic_id;
    descriptors_load(&core->tables, (uintptr_t)memory_alloc_page() + PAGE_SIZE);
    msr_write(MSR_GS_BASE, (uintptr_t)core);
}
