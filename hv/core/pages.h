/* SPDX-License-Identifier: MIT */
/*
 * Buddy allocator of system-physical memory. Pure: addresses are pointers (hv maps memory one to one), and
 * a native test hands it an arena of its own. Free blocks carry their list links; the first frame of a free
 * block is marked in `state`, one byte per frame.
 */
#ifndef HV_CORE_PAGES_H
#define HV_CORE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_SIZE 0x1000u
#define PAGE_SHIFT 12
#define ORDER_4K 0
#define ORDER_2M 9
#define ORDER_1G 18
#define ORDER_COUNT (ORDER_1G + 1)

struct free_block {
    struct free_block *next, *previous;
};

struct page_pool {
    uint64_t first_frame, frame_count; /* the span that state[] covers */
    uint8_t *state;                    /* 80h | order: head of a free block; 40h | PAGE_ marks; 0: anything else */
    struct free_block *free[ORDER_COUNT];
    uint64_t free_frames;
    uint64_t pending;                  /* frames marked so */
};

/* Marks of a single frame that is taken out of use, or is to be. */
#define PAGE_PENDING 1u  /* somebody has it; it will be offlined when it is freed */
#define PAGE_OFFLINED 2u /* nobody has it, nobody gets it */
#define PAGE_BROKEN 4u   /* and it never comes back */

/* state must hold one byte for each frame of the span. */
void pages_init(struct page_pool *pool, uint64_t start, uint64_t end, uint8_t *state);
/* Give the pool [start, end), shrunk to whole pages and to the span. */
void pages_add(struct page_pool *pool, uint64_t start, uint64_t end);
/*
 * 2^order frames, naturally aligned; 0 if there is no such block. Contents are what was there, with zeros where a free
 * block's links were.
 */
uint64_t pages_alloc(struct page_pool *pool, unsigned order);
/* The same, wholly within [start, end). */
uint64_t pages_alloc_in(struct page_pool *pool, unsigned order, uint64_t start, uint64_t end);
void pages_free(struct page_pool *pool, uint64_t address, unsigned order);
/*
 * Take one frame out of use: at once if it is free, else when it is freed. Returns its marks; 0: it is not the pool's
 * span. `broken` is added to what a frame is marked already.
 */
unsigned pages_offline(struct page_pool *pool, uint64_t address, bool broken);
/* Back into use, or not to be offlined after all. False: it is broken, or was never to be offlined. */
bool pages_online(struct page_pool *pool, uint64_t address);
unsigned pages_marks(const struct page_pool *pool, uint64_t address);
/* Whether the frame at address lies in a free block. */
bool pages_is_free(const struct page_pool *pool, uint64_t address);

#endif
