/* SPDX-License-Identifier: MIT */
#include "hv/core/pages.h"

#include <stddef.h>

#define STATE_FREE 0x80u
#define STATE_MARKED 0x40u

static struct free_block *block_at(uint64_t frame)
{
    return (struct free_block *)(uintptr_t)(frame << PAGE_SHIFT);
}

static void list_push(struct page_pool *pool, uint64_t frame, unsigned order)
{
    struct free_block *block = block_at(frame);

    block->next = pool->free[order];
    block->previous = NULL;
    if (block->next)
        block->next->previous = block;
    pool->free[order] = block;
    pool->state[frame - pool->first_frame] = (uint8_t)(STATE_FREE | order);
}

/* The links do not stay in the frame: whoever gets it, a guest perhaps, is not told where hv's other blocks are. */
static void list_remove(struct page_pool *pool, uint64_t frame, unsigned order)
{
    struct free_block *block = block_at(frame);

    if (block->next)
        block->next->previous = block->previous;
    if (block->previous)
        block->previous->next = block->next;
    else
        pool->free[order] = block->next;
    *block = (struct free_block){ NULL, NULL };
    pool->state[frame - pool->first_frame] = 0;
}

void pages_init(struct page_pool *pool, uint64_t start, uint64_t end, uint8_t *state)
{
    *pool = (struct page_pool){ .first_frame = start >> PAGE_SHIFT, .state = state };
    pool->frame_count = (end >> PAGE_SHIFT) - pool->first_frame;
    for (uint64_t i = 0; i < pool->frame_count; i++)
        state[i] = 0;
}

static bool is_free_head(const struct page_pool *pool, uint64_t frame, unsigned order)
{
    uint64_t index = frame - pool->first_frame;

    return frame >= pool->first_frame && index < pool->frame_count && pool->state[index] == (STATE_FREE | order);
}

/* Join the block with its free neighbour of the same size, and the result with its own, as far as it goes. */
static void add_block(struct page_pool *pool, uint64_t frame, unsigned order)
{
    pool->free_frames += 1ull << order;
    while (order < ORDER_1G) {
        uint64_t buddy = frame ^ 1ull << order;

        if (!is_free_head(pool, buddy, order))
            break;
        list_remove(pool, buddy, order);
        frame &= ~(1ull << order);
        order++;
    }
    list_push(pool, frame, order);
}

void pages_add(struct page_pool *pool, uint64_t start, uint64_t end)
{
    uint64_t frame = (start + PAGE_SIZE - 1) >> PAGE_SHIFT;
    uint64_t last = end >> PAGE_SHIFT;

    if (frame < pool->first_frame)
        frame = pool->first_frame;
    if (last > pool->first_frame + pool->frame_count)
        last = pool->first_frame + pool->frame_count;
    while (frame < last) {
        unsigned order = frame ? (unsigned)__builtin_ctzll(frame) : ORDER_1G;

        if (order > ORDER_1G)
            order = ORDER_1G;
        while (frame + (1ull << order) > last)
            order--;
        add_block(pool, frame, order);
        frame += 1ull << order;
    }
}

uint64_t pages_alloc(struct page_pool *pool, unsigned order)
{
    unsigned from = order;
    uint64_t frame;

    while (from < ORDER_COUNT && !pool->free[from])
        from++;
    if (from >= ORDER_COUNT)
        return 0;
    frame = (uint64_t)(uintptr_t)pool->free[from] >> PAGE_SHIFT;
    list_remove(pool, frame, from);
    while (from > order) { /* keep the lower half, give back the upper */
        from--;
        list_push(pool, frame + (1ull << from), from);
    }
    pool->free_frames -= 1ull << order;
    return frame << PAGE_SHIFT;
}

/* The head of a free block of some size covers it. */
static bool find_block(const struct page_pool *pool, uint64_t frame, uint64_t *head, unsigned *order)
{
    for (*order = 0; *order < ORDER_COUNT; ++*order) {
        *head = frame & ~((1ull << *order) - 1);
        if (is_free_head(pool, *head, *order))
            return true;
    }
    return false;
}

/* 2^wanted frames, which begin at `frame`, out of the free block of 2^order at `head` that covers them. */
static void carve(struct page_pool *pool, uint64_t head, unsigned order, uint64_t frame, unsigned wanted)
{
    list_remove(pool, head, order);
    while (order-- > wanted) { /* keep the half with the frame, give back the other */
        uint64_t half = 1ull << order;

        list_push(pool, frame & half ? head : head + half, order);
        head += frame & half;
    }
    pool->free_frames -= 1ull << wanted;
}

/* One frame out of the free block that covers it. */
static bool take(struct page_pool *pool, uint64_t frame)
{
    uint64_t head;
    unsigned order;

    if (!find_block(pool, frame, &head, &order))
        return false;
    carve(pool, head, order, frame, 0);
    return true;
}

/* A block may reach over both ends of [start, end). */
uint64_t pages_alloc_in(struct page_pool *pool, unsigned order, uint64_t start, uint64_t end)
{
    uint64_t size = 1ull << order, first = (start >> PAGE_SHIFT) + size - 1, last = end >> PAGE_SHIFT;

    first &= ~(size - 1);
    for (unsigned from = order; from < ORDER_COUNT; from++) {
        for (const struct free_block *block = pool->free[from]; block; block = block->next) {
            uint64_t head = (uint64_t)(uintptr_t)block >> PAGE_SHIFT, frame = head > first ? head : first;

            if (frame + size > head + (1ull << from) || frame + size > last)
                continue;
            carve(pool, head, from, frame, order);
            return frame << PAGE_SHIFT;
        }
    }
    return 0;
}

static uint8_t *mark_of(const struct page_pool *pool, uint64_t frame)
{
    return frame - pool->first_frame < pool->frame_count ? &pool->state[frame - pool->first_frame] : NULL;
}

unsigned pages_marks(const struct page_pool *pool, uint64_t address)
{
    const uint8_t *mark = mark_of(pool, address >> PAGE_SHIFT);

    return mark && *mark & STATE_MARKED && !(*mark & STATE_FREE) ? *mark & ~STATE_MARKED : 0;
}

unsigned pages_offline(struct page_pool *pool, uint64_t address, bool broken)
{
    uint64_t frame = address >> PAGE_SHIFT;
    uint8_t *mark = mark_of(pool, frame);
    unsigned marks = pages_marks(pool, address);

    if (!mark)
        return 0;
    if (!marks && take(pool, frame))
        marks = PAGE_OFFLINED;
    if (!marks) {
        marks = PAGE_PENDING;
        pool->pending++;
    }
    if (broken)
        marks |= PAGE_BROKEN;
    *mark = (uint8_t)(STATE_MARKED | marks);
    return marks;
}

bool pages_online(struct page_pool *pool, uint64_t address)
{
    unsigned marks = pages_marks(pool, address);

    if (!marks || marks & PAGE_BROKEN)
        return false;
    *mark_of(pool, address >> PAGE_SHIFT) = 0;
    if (marks & PAGE_PENDING)
        pool->pending--;
    else
        add_block(pool, address >> PAGE_SHIFT, 0);
    return true;
}

bool pages_is_free(const struct page_pool *pool, uint64_t address)
{
    uint64_t head;
    unsigned order;

    return find_block(pool, address >> PAGE_SHIFT, &head, &order);
}

/* A block with frames that are to be offlined goes back in single frames, without them. */
static void free_without_pending(struct page_pool *pool, uint64_t frame, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *mark = &pool->state[frame + i - pool->first_frame];

        if (*mark & STATE_MARKED && !(*mark & STATE_FREE)) {
            *mark = (uint8_t)((*mark & ~PAGE_PENDING) | PAGE_OFFLINED);
            pool->pending--;
        } else {
            add_block(pool, frame + i, 0);
        }
    }
}

static bool has_pending(const struct page_pool *pool, uint64_t frame, uint64_t count)
{
    for (uint64_t i = 0; pool->pending && i < count; i++)
        if (pages_marks(pool, (frame + i) << PAGE_SHIFT))
            return true;
    return false;
}

void pages_free(struct page_pool *pool, uint64_t address, unsigned order)
{
    uint64_t frame = address >> PAGE_SHIFT;

    if (has_pending(pool, frame, 1ull << order))
        free_without_pending(pool, frame, 1ull << order);
    else
        add_block(pool, frame, order);
}
