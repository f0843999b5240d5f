/* SPDX-License-Identifier: MIT */
/* The state of an MMU as data: inputs, registers, and every modelled array with its recency. */
#include <string.h>

#include "sim/mmu/model.h"

#define TLB_FIELD(array, name, member, max)                                                               \
    { name "." #member, offsetof(struct mmu, tlb[array].entry[0].member),                                 \
      sizeof(((struct mmu *)0)->tlb[array].entry[0].member), 0, sizeof(struct tlb_entry), max }

#define TLB_FIELDS 8
#define TLB_STATE(array, name)                                                                            \
    TLB_FIELD(array, name, page, 0), TLB_FIELD(array, name, frame, 0), TLB_FIELD(array, name, stamp, 0),  \
    TLB_FIELD(array, name, asid, 0), TLB_FIELD(array, name, shift, 30),                                   \
    TLB_FIELD(array, name, guest_shift, 30), TLB_FIELD(array, name, rights, 0),                           \
    TLB_FIELD(array, name, memtype, 7)

static const struct state_field array_fields[ARRAYS * TLB_FIELDS] = {
    TLB_STATE(L1D, "l1d"), TLB_STATE(L1I_4K, "l1i_4k"), TLB_STATE(L1I_2M, "l1i_2m"), TLB_STATE(L2D_4K, "l2d_4k"),
    TLB_STATE(L2D_2M, "l2d_2m"), TLB_STATE(L2D_1G, "l2d_1g"), TLB_STATE(L2I_4K, "l2i_4k"), TLB_STATE(PWC, "pwc"),
    TLB_STATE(NTLB, "ntlb"),
};

static const struct state_field fixed_fields[] = {
    STATE_VALUE(struct mmu, map.accesses),
    STATE_VALUE(struct mmu, map.fetches),
    STATE_VALUE(struct mmu, cache_clock),
    STATE_VALUE(struct mmu, covered),
    STATE_VALUE(struct mmu, geometry.smash_1g),
    STATE_VALUE(struct mmu, paging.cr0),
    STATE_VALUE(struct mmu, paging.cr3),
    STATE_VALUE(struct mmu, paging.cr4),
    STATE_VALUE(struct mmu, paging.efer),
    STATE_VALUE(struct mmu, paging.pat),
    STATE_ARRAY(struct mmu, paging.pdpte),
    STATE_VALUE(struct mmu, paging.asid),
    STATE_VALUE(struct mmu, paging.nested),
    STATE_VALUE(struct mmu, paging.n_cr3),
    STATE_VALUE(struct mmu, paging.host_cr0),
    STATE_VALUE(struct mmu, paging.host_cr4),
    STATE_VALUE(struct mmu, paging.host_efer),
    STATE_VALUE(struct mmu, paging.host_pat),
    { "types.variable", offsetof(struct mmu, types.variable), 8, 2 * MTRR_VARIABLE, 8, 0 },
    STATE_ARRAY(struct mmu, types.fixed),
    STATE_VALUE(struct mmu, types.cap),
    STATE_VALUE(struct mmu, types.def),
    STATE_VALUE(struct mmu, types.sys_cfg),
    { "types.iorr", offsetof(struct mmu, types.iorr), 8, 2 * IORRS, 8, 0 },
    STATE_VALUE(struct mmu, types.top_mem),
    STATE_VALUE(struct mmu, types.top_mem2),
};

#define FIXED_FIELDS (sizeof(fixed_fields) / sizeof(fixed_fields[0]))
_Static_assert(FIXED_FIELDS + ARRAYS * TLB_FIELDS <= MMU_STATE_FIELDS, "room for every field");

/* Recency and lookup counts exact: the state does not depend on the engine. */
static void state_before(void *object)
{
    struct mmu *mmu = object;

    mmu_count_lookups(mmu);
    native_fold(mmu);
}

static void state_after(void *object)
{
    struct mmu *mmu = object;

    for (unsigned array = 0; array < ARRAYS; array++)
        tlb_rebuild(&mmu->tlb[array]);
    native_init(mmu);
    tables_forget(mmu);
    mmu_derive(mmu);
    mmu->lookups_counted[SIDE_DATA] = mmu->map.accesses;
    mmu->lookups_counted[SIDE_CODE] = mmu->map.fetches;
}

void mmu_state_sizes(struct mmu *mmu)
{
    memcpy(mmu->fields, fixed_fields, sizeof(fixed_fields));
    memcpy(mmu->fields + FIXED_FIELDS, array_fields, sizeof(array_fields));
    for (unsigned i = 0; i < ARRAYS * TLB_FIELDS; i++)
        mmu->fields[FIXED_FIELDS + i].count = tlb_entries(&mmu->tlb[i / TLB_FIELDS]);
    mmu->part = (struct state_part){
        .name = "mmu", .fields = mmu->fields, .count = FIXED_FIELDS + ARRAYS * TLB_FIELDS,
        .before = state_before, .after = state_after,
    };
}

static void counters_exact(void *base)
{
    mmu_count_lookups(base);
}

void mmu_describe(struct mmu *mmu, struct state *state, struct counter_set *counters, const char *path)
{
    g_autofree char *name = g_strdup_printf("%s.mmu", path);

    state_add(state, name, &mmu->part, mmu);
    counters_attach(counters, path, mmu_counter_rows, mmu_counter_row_count, mmu);
    counters_fold(counters, counters_exact);
}
