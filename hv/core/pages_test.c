/* SPDX-License-Identifier: MIT */
#include "hv/core/pages.h"

#include <stdlib.h>
#include <string.h>

#include "sim/unit_test.h"

#define ARENA (8u << 20)
#define FRAMES (ARENA / PAGE_SIZE)

static struct page_pool pool;
static uint64_t start;
static void *arena;
static uint8_t state[FRAMES];

/* 8 MiB of native memory, aligned to itself, stand for system-physical memory. */
static void setup(void)
{
    arena = aligned_alloc(ARENA, ARENA);
    start = (uintptr_t)arena;
    pages_init(&pool, start, start + ARENA, state);
}

static void teardown(void)
{
    free(arena);
}

START_TEST(blocks_are_aligned_to_their_size)
{
    uint64_t small, large;

    setup();
    pages_add(&pool, start, start + ARENA);
    small = pages_alloc(&pool, ORDER_4K);
    large = pages_alloc(&pool, ORDER_2M);
    ck_assert_uint_eq(small % PAGE_SIZE, 0);
    ck_assert_uint_eq(large % (2u << 20), 0);
    ck_assert_uint_eq(pool.free_frames, FRAMES - 1 - 512);
    teardown();
}
END_TEST

START_TEST(all_memory_can_be_had_once_and_no_block_twice)
{
    static uint8_t seen[FRAMES];
    uint64_t page;
    unsigned count = 0;

    setup();
    memset(seen, 0, sizeof(seen));
    pages_add(&pool, start, start + ARENA);
    while ((page = pages_alloc(&pool, ORDER_4K)) != 0) {
        ck_assert(page >= start && page < start + ARENA);
        ck_assert_uint_eq(seen[(page - start) / PAGE_SIZE]++, 0);
        count++;
    }
    ck_assert_uint_eq(count, FRAMES);
    ck_assert_uint_eq(pool.free_frames, 0);
    teardown();
}
END_TEST

START_TEST(freed_neighbours_join_to_the_largest_block)
{
    static uint64_t pages[FRAMES];

    setup();
    pages_add(&pool, start, start + ARENA);
    for (unsigned i = 0; i < FRAMES; i++)
        pages[i] = pages_alloc(&pool, ORDER_4K);
    ck_assert_uint_eq(pages_alloc(&pool, ORDER_2M), 0);
    for (unsigned i = 0; i < FRAMES; i += 2)
        pages_free(&pool, pages[i], ORDER_4K);
    ck_assert_uint_eq(pages_alloc(&pool, 1), 0); /* only odd neighbours are missing */
    for (unsigned i = 1; i < FRAMES; i += 2)
        pages_free(&pool, pages[i], ORDER_4K);
    ck_assert_uint_eq(pages_alloc(&pool, 11), start); /* 8 MiB in one */
    teardown();
}
END_TEST

START_TEST(partial_pages_at_the_ends_are_not_given_out)
{
    setup();
    pages_add(&pool, start + 1, start + 3 * PAGE_SIZE - 1);
    ck_assert_uint_eq(pool.free_frames, 1);
    ck_assert_uint_eq(pages_alloc(&pool, ORDER_4K), start + PAGE_SIZE);
    ck_assert_uint_eq(pages_alloc(&pool, ORDER_4K), 0);
    pages_add(&pool, start - PAGE_SIZE, start); /* outside the span */
    ck_assert_uint_eq(pool.free_frames, 0);
    teardown();
}
END_TEST

START_TEST(one_bad_frame_leaves_its_free_block_and_is_never_given_again)
{
    uint64_t bad, page;

    setup();
    pages_add(&pool, start, start + ARENA);
    bad = start + 5 * PAGE_SIZE + (3u << 20);
    ck_assert(pages_is_free(&pool, bad));
    ck_assert_uint_eq(pages_offline(&pool, bad + 0x123, true), PAGE_OFFLINED | PAGE_BROKEN);
    ck_assert(!pages_is_free(&pool, bad));
    ck_assert(pages_is_free(&pool, bad - PAGE_SIZE));
    ck_assert(pages_is_free(&pool, bad + PAGE_SIZE));
    ck_assert_uint_eq(pages_offline(&pool, bad, false), PAGE_OFFLINED | PAGE_BROKEN);
    ck_assert(!pages_online(&pool, bad));
    ck_assert_uint_eq(pool.free_frames, FRAMES - 1);
    for (unsigned i = 0; i < FRAMES - 1; i++) {
        page = pages_alloc(&pool, ORDER_4K);
        ck_assert_uint_ne(page, 0);
        ck_assert_uint_ne(page, bad);
    }
    ck_assert_uint_eq(pages_alloc(&pool, ORDER_4K), 0);
    ck_assert(!pages_is_free(&pool, start));
    teardown();
}
END_TEST

START_TEST(an_offlined_frame_comes_back_an_owned_one_leaves_when_it_is_freed)
{
    uint64_t block, page;

    setup();
    page = start + 7 * PAGE_SIZE;
    pages_add(&pool, start, start + ARENA);
    ck_assert(!pages_online(&pool, page));
    ck_assert_uint_eq(pages_marks(&pool, page), 0);
    ck_assert_uint_eq(pages_offline(&pool, page, false), PAGE_OFFLINED);
    ck_assert_uint_eq(pages_marks(&pool, page), PAGE_OFFLINED);
    ck_assert(pages_online(&pool, page));
    ck_assert_uint_eq(pool.free_frames, FRAMES);
    block = pages_alloc(&pool, ORDER_2M);
    page = block + 100 * PAGE_SIZE;
    ck_assert_uint_eq(pages_offline(&pool, page, false), PAGE_PENDING);
    ck_assert_uint_eq(pages_offline(&pool, page, true), PAGE_PENDING | PAGE_BROKEN);
    ck_assert_uint_eq(pages_offline(&pool, page + PAGE_SIZE, false), PAGE_PENDING);
    ck_assert(pages_online(&pool, page + PAGE_SIZE));
    pages_free(&pool, block, ORDER_2M);
    ck_assert_uint_eq(pages_marks(&pool, page), PAGE_OFFLINED | PAGE_BROKEN);
    ck_assert_uint_eq(pool.free_frames, FRAMES - 1);
    ck_assert_uint_eq(pool.pending, 0);
    for (unsigned i = 0; i < FRAMES - 1; i++)
        ck_assert_uint_ne(pages_alloc(&pool, ORDER_4K), page);
    ck_assert_uint_eq(pages_alloc(&pool, ORDER_4K), 0);
    ck_assert_uint_eq(pages_offline(&pool, start + ARENA, false), 0);
    teardown();
}
END_TEST

START_TEST(memory_of_a_range_lies_wholly_in_it)
{
    uint64_t from, to, page;
    unsigned count = 0;

    setup();
    from = start + 3 * PAGE_SIZE;
    to = from + (2u << 20) + 5 * PAGE_SIZE;
    pages_add(&pool, start, start + ARENA);
    page = pages_alloc_in(&pool, ORDER_2M, from, to);
    ck_assert(!page || (page >= from && page + (2u << 20) <= to && page % (2u << 20) == 0));
    if (page)
        pages_free(&pool, page, ORDER_2M);
    ck_assert_uint_eq(pages_alloc_in(&pool, ORDER_2M, from, from + (2u << 20) - PAGE_SIZE), 0);
    while ((page = pages_alloc_in(&pool, 1, from, to))) {
        ck_assert_uint_ge(page, from);
        ck_assert_uint_le(page + 2 * PAGE_SIZE, to);
        ck_assert_uint_eq(page % (2 * PAGE_SIZE), 0);
        count++;
    }
    /* Whole pairs between the first even frame at or behind `from` and the last one before `to`. */
    ck_assert_uint_eq(count, (to >> PAGE_SHIFT) / 2 - ((from >> PAGE_SHIFT) + 1) / 2);
    ck_assert_uint_eq(pool.free_frames, FRAMES - 2 * count);
    ck_assert_uint_ne(pages_alloc(&pool, ORDER_4K), 0);
    teardown();
}
END_TEST

/* Blocks are split, joined and carved, by a fixed draw; nobody who has one writes to it. */
START_TEST(no_link_of_a_free_block_stays_in_what_is_given)
{
    static uint64_t blocks[64];
    static const uint8_t zeros[PAGE_SIZE];
    uint32_t draw = 1;
    uint64_t page;

    setup();
    memset(arena, 0, ARENA);
    memset(blocks, 0, sizeof(blocks));
    pages_add(&pool, start + PAGE_SIZE, start + ARENA);
    for (unsigned i = 0; i < 4096; i++) {
        unsigned which, order;

        draw = draw * 1664525 + 1013904223; /* Numerical Recipes' */
        which = draw >> 26;
        order = which % 5; /* of one place always the same */
        if (blocks[which])
            pages_free(&pool, blocks[which], order);
        blocks[which] = blocks[which] ? 0
                        : draw >> 16 & 1 ? pages_alloc(&pool, order)
                                         : pages_alloc_in(&pool, order, start + ARENA / 2, start + ARENA);
        for (uint64_t at = blocks[which]; at && at < blocks[which] + ((uint64_t)PAGE_SIZE << order); at += PAGE_SIZE)
            ck_assert(memcmp((void *)(uintptr_t)at, zeros, PAGE_SIZE) == 0);
    }
    while ((page = pages_alloc(&pool, ORDER_4K)) != 0)
        ck_assert(memcmp((void *)(uintptr_t)page, zeros, PAGE_SIZE) == 0);
    teardown();
}
END_TEST

UNIT_TESTS("hv pages", no_link_of_a_free_block_stays_in_what_is_given,
           memory_of_a_range_lies_wholly_in_it,
           an_offlined_frame_comes_back_an_owned_one_leaves_when_it_is_freed,
           one_bad_frame_leaves_its_free_block_and_is_never_given_again,
           blocks_are_aligned_to_their_size, all_memory_can_be_had_once_and_no_block_twice,
           freed_neighbours_join_to_the_largest_block, partial_pages_at_the_ends_are_not_given_out)
