/* SPDX-License-Identifier: MIT */
/* Native walks: formats, page sizes, rights, error codes, A and D, reserved bits (APM2 5.2-5.6, 8.4.2). */
#include "sim/mmu/fake_memory.h"

#define ROOT UINT64_C(0x10000)
#define VA UINT64_C(0x00007f1234567000) /* long mode */
#define VA32 UINT64_C(0xb4567000)       /* legacy modes */

struct fixture {
    struct fake_memory *memory;
    struct mmu *mmu;
    struct paging paging;
    struct mmu_result result;
    struct walk_totals totals;
};

static struct fixture fixture_new(const struct walk_format *format)
{
    struct fixture f = { .memory = fake_memory_new(), .paging = fake_long_mode(ROOT) };

    f.mmu = mmu_new(&fake_geometry, &f.memory->space, 0, &f.memory->cycles);
    if (format != &walk_long)
        f.paging.efer = EFER_NXE;
    if (format == &walk_legacy || format == &walk_legacy_pse)
        f.paging.cr4 = format == &walk_legacy ? 0 : CR4_PSE;
    mmu_set_paging(f.mmu, &f.paging);
    return f;
}

static void fixture_free(struct fixture *f)
{
    mmu_free(f->mmu);
    fake_memory_free(f->memory);
}

/* Take the inputs in f->paging (legacy PAE: with its PDPTEs), forget every translation. */
static void renew(struct fixture *f)
{
    if (!(f->paging.efer & EFER_LMA) && (f->paging.cr4 & CR4_PAE))
        ck_assert(mmu_load_pdptes(f->mmu, ROOT, f->paging.pdpte));
    mmu_set_paging(f->mmu, &f->paging);
    mmu_flush_all(f->mmu);
}

static uint64_t total_refs(struct fixture *f)
{
    uint64_t sum = 0;

    mmu_walk_totals(f->mmu, 0, &f->totals);
    for (unsigned g = 0; g < 5; g++)
        sum += f->totals.refs[g][0];
    return sum;
}

/* ---- Formats and page sizes ----------------------------------------------------------------------- */

static const struct {
    const char *name;
    const struct walk_format *format;
    unsigned level;
    uint64_t frame, offset;
    unsigned refs;
    uint64_t page_bytes; /* of the TLB entry */
} sizes[] = {
    { "long 4K", &walk_long, 1, 0x345000, 0xabc, 4, 0x1000 },
    { "long 2M", &walk_long, 2, 0xffff00200000, 0x167abc, 3, 0x200000 },
    { "long 1G", &walk_long, 3, 0xffffc0000000, 0x34567abc, 2, 0x40000000 },
    { "PAE 4K", &walk_pae, 1, 0xabcdef345000, 0xabc, 2, 0x1000 }, /* the PDPTE is in a register */
    { "PAE 2M", &walk_pae, 2, 0xabcdef200000, 0x167abc, 1, 0x200000 },
    { "legacy 4K", &walk_legacy_pse, 1, 0x12345000, 0xabc, 2, 0x1000 },
    { "legacy 4M", &walk_legacy_pse, 2, 0x12400000, 0x167abc, 1, 0x200000 }, /* two 2M entries */
    { "legacy 4K, PSE=0", &walk_legacy, 1, 0x12345000, 0xabc, 2, 0x1000 },
};

START_TEST(every_format_and_page_size_translates_with_its_number_of_references)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct fixture f = fixture_new(sizes[i].format);
        uint64_t va = sizes[i].format == &walk_long ? VA : VA32;
        uint64_t page = va >> sizes[i].format->level[sizes[i].level].shift
                           << sizes[i].format->level[sizes[i].level].shift;

        fake_map(f.memory, sizes[i].format, ROOT, va, sizes[i].frame, sizes[i].level, MAP_USED);
        renew(&f);
        ck_assert_msg(mmu_translate(f.mmu, page + sizes[i].offset, MMU_WRITE, &f.result) == MMU_OK, "%s",
                      sizes[i].name);
        ck_assert_msg(f.result.spa == sizes[i].frame + sizes[i].offset, "%s: %llx", sizes[i].name,
                      (unsigned long long)f.result.spa);
        ck_assert_msg(total_refs(&f) == sizes[i].refs, "%s", sizes[i].name);
        ck_assert_uint_eq(f.result.page_bytes, sizes[i].page_bytes);
        ck_assert_uint_eq(f.memory->cycles, 15 * sizes[i].refs);
        fixture_free(&f);
    }
}
END_TEST

/* A 4M page's base has 40 bits: PDE[20:13] are 39:32 (APM2 5.2.2). */
START_TEST(a_4m_page_reaches_40_bits_and_bit_21_is_reserved)
{
    struct fixture f = fixture_new(&walk_legacy_pse);
    spa_t pde = ROOT + (VA32 >> 22) * 4;

    spa_write(&f.memory->space, pde, 4, 0x12400000 | (UINT64_C(0xa5) << 13) | MAP_USED | PTE_PS);
    renew(&f);
    ck_assert_int_eq(mmu_translate(f.mmu, VA32, MMU_READ, &f.result), MMU_OK);
    ck_assert_uint_eq(f.result.spa, (UINT64_C(0xa5) << 32) + 0x12400000 + (VA32 & 0x3fffff));
    spa_write(&f.memory->space, pde, 4, 0x12400000 | BIT(21) | MAP_USED | PTE_PS);
    renew(&f);
    ck_assert_int_eq(mmu_translate(f.mmu, VA32, MMU_READ, &f.result), MMU_PAGE_FAULT);
    ck_assert_uint_eq(f.result.code, FAULT_P | FAULT_RSVD);
    fixture_free(&f);
}
END_TEST

START_TEST(without_pse_bit_7_of_a_pde_is_ignored)
{
    struct fixture f = fixture_new(&walk_legacy);
    spa_t pde = ROOT + (VA32 >> 22) * 4;

    fake_map(f.memory, &walk_legacy, ROOT, VA32, 0x12345000, 1, MAP_USED);
    spa_write(&f.memory->space, pde, 4, spa_read(&f.memory->space, pde, 4) | PTE_PS);
    renew(&f);
    ck_assert_int_eq(mmu_translate(f.mmu, VA32 + 4, MMU_READ, &f.result), MMU_OK);
    ck_assert_uint_eq(f.result.spa, 0x12345004);
    fixture_free(&f);
}
END_TEST

START_TEST(without_paging_an_address_is_system_physical_and_asks_no_tlb)
{
    struct fixture f = fixture_new(&walk_long);

    f.paging.cr0 = 1;
    renew(&f);
    ck_assert_int_eq(mmu_translate(f.mmu, 0x89abcdef, MMU_WRITE | MMU_USER, &f.result), MMU_OK);
    ck_assert_uint_eq(f.result.spa, 0x89abcdef);
    ck_assert_uint_eq(total_refs(&f), 0);
    ck_assert_uint_eq(f.totals.walks, 0);
    fixture_free(&f);
}
END_TEST

/* ---- Permission cube ------------------------------------------------------------------------------ */

/* What the manual's rules say (APM2 5.6, 8.4.2): #PF code, or -1 for no fault. */
static int expected_code(bool writable, bool user, bool nx, bool nxe, bool wp, unsigned access, bool eight_bytes)
{
    bool by_user = access & MMU_USER, write = access & MMU_WRITE, fetch = access & MMU_FETCH;
    bool fault = (by_user && !user) || (write && !writable && (by_user || wp)) || (fetch && nx);

    if (!fault)
        return -1;
    return 1 | write << 1 | by_user << 2 | (fetch && nxe && eight_bytes) << 4;
}

/* One cell: the restriction sits at `level` of the walk, all others grant everything. */
static void check_cell(const struct walk_format *format, unsigned leaf, unsigned level, unsigned rights, bool wp,
                       unsigned access)
{
    struct fixture f = fixture_new(format);
    uint64_t va = format == &walk_long ? VA : VA32;
    bool eight = format->entry_bytes == 8;
    uint64_t drop = ((rights & 1) ? 0 : PTE_RW) | ((rights & 2) ? 0 : PTE_US);
    uint64_t add = (rights & 4) ? PTE_NX : 0;
    int code;
    spa_t entry;

    fake_map(f.memory, format, ROOT, va, 0x40000000, leaf, MAP_ALL);
    entry = fake_entry(f.memory, format, ROOT, va, level);
    spa_write(&f.memory->space, entry, format->entry_bytes,
              (spa_read(&f.memory->space, entry, format->entry_bytes) & ~drop) | add);
    for (unsigned l = format->levels; l > leaf; l--) { /* no entry is accessed yet */
        entry = fake_entry(f.memory, format, ROOT, va, l);
        spa_write(&f.memory->space, entry, 1, spa_read(&f.memory->space, entry, 1) & ~PTE_A);
    }
    f.paging.cr0 = CR0_PG | 1 | (wp ? CR0_WP : 0);
    renew(&f);
    code = expected_code(rights & 1, rights & 2, rights & 4, true, wp, access, eight);
    ck_assert_msg((mmu_translate(f.mmu, va + 4, access, &f.result) == MMU_OK) == (code < 0),
                  "%s leaf %u level %u rights %u wp %d access %u", format->name, leaf, level, rights, wp, access);
    if (code >= 0) {
        ck_assert_uint_eq(f.result.code, (uint64_t)code);
        ck_assert_uint_eq(f.result.address, va + 4);
    }
    /* A at every level, D at the leaf only by a permitted write */
    for (unsigned l = format->levels; l >= leaf; l--) {
        uint64_t value = spa_read(&f.memory->space, fake_entry(f.memory, format, ROOT, va, l), format->entry_bytes);
        bool dirty = l == leaf && code < 0 && (access & MMU_WRITE);

        if (!format->level[l].plain)
            ck_assert_uint_eq(value & (PTE_A | PTE_D), PTE_A | (dirty ? PTE_D : 0));
    }
    fixture_free(&f);
}

START_TEST(the_permission_cube_holds_in_every_format_level_and_page_size)
{
    static const unsigned accesses[] = { MMU_READ, MMU_WRITE, MMU_FETCH, MMU_USER, MMU_USER | MMU_WRITE,
                                         MMU_USER | MMU_FETCH };
    static const struct walk_format *const formats[] = { &walk_long, &walk_pae, &walk_legacy_pse };

    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
        for (unsigned leaf = 1; leaf <= (formats[i] == &walk_long ? 3 : 2); leaf++)
            for (unsigned level = leaf; level <= formats[i]->levels; level++)
                for (unsigned cell = 0; cell < 8 * 2 * 6; cell++) {
                    unsigned rights = cell & 7;

                    if (formats[i]->level[level].plain || (formats[i]->entry_bytes == 4 && (rights & 4)))
                        continue; /* a PDPTE has no rights, a 4-byte entry no NX */
                    check_cell(formats[i], leaf, level, rights, cell >> 3 & 1, accesses[cell >> 4]);
                }
}
END_TEST

/* ---- Error codes ---------------------------------------------------------------------------------- */

START_TEST(a_missing_entry_at_any_level_faults_without_p_and_stops_the_walk)
{
    for (unsigned level = 1; level <= 4; level++) {
        struct fixture f = fixture_new(&walk_long);
        spa_t entry;

        fake_map(f.memory, &walk_long, ROOT, VA, 0x345000, 1, MAP_USED);
        entry = fake_entry(f.memory, &walk_long, ROOT, VA, level);
        fake_write(f.memory, entry, fake_read(f.memory, entry) & ~PTE_P);
        renew(&f);
        ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_WRITE | MMU_USER, &f.result), MMU_PAGE_FAULT);
        ck_assert_uint_eq(f.result.code, FAULT_W | FAULT_U);
        ck_assert_uint_eq(total_refs(&f), 5 - level);
        ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_FETCH, &f.result), MMU_PAGE_FAULT);
        ck_assert_uint_eq(f.result.code, FAULT_ID);
        f.paging.efer &= ~EFER_NXE; /* I/D is reported with NX enabled only */
        renew(&f);
        ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_FETCH, &f.result), MMU_PAGE_FAULT);
        ck_assert_uint_eq(f.result.code, 0);
        fixture_free(&f);
    }
}
END_TEST

/* Reserved bits of each entry, written down from APM2 figures 5-9 to 5-28, 48 physical bits. */
static const struct {
    const char *name;
    const struct walk_format *format;
    unsigned leaf, level;
    uint64_t reserved; /* with NXE = 1 */
} reserved_rows[] = {
    { "PML4E", &walk_long, 1, 4, UINT64_C(0x000f000000000180) },
    { "PDPE", &walk_long, 1, 3, UINT64_C(0x000f000000000000) },
    { "PDPE 1G", &walk_long, 3, 3, UINT64_C(0x000f00003fffe000) },
    { "PDE", &walk_long, 1, 2, UINT64_C(0x000f000000000000) },
    { "PDE 2M", &walk_long, 2, 2, UINT64_C(0x000f0000001fe000) },
    { "PTE", &walk_long, 1, 1, UINT64_C(0x000f000000000000) },
    { "PAE PDE", &walk_pae, 1, 2, UINT64_C(0x7fff000000000000) },
    { "PAE PDE 2M", &walk_pae, 2, 2, UINT64_C(0x7fff0000001fe000) },
    { "PAE PTE", &walk_pae, 1, 1, UINT64_C(0x7fff000000000000) },
};

START_TEST(each_reserved_bit_faults_and_no_other_does)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(reserved_rows); i++) {
        for (unsigned n = 0; n < 64; n++) {
            const struct walk_format *format = reserved_rows[i].format;
            struct fixture f = fixture_new(format);
            uint64_t va = format == &walk_long ? VA : VA32;
            bool bad = bit(reserved_rows[i].reserved, n);
            bool is_leaf = reserved_rows[i].level == reserved_rows[i].leaf;
            spa_t entry;

            /* P, PS and address bits of tables change what the entry is */
            if (n == 0 || (n == 7 && reserved_rows[i].level > 1 && !bad) || (!is_leaf && n >= 12 && n < 48)) {
                fixture_free(&f);
                continue;
            }
            fake_map(f.memory, format, ROOT, va, 0, reserved_rows[i].leaf, MAP_USED);
            entry = fake_entry(f.memory, format, ROOT, va, reserved_rows[i].level);
            fake_write(f.memory, entry, fake_read(f.memory, entry) ^ BIT(n));
            f.paging.cr0 &= ~CR0_WP; /* supervisor reads: R/W and U/S do not matter */
            renew(&f);
            enum mmu_verdict verdict = mmu_translate(f.mmu, va, MMU_READ, &f.result);
            ck_assert_msg((verdict == MMU_PAGE_FAULT) == bad, "%s bit %u", reserved_rows[i].name, n);
            if (bad)
                ck_assert_uint_eq(f.result.code, FAULT_P | FAULT_RSVD);
            f.paging.efer &= ~EFER_NXE;
            renew(&f);
            verdict = mmu_translate(f.mmu, va, MMU_READ, &f.result);
            ck_assert_msg((verdict == MMU_PAGE_FAULT) == (bad || n == 63), "%s bit %u, NXE=0", reserved_rows[i].name,
                          n);
            fixture_free(&f);
        }
    }
}
END_TEST

static void last_pdpte(void *ctx, const struct walk_ref *ref)
{
    if (ref->source == WALK_PDPTE)
        *(struct walk_ref *)ctx = *ref;
}

START_TEST(legacy_pae_loads_pdptes_once_and_refuses_reserved_bits)
{
    struct fixture f = fixture_new(&walk_pae);
    uint64_t pdpte[4] = { 0, 0, 0, 7 };
    spa_t third = ROOT + 8 * 2;
    struct walk_ref ref = { 0 };

    fake_map(f.memory, &walk_pae, ROOT, VA32, 0x345000, 1, MAP_USED); /* VA32 >> 30 = 2 */
    renew(&f);
    fake_write(f.memory, third, 0); /* the register counts, not memory */
    mmu_flush_all(f.mmu);
    mmu_trace_walks(f.mmu, last_pdpte, &ref);
    ck_assert_int_eq(mmu_translate(f.mmu, VA32, MMU_READ, &f.result), MMU_OK);
    ck_assert_uint_eq(ref.g, 3); /* a trace shows it, as no reference */
    ck_assert_uint_eq(ref.value, f.paging.pdpte[2]);
    ck_assert_uint_eq(total_refs(&f), 2);
    mmu_trace_walks(f.mmu, NULL, NULL);
    for (unsigned n = 0; n < 64; n++) {
        /* APM2 figure 5-16: 63:48 (48 physical bits), 8:5, 2:1 */
        bool bad = n >= 48 || (n >= 5 && n <= 8) || n == 1 || n == 2;

        fake_write(f.memory, third, 0x200000 | BIT(n) | PTE_P);
        ck_assert_msg(mmu_load_pdptes(f.mmu, ROOT | 0x18, pdpte) == !bad, "bit %u", n);
        fake_write(f.memory, third, BIT(n) & ~PTE_P); /* not present: nothing is reserved */
        ck_assert(mmu_load_pdptes(f.mmu, ROOT, pdpte));
    }
    ck_assert_uint_eq(pdpte[2], BIT(63));
    f.paging.pdpte[2] = 0;
    mmu_set_paging(f.mmu, &f.paging);
    mmu_flush_all(f.mmu);
    ck_assert_int_eq(mmu_translate(f.mmu, VA32, MMU_READ, &f.result), MMU_PAGE_FAULT);
    ck_assert_uint_eq(f.result.code, 0);
    fixture_free(&f);
}
END_TEST

/* ---- Counting ------------------------------------------------------------------------------------- */

START_TEST(accessed_and_dirty_writes_are_counted_and_charged_apart)
{
    struct fixture f = fixture_new(&walk_long);

    fake_map(f.memory, &walk_long, ROOT, VA, 0x345000, 1, MAP_ALL); /* tables have A */
    renew(&f);
    ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_READ, &f.result), MMU_OK);
    ck_assert_uint_eq(total_refs(&f), 4);
    ck_assert_uint_eq(f.totals.ad_writes, 1);
    ck_assert_uint_eq(f.totals.cycles, 4 * 15 + 20);
    ck_assert_uint_eq(f.memory->cycles, 4 * 15 + 20);
    mmu_flush_all(f.mmu);
    ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_READ, &f.result), MMU_OK); /* A is there already */
    total_refs(&f);
    ck_assert_uint_eq(f.totals.ad_writes, 1);
    fixture_free(&f);
}
END_TEST

START_TEST(a_remote_reference_costs_what_the_geometry_says)
{
    struct fake_memory *memory = fake_memory_new();
    struct mmu_geometry geometry = fake_geometry;
    struct paging paging = fake_long_mode(REMOTE_BASE);
    struct mmu_result result;
    struct mmu *mmu;

    geometry.cost_ref_remote = 40;
    mmu = mmu_new(&geometry, &memory->space, 0, &memory->cycles);
    fake_map(memory, &walk_long, REMOTE_BASE, VA, 0x345000, 1, MAP_USED); /* the root alone is remote */
    mmu_set_paging(mmu, &paging);
    ck_assert_int_eq(mmu_translate(mmu, VA, MMU_READ, &result), MMU_OK);
    ck_assert_uint_eq(memory->cycles, 40 + 3 * 15);
    mmu_free(mmu);
    fake_memory_free(memory);
}
END_TEST

/* Software may raise rights without INVLPG: the cached entry is dropped and walked again (APM2 5.5.2). */
START_TEST(a_fault_is_reported_only_after_a_fresh_walk)
{
    struct fixture f = fixture_new(&walk_long);
    spa_t entry;

    fake_map(f.memory, &walk_long, ROOT, VA, 0x345000, 1, PTE_P | PTE_A);
    renew(&f);
    ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_READ, &f.result), MMU_OK);
    entry = fake_entry(f.memory, &walk_long, ROOT, VA, 1);
    fake_write(f.memory, entry, fake_read(f.memory, entry) | PTE_US | PTE_RW);
    ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_WRITE | MMU_USER, &f.result), MMU_OK);
    ck_assert_uint_eq(total_refs(&f), 8);
    ck_assert_uint_eq(f.totals.walks, 2);
    fake_write(f.memory, entry, 0x345000 | PTE_P); /* lowered without INVLPG: the stale entry still serves */
    ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_WRITE | MMU_USER, &f.result), MMU_OK);
    mmu_invlpg(f.mmu, VA);
    ck_assert_int_eq(mmu_translate(f.mmu, VA, MMU_WRITE | MMU_USER, &f.result), MMU_PAGE_FAULT);
    ck_assert_uint_eq(f.result.code, FAULT_P | FAULT_W | FAULT_U);
    fixture_free(&f);
}
END_TEST

UNIT_TESTS("mmu/walk", every_format_and_page_size_translates_with_its_number_of_references,
           a_4m_page_reaches_40_bits_and_bit_21_is_reserved, without_pse_bit_7_of_a_pde_is_ignored,
           without_paging_an_address_is_system_physical_and_asks_no_tlb,
           the_permission_cube_holds_in_every_format_level_and_page_size,
           a_missing_entry_at_any_level_faults_without_p_and_stops_the_walk,
           each_reserved_bit_faults_and_no_other_does, legacy_pae_loads_pdptes_once_and_refuses_reserved_bits,
           accessed_and_dirty_writes_are_counted_and_charged_apart,
           a_remote_reference_costs_what_the_geometry_says, a_fault_is_reported_only_after_a_fresh_walk)
