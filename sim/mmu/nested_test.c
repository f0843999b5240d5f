/* SPDX-License-Identifier: MIT */
/*
 * Two-dimensional walks: which entries are read, how many, and what a nested fault reports.
 * Counts: hypervisor-features.md section D, (n+1)(m+1)-1 references for n guest and m nested levels.
 * EXITINFO1 rows: APM2 15.25.6 and what hardware was seen to report (fam10h.md 3.4).
 */
#include "sim/mmu/fake_memory.h"

#define GUEST_BASE (UINT64_C(4) << 30) /* sPA of gPA 0 */
#define GUEST_TABLES UINT64_C(0x100000)
#define VA UINT64_C(0x40000000) /* a 1G boundary that 32-bit modes reach too */
#define DATA_GPA UINT64_C(0x40000000)
#define NESTED_TABLES UINT64_C(0x1000000)

struct guest {
    struct fake_memory *memory;
    struct mmu *mmu;
    struct paging paging;
    const struct walk_format *format, *nested;
    uint64_t g_root, n_root;
    struct mmu_result result;
    struct walk_totals totals;
};

static void in_guest(struct guest *g)
{
    g->memory->guest_offset = GUEST_BASE;
}

static void in_system(struct guest *g)
{
    g->memory->guest_offset = 0;
}

/* Back [from, to) of guest-physical memory by nested entries of `level`. */
static void back(struct guest *g, gpa_t from, gpa_t to, unsigned level, uint64_t flags)
{
    uint64_t step = UINT64_C(1) << g->nested->level[level].shift;

    in_system(g);
    for (gpa_t at = from / step * step; at < to; at += step)
        fake_map(g->memory, g->nested, g->n_root, at, GUEST_BASE + at, level, flags);
}

static struct guest guest_new(const struct walk_format *format, unsigned level, unsigned nested_level, uint64_t flags)
{
    struct guest g = { .memory = fake_memory_new(), .format = format, .nested = &walk_long };

    g.mmu = mmu_new(&fake_geometry, &g.memory->space, 0, &g.memory->cycles);
    g.memory->next_table = GUEST_TABLES;
    g.g_root = fake_root(g.memory);
    if (format) {
        in_guest(&g);
        fake_map(g.memory, format, g.g_root, VA, DATA_GPA, level, flags);
    }
    g.memory->next_table = NESTED_TABLES;
    g.n_root = fake_root(g.memory);
    back(&g, GUEST_TABLES, GUEST_TABLES + 16 * PAGE_BYTES, nested_level, MAP_USED);
    back(&g, DATA_GPA, DATA_GPA + PAGE_BYTES, nested_level, MAP_USED);
    g.paging = fake_long_mode(g.g_root);
    g.paging.nested = true;
    g.paging.asid = 3;
    g.paging.n_cr3 = g.n_root;
    g.paging.host_cr0 = g.paging.cr0;
    g.paging.host_cr4 = CR4_PAE;
    g.paging.host_efer = EFER_LMA | EFER_NXE;
    if (format != &walk_long)
        g.paging.efer = 0;
    if (format == &walk_legacy || format == &walk_legacy_pse)
        g.paging.cr4 = CR4_PSE;
    if (!format)
        g.paging.cr0 = 1;
    mmu_set_paging(g.mmu, &g.paging);
    return g;
}

static void guest_free(struct guest *g)
{
    mmu_free(g->mmu);
    fake_memory_free(g->memory);
}

/* Throw away what walks left, take new inputs. */
static void renew(struct guest *g)
{
    mmu_set_paging(g->mmu, &g->paging);
    mmu_flush_all(g->mmu);
}

static enum mmu_verdict touch(struct guest *g, unsigned access)
{
    return mmu_translate(g->mmu, VA + 8, access, &g->result);
}

static spa_t guest_entry(struct guest *g, unsigned level)
{
    in_guest(g);
    return fake_entry(g->memory, g->format, g->g_root, VA, level);
}

static spa_t nested_entry(struct guest *g, gpa_t address, unsigned level)
{
    in_system(g);
    return fake_entry(g->memory, g->nested, g->n_root, address, level);
}

static uint64_t total_refs(struct guest *g)
{
    uint64_t sum = 0;

    mmu_walk_totals(g->mmu, 0, &g->totals);
    for (unsigned i = 0; i < 5; i++)
        for (unsigned j = 0; j < 5; j++)
            sum += g->totals.refs[i][j];
    return sum;
}

/* ---- Section D ------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    const struct walk_format *format;
    unsigned level;         /* of the guest's leaf */
    unsigned refs[3];       /* 4K, 2M, 1G backing */
    unsigned page_shift[3]; /* of the TLB entry: the smaller one, 4M as 2M */
} section_d[] = {
    { "long 4K", &walk_long, 1, { 24, 19, 14 }, { 12, 12, 12 } },
    { "long 2M", &walk_long, 2, { 19, 15, 11 }, { 12, 21, 21 } },
    { "long 1G", &walk_long, 3, { 14, 11, 8 }, { 12, 21, 30 } },
    { "PAE 4K", &walk_pae, 1, { 19, 15, 11 }, { 12, 12, 12 } },
    { "PAE 2M", &walk_pae, 2, { 14, 11, 8 }, { 12, 21, 21 } },
    { "legacy 4K", &walk_legacy_pse, 1, { 14, 11, 8 }, { 12, 12, 12 } },
    { "legacy 4M", &walk_legacy_pse, 2, { 9, 7, 5 }, { 12, 21, 21 } },
    { "paging off", NULL, 0, { 4, 3, 2 }, { 12, 21, 30 } },
};

START_TEST(the_worst_case_table_of_eight_guest_modes_by_three_backings_is_exact)
{
    for (unsigned row = 0; row < G_N_ELEMENTS(section_d); row++) {
        for (unsigned backing = 0; backing < 3; backing++) {
            struct guest g = guest_new(section_d[row].format, section_d[row].level, backing + 1, MAP_USED);

            ck_assert_msg(touch(&g, MMU_READ) == MMU_OK, "%s %u", section_d[row].name, backing);
            ck_assert_uint_eq(g.result.spa, GUEST_BASE + DATA_GPA + 8);
            ck_assert_msg(total_refs(&g) == section_d[row].refs[backing], "%s, backing %u: %u references",
                          section_d[row].name, backing, (unsigned)total_refs(&g));
            ck_assert_uint_eq(g.totals.walks, 1);
            ck_assert_uint_eq(g.totals.ad_writes, 0);
            ck_assert_uint_eq(g.totals.cycles, 15 * section_d[row].refs[backing]);
            ck_assert_uint_eq(g.result.page_bytes, UINT64_C(1) << section_d[row].page_shift[backing]);
            guest_free(&g);
        }
    }
}
END_TEST

struct trace {
    unsigned count;
    struct walk_ref ref[64];
};

static void record(void *ctx, const struct walk_ref *ref)
{
    struct trace *trace = ctx;

    ck_assert_uint_lt(trace->count, 64);
    trace->ref[trace->count++] = *ref;
}

START_TEST(the_24_references_of_a_worst_case_walk_are_the_entries_in_the_tables)
{
    struct guest g = guest_new(&walk_long, 1, 1, MAP_USED);
    struct trace trace = { 0 };
    unsigned at = 0;

    mmu_trace_walks(g.mmu, record, &trace);
    ck_assert_int_eq(touch(&g, MMU_READ), MMU_OK);
    ck_assert_uint_eq(trace.count, 24);
    for (unsigned level = 4; level <= 4; level--) { /* gL4 .. gL1, then the final gPA as level 0 */
        gpa_t address = level ? guest_entry(&g, level) - GUEST_BASE : DATA_GPA + 8;

        for (unsigned n = 4; n >= 1; n--, at++) {
            ck_assert_uint_eq(trace.ref[at].g, level);
            ck_assert_uint_eq(trace.ref[at].n, n);
            ck_assert_uint_eq(trace.ref[at].spa, nested_entry(&g, address, n));
            ck_assert_uint_eq(trace.ref[at].value, fake_read(g.memory, nested_entry(&g, address, n)));
            ck_assert_uint_eq(trace.ref[at].asid, 3);
            ck_assert_uint_eq(trace.ref[at].source, WALK_MEMORY);
            ck_assert(!trace.ref[at].write);
        }
        if (level == 0)
            break;
        ck_assert_uint_eq(trace.ref[at].g, level);
        ck_assert_uint_eq(trace.ref[at].n, 0);
        ck_assert_uint_eq(trace.ref[at].spa, guest_entry(&g, level));
        ck_assert_uint_eq(trace.ref[at].value, fake_read(g.memory, guest_entry(&g, level)));
        at++;
    }
    ck_assert_uint_eq(at, 24);
    guest_free(&g);
}
END_TEST

/* ---- A and D -------------------------------------------------------------------------------------- */

/* A is set once per entry, D on nested leaves of guest tables always, elsewhere by writes (APM2 15.25.6). */
START_TEST(accessed_and_dirty_bits_are_set_in_both_dimensions)
{
    struct guest g = guest_new(&walk_long, 1, 1, MAP_ALL);
    gpa_t table = guest_entry(&g, 1) - GUEST_BASE;
    spa_t leaf = nested_entry(&g, DATA_GPA, 1), table_leaf = nested_entry(&g, table, 1);

    fake_write(g.memory, leaf, fake_read(g.memory, leaf) & ~(PTE_A | PTE_D));
    fake_write(g.memory, table_leaf, fake_read(g.memory, table_leaf) & ~(PTE_A | PTE_D));
    ck_assert_int_eq(touch(&g, MMU_READ), MMU_OK);
    ck_assert_uint_eq(fake_read(g.memory, table_leaf) & (PTE_A | PTE_D), PTE_A | PTE_D);
    ck_assert_uint_eq(fake_read(g.memory, guest_entry(&g, 1)) & (PTE_A | PTE_D), PTE_A);
    ck_assert_uint_eq(fake_read(g.memory, leaf) & (PTE_A | PTE_D), PTE_A);
    total_refs(&g);
    ck_assert_uint_eq(g.totals.ad_writes, 3); /* the table's nL1 (A and D at once), gL1, the data page's nL1 */

    ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_OK); /* a hit with D clear: one more walk */
    ck_assert_uint_eq(fake_read(g.memory, guest_entry(&g, 1)) & PTE_D, PTE_D);
    ck_assert_uint_eq(fake_read(g.memory, leaf) & PTE_D, PTE_D);
    ck_assert_uint_eq(total_refs(&g), 48);
    ck_assert_uint_eq(g.totals.walks, 2);
    ck_assert_uint_eq(g.totals.ad_writes, 5);
    ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_OK);
    ck_assert_uint_eq(total_refs(&g), 48);
    guest_free(&g);
}
END_TEST

/* The guest's D alone does not make an entry dirty: a write through it must still set the nested D. */
START_TEST(a_dirty_guest_page_on_a_clean_nested_page_is_walked_for_at_the_first_write)
{
    struct guest g = guest_new(&walk_long, 1, 1, MAP_USED);
    spa_t leaf = nested_entry(&g, DATA_GPA, 1);

    fake_write(g.memory, leaf, fake_read(g.memory, leaf) & ~PTE_D);
    ck_assert_int_eq(touch(&g, MMU_READ), MMU_OK);
    ck_assert_uint_eq(fake_read(g.memory, leaf) & PTE_D, 0);
    ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_OK);
    ck_assert_uint_eq(fake_read(g.memory, leaf) & PTE_D, PTE_D);
    ck_assert_uint_eq(total_refs(&g), 48);
    ck_assert_uint_eq(g.totals.ad_writes, 1);
    guest_free(&g);
}
END_TEST

/* ---- EXITINFO ------------------------------------------------------------------------------------- */

struct npf_row {
    const char *name;
    unsigned access;
    bool host_nxe;
    unsigned level;      /* nested level whose entry is changed */
    bool table;          /* of the guest's root table, else of the data page */
    uint64_t set, clear;
    uint64_t info1;
};

#define U MMU_USER
static const struct npf_row npf_rows[] = {
    { "not present, data read", MMU_READ | U, true, 1, false, 0, PTE_P, 0x100000004 },
    { "not present, data write", MMU_WRITE | U, true, 1, false, 0, PTE_P, 0x100000006 },
    { "not present, supervisor read counts as user", MMU_READ, true, 1, false, 0, PTE_P, 0x100000004 },
    { "not present, code", MMU_FETCH, true, 1, false, 0, PTE_P, 0x100000014 },
    { "not present, code, host NXE=0", MMU_FETCH, false, 1, false, 0, PTE_P, 0x100000004 },
    { "nested NX on a fetch", MMU_FETCH, true, 1, false, PTE_NX, 0, 0x100000015 },
    { "nested supervisor page", MMU_READ, true, 1, false, 0, PTE_US, 0x100000005 },
    { "nested read-only page", MMU_WRITE, true, 1, false, 0, PTE_RW, 0x100000007 },
    { "guest table in a read-only page", MMU_READ, true, 1, true, 0, PTE_RW, 0x200000007 },
    { "guest table in a supervisor page", MMU_READ, true, 1, true, 0, PTE_US, 0x200000007 },
    { "guest table not present", MMU_READ, true, 1, true, 0, PTE_P, 0x200000006 },
    { "guest table not present, code fetch is a data write there", MMU_FETCH, true, 1, true, 0, PTE_P, 0x200000006 },
    { "reserved PTE bit, code, host NXE=0", MMU_FETCH, false, 1, false, BIT(51), 0, 0x10000000d },
    { "reserved PTE bit, code, host NXE=1", MMU_FETCH, true, 1, false, BIT(51), 0, 0x10000001d },
    { "reserved PTE bit, data read", MMU_READ, true, 1, false, BIT(48), 0, 0x10000000d },
    { "NX with host NXE=0 is reserved", MMU_READ, false, 1, false, PTE_NX, 0, 0x10000000d },
    { "reserved PDE bit of a large page", MMU_READ, true, 2, false, PTE_PS | BIT(13), 0, 0x10000000d },
    { "reserved PDPE bit, met by the table walk first", MMU_READ, true, 3, true, PTE_PS | BIT(20), 0, 0x20000000f },
    { "reserved PML4E bit, met by the table walk first", MMU_READ, true, 4, true, BIT(8), 0, 0x20000000f },
};

START_TEST(a_nested_fault_reports_exitinfo_bit_for_bit)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(npf_rows); i++) {
        const struct npf_row *row = &npf_rows[i];
        struct guest g = guest_new(&walk_long, 1, 1, MAP_USED);
        gpa_t where = row->table ? guest_entry(&g, 4) - GUEST_BASE : DATA_GPA + 8;
        spa_t entry = nested_entry(&g, where, row->level);

        fake_write(g.memory, entry, (fake_read(g.memory, entry) | row->set) & ~row->clear);
        if (!row->host_nxe)
            g.paging.host_efer &= ~EFER_NXE;
        renew(&g);
        ck_assert_msg(touch(&g, row->access) == MMU_NESTED_FAULT, "%s", row->name);
        ck_assert_msg(g.result.code == row->info1, "%s: %llx", row->name, (unsigned long long)g.result.code);
        ck_assert_msg(g.result.address == where, "%s: EXITINFO2 %llx", row->name,
                      (unsigned long long)g.result.address);
        guest_free(&g);
    }
}
END_TEST

/* CR0.WP of the guest does not make a nested read-only page writable, nor does the host's (APM2 15.25.6). */
START_TEST(write_protect_has_no_say_at_the_nested_level)
{
    struct guest g = guest_new(&walk_long, 1, 1, MAP_USED);
    spa_t leaf = nested_entry(&g, DATA_GPA, 1);

    fake_write(g.memory, leaf, fake_read(g.memory, leaf) & ~PTE_RW);
    g.paging.cr0 &= ~CR0_WP;
    g.paging.host_cr0 &= ~CR0_WP;
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_READ), MMU_OK);
    ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_NESTED_FAULT);
    ck_assert_uint_eq(g.result.code, 0x100000007);
    guest_free(&g);
}
END_TEST

START_TEST(the_guests_nxe_does_not_touch_the_nested_nx_nor_the_hosts_the_guests)
{
    struct guest g = guest_new(&walk_long, 1, 1, MAP_USED);
    spa_t leaf = nested_entry(&g, DATA_GPA, 1);

    fake_write(g.memory, leaf, fake_read(g.memory, leaf) | PTE_NX);
    g.paging.efer &= ~EFER_NXE;
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_READ), MMU_OK);
    ck_assert_int_eq(touch(&g, MMU_FETCH), MMU_NESTED_FAULT);
    ck_assert_uint_eq(g.result.code, 0x100000015);
    fake_write(g.memory, leaf, fake_read(g.memory, leaf) & ~PTE_NX);
    fake_write(g.memory, guest_entry(&g, 1), fake_read(g.memory, guest_entry(&g, 1)) | PTE_NX);
    g.paging.efer |= EFER_NXE;
    g.paging.host_efer &= ~EFER_NXE;
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_FETCH), MMU_PAGE_FAULT);
    ck_assert_uint_eq(g.result.code, FAULT_P | FAULT_ID);
    guest_free(&g);
}
END_TEST

/* ---- Order of faults (APM2 15.25.6) --------------------------------------------------------------- */

START_TEST(guest_faults_come_before_the_final_nested_fault_and_after_the_tables_own)
{
    struct guest g = guest_new(&walk_long, 1, 1, MAP_USED);
    spa_t leaf = guest_entry(&g, 1), data = nested_entry(&g, DATA_GPA, 1);
    spa_t table = nested_entry(&g, leaf - GUEST_BASE, 1);
    uint64_t nested = fake_read(g.memory, table);

    fake_write(g.memory, data, 0);
    fake_write(g.memory, leaf, fake_read(g.memory, leaf) & ~(PTE_P | PTE_A));
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_READ), MMU_PAGE_FAULT);
    ck_assert_uint_eq(g.result.code, 0);
    ck_assert_uint_eq(g.result.address, VA + 8);
    ck_assert_uint_eq(fake_read(g.memory, leaf) & PTE_A, 0); /* never in an entry with P=0 */

    fake_write(g.memory, leaf, DATA_GPA | PTE_P | PTE_US); /* read-only: permission before the final walk */
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_PAGE_FAULT);
    ck_assert_uint_eq(g.result.code, FAULT_P | FAULT_W);
    ck_assert_uint_eq(fake_read(g.memory, leaf) & (PTE_A | PTE_D), PTE_A);

    fake_write(g.memory, table, nested & ~PTE_P); /* the table's own nested fault comes first */
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_NESTED_FAULT);
    ck_assert_uint_eq(g.result.code, 0x200000006);

    fake_write(g.memory, table, nested); /* guest A and D are set before the final nested walk faults */
    fake_write(g.memory, leaf, DATA_GPA | MAP_ALL);
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_NESTED_FAULT);
    ck_assert_uint_eq(g.result.code, 0x100000006);
    ck_assert_uint_eq(fake_read(g.memory, leaf) & (PTE_A | PTE_D), PTE_A | PTE_D);
    guest_free(&g);
}
END_TEST

/* With nested paging a PDPTE is read in the walk and its reserved bits fault there (APM2 15.25.10). */
START_TEST(a_pae_guest_reads_pdptes_in_the_walk_and_faults_on_their_reserved_bits)
{
    struct guest g = guest_new(&walk_pae, 1, 1, MAP_USED);
    spa_t pdpte = guest_entry(&g, 3);
    uint64_t good = fake_read(g.memory, pdpte);

    for (unsigned bit_number = 0; bit_number < 64; bit_number++) {
        bool reserved = bit_number >= 48 || (bit_number >= 5 && bit_number <= 8) || bit_number == 1 || bit_number == 2;

        if (bit_number == 0 || (bit_number >= 12 && bit_number < 48))
            continue;
        fake_write(g.memory, pdpte, good | BIT(bit_number));
        renew(&g);
        ck_assert_msg((touch(&g, MMU_READ) == MMU_PAGE_FAULT) == reserved, "bit %u", bit_number);
        ck_assert_uint_eq(g.result.code, reserved ? FAULT_P | FAULT_RSVD : 0);
    }
    fake_write(g.memory, pdpte, good & ~PTE_P);
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_WRITE | MMU_USER), MMU_PAGE_FAULT);
    ck_assert_uint_eq(g.result.code, FAULT_W | FAULT_U);
    guest_free(&g);
}
END_TEST

/* ---- Nested formats (APM2 15.25.3) ---------------------------------------------------------------- */

START_TEST(the_hosts_mode_chooses_the_nested_format)
{
    static const struct {
        const struct walk_format *nested;
        uint64_t cr4, efer;
        unsigned refs; /* guest legacy 4K: n = 2, m = nested levels of a 4K page */
    } hosts[] = {
        { &walk_long, CR4_PAE, EFER_LMA, 14 },
        { &walk_pae, CR4_PAE, 0, 11 },
        { &walk_legacy_pse, CR4_PSE, 0, 8 },
        { &walk_legacy, 0, 0, 8 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(hosts); i++) {
        struct guest g = guest_new(&walk_legacy_pse, 1, 1, MAP_USED);

        g.nested = hosts[i].nested;
        g.memory->next_table = NESTED_TABLES + 0x100000;
        g.n_root = fake_root(g.memory);
        /* 32-bit formats reach below 4G only: the data moves there */
        in_system(&g);
        for (gpa_t at = GUEST_TABLES; at < GUEST_TABLES + 16 * PAGE_BYTES; at += PAGE_BYTES) {
            uint8_t page[PAGE_BYTES];

            spa_read_block(&g.memory->space, GUEST_BASE + at, page, sizeof(page));
            spa_write_block(&g.memory->space, 0x20000000 + at, page, sizeof(page));
            fake_map(g.memory, g.nested, g.n_root, at, 0x20000000 + at, 1, MAP_USED);
        }
        fake_map(g.memory, g.nested, g.n_root, DATA_GPA, 0x30000000, 1, MAP_USED);
        g.paging.n_cr3 = g.n_root;
        g.paging.host_cr4 = hosts[i].cr4;
        g.paging.host_efer = hosts[i].efer;
        renew(&g);
        ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_OK);
        ck_assert_uint_eq(g.result.spa, 0x30000008);
        ck_assert_uint_eq(total_refs(&g), hosts[i].refs);
        guest_free(&g);
    }
}
END_TEST

START_TEST(a_gpa_beyond_a_32_bit_nested_format_is_not_present)
{
    struct guest g = guest_new(&walk_long, 1, 1, MAP_USED);

    fake_write(g.memory, guest_entry(&g, 1), (UINT64_C(1) << 32) | MAP_USED);
    g.nested = &walk_pae;
    g.memory->next_table = NESTED_TABLES + 0x100000;
    g.n_root = fake_root(g.memory);
    in_system(&g);
    for (gpa_t at = GUEST_TABLES; at < GUEST_TABLES + 16 * PAGE_BYTES; at += PAGE_BYTES)
        fake_map(g.memory, g.nested, g.n_root, at, GUEST_BASE + at, 1, MAP_USED);
    g.paging.n_cr3 = g.n_root;
    g.paging.host_efer = EFER_NXE;
    renew(&g);
    ck_assert_int_eq(touch(&g, MMU_WRITE), MMU_NESTED_FAULT);
    ck_assert_uint_eq(g.result.code, 0x100000006);
    ck_assert_uint_eq(g.result.address, (UINT64_C(1) << 32) + 8);
    guest_free(&g);
}
END_TEST

/* ---- Peek ----------------------------------------------------------------------------------------- */

START_TEST(a_peek_leaves_no_trace)
{
    struct guest g = guest_new(&walk_long, 1, 1, MAP_ALL);
    spa_t leaf = guest_entry(&g, 1);

    ck_assert_int_eq(mmu_peek(g.mmu, VA + 8, MMU_WRITE, &g.result), MMU_OK);
    ck_assert_uint_eq(g.result.spa, GUEST_BASE + DATA_GPA + 8);
    ck_assert_uint_eq(total_refs(&g), 0);
    ck_assert_uint_eq(g.totals.walks, 0);
    ck_assert_uint_eq(g.memory->cycles, 0);
    ck_assert_uint_eq(fake_read(g.memory, leaf) & (PTE_A | PTE_D), 0);
    ck_assert_int_eq(mmu_peek(g.mmu, VA + 0x200000, MMU_READ, &g.result), MMU_PAGE_FAULT);
    guest_free(&g);
}
END_TEST

UNIT_TESTS("mmu/nested", the_worst_case_table_of_eight_guest_modes_by_three_backings_is_exact,
           the_24_references_of_a_worst_case_walk_are_the_entries_in_the_tables,
           accessed_and_dirty_bits_are_set_in_both_dimensions,
           a_dirty_guest_page_on_a_clean_nested_page_is_walked_for_at_the_first_write,
           a_nested_fault_reports_exitinfo_bit_for_bit,
           write_protect_has_no_say_at_the_nested_level,
           the_guests_nxe_does_not_touch_the_nested_nx_nor_the_hosts_the_guests,
           guest_faults_come_before_the_final_nested_fault_and_after_the_tables_own,
           a_pae_guest_reads_pdptes_in_the_walk_and_faults_on_their_reserved_bits,
           the_hosts_mode_chooses_the_nested_format, a_gpa_beyond_a_32_bit_nested_format_is_not_present,
           a_peek_leaves_no_trace)
