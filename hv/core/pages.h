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
    uint8_t *state;                    /* 80h | order: head of a free block; 0: anything else */
    struct free_block *free[ORDER_COUNT];
    uint64_t free_frames;
};

/* state must hold one byte for each frame of the span. */
void pages_init(struct page_pool *pool, uint64_t start, uint64_t end, uint8_t *state);
/* Give the pool [start, end), shrunk to whole pages and to the span. */
void pages_add(struct page_pool *pool, uint64_t start, uint64_t end);
/* 2^order frames, naturally aligned; 0 if there is no such block. Contents are what was there. */
uint64_t pages_alloc(struct page_pool *pool, unsigned order);
void pages_free(struct page_pool *pool, uint64_t address, unsigned order);
/* Take this one frame out of the free block that covers it. False: it is not free. */
bool pages_take(struct page_pool *pool, uint64_t address);
/* Whether the frame at address lies in a free block. */
bool pages_is_free(const struct page_pool *pool, uint64_t address);

#endif
