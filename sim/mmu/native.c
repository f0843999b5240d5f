/* SPDX-License-Identifier: MIT */
/*
 * Native slots (native.h) and exact recency. A hit through a slot stamps the slot alone, so that an L1 entry's
 * own stamp is a lower bound; the entry's chain of slots has the rest. A slot's stamp is folded back when the
 * slot is given to another page; a slot is invalid from the moment its entry leaves.
 * FAM10H_PLANT plants one fault for the test of the engines' equality (engines_test.c).
 */
#include "sim/mmu/model.h"

#ifndef FAM10H_PLANT
#define FAM10H_PLANT 0
#endif
#define PLANT_MISSED_STAMP 1    /* a slot that is given away does not fold its stamp back */
#define PLANT_MISSED_RELEASE 2  /* an entry that leaves keeps its slots (INVLPG without effect on them) */
#define PLANT_MISSED_WATCH 3    /* a watched page keeps its write slot */

#define NO_SLOT 0xffffu

unsigned native_owner(unsigned array, unsigned index)
{
    return array == L1I_2M ? TLB_MAX + index : index;
}

/* The L1 entry of an owner; NULL for none and OWNER_UNPAGED. */
static struct tlb_entry *owner_entry(struct mmu *mmu, unsigned side, unsigned owner)
{
    if (owner >= OWNER_UNPAGED)
        return NULL;
    if (side == SIDE_DATA)
        return &mmu->tlb[L1D].entry[owner];
    return owner < TLB_MAX ? &mmu->tlb[L1I_4K].entry[owner] : &mmu->tlb[L1I_2M].entry[owner - TLB_MAX];
}

/* ---- A slot --------------------------------------------------------------------------------------- */

static struct native_slot *data_slot(struct mmu *mmu, unsigned slot)
{
    return &mmu->map.slot[slot / NATIVE_SLOTS][slot % NATIVE_SLOTS];
}

static struct fetch_slot *code_slot(struct mmu *mmu, unsigned slot)
{
    return slot == CODE_SINK ? &mmu->sink : &mmu->map.fetch[slot / FETCH_SLOTS][slot % FETCH_SLOTS];
}

static uint64_t slot_stamp(struct mmu *mmu, unsigned side, unsigned slot)
{
    return side == SIDE_DATA ? data_slot(mmu, slot)->stamp : code_slot(mmu, slot)->stamp;
}

static void slot_invalidate(struct mmu *mmu, unsigned side, unsigned slot)
{
    if (side == SIDE_DATA)
        data_slot(mmu, slot)->tag_read = data_slot(mmu, slot)->tag_write = NATIVE_NONE;
    else
        code_slot(mmu, slot)->tag = NATIVE_NONE;
}

static void stamp_raise(struct mmu *mmu, unsigned side, unsigned owner, uint64_t stamp)
{
    struct tlb_entry *entry = owner_entry(mmu, side, owner);

    if (entry && entry->stamp < stamp)
        entry->stamp = stamp;
}

/* ---- Chains --------------------------------------------------------------------------------------- */

static void slot_unlink(struct mmu *mmu, unsigned side, unsigned slot)
{
    struct slot_chains *chains = &mmu->chains[side];
    struct slot_link *link = &chains->link[slot];

    if (link->owner == NO_SLOT)
        return;
    if (link->previous == NO_SLOT)
        chains->first[link->owner] = link->next;
    else
        chains->link[link->previous].next = link->next;
    if (link->next != NO_SLOT)
        chains->link[link->next].previous = link->previous;
    link->owner = NO_SLOT;
}

/* Give the slot to `owner`; what it holds of its last owner's recency is folded back. */
static void slot_assign(struct mmu *mmu, unsigned side, unsigned slot, unsigned owner)
{
    struct slot_chains *chains = &mmu->chains[side];
    struct slot_link *link = &chains->link[slot];

    if (link->owner != NO_SLOT && FAM10H_PLANT != PLANT_MISSED_STAMP)
        stamp_raise(mmu, side, link->owner, slot_stamp(mmu, side, slot));
    if (link->owner == owner)
        return;
    slot_unlink(mmu, side, slot);
    *link = (struct slot_link){ (uint16_t)owner, chains->first[owner], NO_SLOT };
    if (link->next != NO_SLOT)
        chains->link[link->next].previous = (uint16_t)slot;
    chains->first[owner] = (uint16_t)slot;
}

static void chain_fold(struct mmu *mmu, unsigned side, unsigned owner)
{
    const struct slot_chains *chains = &mmu->chains[side];

    for (unsigned slot = chains->first[owner]; slot != NO_SLOT; slot = chains->link[slot].next)
        stamp_raise(mmu, side, owner, slot_stamp(mmu, side, slot));
}

static void chain_release(struct mmu *mmu, unsigned side, unsigned owner)
{
    struct slot_chains *chains = &mmu->chains[side];

    while (chains->first[owner] != NO_SLOT) {
        unsigned slot = chains->first[owner];

        if (FAM10H_PLANT != PLANT_MISSED_RELEASE)
            slot_invalidate(mmu, side, slot);
        slot_unlink(mmu, side, slot);
    }
}

/* ---- Everything ----------------------------------------------------------------------------------- */

/* Owners in use of a side: L1 entries, of both arrays on the instruction side. */
static void fold_range(struct mmu *mmu, unsigned side, unsigned from, unsigned count, bool release)
{
    const uint16_t *first = mmu->chains[side].first;

    for (unsigned owner = from; owner < from + count; owner++) {
        if (first[owner] == NO_SLOT)
            continue;
        chain_fold(mmu, side, owner);
        if (release)
            chain_release(mmu, side, owner);
    }
}

static void fold_all(struct mmu *mmu, bool release)
{
    fold_range(mmu, SIDE_DATA, 0, tlb_entries(&mmu->tlb[L1D]), release);
    fold_range(mmu, SIDE_CODE, 0, tlb_entries(&mmu->tlb[L1I_4K]), release);
    fold_range(mmu, SIDE_CODE, TLB_MAX, tlb_entries(&mmu->tlb[L1I_2M]), release);
    fold_range(mmu, SIDE_DATA, OWNER_UNPAGED, 1, release);
    fold_range(mmu, SIDE_CODE, OWNER_UNPAGED, 1, release);
}

void native_fold(struct mmu *mmu)
{
    fold_all(mmu, false);
}

void native_drop_all(struct mmu *mmu)
{
    fold_all(mmu, true);
}

void native_init(struct mmu *mmu)
{
    for (unsigned side = 0; side < SIDES; side++) {
        struct slot_chains *chains = &mmu->chains[side];

        for (unsigned owner = 0; owner < OWNERS; owner++)
            chains->first[owner] = NO_SLOT;
        for (unsigned slot = 0; slot < SLOTS_MAX; slot++)
            chains->link[slot].owner = NO_SLOT;
    }
    for (unsigned slot = 0; slot < DATA_SLOTS; slot++)
        slot_invalidate(mmu, SIDE_DATA, slot);
    for (unsigned slot = 0; slot <= CODE_SINK; slot++)
        slot_invalidate(mmu, SIDE_CODE, slot);
    mmu->map.last_fetch = &mmu->sink;
}

void native_release(struct mmu *mmu, unsigned array, unsigned index)
{
    chain_release(mmu, array_side(array), native_owner(array, index));
}

/* A place is a lower bound: the oldest place's entry is the oldest only if its slots say nothing newer. */
unsigned native_oldest(struct mmu *mmu, unsigned array, unsigned first)
{
    struct tlb *tlb = &mmu->tlb[array];

    for (;;) {
        unsigned oldest = tlb_oldest(tlb, first);

        if (!tlb->entry[oldest].shift)
            return oldest;
        chain_fold(mmu, array_side(array), native_owner(array, oldest));
        if (!tlb_requeue(tlb, oldest))
            return oldest;
    }
}

/* ---- Keeping -------------------------------------------------------------------------------------- */

void native_keep_data(struct mmu *mmu, unsigned owner, unsigned rights, const struct mmu_result *result, gva_t address,
                      unsigned access)
{
    unsigned user = (access & MMU_USER) != 0;
    unsigned index = native_index(address);
    struct native_slot *slot = &mmu->map.slot[user][index];
    const uint8_t *flags;
    bool writable;

    if (!result->native)
        return;
    flags = mmu->space->page_flags(mmu->space->ctx, result->spa);
    writable = (rights & RIGHT_DIRTY) && rights_permit(rights, user * MMU_USER | MMU_WRITE, mmu->wp) &&
               !(flags && *flags);
    slot_assign(mmu, SIDE_DATA, user * NATIVE_SLOTS + index, owner);
    slot->tag_read = address & ~PAGE_MASK;
    slot->tag_write = writable ? slot->tag_read : NATIVE_NONE;
    slot->delta = (uintptr_t)result->native - (uintptr_t)address;
    slot->stamp = mmu->map.accesses;
}

/* The slot that mmu_fetch_again stamps; in the reference engine one that no fetch finds. */
void native_keep_fetch(struct mmu *mmu, unsigned owner, const struct mmu_result *result, gva_t address,
                       unsigned access)
{
    unsigned user = (access & MMU_USER) != 0;
    unsigned index = (unsigned)(address >> PAGE_SHIFT) & (FETCH_SLOTS - 1);
    unsigned number = mmu->reference ? CODE_SINK : user * FETCH_SLOTS + index;
    struct fetch_slot *slot = code_slot(mmu, number);

    slot_assign(mmu, SIDE_CODE, number, owner);
    slot->tag = mmu->reference ? NATIVE_NONE : address & ~PAGE_MASK;
    slot->spa = result->spa & ~PAGE_MASK;
    slot->stamp = mmu->map.fetches;
    mmu->map.last_fetch = slot;
}

void mmu_fetch_again(struct mmu *mmu, uint64_t count)
{
    mmu->map.fetches += count;
    mmu->map.last_fetch->stamp = mmu->map.fetches;
}

/* ---- Pages that may no longer be reached directly ------------------------------------------------- */

static void drop_address(struct mmu *mmu, gva_t page)
{
    for (unsigned user = 0; user < 2; user++) {
        struct native_slot *slot = &mmu->map.slot[user][native_index(page)];

        /* The slot stays with its entry, so that its stamp is not lost. */
        if (FAM10H_PLANT != PLANT_MISSED_WATCH && slot->tag_read == page)
            slot->tag_read = slot->tag_write = NATIVE_NONE;
    }
}

void mmu_drop_native(struct mmu *mmu, spa_t page)
{
    const struct tlb *tlb = &mmu->tlb[L1D];

    page &= ~PAGE_MASK;
    for (unsigned i = 0; i < tlb_entries(tlb); i++) {
        const struct tlb_entry *entry = &tlb->entry[i];

        if (entry->shift && (entry->frame ^ page) >> entry->shift == 0)
            drop_address(mmu, entry->page | (page & ((UINT64_C(1) << entry->shift) - 1)));
    }
    tables_forget_page(mmu, page);
    drop_address(mmu, page); /* of translations with paging off */
}

void mmu_drop_all_native(struct mmu *mmu)
{
    native_drop_all(mmu);
    tables_forget(mmu);
}
