/* SPDX-License-Identifier: MIT */
/*
 * A guest's physical memory map, kept as nested page tables in hv's own (4-level, long mode) format (APM2 15.25.3):
 * where each frame lies and what it is to the guest. Only this folder writes a nested entry. Pure: table pages come
 * from a callback and addresses are pointers.
 *
 * Writers exclude each other (the guest's memory_lock); readers need no lock: an entry changes by one store.
 */
#ifndef HV_NPT_NPT_H
#define HV_NPT_NPT_H

#include <stdbool.h>
#include <stdint.h>

enum npt_size { NPT_4K, NPT_2M, NPT_1G, NPT_SIZE_COUNT };

/* For npt_map. */
#define NPT_WRITE (1u << 1)
#define NPT_BORROWED (1u << 9) /* the page is not the guest's own: npt_destroy leaves it */

/* What a frame is to the guest; in bits 11:9 of its entry, which the processor ignores. */
enum npt_type {
    NPT_RAM,       /* writable */
    NPT_LOG_DIRTY, /* RAM; the next write to it is noted (hv/npt/log_dirty.h) */
    NPT_READ_ONLY, /* RAM whose writes are dropped */
    NPT_FOREIGN,   /* writable, but not the guest's own: neither logged nor freed with it */
    NPT_BALLOONED, /* the guest gave it back: not present */
    NPT_MMIO,      /* a device's: not present, accesses are emulated */
    NPT_TYPE_COUNT
};

/* Why a larger page was split (hypervisor-features.md D). */
enum npt_cause { NPT_FOR_LOG_DIRTY, NPT_FOR_BALLOON, NPT_FOR_SHARING, NPT_FOR_MMIO, NPT_FOR_READ_ONLY,
                 NPT_FOR_RETIREMENT, NPT_CAUSE_COUNT };

struct npt {
    uint64_t root;              /* nCR3 */
    uint64_t (*table)(void);    /* a zeroed page, 0: none left */
    uint64_t tables;            /* pages that hold nested tables, root included */
    uint64_t entries[NPT_SIZE_COUNT]; /* present leaf entries by size; atomic */
    uint64_t splits[NPT_CAUSE_COUNT];
    uint64_t promotions;
};

struct npt_page {
    uint64_t spa;       /* of the gPA asked for; 0 if the type is one that is not present */
    enum npt_size size;
    enum npt_type type;
};

/* Present leaf entries of that size: of a live guest's, as of a moment ago. */
static inline uint64_t npt_entries(const struct npt *npt, enum npt_size size)
{
    return __atomic_load_n(&npt->entries[size], __ATOMIC_RELAXED);
}

static inline uint64_t npt_bytes(enum npt_size size)
{
    return 0x1000ull << (9 * size);
}

/* There is memory behind a frame of this type. */
static inline bool npt_is_present(enum npt_type type)
{
    return type < NPT_BALLOONED;
}

/* False if no table page could be had. */
bool npt_init(struct npt *npt, uint64_t (*table)(void));
/*
 * Map one page gpa -> spa, both aligned to its size: NPT_FOREIGN with NPT_BORROWED in `rights`, NPT_RAM with NPT_WRITE
 * alone, else NPT_READ_ONLY. Accessed and dirty are preset: what a walk costs must not depend on who came first.
 * False: no table page, or something larger or smaller is already mapped there.
 */
bool npt_map(struct npt *npt, uint64_t gpa, uint64_t spa, enum npt_size size, uint64_t rights);
/* Where gpa goes and by what page; false if there is no memory. */
bool npt_lookup(const struct npt *npt, uint64_t gpa, uint64_t *spa, enum npt_size *size);
/* The same with the type, and for frames without memory too; false: nothing was ever said about gpa. */
bool npt_find(const struct npt *npt, uint64_t gpa, struct npt_page *page);
/* The other way: where the guest's own memory at `spa` appears to it; false: it is not this guest's. */
bool npt_find_spa(const struct npt *npt, uint64_t spa, uint64_t *gpa);
/* Give back every page that is mapped and the guest's own, by its order, and every table; the root too. */
void npt_destroy(struct npt *npt, void (*give_back)(uint64_t spa, unsigned order));
/* Largest size that fits at gpa: aligned, within [gpa, end), not above limit. */
enum npt_size npt_fit(uint64_t gpa, uint64_t end, enum npt_size limit);

/*
 * Changes of single 4K frames. A larger page over gpa is split first; false: no table page for that, nothing has
 * changed. The caller flushes: at once where a right is lost, before it frees anything.
 */

/* Replace the larger page over gpa by pages of the next smaller size, type kept. False: it is 4K, or nothing. */
bool npt_split(struct npt *npt, uint64_t gpa, enum npt_cause cause);
/* The frame is of this type from now on and keeps its memory, unless the type is one without. */
bool npt_set_type(struct npt *npt, uint64_t gpa, enum npt_type type, enum npt_cause cause);
/* Memory at spa is at gpa from now on, whatever was there. */
bool npt_place(struct npt *npt, uint64_t gpa, uint64_t spa, enum npt_type type, enum npt_cause cause);

/* Changes of whole pages, whatever their size. */

/* The page over gpa, if it is of type `from`, is of type `to`; both are present types. */
bool npt_retype(struct npt *npt, uint64_t gpa, enum npt_type from, enum npt_type to);
/* The same with all pages; returns how many there were. */
uint64_t npt_retype_all(struct npt *npt, enum npt_type from, enum npt_type to);
/*
 * Join the 512 pages over gpa into one of `size`, if they are of one present type and their memory is in a row and
 * aligned. Returns the table that is not needed any more, for the caller to free after its flush; 0: they do not join.
 */
uint64_t npt_promote(struct npt *npt, uint64_t gpa, enum npt_size size);

#endif
