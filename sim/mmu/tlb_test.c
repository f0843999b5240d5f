/* SPDX-License-Identifier: MIT */
/* The modelled TLBs: replacement, levels, page sizes, ASIDs, global pages, and what each flush drops. */
#include "sim/mmu/counted_mmu.h"

#define ROOT UINT64_C(0x10000)
#define BASE UINT64_C(0x40000000)

static struct fixture fixture_new(const struct mmu_geometry *geometry)
{
    struct fixture f = fixture_counted(geometry);

    f.paging = fake_long_mode(ROOT);
    f.paging.cr4 |= CR4_PGE;
    mmu_set_paging(f.mmu, &f.paging);
    f.memory->next_table = UINT64_C(0x800000000);
    return f;
}

static void map_4k(struct fixture *f, unsigned pages, uint64_t flags)
{
    for (unsigned i = 0; i < pages; i++)
        fake_map(f->memory, &walk_long, ROOT, BASE + i * PAGE_BYTES, 0x1000000 + i * PAGE_BYTES, 1, MAP_USED | flags);
}

static enum mmu_verdict touch(struct fixture *f, gva_t address, unsigned access)
{
    return mmu_translate(f->mmu, address, access, &f->result);
}

/* Whether the next access to `address` needs a walk (and makes it). */
static bool walks(struct fixture *f, gva_t address, unsigned access)
{
    uint64_t before = counter(f, "walk.count");

    ck_assert_int_eq(touch(f, address, access), MMU_OK);
    return counter(f, "walk.count") != before;
}

/* ---- Replacement ---------------------------------------------------------------------------------- */

/* A second model, as plain as can be: 48 entries in order of use, 128 sets of 4 in order of arrival. */
struct oracle {
    unsigned l1[48], l1_count;
    unsigned l2[128][4], l2_count[128];
    uint64_t l1_misses, walks;
};

static bool list_take(unsigned *list, unsigned *count, unsigned page)
{
    for (unsigned i = 0; i < *count; i++) {
        if (list[i] == page) {
            memmove(list + i, list + i + 1, (*count - i - 1) * sizeof(*list));
            --*count;
            return true;
        }
    }
    return false;
}

/* Append; if full, the oldest falls out and is returned. */
static int list_add(unsigned *list, unsigned *count, unsigned size, unsigned page)
{
    int victim = -1;

    if (*count == size) {
        victim = (int)list[0];
        list_take(list, count, list[0]);
    }
    list[(*count)++] = page;
    return victim;
}

static void oracle_access(struct oracle *o, unsigned page)
{
    int victim;

    if (!list_take(o->l1, &o->l1_count, page)) {
        o->l1_misses++;
        if (!list_take(o->l2[page % 128], &o->l2_count[page % 128], page))
            o->walks++;
    }
    victim = list_add(o->l1, &o->l1_count, 48, page);
    if (victim >= 0)
        list_add(o->l2[victim % 128], &o->l2_count[victim % 128], 4, (unsigned)victim);
}

/* BASE >> 12 is a multiple of 128, so that a page's number gives its L2 set. */
START_TEST(replacement_is_true_lru_as_a_second_plain_model_has_it)
{
    struct fixture f = fixture_new(&fake_geometry);
    struct oracle *o = g_new0(struct oracle, 1);
    uint64_t seed = 12345;

    map_4k(&f, 1024, 0);
    for (unsigned i = 0; i < 400000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        unsigned reach = (seed >> 60) < 9 ? 52 : (seed >> 60) < 14 ? 400 : 1024;
        unsigned page = (unsigned)(seed >> 33) % reach;
        gva_t address = BASE + page * PAGE_BYTES + (seed >> 20 & 0xff8);

        oracle_access(o, page);
        if (!native_data(f.mmu, address, 8, MMU_READ))
            ck_assert_int_eq(touch(&f, address, MMU_READ), MMU_OK);
        if (i % 10000 == 0) {
            ck_assert_uint_eq(counter(&f, "tlb.l1_misses{side=d}"), o->l1_misses);
            ck_assert_uint_eq(counter(&f, "walk.count{side=d}"), o->walks);
        }
    }
    ck_assert_uint_eq(counter(&f, "tlb.lookups{side=d}"), 400000);
    ck_assert_uint_eq(counter(&f, "tlb.l1_misses{side=d}"), o->l1_misses);
    ck_assert_uint_eq(counter(&f, "tlb.l2_hits{side=d,size=4K}"), o->l1_misses - o->walks);
    ck_assert_uint_eq(counter(&f, "tlb.fills{array=l1d,size=4K}"), o->walks);
    ck_assert_uint_eq(counter(&f, "tlb.evictions{array=l1d}"), o->l1_misses - 48);
    ck_assert_uint_eq(f.memory->cycles, o->walks * 4 * 15 + (o->l1_misses - o->walks) * 5);
    g_free(o);
    fixture_free(&f);
}
END_TEST

START_TEST(the_l2_of_2m_pages_is_indexed_by_address_bits_26_to_21)
{
    struct fixture f = fixture_new(&fake_geometry);

    for (unsigned i = 0; i < 64 * 52; i++)
        fake_map(f.memory, &walk_long, ROOT, BASE + ((uint64_t)i << 21), 0, 2, MAP_USED);
    for (unsigned i = 0; i < 48 + 3; i++) /* all in set 0, which has two ways */
        ck_assert(walks(&f, BASE + ((uint64_t)i * 64 << 21), MMU_READ));
    ck_assert(!walks(&f, BASE + (UINT64_C(64) << 21), MMU_READ)); /* 48 in L1; 1, 2 are left in L2 */
    ck_assert(!walks(&f, BASE + (UINT64_C(128) << 21), MMU_READ));
    ck_assert(walks(&f, BASE, MMU_READ));
    ck_assert_uint_eq(counter(&f, "tlb.evictions{array=l2d_2m,size=2M}"), 2);
    fixture_free(&f);
}
END_TEST

START_TEST(the_instruction_side_has_its_own_arrays_per_page_size)
{
    struct fixture f = fixture_new(&fake_geometry);

    map_4k(&f, 40, 0);
    for (unsigned i = 0; i < 20; i++)
        fake_map(f.memory, &walk_long, ROOT, BASE * 2 + ((uint64_t)i << 21), 0, 2, MAP_USED);
    ck_assert(walks(&f, BASE, MMU_READ));
    ck_assert(walks(&f, BASE, MMU_FETCH));
    for (unsigned i = 0; i < 33; i++)
        touch(&f, BASE + i * PAGE_BYTES, MMU_FETCH);
    ck_assert(!walks(&f, BASE, MMU_FETCH)); /* the 33rd of 32 went to the L2 */
    ck_assert_uint_eq(counter(&f, "tlb.l2_hits{side=i,size=4K}"), 1);
    for (unsigned i = 0; i < 17; i++)
        ck_assert(walks(&f, BASE * 2 + ((uint64_t)i << 21), MMU_FETCH));
    ck_assert(walks(&f, BASE * 2, MMU_FETCH)); /* 16 entries, and no L2 for 2M code */
    ck_assert_uint_eq(counter(&f, "tlb.fills{array=l1i_2m,size=2M}"), 18);
    fixture_free(&f);
}
END_TEST

/* ---- Page sizes ----------------------------------------------------------------------------------- */

START_TEST(a_4m_page_takes_an_entry_for_each_touched_half_and_invlpg_drops_both)
{
    struct fixture f = fixture_new(&fake_geometry);

    f.paging.cr4 = CR4_PSE;
    f.paging.efer = 0;
    mmu_set_paging(f.mmu, &f.paging);
    fake_map(f.memory, &walk_legacy_pse, ROOT, BASE, 0x2000000, 2, MAP_USED);
    ck_assert(walks(&f, BASE, MMU_READ));
    ck_assert(!walks(&f, BASE + 0x1fffff, MMU_READ));
    ck_assert(walks(&f, BASE + 0x200000, MMU_READ));
    ck_assert_uint_eq(f.result.spa, 0x2200000);
    ck_assert_uint_eq(counter(&f, "walk.pairs{guest=4M,nested=none}"), 2);
    mmu_invlpg(f.mmu, BASE + 0x3ff000);
    ck_assert_uint_eq(counter(&f, "tlb.flushed{cause=invlpg,array=l1d}"), 2);
    ck_assert(walks(&f, BASE, MMU_READ));
    ck_assert(walks(&f, BASE + 0x200000, MMU_READ));
    fixture_free(&f);
}
END_TEST

START_TEST(smash_1g_makes_2m_entries_of_a_1g_page)
{
    struct mmu_geometry geometry = fake_geometry;
    struct fixture f;

    geometry.smash_1g = true;
    f = fixture_new(&geometry);
    fake_map(f.memory, &walk_long, ROOT, BASE, 0x40000000, 3, MAP_USED);
    ck_assert(walks(&f, BASE, MMU_READ));
    ck_assert(walks(&f, BASE + 0x200000, MMU_READ));
    ck_assert_uint_eq(f.result.page_bytes, 0x200000);
    ck_assert_uint_eq(counter(&f, "tlb.splinters{side=d,cause=smash}"), 2);
    mmu_invlpg(f.mmu, BASE + 0x30000000); /* one page for software: every piece goes */
    ck_assert(walks(&f, BASE, MMU_READ));
    mmu_set_smash_1g(f.mmu, false);
    mmu_flush_all(f.mmu);
    ck_assert(walks(&f, BASE, MMU_READ));
    ck_assert_uint_eq(f.result.page_bytes, 0x40000000);
    ck_assert(!walks(&f, BASE + 0x3fffffff, MMU_READ));
    ck_assert(walks(&f, BASE + 0x200000, MMU_FETCH)); /* the ITLB has no 1G entries */
    ck_assert_uint_eq(f.result.page_bytes, 0x200000);
    ck_assert_uint_eq(counter(&f, "tlb.splinters{side=i,cause=array}"), 1);
    fixture_free(&f);
}
END_TEST

/* Guest 2M on nested 4K fills 4K entries; one INVLPG of the guest's page drops them all. */
START_TEST(an_entry_has_the_smaller_of_guest_and_nested_page)
{
    struct fixture f = fixture_new(&fake_geometry);
    uint64_t nested = UINT64_C(0x700000000), guest_at = UINT64_C(0x100000000);

    f.memory->guest_offset = guest_at;
    f.memory->next_table = 0x100000;
    fake_map(f.memory, &walk_long, ROOT, BASE, 0x400000, 2, MAP_USED);
    f.memory->guest_offset = 0;
    f.memory->next_table = nested + PAGE_BYTES;
    for (gpa_t at = 0; at < 0x600000; at += PAGE_BYTES)
        fake_map(f.memory, &walk_long, nested, at, guest_at + at, 1, MAP_USED);
    f.paging.nested = true;
    f.paging.asid = 5;
    f.paging.n_cr3 = nested;
    f.paging.host_cr4 = CR4_PAE;
    f.paging.host_efer = EFER_LMA;
    mmu_set_paging(f.mmu, &f.paging);
    for (unsigned i = 0; i < 3; i++)
        ck_assert(walks(&f, BASE + i * PAGE_BYTES, MMU_READ));
    ck_assert_uint_eq(f.result.page_bytes, PAGE_BYTES);
    ck_assert_uint_eq(counter(&f, "tlb.splinters{side=d,cause=nested}"), 3);
    ck_assert_uint_eq(counter(&f, "walk.pairs{asid=5,side=d,guest=2M,nested=4K}"), 3);
    mmu_invlpg(f.mmu, BASE + 0x1ff000);
    ck_assert_uint_eq(counter(&f, "tlb.flushed{cause=invlpg,array=l1d}"), 3);
    fixture_free(&f);
}
END_TEST

/* A 2M page across the fixed MTRRs enters in 4K pieces (BKDG10 event 165h umask 02). */
START_TEST(a_page_of_mixed_mtrr_type_enters_in_pieces)
{
    struct fixture f = fixture_new(&fake_geometry);
    struct msr_bank bank = mmu_msr_bank(f.mmu);
    const struct msr_row *row = bank.rows;

    fake_map(f.memory, &walk_long, ROOT, BASE, 0, 2, MAP_USED);
    while (row->msr != 0x2ff)
        row++;
    ck_assert(row->write(bank.ctx, row, BIT(11) | BIT(10) | MEMTYPE_WB)); /* fixed: all UC; the rest WB */
    ck_assert(walks(&f, BASE + 0xa0000, MMU_READ));
    ck_assert_uint_eq(f.result.page_bytes, PAGE_BYTES);
    ck_assert_uint_eq(f.result.memtype, MEMTYPE_UC);
    ck_assert(walks(&f, BASE + 0x100000, MMU_READ));
    ck_assert_uint_eq(f.result.memtype, MEMTYPE_WB);
    ck_assert_uint_eq(counter(&f, "tlb.splinters{side=d,cause=mtrr}"), 2);
    ck_assert_uint_eq(counter(&f, "tlb.flushes{cause=mtrr}"), 1);
    fixture_free(&f);
}
END_TEST

/* ---- Flush rules (APM2 5.5.2, 15.16; fam10h.md 3.13) ---------------------------------------------- */

/* Page 0 is global, page 1 is not; present in ASIDs 0, 1 and 2, on both sides. */
static struct fixture flush_fixture(void)
{
    struct fixture f = fixture_new(&fake_geometry);

    map_4k(&f, 2, 0);
    fake_map(f.memory, &walk_long, ROOT, BASE, 0x1000000, 1, MAP_USED | PTE_G);
    for (unsigned asid = 0; asid < 3; asid++) {
        f.paging.asid = (uint16_t)asid;
        mmu_set_paging(f.mmu, &f.paging);
        for (unsigned page = 0; page < 2; page++) {
            ck_assert(walks(&f, BASE + page * PAGE_BYTES, MMU_READ));
            ck_assert(walks(&f, BASE + page * PAGE_BYTES, MMU_FETCH));
        }
    }
    f.paging.asid = 1;
    mmu_set_paging(f.mmu, &f.paging);
    return f;
}

/* `gone`: bit 2 * asid + page is set if the translation was dropped; the same must hold on both sides. */
static void check_gone(struct fixture *f, unsigned gone)
{
    for (unsigned asid = 0; asid < 3; asid++) {
        f->paging.asid = (uint16_t)asid;
        mmu_set_paging(f->mmu, &f->paging);
        for (unsigned page = 0; page < 2; page++) {
            bool expected = gone >> (2 * asid + page) & 1;

            ck_assert_msg(walks(f, BASE + page * PAGE_BYTES, MMU_READ) == expected, "asid %u page %u", asid, page);
            ck_assert_msg(walks(f, BASE + page * PAGE_BYTES, MMU_FETCH) == expected, "asid %u page %u i", asid, page);
        }
    }
    fixture_free(f);
}

START_TEST(each_flush_drops_what_the_manual_says_and_nothing_else)
{
    struct fixture f = flush_fixture();
    struct mmu_geometry geometry = fake_geometry;

    mmu_invlpg(f.mmu, BASE + 0x123); /* global or not, current ASID only */
    check_gone(&f, 0x04);
    f = flush_fixture();
    mmu_invlpga(f.mmu, BASE + PAGE_BYTES, 2);
    check_gone(&f, 0x20);
    f = flush_fixture();
    mmu_invlpga(f.mmu, BASE, 0);
    check_gone(&f, 0x01);
    f = flush_fixture();
    mmu_flush_cr3(f.mmu); /* global pages stay */
    check_gone(&f, 0x08);
    f = flush_fixture();
    mmu_flush_asid(f.mmu);
    check_gone(&f, 0x0c);
    f = flush_fixture();
    mmu_flush_all(f.mmu);
    check_gone(&f, 0x3f);
    f = flush_fixture(); /* nothing else flushes: a new CR3, CR0.WP, or another ASID by VMRUN */
    f.paging.cr3 = ROOT + 8 * PAGE_BYTES;
    f.paging.cr0 ^= CR0_WP;
    mmu_set_paging(f.mmu, &f.paging);
    check_gone(&f, 0);
    f = flush_fixture();
    mmu_set_geometry(f.mmu, &geometry);
    check_gone(&f, 0x3f);
}
END_TEST

START_TEST(without_pge_no_entry_is_global)
{
    struct fixture f = fixture_new(&fake_geometry);

    f.paging.cr4 &= ~CR4_PGE;
    mmu_set_paging(f.mmu, &f.paging);
    map_4k(&f, 1, PTE_G);
    ck_assert(walks(&f, BASE, MMU_READ));
    mmu_flush_cr3(f.mmu);
    ck_assert(walks(&f, BASE, MMU_READ));
    fixture_free(&f);
}
END_TEST

START_TEST(a_flush_reaches_the_l2_too)
{
    struct fixture f = fixture_new(&fake_geometry);

    map_4k(&f, 100, 0);
    for (unsigned i = 0; i < 100; i++)
        touch(&f, BASE + i * PAGE_BYTES, MMU_READ);
    mmu_invlpg(f.mmu, BASE);
    ck_assert_uint_eq(counter(&f, "tlb.flushed{cause=invlpg,array=l2d_4k}"), 1);
    ck_assert(walks(&f, BASE, MMU_READ));
    ck_assert(!walks(&f, BASE + PAGE_BYTES, MMU_READ));
    mmu_flush_cr3(f.mmu);
    ck_assert_uint_eq(counter(&f, "tlb.flushed{cause=cr3}"), 100);
    fixture_free(&f);
}
END_TEST

/* ---- What native pointers are given for ----------------------------------------------------------- */

START_TEST(no_native_pointer_leads_to_devices_absent_covered_or_watched_pages)
{
    struct fixture f = fixture_new(&fake_geometry);
    uint8_t *native;

    map_4k(&f, 4, 0);
    fake_map(f.memory, &walk_long, ROOT, BASE + PAGE_BYTES, DEVICE_BASE, 1, MAP_USED);
    touch(&f, BASE + PAGE_BYTES, MMU_READ);
    ck_assert_ptr_null(f.result.native);
    touch(&f, BASE, MMU_WRITE); /* absent: reads as zero, is not allocated by a translation */
    ck_assert_ptr_null(f.result.native);
    ck_assert_ptr_null(native_data(f.mmu, BASE, 1, MMU_READ));
    ck_assert_ptr_null(fake_page(f.memory, 0x1000000, false));
    spa_write(&f.memory->space, 0x1000010, 1, 0x5a);
    touch(&f, BASE + 0x10, MMU_WRITE);
    ck_assert_ptr_nonnull(f.result.native);
    native = native_data(f.mmu, BASE + 0x10, 1, MMU_WRITE);
    ck_assert_ptr_eq(native, f.result.native);
    ck_assert_uint_eq(*native, 0x5a);
    ck_assert_ptr_null(native_data(f.mmu, BASE + 0xfff, 2, MMU_READ)); /* crosses the page */

    *fake_flags(f.memory, 0x1000000) = DRAM_PAGE_CODE;
    mmu_drop_native(f.mmu, 0x1000000);
    ck_assert_ptr_null(native_data(f.mmu, BASE, 1, MMU_READ));
    touch(&f, BASE, MMU_WRITE);
    ck_assert_ptr_null(f.result.native);
    touch(&f, BASE, MMU_READ); /* watching is about stores */
    ck_assert_ptr_nonnull(native_data(f.mmu, BASE, 1, MMU_READ));
    ck_assert_ptr_null(native_data(f.mmu, BASE, 1, MMU_WRITE));
    *fake_flags(f.memory, 0x1000000) = 0;

    mmu_cover_page(f.mmu, 0x1000000);
    ck_assert_ptr_null(native_data(f.mmu, BASE, 1, MMU_READ));
    touch(&f, BASE, MMU_READ);
    ck_assert_ptr_null(f.result.native);
    mmu_cover_page(f.mmu, SPA_LIMIT);
    touch(&f, BASE, MMU_READ);
    ck_assert_ptr_nonnull(native_data(f.mmu, BASE, 1, MMU_READ));
    ck_assert_ptr_null(native_data(f.mmu, BASE, 1, MMU_READ | MMU_USER)); /* slots know who asks */
    fixture_free(&f);
}
END_TEST

/* Each lookup counts for the ASID that made it; accesses without paging are no lookups. */
START_TEST(lookups_are_counted_by_asid_and_side)
{
    struct fixture f = fixture_new(&fake_geometry);
    struct paging unpaged = { .cr0 = 1 };
    spa_t spa;

    map_4k(&f, 1, 0);
    spa_write(&f.memory->space, 0x1000000, 1, 1);
    touch(&f, BASE, MMU_READ);
    ck_assert_ptr_nonnull(native_data(f.mmu, BASE, 1, MMU_READ));
    f.paging.asid = 7;
    mmu_set_paging(f.mmu, &f.paging);
    ck_assert_ptr_null(native_data(f.mmu, BASE, 1, MMU_READ));
    touch(&f, BASE, MMU_FETCH);
    ck_assert(native_fetch(f.mmu, BASE + 4, MMU_FETCH, &spa));
    ck_assert_uint_eq(spa, 0x1000004);
    mmu_fetch_again(f.mmu, 10);
    mmu_set_paging(f.mmu, &unpaged);
    for (unsigned i = 0; i < 3; i++)
        touch(&f, 0x1000000, MMU_READ);
    ck_assert_ptr_nonnull(native_data(f.mmu, 0x1000000, 1, MMU_READ));
    ck_assert_uint_eq(counter(&f, "tlb.lookups{asid=0,side=d}"), 2);
    ck_assert_uint_eq(counter(&f, "tlb.lookups{asid=7,side=i}"), 12);
    ck_assert_uint_eq(counter(&f, "tlb.lookups"), 14);
    ck_assert_uint_eq(counter(&f, "tlb.unpaged{side=d}"), 4);
    counters_clear(f.counters); /* does not touch recency or what comes after */
    touch(&f, 0x1000000, MMU_READ);
    ck_assert_uint_eq(counter(&f, "tlb.unpaged"), 1);
    ck_assert_uint_eq(counter(&f, "tlb.lookups"), 0);
    fixture_free(&f);
}
END_TEST

START_TEST(an_impossible_geometry_is_named)
{
    struct mmu_geometry geometry = fake_geometry;
    const char *right;

    ck_assert_ptr_null(mmu_geometry_error(&geometry, &right));
    geometry.l2d_4k.ways = 5;
    ck_assert_str_eq(mmu_geometry_error(&geometry, &right), "l2d_4k");
    ck_assert_str_eq(right, "entries = ways x a power of two");
    geometry = fake_geometry;
    geometry.pwc.entries = 5000;
    ck_assert_str_eq(mmu_geometry_error(&geometry, &right), "pwc");
    geometry = fake_geometry;
    geometry.l1d.entries = 0;
    ck_assert_str_eq(mmu_geometry_error(&geometry, &right), "l1d");
}
END_TEST

UNIT_TESTS("mmu/tlb", replacement_is_true_lru_as_a_second_plain_model_has_it,
           the_l2_of_2m_pages_is_indexed_by_address_bits_26_to_21,
           the_instruction_side_has_its_own_arrays_per_page_size,
           a_4m_page_takes_an_entry_for_each_touched_half_and_invlpg_drops_both,
           smash_1g_makes_2m_entries_of_a_1g_page, an_entry_has_the_smaller_of_guest_and_nested_page,
           a_page_of_mixed_mtrr_type_enters_in_pieces, each_flush_drops_what_the_manual_says_and_nothing_else,
           without_pge_no_entry_is_global, a_flush_reaches_the_l2_too,
           no_native_pointer_leads_to_devices_absent_covered_or_watched_pages, lookups_are_counted_by_asid_and_side,
           an_impossible_geometry_is_named)
