/* SPDX-License-Identifier: MIT */
/*
 * What shortens walks: the page-walk cache (AMD's page descriptor cache) holds present non-leaf entries of both
 * dimensions by system-physical address; the nested TLB (AMD's guest TLB) holds the page of a guest table, gPA to
 * sPA. Both as Bhargava et al. (ASPLOS 2008) describe them; both tagged with the ASID, so that a fresh ASID sees
 * nothing stale. assumed: sizes, full associativity, the ASID tag.
 */
#include "sim/mmu/model.h"

#define ENTRY_SHIFT 2 /* the smallest entry has 4 bytes */

static unsigned cache_find(struct mmu *mmu, unsigned array, uint64_t address, unsigned shift)
{
    struct tlb *tlb = &mmu->tlb[array];
    unsigned index = tlb_find(tlb, mmu->paging.asid, address, shift);

    if (index != TLB_NONE)
        tlb_use(tlb, index, ++mmu->cache_clock);
    return index;
}

static void cache_keep(struct mmu *mmu, unsigned array, uint64_t address, unsigned shift, uint64_t frame)
{
    struct tlb *tlb = &mmu->tlb[array];
    struct tlb_entry entry = {
        .page = address >> shift << shift, .frame = frame, .stamp = ++mmu->cache_clock, .asid = mmu->paging.asid,
        .shift = (uint8_t)shift, .guest_shift = (uint8_t)shift,
    };
    unsigned index = tlb_oldest(tlb, tlb_set(tlb, address, shift));

    if (tlb->entry[index].shift)
        tlb_drop(tlb, index);
    tlb_put(tlb, index, &entry);
}

bool walk_cache_find(struct translation *t, struct walk_entry *entry)
{
    struct mmu *mmu = t->mmu;
    unsigned index;

    if (t->quiet || !mmu->tlb[PWC].ways)
        return false;
    index = cache_find(mmu, PWC, entry->spa, ENTRY_SHIFT);
    if (index == TLB_NONE) {
        mmu->count.pwc_misses[t->side]++;
        return false;
    }
    mmu->count.pwc_hits[t->side]++;
    t->cycles += mmu->geometry.cost_pwc_hit;
    t->cached = entry->cached = true;
    entry->value = mmu->tlb[PWC].entry[index].frame;
    return true;
}

void walk_cache_keep(struct translation *t, const struct walk_entry *entry)
{
    if (t->mmu->tlb[PWC].ways)
        cache_keep(t->mmu, PWC, entry->spa, ENTRY_SHIFT, entry->value);
}

bool nested_tlb_find(struct translation *t, gpa_t address, spa_t *spa)
{
    struct mmu *mmu = t->mmu;
    unsigned index;

    if (t->quiet || !mmu->tlb[NTLB].ways)
        return false;
    index = cache_find(mmu, NTLB, address, PAGE_SHIFT);
    if (index == TLB_NONE) {
        mmu->count.ntlb_misses[t->side]++;
        return false;
    }
    mmu->count.ntlb_hits[t->side]++;
    t->cycles += mmu->geometry.cost_ntlb_hit;
    t->cached = true;
    *spa = mmu->tlb[NTLB].entry[index].frame | (address & PAGE_MASK);
    return true;
}

void nested_tlb_keep(struct translation *t, gpa_t address, spa_t spa)
{
    if (!t->quiet && t->mmu->tlb[NTLB].ways)
        cache_keep(t->mmu, NTLB, address, PAGE_SHIFT, spa & ~PAGE_MASK);
}
