/* SPDX-License-Identifier: MIT */
#include "hv/npt/log_dirty.h"

#include <stdlib.h>
#include <string.h>

#include "sim/unit_test.h"

#define POOL_PAGES 64
#define MEMORY (16ull << 20)
#define FRAMES (MEMORY >> 12)
#define HOLE_START 0xA0u
#define HOLE_END 0xC0u

static uint8_t *tables;
static unsigned tables_used, tables_allowed;
static uint64_t bitmap[FRAMES / 64];
static struct npt npt;
static struct log_dirty dirty;

static uint64_t take_table(void)
{
    return tables_used < tables_allowed ? (uintptr_t)(tables + 4096u * tables_used++) : 0;
}

/* 0-A0000h and C0000h-2 MiB in small pages, the rest in large ones; logging begins. */
static void begin(unsigned tables_for_splits)
{
    free(tables);
    tables = aligned_alloc(4096, 4096 * POOL_PAGES);
    memset(tables, 0, 4096 * POOL_PAGES);
    memset(bitmap, 0, sizeof(bitmap));
    tables_used = 0;
    tables_allowed = POOL_PAGES;
    ck_assert(npt_init(&npt, take_table));
    for (uint64_t frame = 0; frame < 512; frame++)
        if (frame < HOLE_START || frame >= HOLE_END)
            ck_assert(npt_map(&npt, frame << 12, (1ull << 32) + (frame << 12), NPT_4K, NPT_WRITE));
    for (uint64_t gpa = 2 << 20; gpa < MEMORY; gpa += 2 << 20)
        ck_assert(npt_map(&npt, gpa, (1ull << 32) + gpa, NPT_2M, NPT_WRITE));
    tables_allowed = tables_used + tables_for_splits;
    dirty.faults = 0;
    log_dirty_begin(&dirty, &npt, bitmap, FRAMES);
}

static enum npt_type type_of(uint64_t gpa)
{
    struct npt_page page;

    ck_assert(npt_find(&npt, gpa, &page));
    return page.type;
}

/* A guest's store: what the processor does, then what hv does. */
static void store(uint64_t gpa)
{
    if (type_of(gpa) == NPT_LOG_DIRTY)
        log_dirty_fault(&dirty, &npt, gpa);
    ck_assert_int_eq(type_of(gpa), NPT_RAM);
}

START_TEST(begin_takes_the_right_to_write_from_every_page_and_splits_none)
{
    begin(POOL_PAGES);
    ck_assert_uint_eq(npt.entries[NPT_2M], 7);
    ck_assert_uint_eq(npt.entries[NPT_4K], 480);
    for (uint64_t frame = 0; frame < FRAMES; frame++)
        if (frame < HOLE_START || frame >= HOLE_END)
            ck_assert_int_eq(type_of(frame << 12), NPT_LOG_DIRTY);
    ck_assert_uint_eq(dirty.dirty, 0);
}
END_TEST

/* hypervisor-features.md D: one split for each written 2 MiB, 4K exact. */
START_TEST(a_write_marks_one_frame_and_leaves_511_of_its_page_read_only)
{
    begin(POOL_PAGES);
    store(0x400000 + 0x5000 + 0x123);
    store(0x400000 + 0x6000);
    store(0x400000 + 0x5000);
    ck_assert_uint_eq(npt.splits[NPT_FOR_LOG_DIRTY], 1);
    ck_assert_uint_eq(dirty.faults, 2);
    ck_assert_uint_eq(dirty.dirty, 2);
    for (uint64_t frame = 0x400; frame < 0x600; frame++) {
        bool written = frame == 0x405 || frame == 0x406;

        ck_assert_int_eq(log_dirty_test(&dirty, frame), written);
        ck_assert_int_eq(type_of(frame << 12), written ? NPT_RAM : NPT_LOG_DIRTY);
    }
    ck_assert_int_eq(type_of(0x600000), NPT_LOG_DIRTY);
}
END_TEST

START_TEST(the_bitmap_is_the_set_of_frames_written_since_the_last_take)
{
    static bool written[FRAMES];
    static uint64_t taken[FRAMES / 64];
    uint64_t random = 88172645463325252ull;

    begin(POOL_PAGES);
    for (unsigned round = 0; round < 20; round++) {
        uint64_t count = 0;

        memset(written, 0, sizeof(written));
        for (unsigned i = 0; i < 300; i++) {
            uint64_t frame;

            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            frame = random % FRAMES;
            if (frame >= HOLE_START && frame < HOLE_END)
                continue;
            if (random >> 60 == 0)
                log_dirty_mark(&dirty, frame); /* hv wrote it */
            else
                store(frame << 12);
            written[frame] = true;
        }
        for (uint64_t frame = 0; frame < FRAMES; frame++) {
            ck_assert_int_eq(log_dirty_test(&dirty, frame), written[frame]);
            count += written[frame];
        }
        ck_assert_uint_eq(dirty.dirty, count);
        log_dirty_take(&dirty, &npt, taken);
        for (uint64_t frame = 0; frame < FRAMES; frame++) {
            ck_assert_int_eq(taken[frame / 64] >> frame % 64 & 1, written[frame]);
            ck_assert(!log_dirty_test(&dirty, frame));
        }
        ck_assert_uint_eq(dirty.dirty, 0);
        ck_assert_uint_eq(npt_retype_all(&npt, NPT_RAM, NPT_RAM), 0); /* no page stayed writable */
    }
    ck_assert_uint_eq(npt.splits[NPT_FOR_LOG_DIRTY], 7);
}
END_TEST

START_TEST(without_memory_to_split_the_whole_page_counts_as_written)
{
    begin(0);
    store(0x400000);
    ck_assert_uint_eq(npt.entries[NPT_2M], 7);
    ck_assert_uint_eq(dirty.dirty, 512);
    ck_assert(log_dirty_test(&dirty, 0x5FF));
    ck_assert(!log_dirty_test(&dirty, 0x600));
    log_dirty_take(&dirty, &npt, NULL);
    ck_assert_int_eq(type_of(0x400000), NPT_LOG_DIRTY);
}
END_TEST

START_TEST(after_the_end_everything_is_writable_and_joins)
{
    begin(POOL_PAGES);
    store(0x400000);
    store(0x1000);
    ck_assert_ptr_eq(log_dirty_end(&dirty, &npt), bitmap);
    ck_assert_uint_eq(npt_retype_all(&npt, NPT_LOG_DIRTY, NPT_RAM), 0);
    ck_assert(npt_promote(&npt, 0x400000, NPT_2M) != 0);
    ck_assert(npt_promote(&npt, 0, NPT_2M) == 0); /* the VGA hole */
    ck_assert_uint_eq(npt.entries[NPT_2M], 7);
    log_dirty_mark(&dirty, 5); /* off: nothing to mark in */
    ck_assert(!log_dirty_test(&dirty, 5));
}
END_TEST

START_TEST(other_types_are_not_logged)
{
    begin(POOL_PAGES);
    ck_assert(npt_set_type(&npt, 0x200000, NPT_READ_ONLY, NPT_FOR_READ_ONLY));
    ck_assert(npt_place(&npt, 0x201000, 5ull << 32, NPT_FOREIGN, NPT_FOR_SHARING));
    log_dirty_mark(&dirty, 0x200);
    log_dirty_take(&dirty, &npt, NULL);
    log_dirty_end(&dirty, &npt);
    ck_assert_int_eq(type_of(0x200000), NPT_READ_ONLY);
    ck_assert_int_eq(type_of(0x201000), NPT_FOREIGN);
}
END_TEST

UNIT_TESTS("hv log-dirty", begin_takes_the_right_to_write_from_every_page_and_splits_none,
           a_write_marks_one_frame_and_leaves_511_of_its_page_read_only,
           the_bitmap_is_the_set_of_frames_written_since_the_last_take,
           without_memory_to_split_the_whole_page_counts_as_written, after_the_end_everything_is_writable_and_joins,
           other_types_are_not_logged)
