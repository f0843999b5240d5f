/* SPDX-License-Identifier: MIT */
/* Sparse guest RAM: allocated in chunks on the first write; what is absent reads as zero. */
#ifndef FAM10H_PLATFORM_DRAM_H
#define FAM10H_PLATFORM_DRAM_H

#include "sim/addr.h"
#include "sim/state.h"

#define DRAM_CHUNK_SHIFT 21
#define DRAM_CHUNK_BYTES (UINT64_C(1) << DRAM_CHUNK_SHIFT)
#define DRAM_CHUNK_PAGES (DRAM_CHUNK_BYTES / PAGE_BYTES)

struct dram_chunk;

/* Addressed by offset: the bytes of all nodes in a row, without the holes of the physical map. */
struct dram {
    struct dram_chunk **chunk;
    size_t chunks;
    uint64_t size;
    uint64_t limit; /* on native memory, bytes */
    uint64_t used;  /* native memory in use, bytes */
    bool watched;   /* pages are marked DRAM_PAGE_WATCHED */
    bool tracked;   /* pages are marked DRAM_PAGE_CLEAN until their first store */
};

void dram_init(struct dram *dram, uint64_t size, uint64_t limit);
/* Frees every chunk: all bytes are zero again. */
void dram_clear(struct dram *dram);
void dram_free(struct dram *dram);

/* The page that holds `offset`; NULL if absent and not to be allocated, or the limit is reached (then *exhausted). */
uint8_t *dram_page(struct dram *dram, uint64_t offset, bool allocate, bool *exhausted);
/* The flag byte of a present page, else NULL. */
uint8_t *dram_page_flags(struct dram *dram, uint64_t offset);

/* From now on note which pages are stored to, or note none. Native pointers to all pages must be dropped. */
void dram_track(struct dram *dram, bool on);
/* Mark every page DRAM_PAGE_WATCHED, or none. Native pointers to all pages must be dropped. */
void dram_watch(struct dram *dram, bool on);
/* Offset of the first page at or past `offset` that was stored to since; UINT64_MAX: none. */
uint64_t dram_next_stored(const struct dram *dram, uint64_t offset);

extern const struct state_part dram_state;

#endif
