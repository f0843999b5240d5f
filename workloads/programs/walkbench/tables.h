/* SPDX-License-Identifier: MIT */
/* Guest page tables of every mode, built by one routine over a list of levels. */
#ifndef WORKLOADS_WALKBENCH_TABLES_H
#define WORKLOADS_WALKBENCH_TABLES_H

#include <stdbool.h>
#include <stdint.h>

struct paging_mode {
    const char *name;
    bool long_mode;
    uint32_t cr4;
    unsigned entry_bytes;
    unsigned levels;
    unsigned shift[4];   /* address bits below which a level's entry selects, top level first; the last is the leaf */
    uint64_t window;     /* linear address of the touched pages, far from the identity-mapped program */
};

/* long4k long2m long1g pae4k pae2m legacy4k legacy4m off; NULL if there is no such mode. */
const struct paging_mode *paging_mode_find(const char *name);

struct tables {
    const struct paging_mode *mode;
    uint32_t root;
    uint32_t next; /* the next page for a table */
};

/* Tables come from `region` upwards. */
void tables_init(struct tables *tables, const struct paging_mode *mode, uint32_t region);
/* Map one page of the mode's size, accessed and dirty preset. */
void tables_map(struct tables *tables, uint64_t linear, uint64_t physical);

#endif
