/* SPDX-License-Identifier: MIT */
/*
 * mmu_translate: L1, then L2, then a walk and a fill. The L2 arrays are exclusive victim caches: what leaves
 * an L1 goes to the L2 of its page size, what hits in an L2 goes back to the L1.
 * assumed: exclusive L2 and true LRU everywhere; AMD publishes sizes and ways only (BKDG10 CPUID 8000_0005/6).
 */
#include "sim/mmu/model.h"

/* Page sizes of entries, in the order in which an L1 is asked. */
static const uint8_t entry_shifts[] = { 12, 21, 30 };

static unsigned l1_array(unsigned side, unsigned shift)
{
    if (side == SIDE_DATA)
        return L1D;
    return shift == 12 ? L1I_4K : L1I_2M;
}

/* The L2 that holds this side's pages of this size. */
static unsigned l2_array(unsigned side, unsigned shift)
{
    if (side == SIDE_CODE)
        return shift == 12 ? L2I_4K : ARRAYS;
    return shift == 12 ? L2D_4K : shift == 21 ? L2D_2M : L2D_1G;
}

enum page_size page_size_of(unsigned shift)
{
    switch (shift) {
    case 12: return SIZE_4K;
    case 21: return SIZE_2M;
    case 22: return SIZE_4M;
    case 30: return SIZE_1G;
    }
    return SIZE_NONE;
}

/* ---- L1 ------------------------------------------------------------------------------------------- */

struct place {
    unsigned array, index; /* index TLB_NONE: not found */
};

static struct tlb_entry *place_entry(struct mmu *mmu, struct place place)
{
    return &mmu->tlb[place.array].entry[place.index];
}

static struct place l1_find(struct mmu *mmu, unsigned side, gva_t address)
{
    for (unsigned i = 0; i < sizeof(entry_shifts); i++) {
        unsigned shift = entry_shifts[i];
        unsigned array = l1_array(side, shift);

        if (!mmu->tlb[array].sized[shift / 9])
            continue;
        unsigned index = tlb_find(&mmu->tlb[array], mmu->paging.asid, address, shift);
        if (index != TLB_NONE)
            return (struct place){ array, index };
    }
    return (struct place){ 0, TLB_NONE };
}

void l1_drop(struct mmu *mmu, unsigned array, unsigned index)
{
    native_release(mmu, array, index);
    tlb_drop(&mmu->tlb[array], index);
}

static void evict_count(struct mmu *mmu, unsigned array, const struct tlb_entry *entry)
{
    mmu->count.evictions[array][page_size_of(entry->shift)]++;
}

/* A victim of L1 moves to the L2 of its size, if there is one; that L2's victim is lost. */
static void l2_take(struct mmu *mmu, unsigned side, const struct tlb_entry *victim)
{
    unsigned array = l2_array(side, victim->shift);
    struct tlb *tlb;
    struct tlb_entry entry = *victim;
    unsigned index;

    if (array == ARRAYS || !mmu->tlb[array].ways)
        return;
    tlb = &mmu->tlb[array];
    index = tlb_oldest(tlb, tlb_set(tlb, entry.page, entry.shift));
    if (tlb->entry[index].shift) {
        evict_count(mmu, array, &tlb->entry[index]);
        tlb_drop(tlb, index);
    }
    entry.stamp = *side_clock(mmu, side);
    tlb_put(tlb, index, &entry);
}

static struct place l1_put(struct mmu *mmu, unsigned side, const struct tlb_entry *entry)
{
    unsigned array = l1_array(side, entry->shift);
    struct tlb *tlb = &mmu->tlb[array];
    unsigned index = native_oldest(mmu, array, tlb_set(tlb, entry->page, entry->shift));

    if (tlb->entry[index].shift) {
        struct tlb_entry victim = tlb->entry[index];

        evict_count(mmu, array, &victim);
        l1_drop(mmu, array, index);
        l2_take(mmu, side, &victim);
    }
    tlb_put(tlb, index, entry);
    return (struct place){ array, index };
}

/* ---- L2 ------------------------------------------------------------------------------------------- */

/* Take the entry for `address` out of the L2s and put it into L1. */
static struct place l2_promote(struct mmu *mmu, unsigned side, gva_t address)
{
    for (unsigned i = 0; i < sizeof(entry_shifts); i++) {
        unsigned shift = entry_shifts[i];
        unsigned array = l2_array(side, shift);

        if (array == ARRAYS)
            break;
        unsigned index = tlb_find(&mmu->tlb[array], mmu->paging.asid, address, shift);
        if (index == TLB_NONE)
            continue;
        struct tlb_entry entry = mmu->tlb[array].entry[index];
        entry.stamp = *side_clock(mmu, side);
        tlb_drop(&mmu->tlb[array], index);
        mmu->count.l2_hits[mmu->count_asid][side][page_size_of(shift)]++;
        mmu->count.l2_cycles[side] += mmu->geometry.cost_l2_hit;
        *mmu->cycles += mmu->geometry.cost_l2_hit;
        return l1_put(mmu, side, &entry);
    }
    return (struct place){ 0, TLB_NONE };
}

/* ---- Walk and fill -------------------------------------------------------------------------------- */

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Down to `limit`, with one count for the reason if that makes the entry smaller. */
static unsigned splinter(struct mmu *mmu, unsigned side, unsigned shift, unsigned limit, enum splinter reason)
{
    if (shift <= limit)
        return shift;
    mmu->count.splinters[side][reason]++;
    return limit;
}

/* Size of the TLB entry: the smaller of guest and nested page, less where a rule or the arrays say so. */
static unsigned fill_shift(const struct translation *t)
{
    struct mmu *mmu = t->mmu;
    unsigned guest = t->guest_shift ? t->guest_shift : 30;
    unsigned nested = t->nested_shift ? t->nested_shift : 30;
    unsigned shift = guest == 22 ? 21 : guest; /* a 4M page is two 2M entries, each filled when touched */
    unsigned uniform;

    shift = splinter(mmu, t->side, shift, nested == 22 ? 21 : nested, SPLINTER_NESTED);
    if (mmu->geometry.smash_1g)
        shift = splinter(mmu, t->side, shift, 21, SPLINTER_SMASH);
    if (t->side == SIDE_CODE)
        shift = splinter(mmu, t->side, shift, mmu->geometry.l1i_2m.entries ? 21 : 12, SPLINTER_ARRAY);
    /* BKDG10 event 165h umask 02: pages of mixed MTRR type enter the TLB in pieces. */
    for (uniform = shift; !mtrr_is_uniform(&mmu->types, t->spa, uniform);)
        uniform -= 9;
    return splinter(mmu, t->side, shift, uniform, SPLINTER_MTRR);
}

static uint8_t fill_memtype(const struct translation *t)
{
    enum memtype type = (enum memtype)t->pat;

    if (t->nested_shift)
        type = memtype_nested(type, (enum memtype)t->nested_pat);
    return (uint8_t)memtype_combine(type, mtrr_type(&t->mmu->types, t->spa));
}

static struct tlb_entry fill_entry(const struct translation *t)
{
    unsigned shift = fill_shift(t);
    uint64_t within = (UINT64_C(1) << shift) - 1;
    struct tlb_entry entry = {
        .page = t->address & ~within, .frame = t->spa & ~within, .asid = t->mmu->paging.asid,
        .shift = (uint8_t)shift, .guest_shift = t->guest_shift ? t->guest_shift : t->nested_shift,
        .rights = t->rights, .memtype = fill_memtype(t), .stamp = *side_clock(t->mmu, t->side),
    };

    if (!(t->mmu->paging.cr4 & CR4_PGE)) /* with nested paging the guest's G and PGE alone count */
        entry.rights &= (uint8_t)~RIGHT_GLOBAL;
    return entry;
}

static enum mmu_verdict walk_once(struct translation *t, enum walk_cause cause)
{
    struct mmu_counters *count = &t->mmu->count;

    count->walks[t->mmu->count_asid][t->side]++;
    count->causes[t->side][cause]++;
    return translation_walk(t);
}

/*
 * Walk; on a fault that entries of the walk caches may have caused, drop them and walk again before it is
 * reported: raising rights needs no INVLPG (APM2 5.5.2).
 */
static enum mmu_verdict walk_charged(struct translation *t, enum walk_cause cause)
{
    struct mmu *mmu = t->mmu;
    enum mmu_verdict verdict = walk_once(t, cause);

    if (verdict != MMU_OK && t->cached) {
        walk_caches_drop_asid(mmu, mmu->paging.asid);
        verdict = walk_once(t, CAUSE_RETRY);
    }
    mmu->count.cycles[mmu->count_asid][t->side] += t->cycles;
    *mmu->cycles += t->cycles;
    if (verdict == MMU_PAGE_FAULT)
        mmu->count.page_faults[mmu->count_asid][t->side]++;
    else if (verdict == MMU_NESTED_FAULT)
        mmu->count.nested_faults[mmu->count_asid][t->side]++;
    else
        mmu->count.pairs[mmu->count_asid][t->side][page_size_of(t->guest_shift)][page_size_of(t->nested_shift)]++;
    return verdict;
}

static enum mmu_verdict walk_and_fill(struct mmu *mmu, unsigned side, gva_t address, unsigned access,
                                      enum walk_cause cause, struct place *place, struct mmu_result *result)
{
    struct translation t = { .mmu = mmu, .address = address, .access = access, .side = side };
    enum mmu_verdict verdict = walk_charged(&t, cause);
    struct tlb_entry entry;

    if (verdict != MMU_OK) {
        result->code = t.code;
        result->address = t.where;
        return verdict;
    }
    entry = fill_entry(&t);
    *place = l1_put(mmu, side, &entry);
    mmu->count.fills[place->array][page_size_of(entry.shift)]++;
    return MMU_OK;
}

/* ---- Translate ------------------------------------------------------------------------------------ */

/* Native pointer to the accessed byte: DRAM that exists, and for a write nobody watches it. */
static uint8_t *native_pointer(struct mmu *mmu, spa_t spa, unsigned access)
{
    const uint8_t *flags;
    uint8_t *page;

    if ((spa ^ mmu->covered) >> PAGE_SHIFT == 0)
        return NULL;
    page = mmu->space->dram(mmu->space->ctx, spa, false);
    if (!page)
        return NULL;
    if (spa_page_is_bad(mmu->space, spa))
        return NULL;
    if (access & MMU_WRITE) {
        flags = mmu->space->page_flags(mmu->space->ctx, spa);
        if (flags && *flags)
            return NULL;
    }
    return page + (spa & PAGE_MASK);
}

/* CR0.CD of either level disables caching whatever the type (APM2 7.6.2, 15.25.8). */
static uint8_t effective_memtype(const struct mmu *mmu, uint8_t memtype)
{
    bool disabled = (mmu->paging.cr0 & CR0_CD) || (mmu->paging.nested && (mmu->paging.host_cr0 & CR0_CD));

    return (disabled && memtype != MEMTYPE_UC) ? MEMTYPE_CD : memtype;
}

/* Serve from an entry that permits the access. */
static void serve(struct mmu *mmu, struct place place, gva_t address, unsigned access, struct mmu_result *result)
{
    struct tlb_entry *entry = place_entry(mmu, place);
    uint64_t within = (UINT64_C(1) << entry->shift) - 1;
    unsigned owner = native_owner(place.array, place.index);

    tlb_use(&mmu->tlb[place.array], place.index, *side_clock(mmu, array_side(place.array)));
    result->spa = entry->frame | (address & within);
    result->page_bytes = within + 1;
    result->memtype = effective_memtype(mmu, entry->memtype);
    result->native = native_pointer(mmu, result->spa, access);
    if (access & MMU_FETCH)
        native_keep_fetch(mmu, owner, result, address, access);
    else if (!mmu->reference)
        native_keep_data(mmu, owner, entry->rights, result, address, access);
}

static void serve_unpaged(struct mmu *mmu, gva_t address, unsigned access, struct mmu_result *result)
{
    unsigned all = RIGHT_WRITE | RIGHT_USER | RIGHT_EXECUTE | RIGHT_DIRTY | RIGHT_NESTED_WRITE;

    result->spa = address & (SPA_LIMIT - 1);
    result->page_bytes = PAGE_BYTES;
    result->memtype = effective_memtype(mmu, (uint8_t)memtype_combine(MEMTYPE_WB, mtrr_type(&mmu->types, result->spa)));
    result->native = native_pointer(mmu, result->spa, access);
    if (access & MMU_FETCH)
        native_keep_fetch(mmu, OWNER_UNPAGED, result, address, access);
    else if (!mmu->reference)
        native_keep_data(mmu, OWNER_UNPAGED, all, result, address, access);
}

/* Whether an entry serves the access, or why it has to be walked for. */
static bool entry_serves(const struct mmu *mmu, const struct tlb_entry *entry, unsigned access, enum walk_cause *cause)
{
    if (!rights_permit(entry->rights, access, mmu->wp)) {
        *cause = CAUSE_RIGHTS;
        return false;
    }
    if ((access & MMU_WRITE) && !(entry->rights & RIGHT_DIRTY)) {
        *cause = CAUSE_DIRTY;
        return false;
    }
    return true;
}

enum mmu_verdict mmu_translate(struct mmu *mmu, gva_t address, unsigned access, struct mmu_result *result)
{
    unsigned side = (access & MMU_FETCH) ? SIDE_CODE : SIDE_DATA;
    enum walk_cause cause = CAUSE_MISS;
    struct place place;

    ++*side_clock(mmu, side);
    result->code = result->address = 0;
    if (mmu->unpaged) {
        serve_unpaged(mmu, address, access, result);
        return MMU_OK;
    }
    place = l1_find(mmu, side, address);
    if (place.index == TLB_NONE) {
        mmu->count.l1_misses[mmu->count_asid][side]++;
        place = l2_promote(mmu, side, address);
    }
    if (place.index == TLB_NONE || !entry_serves(mmu, place_entry(mmu, place), access, &cause)) {
        enum mmu_verdict verdict;

        if (place.index != TLB_NONE)
            l1_drop(mmu, place.array, place.index);
        verdict = walk_and_fill(mmu, side, address, access, cause, &place, result);
        if (verdict != MMU_OK)
            return verdict;
    }
    serve(mmu, place, address, access, result);
    return MMU_OK;
}

/* ---- Without a trace ------------------------------------------------------------------------------ */

enum mmu_verdict mmu_peek(struct mmu *mmu, gva_t address, unsigned access, struct mmu_result *result)
{
    struct translation t = {
        .mmu = mmu, .address = address, .access = access, .side = (access & MMU_FETCH) ? SIDE_CODE : SIDE_DATA,
        .quiet = true,
    };
    enum mmu_verdict verdict = translation_walk(&t);
    unsigned shift = smaller(t.guest_shift ? t.guest_shift : 30, t.nested_shift ? t.nested_shift : 30);

    result->code = result->address = 0;
    if (verdict != MMU_OK) {
        result->code = t.code;
        result->address = t.where;
        return verdict;
    }
    result->spa = t.spa;
    result->page_bytes = mmu->unpaged ? PAGE_BYTES : UINT64_C(1) << (shift == 22 ? 21 : shift);
    result->memtype = effective_memtype(mmu, fill_memtype(&t));
    result->native = native_pointer(mmu, t.spa, access);
    return MMU_OK;
}
