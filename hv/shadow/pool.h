/* SPDX-License-Identifier: MIT */
/*
 * The pool of shadow pages and the lists that tie entries to what they point at. An entry has a number: that of its
 * page times 512, plus its index. Each present entry is in one list, that of the mappings of its guest frame (a leaf)
 * or that of the entries which point to its child page; the links lie beside the table, one struct to each entry.
 */
#ifndef HV_SHADOW_POOL_H
#define HV_SHADOW_POOL_H

#include "hv/shadow/shadow.h"

#define TABLE_ENTRIES 512u

#define SPTE_P (1ull << 0)
#define SPTE_W (1ull << 1)
#define SPTE_U (1ull << 2)
#define SPTE_AD (3ull << 5) /* preset: the processor shall not write to shadow tables */
#define SPTE_NX (1ull << 63)
#define SPTE_ADDRESS 0x000FFFFFFFFFF000ull

/* Role: what else than its frame makes a page what it is. */
#define ROLE_LEVEL 7u             /* 1 to 4 */
#define ROLE_RIGHTS_SHIFT 3       /* inherited rights */
#define ROLE_RIGHTS (7u << ROLE_RIGHTS_SHIFT)
#define ROLE_QUADRANT_SHIFT 6     /* which part of a 32-bit table's 1024 entries */
#define ROLE_QUADRANT (3u << ROLE_QUADRANT_SHIFT)
#define ROLE_DIRECT (1u << 8)     /* made of no table: consecutive frames from gfn on */
#define ROLE_SMALL (1u << 9)      /* the table has 4-byte entries */
#define ROLE_PAE (1u << 10)
#define ROLE_PSE (1u << 11)       /* bit 7 of a 4-byte directory entry means something */
#define ROLE_WP (1u << 12)
#define ROLE_NXE (1u << 13)

struct shadow_link {
    uint32_t next, previous; /* entry numbers, 0: none */
    uint32_t target;         /* guest frame of a leaf, number of the child page of another */
};
_Static_assert(sizeof(struct shadow_link) * TABLE_ENTRIES == SHADOW_LINKS_BYTES, "links fit their page");

struct shadow_page {
    uint64_t gfn;             /* NO_FRAME: of nothing (free, or a vCPU's own top) */
    uint64_t *table;
    struct shadow_link *links;
    uint32_t role;
    uint32_t next;            /* of the same frame, or free */
    uint32_t parents;         /* entries that point to it */
    uint32_t present;         /* entries in use */
    uint16_t pins;            /* roots in use, pages of a fill under way */
    uint16_t writes;          /* by the guest to its frame, since a fill used it */
    bool own_top;             /* never freed: four entries */
    void *kept;               /* own_top: the table that it was made with, for its end */
};

static inline unsigned role_level(uint32_t role)
{
    return role & ROLE_LEVEL;
}

static inline uint64_t *pool_entry(struct shadow *shadow, uint32_t number)
{
    return &shadow->pages[number / TABLE_ENTRIES].table[number % TABLE_ENTRIES];
}

/* The page made of gfn in this role, pinned; made if there is none, which *made tells. 0: all pages are pinned. */
uint32_t pool_get(struct shadow *shadow, uint64_t gfn, uint32_t role, bool *made);
/* The page made of gfn in this role; 0: there is none. */
uint32_t pool_find(const struct shadow *shadow, uint64_t gfn, uint32_t role);
void pool_unpin(struct shadow *shadow, uint32_t page);
/* Clear an entry, and take it off its list. */
void pool_clear(struct shadow *shadow, uint32_t page, unsigned index);
/* Set an entry that is clear. `target`: see struct shadow_link. */
void pool_set(struct shadow *shadow, uint32_t page, unsigned index, uint64_t value, uint32_t target);
/* All entries of a page. */
void pool_empty(struct shadow *shadow, uint32_t page);
/*
 * Nothing is made by this page any more: entries, those that point to it, its place among its frame's pages. It becomes
 * free, or stays pinned as a root of nothing.
 */
void pool_drop(struct shadow *shadow, uint32_t page);
/*
 * The page's table is `fresh` (zeroed) from now on, and empty; nothing points to it. The old one is not read:
 * which entries
 * are there, the lists tell.
 */
void pool_replace_table(struct shadow *shadow, uint32_t page, uint64_t *fresh);
/* All mappings of a frame. */
void pool_unmap(struct shadow *shadow, uint64_t gfn);

#endif
