/* SPDX-License-Identifier: MIT */
/* Native walks: formats, rights, error codes, A and D, reserved bits. */
#include "sim/mmu/fake_memory.h"

#define ROOT UINT64_C(0x10000)
#define VA UINT64_C(0x00007f1234567000)

struct fixture {
    struct fake_memory *memory;
    struct mmu *mmu;
    struct mmu_result result;
    struct walk_totals totals;
};

static struct fixture setup(void)
{
    struct fixture f = { .memory = fake_memory_new() };

    f.mmu = mmu_new(&fake_geometry, &f.memory->space, 0, &f.memory->cycles);
    return f;
}

static void teardown(struct fixture *f)
{
    mmu_free(f->mmu);
    fake_memory_free(f->memory);
}

START_TEST(a_long_mode_walk_reads_four_entries_and_then_hits)
{
    struct fixture f = setup();
    struct paging paging = fake_long_mode(ROOT);

    fake_map(f.memory, &walk_long, ROOT, VA, 0x345000, 1, MAP_USED);
    mmu_set_paging(f.mmu, &paging);
    ck_assert_int_eq(mmu_translate(f.mmu, VA + 0x123, MMU_READ, &f.result), MMU_OK);
    ck_assert_uint_eq(f.result.spa, 0x345123);
    ck_assert_uint_eq(f.result.page_bytes, 4096);
    ck_assert_uint_eq(f.memory->cycles, 4 * 15);
    ck_assert_int_eq(mmu_translate(f.mmu, VA + 0x456, MMU_READ, &f.result), MMU_OK);
    mmu_walk_totals(f.mmu, 0, &f.totals);
    ck_assert_uint_eq(f.totals.walks, 1);
    for (unsigned level = 1; level <= 4; level++)
        ck_assert_uint_eq(f.totals.refs[level][0], 1);
    ck_assert_uint_eq(f.totals.ad_writes, 0);
    teardown(&f);
}
END_TEST

UNIT_TESTS("mmu/walk", a_long_mode_walk_reads_four_entries_and_then_hits)
