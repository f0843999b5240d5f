/* SPDX-License-Identifier: MIT */
/*
 * One modelled array of translations with true LRU replacement: the L1 and L2 TLBs, and, with other keys,
 * the page-walk cache and the nested TLB.
 */
#ifndef FAM10H_MMU_TLB_H
#define FAM10H_MMU_TLB_H

#include "sim/bits.h"
#include "sim/mmu/mmu.h"

#define TLB_MAX 4096 /* entries; mmu_geometry_error refuses more */
#define TLB_HASH 256
#define TLB_NONE 0xffffu

struct tlb_entry {
    uint64_t page;       /* key: address of the page (L1, L2), of the entry (page-walk cache), a gPA (nested TLB) */
    uint64_t frame;      /* sPA of the page; in the page-walk cache the entry's value */
    uint64_t stamp;      /* number of the access that used it last */
    uint16_t asid;
    uint8_t shift;       /* log2 of the size that the key covers; 0 = invalid */
    uint8_t guest_shift; /* of the guest's page, of which this may be a piece: INVLPG drops all pieces */
    uint8_t rights;      /* enum right */
    uint8_t memtype;     /* enum memtype, CR0.CD left out */
};

/* Place of an entry in the order of use: sorted by `stamp`, the entry's own when it was put there. */
struct tlb_place {
    uint64_t stamp;
    uint16_t older, newer;
};

/*
 * An array of many ways is found by hash chain and, if it is fully associative, kept in order of use; others are
 * scanned. A place is a lower bound of the entry's recency, see native.c.
 */
struct tlb {
    unsigned sets, ways; /* ways == 0: absent */
    bool hashed, ordered;
    unsigned live;       /* valid entries */
    unsigned pieces;     /* valid entries smaller than the guest's page */
    unsigned sized[4];   /* valid entries by shift / 9 */
    uint16_t oldest, newest;
    uint16_t head[TLB_HASH];
    uint16_t next[TLB_MAX];
    struct tlb_place place[TLB_MAX];
    struct tlb_entry entry[TLB_MAX];
};

static inline unsigned tlb_entries(const struct tlb *tlb)
{
    return tlb->sets * tlb->ways;
}

/* Empty, with the geometry of `shape`. */
void tlb_init(struct tlb *tlb, struct tlb_shape shape);
/* Index of the entry for `address` as a page of `shift`, or TLB_NONE. */
unsigned tlb_find(const struct tlb *tlb, uint16_t asid, uint64_t address, unsigned shift);
/* First entry of the set that an entry for `address` goes to. */
unsigned tlb_set(const struct tlb *tlb, uint64_t address, unsigned shift);
/* In the set that begins at `first`: an invalid entry if there is one, else the one with the least stamp. */
unsigned tlb_oldest(const struct tlb *tlb, unsigned first);
/* The entry is used: the newest from now on. */
void tlb_use(struct tlb *tlb, unsigned index, uint64_t stamp);
/* Its stamp was raised behind the array's back: move it to its place. false: it was there. */
bool tlb_requeue(struct tlb *tlb, unsigned index);
void tlb_put(struct tlb *tlb, unsigned index, const struct tlb_entry *entry);
void tlb_drop(struct tlb *tlb, unsigned index);
/* Derived members again, from the entries (after a restore). */
void tlb_rebuild(struct tlb *tlb);

#endif
