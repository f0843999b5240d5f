/* SPDX-License-Identifier: MIT */
/*
 * Nested page tables of one guest, in hv's own (4-level, long mode) format (APM2 15.25.3). Only this folder
 * writes a nested entry. Pure: table pages come from a callback and addresses are pointers.
 */
#ifndef HV_NPT_NPT_H
#define HV_NPT_NPT_H

#include <stdbool.h>
#include <stdint.h>

enum npt_size { NPT_4K, NPT_2M, NPT_1G, NPT_SIZE_COUNT };

#define NPT_WRITE (1u << 1)
#define NPT_BORROWED (1u << 9) /* the page is not the guest's own: npt_destroy leaves it (an ignored bit) */

struct npt {
    uint64_t root;              /* nCR3 */
    uint64_t (*table)(void);    /* a zeroed page, 0: none left */
    uint64_t tables;            /* pages that hold nested tables, root included */
    uint64_t entries[NPT_SIZE_COUNT]; /* leaf entries by size */
    uint64_t splits;
};

static inline uint64_t npt_bytes(enum npt_size size)
{
    return 0x1000ull << (9 * size);
}

/* False if no table page could be had. */
bool npt_init(struct npt *npt, uint64_t (*table)(void));
/*
 * Map one page gpa -> spa, both aligned to its size. Accessed and dirty are preset: what a walk costs must not
 * depend on who came first. False: no table page, or something larger or smaller is already mapped there.
 */
bool npt_map(struct npt *npt, uint64_t gpa, uint64_t spa, enum npt_size size, uint64_t rights);
/* Where gpa goes and by what page; false if unmapped. */
bool npt_lookup(const struct npt *npt, uint64_t gpa, uint64_t *spa, enum npt_size *size);
/* Replace the larger page over gpa by pages of the next smaller size, rights kept. The caller flushes. */
bool npt_split(struct npt *npt, uint64_t gpa);
/* Give back every page that is mapped and not borrowed, by its order, and every table; the root too. */
void npt_destroy(struct npt *npt, void (*give_back)(uint64_t spa, unsigned order));
/* Largest size that fits at gpa: aligned, within [gpa, end), not above limit. */
enum npt_size npt_fit(uint64_t gpa, uint64_t end, enum npt_size limit);

#endif
