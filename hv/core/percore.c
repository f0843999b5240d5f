/* SPDX-License-Identifier: MIT */
#include "hv/core/percore.h"

#include "hv/core/memory.h"

struct percore percores[CORES_MAX];
unsigned percore_count;

void percore_init(unsigned index, uint32_t apic_id)
{
    struct percore *core = &percores[index];

    core->self = core;
    core->index = index;
    core->apic_id = apic_id;
    descriptors_load(&core->tables, (uintptr_t)memory_alloc_page() + PAGE_SIZE);
    msr_write(MSR_GS_BASE, (uintptr_t)core);
}
