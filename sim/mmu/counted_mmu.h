/* SPDX-License-Identifier: MIT */
/* For unit tests of what the MMU counts: one on sparse DRAM, its counters by name. */
#ifndef FAM10H_MMU_COUNTED_MMU_H
#define FAM10H_MMU_COUNTED_MMU_H

#include "sim/counters.h"
#include "sim/mmu/fake_memory.h"
#include "sim/state.h"

struct fixture {
    struct fake_memory *memory;
    struct mmu *mmu;
    struct counter_set *counters;
    struct state *state;
    struct paging paging;
    struct mmu_result result;
};

/* The caller sets the paging. */
static inline struct fixture fixture_counted(const struct mmu_geometry *geometry)
{
    struct fixture f = { .memory = fake_memory_new(), .counters = counter_set_new(), .state = state_new() };

    f.mmu = mmu_new(geometry, &f.memory->space, 0, &f.memory->cycles);
    mmu_describe(f.mmu, f.state, f.counters, "node[0].core[0]");
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    counter_set_free(f->counters);
    state_free(f->state);
    mmu_free(f->mmu);
    fake_memory_free(f->memory);
}

static inline uint64_t counter(struct fixture *f, const char *name)
{
    g_autofree char *full = g_strconcat("node[0].core[0].", name, NULL);
    uint64_t value = 0;

    ck_assert_msg(counter_read(f->counters, full, &value, NULL), "%s", full);
    return value;
}

#endif
