/* SPDX-License-Identifier: MIT */
/* Page-walk cache and nested TLB: references of warm walks, what they keep, and when they forget (fam10h.md 4.5). */
#include "sim/mmu/counted_mmu.h"

#define GUEST_BASE (UINT64_C(4) << 30)
#define GUEST_TABLES UINT64_C(0x100000)
#define NESTED_ROOT UINT64_C(0x10000000)
#define VA UINT64_C(0x40000000)
/* Cold with a page-walk cache: row gL4 4 + 1; rows gL3..gL1 share its nL4..nL2, 1 + 1 each; the final gPA lies in
 * another 2M of guest-physical memory, nL2 and nL1. */
#define COLD (5 + 3 * 2 + 2)
#define NEXT_TABLE (VA + 0x200000) /* the first page that another gL1 table maps */

static struct fixture fixture_new(unsigned pwc, unsigned ntlb, bool nested)
{
    struct mmu_geometry geometry = fake_geometry;
    struct fixture f;
    uint64_t root;

    geometry.pwc.entries = (uint16_t)pwc;
    geometry.ntlb.entries = (uint16_t)ntlb;
    f = fixture_counted(&geometry);
    f.memory->guest_offset = nested ? GUEST_BASE : 0;
    f.memory->next_table = GUEST_TABLES;
    root = fake_root(f.memory);
    for (unsigned i = 0; i < 1024; i++)
        fake_map(f.memory, &walk_long, root, VA + i * PAGE_BYTES, 0x400000 + i * PAGE_BYTES, 1, MAP_USED);
    f.paging = fake_long_mode(root);
    if (nested) {
        f.memory->guest_offset = 0;
        f.memory->next_table = NESTED_ROOT + PAGE_BYTES;
        for (gpa_t at = 0; at < 0x800000; at += PAGE_BYTES)
            fake_map(f.memory, &walk_long, NESTED_ROOT, at, GUEST_BASE + at, 1, MAP_USED);
        f.paging.nested = true;
        f.paging.asid = 1;
        f.paging.n_cr3 = NESTED_ROOT;
        f.paging.host_cr4 = CR4_PAE;
        f.paging.host_efer = EFER_LMA;
    }
    mmu_set_paging(f.mmu, &f.paging);
    return f;
}

/* References that the walk for `address` makes. */
static uint64_t refs(struct fixture *f, gva_t address)
{
    uint64_t before = counter(f, "walk.refs"), walks = counter(f, "walk.count");

    ck_assert_int_eq(mmu_translate(f->mmu, address, MMU_READ, &f->result), MMU_OK);
    ck_assert_uint_eq(counter(f, "walk.count"), walks + 1);
    return counter(f, "walk.refs") - before;
}

START_TEST(a_warm_native_walk_makes_one_reference)
{
    struct fixture f = fixture_new(24, 0, false);

    ck_assert_uint_eq(refs(&f, VA), 4);
    ck_assert_uint_eq(counter(&f, "pwc.misses{side=d}"), 3);
    ck_assert_uint_eq(refs(&f, VA + PAGE_BYTES), 1);
    ck_assert_uint_eq(counter(&f, "pwc.hits{side=d}"), 3);
    ck_assert_uint_eq(f.memory->cycles, 4 * 15 + 3 * 1 + 15);
    ck_assert_uint_eq(refs(&f, NEXT_TABLE), 2); /* gL2 and gL1 entries are new */
    fixture_free(&f);
}
END_TEST

START_TEST(a_warm_2d_walk_makes_six_references_with_the_page_walk_cache_alone)
{
    struct fixture f = fixture_new(24, 0, true);

    ck_assert_uint_eq(refs(&f, VA), COLD);
    ck_assert_uint_eq(refs(&f, VA + PAGE_BYTES), 6); /* nL1 of five rows, and gL1 */
    fixture_free(&f);
}
END_TEST

START_TEST(a_warm_2d_walk_makes_two_or_three_references_with_the_nested_tlb_too)
{
    struct fixture f = fixture_new(24, 16, true);

    refs(&f, VA);
    ck_assert_uint_eq(counter(&f, "ntlb.misses{side=d}"), 4);
    ck_assert_uint_eq(refs(&f, VA + PAGE_BYTES), 2); /* gL1 and the final nL1 */
    ck_assert_uint_eq(counter(&f, "ntlb.hits{side=d}"), 4);
    ck_assert_uint_eq(counter(&f, "walk.refs{g=1,n=0}"), 2);
    ck_assert_uint_eq(counter(&f, "walk.refs{g=0,n=1}"), 2);
    ck_assert_uint_eq(refs(&f, NEXT_TABLE), 5); /* gL2 entry, the new table's nL1, gL1, final nL2 and nL1 */
    ck_assert_uint_eq(refs(&f, NEXT_TABLE + PAGE_BYTES), 2);
    fixture_free(&f);
}
END_TEST

START_TEST(each_cache_is_off_with_no_entries)
{
    struct fixture f = fixture_new(0, 0, true);

    ck_assert_uint_eq(refs(&f, VA), 24);
    ck_assert_uint_eq(refs(&f, VA + PAGE_BYTES), 24);
    ck_assert_uint_eq(counter(&f, "pwc.hits") + counter(&f, "pwc.misses"), 0);
    ck_assert_uint_eq(counter(&f, "ntlb.hits") + counter(&f, "ntlb.misses"), 0);
    fixture_free(&f);
    f = fixture_new(0, 16, true);
    ck_assert_uint_eq(refs(&f, VA), 24);
    ck_assert_uint_eq(refs(&f, VA + PAGE_BYTES), 4 + 4); /* the guest's entries and the final nested walk */
    fixture_free(&f);
}
END_TEST

START_TEST(capacity_is_true_lru)
{
    struct fixture f = fixture_new(3, 0, false); /* room for one walk's non-leaf entries */

    refs(&f, VA);
    ck_assert_uint_eq(refs(&f, VA + PAGE_BYTES), 1);
    ck_assert_uint_eq(refs(&f, NEXT_TABLE), 2); /* its gL2 entry displaces the other table's */
    ck_assert_uint_eq(refs(&f, NEXT_TABLE + PAGE_BYTES), 1);
    ck_assert_uint_eq(refs(&f, VA + 2 * PAGE_BYTES), 2);
    fixture_free(&f);
}
END_TEST

/* INVLPG and CR3 loads drop all upper levels of the ASID; the nested TLB goes with its whole ASID (3.13, 4.5). */
START_TEST(flushes_empty_the_page_walk_cache_of_their_asid)
{
    struct fixture f = fixture_new(24, 16, true);
    struct paging other;

    refs(&f, VA);
    mmu_invlpg(f.mmu, VA + 512 * PAGE_BYTES); /* any address */
    ck_assert_uint_eq(refs(&f, VA + PAGE_BYTES), 4 + 4);
    mmu_flush_cr3(f.mmu);
    ck_assert_uint_eq(refs(&f, VA + PAGE_BYTES), 4 + 4);
    mmu_invlpga(f.mmu, VA, 2); /* another ASID */
    ck_assert_uint_eq(refs(&f, VA + 2 * PAGE_BYTES), 2);
    mmu_invlpga(f.mmu, VA, 1);
    ck_assert_uint_eq(refs(&f, VA + 3 * PAGE_BYTES), 4 + 4);
    mmu_flush_asid(f.mmu);
    ck_assert_uint_eq(refs(&f, VA + 3 * PAGE_BYTES), COLD);
    mmu_flush_all(f.mmu);
    ck_assert_uint_eq(refs(&f, VA + 3 * PAGE_BYTES), COLD);
    other = f.paging; /* a fresh ASID sees nothing of the old one */
    other.asid = 2;
    mmu_set_paging(f.mmu, &other);
    ck_assert_uint_eq(refs(&f, VA + 3 * PAGE_BYTES), COLD);
    mmu_set_paging(f.mmu, &f.paging); /* and the old one's entries are still there */
    ck_assert_uint_eq(refs(&f, VA + 4 * PAGE_BYTES), 2);
    fixture_free(&f);
}
END_TEST

/* An entry with P=0 is never kept, and a fault is only reported after a walk without cached entries (4.1). */
START_TEST(stale_upper_entries_never_cause_a_fault)
{
    struct fixture f = fixture_new(24, 0, false);
    spa_t pde = fake_entry(f.memory, &walk_long, f.paging.cr3, VA, 2);
    uint64_t value = fake_read(f.memory, pde);

    fake_write(f.memory, pde, value & ~PTE_P);
    ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_READ, &f.result), MMU_PAGE_FAULT);
    fake_write(f.memory, pde, value & ~PTE_RW); /* present now: no INVLPG is needed */
    ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_READ, &f.result), MMU_OK);
    fake_write(f.memory, pde, value); /* writable now: the cached PDE says no, memory says yes */
    ck_assert_int_eq(mmu_translate(f.mmu, VA + PAGE_BYTES, MMU_WRITE, &f.result), MMU_OK);
    ck_assert_uint_eq(counter(&f, "walk.causes{cause=retry}"), 1);
    fake_write(f.memory, fake_entry(f.memory, &walk_long, f.paging.cr3, VA + 2 * PAGE_BYTES, 1), 0);
    ck_assert_int_eq(mmu_translate(f.mmu, VA + 2 * PAGE_BYTES, MMU_WRITE, &f.result), MMU_PAGE_FAULT);
    ck_assert_uint_eq(counter(&f, "walk.causes{cause=retry}"), 2);
    ck_assert_uint_eq(counter(&f, "tlb.flushes{cause=retry}"), 2);
    fixture_free(&f);
}
END_TEST

static void count_sources(void *ctx, const struct walk_ref *ref)
{
    unsigned *sources = ctx;

    sources[ref->source]++;
}

START_TEST(a_trace_names_the_source_of_each_entry)
{
    struct fixture f = fixture_new(24, 16, true);
    unsigned sources[4] = { 0 };

    refs(&f, VA);
    mmu_trace_walks(f.mmu, count_sources, sources);
    refs(&f, VA + PAGE_BYTES);
    ck_assert_uint_eq(sources[WALK_NTLB], 4);   /* the pages of gL4..gL1's tables */
    ck_assert_uint_eq(sources[WALK_PWC], 3 + 3); /* gL4..gL2, final nL4..nL2 */
    ck_assert_uint_eq(sources[WALK_MEMORY], 2);
    mmu_trace_walks(f.mmu, NULL, NULL);
    refs(&f, VA + 2 * PAGE_BYTES);
    ck_assert_uint_eq(sources[WALK_MEMORY], 2);
    fixture_free(&f);
}
END_TEST

UNIT_TESTS("mmu/walkcache", a_warm_native_walk_makes_one_reference,
           a_warm_2d_walk_makes_six_references_with_the_page_walk_cache_alone,
           a_warm_2d_walk_makes_two_or_three_references_with_the_nested_tlb_too, each_cache_is_off_with_no_entries,
           capacity_is_true_lru, flushes_empty_the_page_walk_cache_of_their_asid,
           stale_upper_entries_never_cause_a_fault, a_trace_names_the_source_of_each_entry)
