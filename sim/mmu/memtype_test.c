/* SPDX-License-Identifier: MIT */
/* Memory types: the manual's tables, MTRR matching, and the registers behind them. */
#include "sim/mmu/fake_memory.h"
#include "sim/mmu/memtype.h"

#define UC MEMTYPE_UC
#define WC MEMTYPE_WC
#define WT MEMTYPE_WT
#define WP MEMTYPE_WP
#define WB MEMTYPE_WB
#define UC_ MEMTYPE_UC_MINUS
#define CD MEMTYPE_CD
#define WCP MEMTYPE_WC_PLUS

/* APM2 table 15-19, in its own order of rows and columns. */
START_TEST(guest_and_host_pat_combine_as_the_manuals_table)
{
    static const enum memtype order[6] = { UC, UC_, WC, WP, WT, WB };
    static const enum memtype table[6][6] = {
        { UC, UC, UC, UC, UC, UC },    { UC, UC_, WC, UC, UC, UC }, { WC, WC, WC, WCP, WCP, WCP },
        { UC, UC, UC, WP, UC, WP },    { UC, UC, UC, UC, WT, WT },  { UC, UC, WC, WP, WT, WB },
    };

    for (unsigned guest = 0; guest < 6; guest++)
        for (unsigned host = 0; host < 6; host++)
            ck_assert_int_eq(memtype_nested(order[guest], order[host]), table[guest][host]);
}
END_TEST

/* APM2 table 7-11. */
START_TEST(pat_and_mtrr_combine_as_the_manuals_table)
{
    static const enum memtype pats[7] = { UC, UC_, WC, WCP, WP, WT, WB };
    static const enum memtype mtrrs[5] = { UC, WC, WP, WT, WB };
    static const enum memtype table[7][5] = {
        { UC, CD, CD, CD, CD },   { UC, WC, CD, CD, CD },   { WC, WC, WC, WC, WC },
        { WC, WC, WCP, WCP, WCP }, { UC, CD, WP, CD, WP },   { UC, CD, CD, WT, WT },
        { UC, WC, WP, WT, WB },
    };

    for (unsigned pat = 0; pat < 7; pat++)
        for (unsigned mtrr = 0; mtrr < 5; mtrr++)
            ck_assert_int_eq(memtype_combine(pats[pat], mtrrs[mtrr]), table[pat][mtrr]);
}
END_TEST

/* ---- Through the registers ------------------------------------------------------------------------ */

struct fixture {
    struct fake_memory *memory;
    struct mmu *mmu;
    struct msr_bank bank;
    struct mmu_result result;
};

static struct fixture fixture_new(void)
{
    struct fixture f = { .memory = fake_memory_new() };

    f.mmu = mmu_new(&fake_geometry, &f.memory->space, 0, &f.memory->cycles);
    f.bank = mmu_msr_bank(f.mmu);
    return f;
}

static void fixture_free(struct fixture *f)
{
    mmu_free(f->mmu);
    fake_memory_free(f->memory);
}

static const struct msr_row *msr_row(struct fixture *f, uint32_t msr)
{
    for (size_t i = 0; i < f->bank.count; i++)
        if (f->bank.rows[i].msr == msr)
            return &f->bank.rows[i];
    ck_abort_msg("no row for MSR %x", msr);
    return NULL;
}

static uint64_t *storage(struct fixture *f, const struct msr_row *row)
{
    return (uint64_t *)(void *)((char *)f->bank.ctx + row->offset);
}

/* WRMSR as bus.h defines a row: must-be-zero bits, then the masked value to the hook. false: #GP(0). */
static bool wrmsr(struct fixture *f, uint32_t msr, uint64_t value)
{
    const struct msr_row *row = msr_row(f, msr);
    uint64_t old = *storage(f, row);

    if ((row->rule & MSR_READ_ONLY) || (value & row->mbz))
        return false;
    value = (value & row->writable) | (old & ~row->writable);
    return row->write(f->bank.ctx, row, value);
}

static uint64_t rdmsr(struct fixture *f, uint32_t msr)
{
    const struct msr_row *row = msr_row(f, msr);

    return row->read ? row->read(f->bank.ctx, row) : *storage(f, row);
}

/* Effective type of an unpaged access: PAT counts as WB, so that it is the MTRR's. */
static enum memtype type_at(struct fixture *f, spa_t address)
{
    ck_assert_int_eq(mmu_translate(f->mmu, address, MMU_READ, &f->result), MMU_OK);
    return (enum memtype)f->result.memtype;
}

START_TEST(without_mtrrs_everything_is_uncacheable)
{
    struct fixture f = fixture_new();

    ck_assert_int_eq(type_at(&f, 0x1000), UC);
    ck_assert(wrmsr(&f, 0x2ff, WB)); /* E = 0: the default field does not count */
    ck_assert_int_eq(type_at(&f, 0x1000), UC);
    ck_assert(wrmsr(&f, 0x2ff, WB | BIT(11)));
    ck_assert_int_eq(type_at(&f, 0x1000), WB);
    fixture_free(&f);
}
END_TEST

START_TEST(each_byte_of_the_fixed_mtrrs_rules_its_range)
{
    static const struct {
        uint32_t msr;
        spa_t base, step;
    } ranges[] = {
        { 0x250, 0x00000, 0x10000 }, { 0x258, 0x80000, 0x4000 }, { 0x259, 0xa0000, 0x4000 },
        { 0x268, 0xc0000, 0x1000 },  { 0x269, 0xc8000, 0x1000 }, { 0x26a, 0xd0000, 0x1000 },
        { 0x26b, 0xd8000, 0x1000 },  { 0x26c, 0xe0000, 0x1000 }, { 0x26d, 0xe8000, 0x1000 },
        { 0x26e, 0xf0000, 0x1000 },  { 0x26f, 0xf8000, 0x1000 },
    };
    struct fixture f = fixture_new();

    ck_assert(wrmsr(&f, 0x2ff, WT | BIT(11) | BIT(10)));
    for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++) {
        for (unsigned byte = 0; byte < 8; byte++) {
            ck_assert(wrmsr(&f, ranges[i].msr, (uint64_t)WB << (8 * byte)));
            for (unsigned other = 0; other < 8; other++) {
                enum memtype expected = other == byte ? WB : UC;
                spa_t base = ranges[i].base + other * ranges[i].step;

                ck_assert_int_eq(type_at(&f, base), expected);
                ck_assert_int_eq(type_at(&f, base + ranges[i].step - 1), expected);
            }
        }
        ck_assert(wrmsr(&f, ranges[i].msr, 0));
    }
    ck_assert_int_eq(type_at(&f, 0x100000), WT);
    ck_assert(wrmsr(&f, 0x2ff, WT | BIT(11))); /* FE = 0 */
    ck_assert_int_eq(type_at(&f, 0xa0000), WT);
    fixture_free(&f);
}
END_TEST

START_TEST(overlapping_variable_ranges_follow_the_manual)
{
    struct fixture f = fixture_new();

    ck_assert(wrmsr(&f, 0x2ff, WP | BIT(11)));
    ck_assert(wrmsr(&f, 0x200, 0x40000000 | WB)); /* 1G-2G WB */
    ck_assert(wrmsr(&f, 0x201, UINT64_C(0xffffc0000000) | BIT(11)));
    ck_assert(wrmsr(&f, 0x20e, 0x50000000 | WT)); /* 256M of it WT */
    ck_assert(wrmsr(&f, 0x20f, UINT64_C(0xfffff0000000) | BIT(11)));
    ck_assert(wrmsr(&f, 0x206, 0x58000000 | UC)); /* 128M of that UC */
    ck_assert(wrmsr(&f, 0x207, UINT64_C(0xfffff8000000) | BIT(11)));
    ck_assert_int_eq(type_at(&f, 0x3ffff000), WP);
    ck_assert_int_eq(type_at(&f, 0x40000000), WB);
    ck_assert_int_eq(type_at(&f, 0x50000000), WT);
    ck_assert_int_eq(type_at(&f, 0x5fffffff), UC);
    ck_assert(wrmsr(&f, 0x207, 0)); /* not valid */
    ck_assert_int_eq(type_at(&f, 0x5fffffff), WT);
    fixture_free(&f);
}
END_TEST

/* SYS_CFG[22] with [21]: 4G to TOM2 is WB whatever the default (BKDG10 MSRC001_0010). */
START_TEST(tom2_can_force_write_back_above_4g)
{
    struct fixture f = fixture_new();

    ck_assert(wrmsr(&f, 0x2ff, UC | BIT(11)));
    ck_assert(wrmsr(&f, 0xc001001d, UINT64_C(0x180000000)));
    ck_assert_int_eq(type_at(&f, UINT64_C(0x100000000)), UC);
    ck_assert(wrmsr(&f, 0xc0010010, BIT(21) | BIT(22)));
    ck_assert_int_eq(type_at(&f, UINT64_C(0x17ffff000)), WB);
    ck_assert_int_eq(type_at(&f, UINT64_C(0x180000000)), UC);
    ck_assert_int_eq(type_at(&f, 0xfffff000), UC);
    fixture_free(&f);
}
END_TEST

/* A page enters the TLB whole only if one MTRR type covers it all. */
START_TEST(a_page_is_uniform_if_no_range_ends_inside)
{
    struct memory_types types = { .def = BIT(11) | BIT(10) | WB };

    ck_assert(!mtrr_is_uniform(&types, 0x1ff000, 21)); /* fixed ranges UC below 1M, WB above */
    ck_assert(mtrr_is_uniform(&types, 0x1ff000, 12));
    ck_assert(mtrr_is_uniform(&types, 0x200000, 21));
    for (unsigned i = 0; i < MTRR_FIXED; i++)
        types.fixed[i] = UINT64_C(0x0606060606060606);
    ck_assert(mtrr_is_uniform(&types, 0, 21));
    types.fixed[10] = UINT64_C(0x0506060606060606); /* FF000 is WP */
    ck_assert(!mtrr_is_uniform(&types, 0, 21));
    types.def &= ~BIT(10);
    ck_assert(mtrr_is_uniform(&types, 0, 21));

    types.variable[3][0] = 0x80100000 | UC; /* 1M inside a 2M page */
    types.variable[3][1] = UINT64_C(0xfffffff00000) | BIT(11);
    ck_assert(!mtrr_is_uniform(&types, 0x80000000, 21));
    ck_assert(!mtrr_is_uniform(&types, 0x80000000, 30));
    ck_assert(mtrr_is_uniform(&types, 0x80200000, 21));
    ck_assert(mtrr_is_uniform(&types, 0x40000000, 30));
    types.variable[3][1] &= ~BIT(11);
    ck_assert(mtrr_is_uniform(&types, 0x80000000, 21));

    types.sys_cfg = BIT(21) | BIT(22); /* forced WB to TOM2 */
    types.top_mem2 = UINT64_C(0x150000000);
    types.def = BIT(11) | UC;
    ck_assert(!mtrr_is_uniform(&types, UINT64_C(0x140000000), 30));
    ck_assert(mtrr_is_uniform(&types, UINT64_C(0x100000000), 30));
    ck_assert(mtrr_is_uniform(&types, UINT64_C(0x180000000), 30));
}
END_TEST

START_TEST(two_ranges_of_one_type_are_that_type_and_a_strange_mixture_is_uncacheable)
{
    struct memory_types types = { .def = BIT(11) };

    for (unsigned i = 0; i < 2; i++)
        types.variable[i][1] = UINT64_C(0xffff00000000) | BIT(11);
    types.variable[0][0] = types.variable[1][0] = WC;
    ck_assert_int_eq(mtrr_type(&types, 0x12345000), WC);
    types.variable[1][0] = WB;
    ck_assert_int_eq(mtrr_type(&types, 0x12345000), UC);
    types.variable[0][0] = WT;
    ck_assert_int_eq(mtrr_type(&types, 0x12345000), WT);
    types.variable[0][0] = WB, types.variable[1][0] = WT;
    ck_assert_int_eq(mtrr_type(&types, 0x12345000), WT);
}
END_TEST

START_TEST(a_reset_restores_registers_and_forgets_translations)
{
    struct fixture f = fixture_new();
    struct paging paging = fake_long_mode(0x10000);
    struct walk_totals totals;

    ck_assert(wrmsr(&f, 0x2ff, WB | BIT(11)));
    ck_assert(wrmsr(&f, 0xc0010010, BIT(19)));
    fake_map(f.memory, &walk_long, 0x10000, 0x40000000, 0x40000000, 1, MAP_USED);
    mmu_set_paging(f.mmu, &paging);
    ck_assert_int_eq(type_at(&f, 0x40000000), WB);
    mmu_reset(f.mmu);
    ck_assert_uint_eq(rdmsr(&f, 0x2ff), 0);
    ck_assert_uint_eq(rdmsr(&f, 0xc0010010), 0x20600);
    ck_assert_int_eq(type_at(&f, 0x40000000), UC); /* walked for again */
    mmu_walk_totals(f.mmu, 0, &totals);
    ck_assert_uint_eq(totals.walks, 2);
    fixture_free(&f);
}
END_TEST

START_TEST(cache_disable_overrides_the_type)
{
    struct fixture f = fixture_new();
    struct paging paging = { .cr0 = CR0_CD | 1 };

    ck_assert(wrmsr(&f, 0x2ff, WB | BIT(11)));
    mmu_set_paging(f.mmu, &paging);
    ck_assert_int_eq(type_at(&f, 0x1000), CD);
    paging.cr0 = 1;
    mmu_set_paging(f.mmu, &paging);
    ck_assert_int_eq(type_at(&f, 0x1000), WB);
    fixture_free(&f);
}
END_TEST

/* The PAT index is {PAT, PCD, PWT}: PAT is bit 7 of a PTE, bit 12 of a large entry (APM2 7.8.2). */
START_TEST(a_pages_pat_index_selects_its_type)
{
    for (unsigned level = 1; level <= 3; level++) {
        for (unsigned index = 0; index < 8; index++) {
            struct fixture f = fixture_new();
            struct paging paging = fake_long_mode(0x10000);
            uint64_t flags = MAP_USED | (index & 1 ? PTE_PWT : 0) | (index & 2 ? PTE_PCD : 0);

            if (index & 4)
                flags |= level == 1 ? BIT(7) : BIT(12);
            paging.pat = UINT64_C(0x0100010501040607); /* UC- WB WT WC WP WC UC WC */
            ck_assert(wrmsr(&f, 0x2ff, WB | BIT(11)));
            fake_map(f.memory, &walk_long, 0x10000, 0x40000000, 0x40000000, level, flags);
            mmu_set_paging(f.mmu, &paging);
            ck_assert_int_eq(type_at(&f, 0x40000000),
                             memtype_combine((enum memtype)(paging.pat >> (8 * index) & 7), WB));
            fixture_free(&f);
        }
    }
}
END_TEST

START_TEST(the_registers_refuse_what_the_manual_says)
{
    struct fixture f = fixture_new();

    ck_assert_uint_eq(rdmsr(&f, 0xfe), 0x508);
    ck_assert(!wrmsr(&f, 0xfe, 0x508));
    for (unsigned type = 0; type < 256; type++) {
        bool valid = type == UC || type == WC || type == WT || type == WP || type == WB;

        ck_assert(wrmsr(&f, 0x200, type) == valid);
        ck_assert(wrmsr(&f, 0x2ff, type) == valid);
        if (!(type & 0x18)) /* RdDram, WrDram: below */
            ck_assert(wrmsr(&f, 0x26f, (uint64_t)type << 56) == valid);
    }
    ck_assert(!wrmsr(&f, 0x200, BIT(8)));
    ck_assert(!wrmsr(&f, 0x200, BIT(48)));
    ck_assert(!wrmsr(&f, 0x201, BIT(10)));
    ck_assert(!wrmsr(&f, 0x2ff, BIT(9)));
    ck_assert(!wrmsr(&f, 0x2ff, BIT(12)));
    ck_assert(wrmsr(&f, 0xc001001a, ~UINT64_C(0)));
    ck_assert_uint_eq(rdmsr(&f, 0xc001001a), UINT64_C(0x0000ffffff800000));
    ck_assert_uint_eq(rdmsr(&f, 0xc0010010), 0x20600);
    fixture_free(&f);
}
END_TEST

/* RdDram and WrDram are there only with SYS_CFG[19] (BKDG10 MSR0000_0250). */
START_TEST(the_dram_bits_of_the_fixed_mtrrs_hide_without_modification_enable)
{
    struct fixture f = fixture_new();

    ck_assert(wrmsr(&f, 0x259, 0x1e1e)); /* ignored bits, types WB */
    ck_assert_uint_eq(rdmsr(&f, 0x259), 0x0606);
    ck_assert(wrmsr(&f, 0xc0010010, BIT(19)));
    ck_assert_uint_eq(rdmsr(&f, 0x259), 0x0606);
    ck_assert(wrmsr(&f, 0x259, 0x1e1e));
    ck_assert_uint_eq(rdmsr(&f, 0x259), 0x1e1e);
    ck_assert(wrmsr(&f, 0xc0010010, 0));
    ck_assert_uint_eq(rdmsr(&f, 0x259), 0x0606);
    ck_assert(wrmsr(&f, 0x259, 0x0404)); /* the hidden bits stay */
    ck_assert(wrmsr(&f, 0xc0010010, BIT(19)));
    ck_assert_uint_eq(rdmsr(&f, 0x259), 0x1c1c);
    fixture_free(&f);
}
END_TEST

UNIT_TESTS("mmu/memtype", guest_and_host_pat_combine_as_the_manuals_table,
           pat_and_mtrr_combine_as_the_manuals_table, without_mtrrs_everything_is_uncacheable,
           each_byte_of_the_fixed_mtrrs_rules_its_range, overlapping_variable_ranges_follow_the_manual,
           tom2_can_force_write_back_above_4g, a_page_is_uniform_if_no_range_ends_inside,
           two_ranges_of_one_type_are_that_type_and_a_strange_mixture_is_uncacheable,
           a_reset_restores_registers_and_forgets_translations, cache_disable_overrides_the_type,
           a_pages_pat_index_selects_its_type, the_registers_refuse_what_the_manual_says,
           the_dram_bits_of_the_fixed_mtrrs_hide_without_modification_enable)
