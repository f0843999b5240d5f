/* SPDX-License-Identifier: MIT */
#include "hv/npt/npt.h"

#include <stdlib.h>
#include <string.h>

#include "sim/unit_test.h"

#define POOL_PAGES 160
#define GIB (1ull << 30)

static uint8_t *tables;
static unsigned tables_used, tables_allowed;

static uint64_t take_table(void)
{
    return tables_used < tables_allowed ? (uintptr_t)(tables + 4096u * tables_used++) : 0;
}

static void setup(unsigned allowed)
{
    free(tables);
    tables = aligned_alloc(4096, 4096 * POOL_PAGES);
    memset(tables, 0, 4096 * POOL_PAGES);
    tables_used = 0;
    tables_allowed = allowed;
}

/* As guest.c fills RAM: 0-A0000h, C0000h-end, the largest page that fits. */
static void fill(struct npt *npt, uint64_t end, enum npt_size limit)
{
    for (uint64_t gpa = 0; gpa < end;) {
        uint64_t stop = gpa < 0xA0000 ? 0xA0000 : end;
        enum npt_size size;

        if (gpa == 0xA0000)
            gpa = 0xC0000;
        size = npt_fit(gpa, stop, limit);
        ck_assert(npt_map(npt, gpa, GIB * 4 + gpa, size, NPT_WRITE));
        gpa += npt_bytes(size);
    }
}

/* hypervisor-features.md D: 127 large and 480 small entries in 4 tables, 131 tables with 4K alone. */
START_TEST(a_256_mib_guest_takes_127_large_and_480_small_entries)
{
    struct npt npt;

    setup(POOL_PAGES);
    ck_assert(npt_init(&npt, take_table));
    fill(&npt, 256 << 20, NPT_2M);
    ck_assert_uint_eq(npt.entries[NPT_2M], 127);
    ck_assert_uint_eq(npt.entries[NPT_4K], 480);
    ck_assert_uint_eq(npt.tables, 4);
    setup(POOL_PAGES);
    ck_assert(npt_init(&npt, take_table));
    fill(&npt, 256 << 20, NPT_4K);
    ck_assert_uint_eq(npt.tables, 131);
    ck_assert_uint_eq(npt.entries[NPT_4K], 65536 - 32);
}
END_TEST

START_TEST(leaf_entries_are_user_writable_accessed_and_dirty)
{
    struct npt npt;
    const uint64_t *entry;

    setup(POOL_PAGES);
    ck_assert(npt_init(&npt, take_table));
    ck_assert(npt_map(&npt, GIB, 5 * GIB, NPT_1G, NPT_WRITE));
    entry = (const uint64_t *)(uintptr_t)(*(const uint64_t *)(uintptr_t)npt.root & 0x000FFFFFFFFFF000ull) + 1;
    ck_assert_uint_eq(*entry, 5 * GIB | 0xE7); /* P RW US A D PS */
    ck_assert_uint_eq(*(const uint64_t *)(uintptr_t)npt.root & 0xFFF, 0x27); /* table: P RW US A */
}
END_TEST

START_TEST(lookups_find_the_page_and_the_offset_in_it)
{
    struct npt npt;
    uint64_t spa;
    enum npt_size size;

    setup(POOL_PAGES);
    ck_assert(npt_init(&npt, take_table));
    ck_assert(npt_map(&npt, 0x200000, 0x40000000, NPT_2M, NPT_WRITE));
    ck_assert(npt_map(&npt, 0x1000, 0x7000, NPT_4K, 0));
    ck_assert(npt_lookup(&npt, 0x2ABCDE, &spa, &size));
    ck_assert_uint_eq(spa, 0x400ABCDE);
    ck_assert_uint_eq(size, NPT_2M);
    ck_assert(npt_lookup(&npt, 0x1FFF, &spa, &size));
    ck_assert_uint_eq(spa, 0x7FFF);
    ck_assert(!npt_lookup(&npt, 0x2000, &spa, &size));
    ck_assert(!npt_lookup(&npt, 0x400000, &spa, &size));
    ck_assert(!npt_lookup(&npt, GIB * 600, &spa, &size));
}
END_TEST

START_TEST(a_split_changes_no_translation)
{
    struct npt npt;
    uint64_t spa;
    enum npt_size size;

    setup(POOL_PAGES);
    ck_assert(npt_init(&npt, take_table));
    ck_assert(npt_map(&npt, 0, 0x40000000, NPT_1G, NPT_WRITE));
    ck_assert(npt_split(&npt, 0x3FFFFFFF));
    ck_assert(npt_split(&npt, 0x200000));
    ck_assert_uint_eq(npt.entries[NPT_1G], 0);
    ck_assert_uint_eq(npt.entries[NPT_2M], 511);
    ck_assert_uint_eq(npt.entries[NPT_4K], 512);
    ck_assert_uint_eq(npt.splits, 2);
    for (uint64_t gpa = 0; gpa < GIB; gpa += 0x1FF123) {
        ck_assert(npt_lookup(&npt, gpa, &spa, &size));
        ck_assert_uint_eq(spa, 0x40000000 + gpa);
        ck_assert_uint_eq(size, gpa >> 21 == 1 ? NPT_4K : NPT_2M);
    }
    ck_assert(!npt_split(&npt, 0x200000)); /* 4K is the smallest */
}
END_TEST

static uint64_t returned_tables, returned_bytes;

static void note_returned(uint64_t spa, unsigned order)
{
    if (spa >= (uintptr_t)tables && spa < (uintptr_t)tables + 4096 * POOL_PAGES)
        returned_tables++;
    else
        returned_bytes += 0x1000ull << order;
}

START_TEST(destroying_gives_back_each_table_and_each_page_of_the_guests_own)
{
    struct npt npt;

    setup(POOL_PAGES);
    returned_tables = returned_bytes = 0;
    ck_assert(npt_init(&npt, take_table));
    fill(&npt, 256 << 20, NPT_2M);
    ck_assert(npt_split(&npt, 0x200000));
    ck_assert(npt_map(&npt, 0xA0000, 0x1000, NPT_4K, NPT_WRITE | NPT_BORROWED));
    npt_destroy(&npt, note_returned);
    ck_assert_uint_eq(returned_tables, 5);                       /* 4, and one of the split */
    ck_assert_uint_eq(returned_bytes, (256ull << 20) - 0x20000); /* all but A0000h-BFFFFh, the borrowed page not */
    ck_assert_uint_eq(npt.root, 0);
}
END_TEST

START_TEST(wrong_requests_are_refused_and_change_nothing)
{
    struct npt npt;

    setup(3);
    ck_assert(npt_init(&npt, take_table));
    ck_assert(!npt_map(&npt, 0x1000, 0x40000000, NPT_2M, NPT_WRITE)); /* gpa not aligned */
    ck_assert(!npt_map(&npt, 0x200000, 0x1000, NPT_2M, NPT_WRITE));   /* spa not aligned */
    ck_assert(npt_map(&npt, 0x200000, 0x40000000, NPT_2M, NPT_WRITE));
    ck_assert(!npt_map(&npt, 0x200000, 0x40000000, NPT_2M, NPT_WRITE)); /* there already */
    ck_assert(!npt_map(&npt, 0x201000, 0x40000000, NPT_4K, NPT_WRITE)); /* a larger page is in the way */
    ck_assert(!npt_map(&npt, 0, 0x40000000, NPT_1G, NPT_WRITE));        /* smaller ones are */
    ck_assert(!npt_map(&npt, 0, 0x1000, NPT_4K, NPT_WRITE));            /* no table left */
    ck_assert_uint_eq(npt.entries[NPT_2M], 1);
    ck_assert_uint_eq(npt.entries[NPT_4K] + npt.entries[NPT_1G], 0);
    setup(0);
    ck_assert(!npt_init(&npt, take_table));
}
END_TEST

START_TEST(pages_fit_only_aligned_and_whole)
{
    ck_assert_uint_eq(npt_fit(0, GIB, NPT_1G), NPT_1G);
    ck_assert_uint_eq(npt_fit(0, GIB - 1, NPT_1G), NPT_2M);
    ck_assert_uint_eq(npt_fit(GIB, 2 * GIB, NPT_2M), NPT_2M);
    ck_assert_uint_eq(npt_fit(0x1000, GIB, NPT_1G), NPT_4K);
    ck_assert_uint_eq(npt_fit(0x200000, 0x3FFFFF, NPT_1G), NPT_4K);
}
END_TEST

UNIT_TESTS("hv npt", a_256_mib_guest_takes_127_large_and_480_small_entries,
           leaf_entries_are_user_writable_accessed_and_dirty, lookups_find_the_page_and_the_offset_in_it,
           a_split_changes_no_translation, destroying_gives_back_each_table_and_each_page_of_the_guests_own,
           wrong_requests_are_refused_and_change_nothing,
           pages_fit_only_aligned_and_whole)
