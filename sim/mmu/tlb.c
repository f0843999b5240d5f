/* SPDX-License-Identifier: MIT */
#include "sim/mmu/tlb.h"

#include <string.h>

/* A longer set is searched by hash chain. */
#define SCANNED_WAYS 8

static unsigned tlb_hash(uint16_t asid, uint64_t address, unsigned shift)
{
    uint64_t number = address >> shift;

    return (unsigned)((number ^ number >> 8 ^ asid * 37u ^ shift) & (TLB_HASH - 1));
}

static bool entry_matches(const struct tlb_entry *entry, uint16_t asid, uint64_t address, unsigned shift)
{
    return entry->shift == shift && entry->asid == asid && (entry->page ^ address) >> shift == 0;
}

void tlb_init(struct tlb *tlb, struct tlb_shape shape)
{
    unsigned old = tlb_entries(tlb);

    memset(tlb->entry, 0, old * sizeof(tlb->entry[0]));
    tlb->ways = shape.ways ? shape.ways : shape.entries;
    tlb->sets = shape.entries ? shape.entries / tlb->ways : 0;
    if (!shape.entries)
        tlb->ways = 0;
    tlb->hashed = tlb->ways > SCANNED_WAYS;
    tlb->ordered = tlb->hashed && tlb->sets == 1;
    tlb_rebuild(tlb);
}

unsigned tlb_set(const struct tlb *tlb, uint64_t address, unsigned shift)
{
    return (unsigned)(address >> shift & (tlb->sets - 1)) * tlb->ways;
}

unsigned tlb_find(const struct tlb *tlb, uint16_t asid, uint64_t address, unsigned shift)
{
    unsigned i;

    if (!tlb->live)
        return TLB_NONE;
    if (tlb->hashed) {
        for (i = tlb->head[tlb_hash(asid, address, shift)]; i != TLB_NONE; i = tlb->next[i])
            if (entry_matches(&tlb->entry[i], asid, address, shift))
                return i;
        return TLB_NONE;
    }
    i = tlb_set(tlb, address, shift);
    for (unsigned end = i + tlb->ways; i < end; i++)
        if (entry_matches(&tlb->entry[i], asid, address, shift))
            return i;
    return TLB_NONE;
}

/* ---- Order of use ------------------------------------------------------------------------------------- */

static void order_unlink(struct tlb *tlb, unsigned index)
{
    const struct tlb_place *place = &tlb->place[index];

    if (place->older == TLB_NONE)
        tlb->oldest = place->newer;
    else
        tlb->place[place->older].newer = place->newer;
    if (place->newer == TLB_NONE)
        tlb->newest = place->older;
    else
        tlb->place[place->newer].older = place->older;
}

/* By the entry's stamp; most often it is the newest. */
static void order_link(struct tlb *tlb, unsigned index)
{
    struct tlb_place *place = &tlb->place[index];
    unsigned older = tlb->newest, newer = TLB_NONE;

    place->stamp = tlb->entry[index].stamp;
    while (older != TLB_NONE && tlb->place[older].stamp > place->stamp) {
        newer = older;
        older = tlb->place[older].older;
    }
    place->older = (uint16_t)older;
    place->newer = (uint16_t)newer;
    if (older == TLB_NONE)
        tlb->oldest = (uint16_t)index;
    else
        tlb->place[older].newer = (uint16_t)index;
    if (newer == TLB_NONE)
        tlb->newest = (uint16_t)index;
    else
        tlb->place[newer].older = (uint16_t)index;
}

void tlb_use(struct tlb *tlb, unsigned index, uint64_t stamp)
{
    tlb->entry[index].stamp = stamp;
    if (tlb->ordered && tlb->newest != index) {
        order_unlink(tlb, index);
        order_link(tlb, index);
    } else {
        tlb->place[index].stamp = stamp;
    }
}

bool tlb_requeue(struct tlb *tlb, unsigned index)
{
    if (tlb->place[index].stamp == tlb->entry[index].stamp)
        return false;
    if (tlb->ordered) {
        order_unlink(tlb, index);
        order_link(tlb, index);
    }
    tlb->place[index].stamp = tlb->entry[index].stamp;
    return true;
}

/* The first invalid entry of a full scan. */
static unsigned tlb_invalid(const struct tlb *tlb)
{
    unsigned i = 0;

    while (tlb->entry[i].shift)
        i++;
    return i;
}

unsigned tlb_oldest(const struct tlb *tlb, unsigned first)
{
    unsigned oldest = first;

    if (tlb->ordered)
        return tlb->live < tlb->ways ? tlb_invalid(tlb) : tlb->oldest;
    for (unsigned i = first; i < first + tlb->ways; i++) {
        if (!tlb->entry[i].shift)
            return i;
        if (tlb->entry[i].stamp < tlb->entry[oldest].stamp)
            oldest = i;
    }
    return oldest;
}

static void tlb_link(struct tlb *tlb, unsigned index)
{
    const struct tlb_entry *entry = &tlb->entry[index];

    tlb->live++;
    tlb->sized[entry->shift / 9]++;
    tlb->pieces += entry->guest_shift > entry->shift;
    if (tlb->hashed) {
        uint16_t *head = &tlb->head[tlb_hash(entry->asid, entry->page, entry->shift)];

        tlb->next[index] = *head;
        *head = (uint16_t)index;
    }
    if (tlb->ordered)
        order_link(tlb, index);
    else
        tlb->place[index].stamp = entry->stamp;
}

void tlb_put(struct tlb *tlb, unsigned index, const struct tlb_entry *entry)
{
    tlb->entry[index] = *entry;
    tlb_link(tlb, index);
}

void tlb_drop(struct tlb *tlb, unsigned index)
{
    struct tlb_entry *entry = &tlb->entry[index];

    tlb->live--;
    tlb->sized[entry->shift / 9]--;
    tlb->pieces -= entry->guest_shift > entry->shift;
    if (tlb->hashed) {
        uint16_t *link = &tlb->head[tlb_hash(entry->asid, entry->page, entry->shift)];

        while (*link != index)
            link = &tlb->next[*link];
        *link = tlb->next[index];
    }
    if (tlb->ordered)
        order_unlink(tlb, index);
    memset(entry, 0, sizeof(*entry));
}

void tlb_rebuild(struct tlb *tlb)
{
    tlb->live = tlb->pieces = 0;
    tlb->oldest = tlb->newest = TLB_NONE;
    memset(tlb->sized, 0, sizeof(tlb->sized));
    memset(tlb->head, 0xff, sizeof(tlb->head));
    for (unsigned i = 0; i < tlb_entries(tlb); i++) {
        if (tlb->entry[i].shift)
            tlb_link(tlb, i);
    }
}
