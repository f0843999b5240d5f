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
    ck_assert(npt_split(&npt, 0x3FFFFFFF, NPT_FOR_MMIO));
    ck_assert(npt_split(&npt, 0x200000, NPT_FOR_BALLOON));
    ck_assert_uint_eq(npt.entries[NPT_1G], 0);
    ck_assert_uint_eq(npt.entries[NPT_2M], 511);
    ck_assert_uint_eq(npt.entries[NPT_4K], 512);
    ck_assert_uint_eq(npt.splits[NPT_FOR_MMIO], 1);
    ck_assert_uint_eq(npt.splits[NPT_FOR_BALLOON], 1);
    for (uint64_t gpa = 0; gpa < GIB; gpa += 0x1FF123) {
        ck_assert(npt_lookup(&npt, gpa, &spa, &size));
        ck_assert_uint_eq(spa, 0x40000000 + gpa);
        ck_assert_uint_eq(size, gpa >> 21 == 1 ? NPT_4K : NPT_2M);
    }
    ck_assert(!npt_split(&npt, 0x200000, NPT_FOR_BALLOON)); /* 4K is the smallest */
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
    ck_assert(npt_split(&npt, 0x200000, NPT_FOR_LOG_DIRTY));
    ck_assert(npt_map(&npt, 0xA0000, 0x1000, NPT_4K, NPT_WRITE | NPT_BORROWED));
    ck_assert(npt_set_type(&npt, 0x1000, NPT_BALLOONED, NPT_FOR_BALLOON));
    npt_destroy(&npt, note_returned);
    ck_assert_uint_eq(returned_tables, 5); /* 4, and one of the split */
    /* all but A0000h-BFFFFh and the ballooned frame; the borrowed page not */
    ck_assert_uint_eq(returned_bytes, (256ull << 20) - 0x20000 - 0x1000);
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

/* One 2 MiB page at 2 MiB, backed from 1 GiB on. */
static void map_one(struct npt *npt)
{
    setup(POOL_PAGES);
    ck_assert(npt_init(npt, take_table));
    ck_assert(npt_map(npt, 0x200000, GIB, NPT_2M, NPT_WRITE));
}

static uint64_t entry_of(const struct npt *npt, uint64_t gpa)
{
    uint64_t entry = npt->root;

    for (unsigned shift = 39; shift >= 12; shift -= 9) {
        entry = ((const uint64_t *)(uintptr_t)(entry & 0x000FFFFFFFFFF000ull))[gpa >> shift & 511];
        if (!(entry & 1) || entry & 0x80)
            break;
    }
    return entry;
}

/* Bits 11:9 are the type, bit 1 the right to write (APM2 5.4). */
START_TEST(a_type_decides_what_the_processor_lets_through)
{
    static const struct {
        enum npt_type type;
        uint64_t low;
    } expected[] = { { NPT_RAM, 0x067 }, { NPT_LOG_DIRTY, 0x265 }, { NPT_READ_ONLY, 0x465 }, { NPT_FOREIGN, 0x667 } };
    struct npt npt;
    struct npt_page page;

    for (unsigned i = 0; i < 4; i++) {
        map_one(&npt);
        ck_assert(npt_set_type(&npt, 0x203000, expected[i].type, NPT_FOR_READ_ONLY));
        ck_assert_uint_eq(entry_of(&npt, 0x203000) & 0xF7F, expected[i].low); /* PS of an unsplit page apart */
        ck_assert(npt_find(&npt, 0x203ABC, &page));
        ck_assert_uint_eq(page.type, expected[i].type);
        ck_assert_uint_eq(page.spa, GIB + 0x3ABC);
    }
    for (unsigned type = NPT_BALLOONED; type <= NPT_MMIO; type++) {
        map_one(&npt);
        ck_assert(npt_set_type(&npt, 0x203000, (enum npt_type)type, NPT_FOR_MMIO));
        ck_assert_uint_eq(entry_of(&npt, 0x203000), (uint64_t)type << 9);
        ck_assert(npt_find(&npt, 0x203000, &page));
        ck_assert_uint_eq(page.type, type);
        ck_assert_uint_eq(npt.entries[NPT_4K], 511);
        ck_assert(!npt_lookup(&npt, 0x203000, &page.spa, &page.size));
    }
}
END_TEST

START_TEST(every_cause_splits_once_and_leaves_the_other_511_frames_alone)
{
    struct npt npt;
    struct npt_page page;

    for (unsigned cause = 0; cause < NPT_CAUSE_COUNT; cause++) {
        map_one(&npt);
        ck_assert(npt_place(&npt, 0x3FF000, 7 * GIB, NPT_FOREIGN, (enum npt_cause)cause));
        ck_assert(npt_place(&npt, 0x200000, 8 * GIB, NPT_FOREIGN, (enum npt_cause)cause));
        ck_assert_uint_eq(npt.splits[cause], 1);
        ck_assert_uint_eq(npt.entries[NPT_2M], 0);
        ck_assert_uint_eq(npt.entries[NPT_4K], 512);
        for (uint64_t gpa = 0x201000; gpa < 0x3FF000; gpa += 0x1000) {
            ck_assert(npt_find(&npt, gpa, &page));
            ck_assert_uint_eq(page.spa, GIB + gpa - 0x200000);
            ck_assert_uint_eq(page.type, NPT_RAM);
        }
    }
}
END_TEST

START_TEST(a_change_without_a_table_to_split_with_changes_nothing)
{
    struct npt npt;
    struct npt_page page;

    setup(3);
    ck_assert(npt_init(&npt, take_table));
    ck_assert(npt_map(&npt, 0x200000, GIB, NPT_2M, NPT_WRITE));
    ck_assert(!npt_set_type(&npt, 0x203000, NPT_MMIO, NPT_FOR_MMIO));
    ck_assert(!npt_place(&npt, 0x203000, 0x5000, NPT_RAM, NPT_FOR_SHARING));
    ck_assert(npt_find(&npt, 0x203000, &page));
    ck_assert_uint_eq(page.size, NPT_2M);
    ck_assert_uint_eq(page.type, NPT_RAM);
}
END_TEST

START_TEST(frames_of_one_kind_in_a_row_join_again_and_others_do_not)
{
    struct npt npt;
    struct npt_page page;
    uint64_t freed;

    map_one(&npt);
    ck_assert(!npt_promote(&npt, 0x200000, NPT_2M)); /* it is one page */
    ck_assert(npt_split(&npt, 0x200000, NPT_FOR_LOG_DIRTY));
    ck_assert(npt_retype(&npt, 0x2AB000, NPT_RAM, NPT_LOG_DIRTY));
    ck_assert(!npt_promote(&npt, 0x200000, NPT_2M)); /* one frame of another type */
    ck_assert(npt_retype(&npt, 0x2AB000, NPT_LOG_DIRTY, NPT_RAM));
    ck_assert(npt_place(&npt, 0x2AB000, 9 * GIB, NPT_RAM, NPT_FOR_RETIREMENT));
    ck_assert(!npt_promote(&npt, 0x200000, NPT_2M)); /* one frame from elsewhere */
    ck_assert(npt_place(&npt, 0x2AB000, GIB + 0xAB000, NPT_RAM, NPT_FOR_RETIREMENT));
    ck_assert_uint_eq(npt.tables, 4);
    freed = npt_promote(&npt, 0x2AB000, NPT_2M);
    ck_assert_uint_eq(freed, (uintptr_t)tables + 3 * 4096u);
    ck_assert_uint_eq(npt.tables, 3);
    ck_assert_uint_eq(npt.promotions, 1);
    ck_assert_uint_eq(npt.entries[NPT_2M], 1);
    ck_assert_uint_eq(npt.entries[NPT_4K], 0);
    ck_assert(npt_find(&npt, 0x2ABCDE, &page));
    ck_assert_uint_eq(page.spa, GIB + 0xABCDE);
    ck_assert_uint_eq(entry_of(&npt, 0x200000), GIB | 0xE7);
}
END_TEST

START_TEST(memory_in_a_row_that_begins_off_a_boundary_does_not_join)
{
    struct npt npt;

    setup(POOL_PAGES);
    ck_assert(npt_init(&npt, take_table));
    for (uint64_t gpa = 0; gpa < 0x200000; gpa += 0x1000)
        ck_assert(npt_map(&npt, gpa, GIB + 0x1000 + gpa, NPT_4K, NPT_WRITE));
    ck_assert(!npt_promote(&npt, 0, NPT_2M));
}
END_TEST

START_TEST(two_megabyte_pages_join_to_one_of_a_gigabyte)
{
    struct npt npt;

    setup(POOL_PAGES);
    ck_assert(npt_init(&npt, take_table));
    ck_assert(npt_map(&npt, GIB, 4 * GIB, NPT_1G, NPT_WRITE));
    ck_assert(npt_set_type(&npt, GIB + 0x5000, NPT_READ_ONLY, NPT_FOR_READ_ONLY));
    ck_assert_uint_eq(npt.splits[NPT_FOR_READ_ONLY], 2);
    ck_assert(npt_set_type(&npt, GIB + 0x5000, NPT_RAM, NPT_FOR_READ_ONLY));
    ck_assert(!npt_promote(&npt, GIB, NPT_1G)); /* its first 2 MiB are in small pages yet */
    ck_assert(npt_promote(&npt, GIB, NPT_2M));
    ck_assert(npt_promote(&npt, GIB, NPT_1G));
    ck_assert_uint_eq(npt.entries[NPT_1G], 1);
    ck_assert_uint_eq(npt.tables, 2);
    ck_assert_uint_eq(entry_of(&npt, GIB), 4 * GIB | 0xE7);
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

START_TEST(a_frame_is_found_where_the_guest_has_it_unless_it_is_not_its_own)
{
    struct npt npt;
    uint64_t gpa;

    setup(POOL_PAGES);
    ck_assert(npt_init(&npt, take_table));
    ck_assert(npt_map(&npt, 0x200000, 0x40000000, NPT_2M, NPT_WRITE));
    ck_assert(npt_map(&npt, 3 * GIB, 0x80000000, NPT_1G, NPT_WRITE));
    ck_assert(npt_map(&npt, 0x1000, 0x7000, NPT_4K, 0));
    ck_assert(npt_map(&npt, 0x2000, 0x9000, NPT_4K, NPT_BORROWED));
    ck_assert(npt_find_spa(&npt, 0x7ABC, &gpa));
    ck_assert_uint_eq(gpa, 0x1ABC);
    ck_assert(npt_find_spa(&npt, 0x401FFFFF, &gpa));
    ck_assert_uint_eq(gpa, 0x3FFFFF);
    ck_assert(!npt_find_spa(&npt, 0x40200000, &gpa));
    ck_assert(npt_find_spa(&npt, 0xBFFFFFFF, &gpa));
    ck_assert_uint_eq(gpa, 3 * GIB + 0x3FFFFFFF);
    ck_assert(!npt_find_spa(&npt, 0x9000, &gpa)); /* borrowed */
    ck_assert(!npt_find_spa(&npt, 0x1000, &gpa)); /* a gPA is not an sPA */
    ck_assert(npt_set_type(&npt, 0x1000, NPT_BALLOONED, NPT_FOR_BALLOON));
    ck_assert(!npt_find_spa(&npt, 0x7000, &gpa));
    ck_assert(!npt_find_spa(&npt, 0, &gpa)); /* what a ballooned entry holds is no address */
}
END_TEST

UNIT_TESTS("hv npt", a_frame_is_found_where_the_guest_has_it_unless_it_is_not_its_own,
           a_256_mib_guest_takes_127_large_and_480_small_entries,
           leaf_entries_are_user_writable_accessed_and_dirty, lookups_find_the_page_and_the_offset_in_it,
           a_split_changes_no_translation, destroying_gives_back_each_table_and_each_page_of_the_guests_own,
           wrong_requests_are_refused_and_change_nothing, a_type_decides_what_the_processor_lets_through,
           every_cause_splits_once_and_leaves_the_other_511_frames_alone,
           a_change_without_a_table_to_split_with_changes_nothing,
           frames_of_one_kind_in_a_row_join_again_and_others_do_not,
           memory_in_a_row_that_begins_off_a_boundary_does_not_join, two_megabyte_pages_join_to_one_of_a_gigabyte,
           pages_fit_only_aligned_and_whole)
