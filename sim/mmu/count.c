/* SPDX-License-Identifier: MIT */
/* Counters of the MMU as data. Grammar and dimensions: doc/counters.md is made from this table. */
#include <string.h>

#include "sim/mmu/model.h"

static const char *const side_labels[SIDES] = { "d", "i" };
static const char *const size_labels[SIZES] = { "none", "4K", "2M", "4M", "1G" };
static const char *const tlb_labels[ARRAYS] = {
    "l1d", "l1i_4k", "l1i_2m", "l2d_4k", "l2d_2m", "l2d_1g", "l2i_4k", "pwc", "ntlb",
};
static const char *const cause_labels[WALK_CAUSES] = { "miss", "dirty", "rights", "retry" };
static const char *const splinter_labels[SPLINTERS] = { "nested", "mtrr", "smash", "array" };
static const char *const flush_labels[FLUSHES] = {
    "invlpg", "invlpga", "cr3", "asid", "all", "mtrr", "retry",
};

#define AT(member) offsetof(struct mmu, count.member)
#define ASID { "asid", COUNTED_ASIDS, NULL }
#define SIDE { "side", SIDES, side_labels }
#define SIZE(name) { name, SIZES, size_labels }

const struct counter_row mmu_counter_rows[] = {
    { "tlb.lookups", "lookups", "translations asked of the L1 TLBs; hits are lookups minus misses",
      AT(lookups), { ASID, SIDE } },
    { "tlb.unpaged", "accesses", "accesses with paging and nested paging off, which ask no TLB",
      AT(unpaged), { SIDE } },
    { "tlb.l1_misses", "lookups", "lookups that found no entry in L1", AT(l1_misses), { ASID, SIDE } },
    { "tlb.l2_hits", "lookups", "L1 misses served by L2, by size of the entry", AT(l2_hits),
      { ASID, SIDE, SIZE("size") } },
    { "tlb.l2_cycles", "cycles", "stall for entries that came from L2", AT(l2_cycles), { SIDE } },
    { "tlb.fills", "entries", "entries made by a walk, by array and size of the entry", AT(fills),
      { { "array", TLBS, tlb_labels }, SIZE("size") } },
    { "tlb.evictions", "entries", "valid entries displaced by another: from L1 to L2, from L2 for good", AT(evictions),
      { { "array", TLBS, tlb_labels }, SIZE("size") } },
    { "tlb.splinters", "entries", "entries smaller than the guest's page, by what made them so", AT(splinters),
      { SIDE, { "cause", SPLINTERS, splinter_labels } } },
    { "tlb.flushes", "events", "flushes, by what asked for them (retry: walk caches dropped before a fault)",
      AT(flushes), { { "cause", FLUSHES, flush_labels } } },
    { "tlb.flushed", "entries", "entries dropped by flushes, by cause and array", AT(flushed),
      { { "cause", FLUSHES, flush_labels }, { "array", ARRAYS, tlb_labels } } },
    { "walk.count", "walks", "table walks made", AT(walks), { ASID, SIDE } },
    { "walk.causes", "walks", "walks by cause: no TLB entry, D clear, rights missing, retry without walk caches",
      AT(causes), { SIDE, { "cause", WALK_CAUSES, cause_labels } } },
    { "walk.refs", "references", "table entries read from memory: guest level g (0: final gPA), nested level n (0: "
      "the guest's or native entry)", AT(refs), { ASID, SIDE, { "g", 5, NULL }, { "n", 5, NULL } } },
    { "walk.remote", "references", "of these, in another node's memory",
      AT(remote), { ASID, SIDE } },
    { "walk.ad_writes", "writes", "accessed and dirty bits written by walks", AT(ad_writes), { ASID, SIDE } },
    { "walk.cycles", "cycles", "stall for walks", AT(cycles), { ASID, SIDE } },
    { "walk.pairs", "walks", "completed walks by guest (or native) and nested page size", AT(pairs),
      { ASID, SIDE, SIZE("guest"), SIZE("nested") } },
    { "walk.page_faults", "walks", "walks that ended in #PF", AT(page_faults), { ASID, SIDE } },
    { "walk.nested_faults", "walks", "walks that ended in VMEXIT_NPF", AT(nested_faults), { ASID, SIDE } },
    { "pwc.hits", "lookups", "table entries served by the page-walk cache", AT(pwc_hits), { SIDE } },
    { "pwc.misses", "lookups", "lookups of entries above level 1 that the page-walk cache did not have",
      AT(pwc_misses), { SIDE } },
    { "ntlb.hits", "lookups", "guest-table addresses served by the nested TLB", AT(ntlb_hits), { SIDE } },
    { "ntlb.misses", "lookups", "guest-table addresses that took a nested walk", AT(ntlb_misses), { SIDE } },
};
const size_t mmu_counter_row_count = sizeof(mmu_counter_rows) / sizeof(mmu_counter_rows[0]);

void mmu_count_lookups(struct mmu *mmu)
{
    for (unsigned side = 0; side < SIDES; side++) {
        uint64_t now = *side_clock(mmu, side);
        uint64_t since = now - mmu->lookups_counted[side];

        if (mmu->unpaged)
            mmu->count.unpaged[side] += since;
        else
            mmu->count.lookups[mmu->count_asid][side] += since;
        mmu->lookups_counted[side] = now;
    }
}

void mmu_walk_totals(const struct mmu *mmu, unsigned side, struct walk_totals *totals)
{
    const struct mmu_counters *count = &mmu->count;

    memset(totals, 0, sizeof(*totals));
    for (unsigned asid = 0; asid < COUNTED_ASIDS; asid++) {
        totals->walks += count->walks[asid][side];
        totals->ad_writes += count->ad_writes[asid][side];
        totals->cycles += count->cycles[asid][side];
        for (unsigned g = 0; g < 5; g++)
            for (unsigned n = 0; n < 5; n++)
                totals->refs[g][n] += count->refs[asid][side][g][n];
    }
}

/* ---- Performance events ---------------------------------------------------------------------------- */

/* In mmu_event_count's `sizes`; no page size: paging is off at that level. */
static unsigned size_bit(enum page_size size)
{
    static const uint8_t of[SIZES] = { [SIZE_NONE] = 0, [SIZE_4K] = 1, [SIZE_2M] = 2, [SIZE_4M] = 2, [SIZE_1G] = 4 };

    return of[size];
}

/* The smaller of a guest's page and the nested one; sizes are in order in enum page_size. */
static unsigned pair_bit(enum page_size guest, enum page_size nested)
{
    if (guest == SIZE_NONE || (nested != SIZE_NONE && nested < guest))
        return size_bit(nested);
    return size_bit(guest);
}

static uint64_t l2_hits(const struct mmu_counters *count, unsigned side, unsigned sizes)
{
    uint64_t sum = 0;

    for (unsigned asid = 0; asid < COUNTED_ASIDS; asid++)
        for (unsigned size = 0; size < SIZES; size++)
            if (size_bit((enum page_size)size) & sizes)
                sum += count->l2_hits[asid][side][size];
    return sum;
}

static uint64_t completed_walks(const struct mmu_counters *count, unsigned side, unsigned sizes)
{
    uint64_t sum = 0;

    for (unsigned guest = 0; guest < SIZES; guest++)
        for (unsigned nested = 0; nested < SIZES; nested++)
            for (unsigned asid = 0; asid < COUNTED_ASIDS; asid++)
                if (pair_bit((enum page_size)guest, (enum page_size)nested) & sizes)
                    sum += count->pairs[asid][side][guest][nested];
    return sum;
}

static uint64_t references(const struct mmu *mmu)
{
    uint64_t sum = 0;

    for (unsigned side = 0; side < SIDES; side++) {
        struct walk_totals totals;

        mmu_walk_totals(mmu, side, &totals);
        for (unsigned g = 0; g < 5; g++)
            for (unsigned n = 0; n < 5; n++)
                sum += totals.refs[g][n];
    }
    return sum;
}

static uint64_t l1_hits(struct mmu *mmu, unsigned side)
{
    uint64_t sum = 0;

    mmu_count_lookups(mmu);
    for (unsigned asid = 0; asid < COUNTED_ASIDS; asid++)
        sum += mmu->count.lookups[asid][side] - mmu->count.l1_misses[asid][side];
    return sum;
}

uint64_t mmu_event_count(struct mmu *mmu, enum mmu_event event, unsigned side, unsigned sizes)
{
    const struct mmu_counters *count = &mmu->count;

    switch (event) {
    case MMU_EVENT_L1_HITS: return l1_hits(mmu, side);
    case MMU_EVENT_L2_HITS: return l2_hits(count, side, sizes);
    case MMU_EVENT_WALKS: return completed_walks(count, side, sizes);
    case MMU_EVENT_REFERENCES: return references(mmu);
    case MMU_EVENT_GLOBAL_FLUSHES:
        return count->flushes[FLUSH_ASID] + count->flushes[FLUSH_ALL] + count->flushes[FLUSH_MTRR];
    }
    return 0;
}
