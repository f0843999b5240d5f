/* SPDX-License-Identifier: MIT */
/*
 * The fast engine against the reference engine: random streams of accesses, flushes, remappings, context switches
 * and watched pages through both; every value read, every counter and the state's hash must be equal.
 * Built once as it is and once per planted fault (-DFAM10H_PLANT=n with its own native.c), where the same
 * comparison must fail.
 */
#include <stdio.h>

#include "sim/counters.h"
#include "sim/mmu/fake_memory.h"
#include "sim/state.h"

#ifndef FAM10H_PLANT
#define FAM10H_PLANT 0
#endif

#define SMALL_BASE UINT64_C(0x10000000) /* 4K pages */
#define SMALL_PAGES 2048
#define LARGE_BASE UINT64_C(0x40000000) /* 2M pages */
#define LARGE_PAGES 160
#define HUGE_BASE UINT64_C(0x4000000000) /* 1G pages */
#define HUGE_PAGES 4
#define GUEST_BASE (UINT64_C(8) << 30)
#define GUEST_PAGES 4096 /* of guest-physical memory, 4K-backed; the rest by 2M */
#define RAM_MASK UINT64_C(0x3ffff000) /* frames of data pages */

enum context { HOST, GUEST_NESTED, GUEST_NESTED_2, GUEST_SHADOW, UNPAGED, CONTEXTS };

struct world {
    struct fake_memory *memory;
    struct mmu *mmu;
    struct state *state;
    struct counter_set *counters;
    struct paging paging[CONTEXTS];
    bool fast;
    uint64_t checksum;
    spa_t watched[8];
};

/* ---- A deterministic stream ----------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- Worlds --------------------------------------------------------------------------------------- */

static uint64_t page_flags_of(unsigned i)
{
    uint64_t flags = PTE_P | PTE_US | PTE_RW;

    if (i % 5 == 0)
        flags &= ~PTE_RW;
    if (i % 7 == 0)
        flags &= ~PTE_US;
    if (i % 11 == 0)
        flags |= PTE_NX;
    if (i % 3 == 0)
        flags |= PTE_G;
    return i % 13 == 0 ? flags & ~PTE_P : flags;
}

static uint64_t small_frame(uint64_t i)
{
    return i % SMALL_PAGES * UINT64_C(0x35000) & RAM_MASK;
}

/* Tables for the three regions at `root`; frames are the linear page scattered over RAM. */
static void map_regions(struct fake_memory *memory, uint64_t root)
{
    for (unsigned i = 0; i < SMALL_PAGES; i++)
        fake_map(memory, &walk_long, root, SMALL_BASE + i * PAGE_BYTES, small_frame(i), 1,
                 page_flags_of(i));
    for (unsigned i = 0; i < LARGE_PAGES; i++)
        fake_map(memory, &walk_long, root, LARGE_BASE + ((uint64_t)i << 21),
                 (uint64_t)(i * 7 % 512) << 21, 2, page_flags_of(i));
    for (unsigned i = 0; i < HUGE_PAGES; i++)
        fake_map(memory, &walk_long, root, HUGE_BASE + ((uint64_t)i << 30), 0, 3, MAP_ALL | PTE_G);
}

static void build_nested(struct fake_memory *memory, uint64_t root)
{
    for (unsigned i = 0; i < GUEST_PAGES; i++)
        fake_map(memory, &walk_long, root, i * PAGE_BYTES, GUEST_BASE + i * PAGE_BYTES, 1, MAP_ALL);
    for (uint64_t at = GUEST_PAGES * PAGE_BYTES; at < UINT64_C(1) << 30; at += UINT64_C(1) << 21)
        fake_map(memory, &walk_long, root, at, GUEST_BASE + at, 2,
                 (at >> 21) % 17 == 0 ? PTE_P | PTE_US : MAP_ALL);
}

/* Geometries: Barcelona without and with walk caches; odd ones with sets in L1 and little room. */
static const struct mmu_geometry geometries[] = {
    { .l1d = { 48, 0 }, .l1i_4k = { 32, 0 }, .l1i_2m = { 16, 0 }, .l2d_4k = { 512, 4 }, .l2d_2m = { 128, 2 },
      .l2i_4k = { 512, 4 }, .cost_l2_hit = 5, .cost_ref = 15, .cost_ref_remote = 40, .cost_ad_write = 20 },
    { .l1d = { 48, 0 }, .l1i_4k = { 32, 0 }, .l1i_2m = { 16, 0 }, .l2d_4k = { 512, 4 }, .l2d_2m = { 128, 2 },
      .l2d_1g = { 16, 8 }, .l2i_4k = { 512, 4 }, .pwc = { 24, 0 }, .ntlb = { 16, 0 }, .cost_l2_hit = 5,
      .cost_ref = 15, .cost_ref_remote = 40, .cost_pwc_hit = 1, .cost_ntlb_hit = 2, .cost_ad_write = 20 },
    { .l1d = { 16, 2 }, .l1i_4k = { 64, 16 }, .l2d_4k = { 64, 16 }, .pwc = { 8, 2 }, .smash_1g = true,
      .cost_ref = 15, .cost_ref_remote = 15 },
    { .l1d = { 1, 0 }, .l1i_4k = { 2, 1 }, .l1i_2m = { 1, 1 }, .ntlb = { 2, 1 }, .cost_ref = 1,
      .cost_ref_remote = 2 },
};

static struct world world_new(bool fast, unsigned geometry)
{
    struct world w = { .memory = fake_memory_new(), .fast = fast, .state = state_new(),
                       .counters = counter_set_new() };
    uint64_t root, n_root;

    w.mmu = mmu_new(&geometries[geometry], &w.memory->space, 0, &w.memory->cycles);
    mmu_set_reference(w.mmu, !fast);
    mmu_describe(w.mmu, w.state, w.counters, "node[0].core[0]");
    counters_describe(w.counters, w.state);
    /* host tables above RAM's data pages */
    w.memory->next_table = UINT64_C(0x50000000);
    root = fake_root(w.memory);
    map_regions(w.memory, root);
    n_root = fake_root(w.memory);
    build_nested(w.memory, n_root);
    w.paging[HOST] = fake_long_mode(root);
    w.paging[HOST].cr4 |= CR4_PGE;
    w.paging[GUEST_SHADOW] = w.paging[HOST];
    w.paging[GUEST_SHADOW].asid = 9;
    w.paging[UNPAGED] = (struct paging){ .cr0 = 1 };
    /* the guest's tables in guest-physical memory, reached by writing at the offset */
    w.memory->next_table = 0x400000;
    w.memory->guest_offset = GUEST_BASE;
    root = fake_root(w.memory);
    map_regions(w.memory, root);
    w.memory->guest_offset = 0;
    for (unsigned i = 0; i < SMALL_PAGES; i++) { /* present, so that slots are kept from the first access on */
        fake_page(w.memory, small_frame(i), true);
        fake_page(w.memory, GUEST_BASE + small_frame(i), true);
    }
    w.paging[GUEST_NESTED] = fake_long_mode(root);
    w.paging[GUEST_NESTED].cr4 |= CR4_PGE;
    w.paging[GUEST_NESTED].asid = 1;
    w.paging[GUEST_NESTED].nested = true;
    w.paging[GUEST_NESTED].n_cr3 = n_root;
    w.paging[GUEST_NESTED].host_cr4 = CR4_PAE;
    w.paging[GUEST_NESTED].host_efer = EFER_LMA | EFER_NXE;
    w.paging[GUEST_NESTED_2] = w.paging[GUEST_NESTED];
    w.paging[GUEST_NESTED_2].asid = 2;
    mmu_set_paging(w.mmu, &w.paging[HOST]);
    return w;
}

static void world_free(struct world *w)
{
    state_free(w->state);
    counter_set_free(w->counters);
    mmu_free(w->mmu);
    fake_memory_free(w->memory);
}

/* ---- One step ------------------------------------------------------------------------------------- */

struct step {
    enum { ACCESS, SWITCH, INVLPG, REMAP, FLUSH_CR3, FLUSH_ALL_ASIDS, INVLPGA, WATCH, UNWATCH, DROP_ALL,
           TOGGLE_WP } kind;
    gva_t address;
    unsigned access;
    unsigned number;
    uint64_t value;
};

static void mix(struct world *w, uint64_t value)
{
    w->checksum = (w->checksum ^ value) * UINT64_C(0x100000001b3) + (w->checksum >> 47);
}

static void step_data(struct world *w, const struct step *s)
{
    uint8_t *native = w->fast ? native_data(w->mmu, s->address, 1, s->access) : NULL;
    struct mmu_result result;

    if (native) {
        mix(w, *native);
        if (s->access & MMU_WRITE)
            *native = (uint8_t)s->value;
        return;
    }
    enum mmu_verdict verdict = mmu_translate(w->mmu, s->address, s->access, &result);
    if (verdict != MMU_OK) {
        mix(w, result.code * 3 + result.address);
        return;
    }
    mix(w, spa_read(&w->memory->space, result.spa, 1));
    if (s->access & MMU_WRITE)
        spa_write(&w->memory->space, result.spa, 1, s->value & 0xff);
}

static void step_fetch(struct world *w, const struct step *s)
{
    struct mmu_result result;
    spa_t spa;

    if (w->fast && native_fetch(w->mmu, s->address, s->access, &spa)) {
        mix(w, spa);
    } else {
        enum mmu_verdict verdict = mmu_translate(w->mmu, s->address, s->access, &result);

        mix(w, verdict == MMU_OK ? result.spa : result.code * 3 + result.address);
        if (verdict != MMU_OK)
            return;
    }
    mmu_fetch_again(w->mmu, s->number % 7);
}

/* The small page moves to another frame, or changes its rights; then INVLPG, as software must. */
static void step_remap(struct world *w, const struct step *s)
{
    gva_t page = SMALL_BASE + (s->number % SMALL_PAGES) * PAGE_BYTES;
    uint64_t root = w->paging[HOST].cr3;

    fake_map(w->memory, &walk_long, root, page, small_frame(s->value >> 20), 1,
             page_flags_of((unsigned)(s->value >> 40)));
    mmu_invlpg(w->mmu, page);
    mmu_invlpga(w->mmu, page, 9);
    mmu_invlpga(w->mmu, page, 0);
}

/* Somebody wants to be told of stores to the page that the address leads to now. */
static void step_watch(struct world *w, const struct step *s)
{
    struct mmu_result result;
    struct fake_page *page;

    if (mmu_peek(w->mmu, s->address, MMU_READ, &result) != MMU_OK)
        return;
    page = fake_page(w->memory, result.spa, false);
    if (!page)
        return;
    page->flags = 1;
    mmu_drop_native(w->mmu, result.spa & ~PAGE_MASK);
    w->watched[s->number % 8] = result.spa & ~PAGE_MASK;
}

static void step_unwatch(struct world *w, const struct step *s)
{
    spa_t address = w->watched[s->number % 8];
    struct fake_page *page = fake_page(w->memory, address, false);

    if (!page)
        return;
    page->flags = 0;
    mmu_drop_native(w->mmu, address);
}

static void step_do(struct world *w, const struct step *s)
{
    switch (s->kind) {
    case ACCESS: (s->access & MMU_FETCH) ? step_fetch(w, s) : step_data(w, s); break;
    case SWITCH: mmu_set_paging(w->mmu, &w->paging[s->number % CONTEXTS]); break;
    case INVLPG: mmu_invlpg(w->mmu, s->address); break;
    case REMAP: step_remap(w, s); break;
    case FLUSH_CR3: mmu_flush_cr3(w->mmu); break;
    case FLUSH_ALL_ASIDS: mmu_flush_all(w->mmu); break;
    case INVLPGA: mmu_invlpga(w->mmu, s->address, (uint16_t)(s->number % 10)); break;
    case WATCH: step_watch(w, s); break;
    case UNWATCH: step_unwatch(w, s); break;
    case DROP_ALL: mmu_drop_all_native(w->mmu); break;
    case TOGGLE_WP:
        w->paging[HOST].cr0 ^= CR0_WP;
        mmu_set_paging(w->mmu, &w->paging[HOST]);
        break;
    }
}

static gva_t random_address(uint64_t *seed)
{
    uint64_t r = next_random(seed);
    uint64_t within = r >> 52;

    switch (r % 16) {
    case 0: return LARGE_BASE + ((r >> 8) % LARGE_PAGES << 21) + (next_random(seed) & 0x1fffff);
    case 1: return LARGE_BASE + ((r >> 8) % 24 << 21) + (next_random(seed) & 0x1ffff);
    case 2: return HUGE_BASE + ((r >> 8) % HUGE_PAGES << 30) + (next_random(seed) & 0x3fffffff);
    case 3: case 4: return SMALL_BASE + (r >> 8) % SMALL_PAGES * PAGE_BYTES + within;
    case 5: return SMALL_BASE + (r >> 8) % 700 * PAGE_BYTES + within;
    default: return SMALL_BASE + (r >> 8) % 40 * PAGE_BYTES + within; /* mostly hits */
    }
}

static struct step random_step(uint64_t *seed)
{
    static const unsigned accesses[] = { MMU_READ, MMU_READ, MMU_WRITE, MMU_READ | MMU_USER, MMU_READ | MMU_USER,
                                         MMU_WRITE | MMU_USER, MMU_FETCH, MMU_FETCH | MMU_USER };
    uint64_t r = next_random(seed);
    struct step s = { .kind = ACCESS, .address = random_address(seed), .access = accesses[r >> 60 & 7],
                      .number = (unsigned)(r >> 20), .value = next_random(seed) };

    if (r % 256 == 0)
        s.kind = 1 + (r >> 8) % 10;
    if ((s.kind == FLUSH_CR3 || s.kind == FLUSH_ALL_ASIDS) && r >> 61)
        s.kind = INVLPG;
    return s;
}

/* ---- The comparison ------------------------------------------------------------------------------- */

static bool worlds_agree(struct world *a, struct world *b)
{
    g_autofree char *hash_a = state_hash(a->state), *hash_b = state_hash(b->state);

    return strcmp(hash_a, hash_b) == 0 && a->checksum == b->checksum && a->memory->cycles == b->memory->cycles &&
           a->memory->stores_seen == b->memory->stores_seen;
}

static bool engines_agree(uint64_t seed, unsigned steps, unsigned every, unsigned geometry)
{
    struct world fast = world_new(true, geometry), reference = world_new(false, geometry);
    bool agree = true;

    for (unsigned i = 0; i < steps && agree; i++) {
        struct step s = random_step(&seed);

        step_do(&fast, &s);
        step_do(&reference, &s);
        if (i % every == every - 1)
            agree = worlds_agree(&fast, &reference);
    }
    world_free(&fast);
    world_free(&reference);
    return agree;
}

#if FAM10H_PLANT == 0
START_TEST(both_engines_agree_on_three_million_random_steps)
{
    ck_assert(engines_agree(UINT64_C(0x9e3779b97f4a7c15), 1500000, 100000, 0));
    ck_assert(engines_agree(UINT64_C(0xd1b54a32d192ed03), 1000000, 100000, 1));
    ck_assert(engines_agree(UINT64_C(0x8cb92ba72f3d8dd7), 300000, 50000, 2));
    ck_assert(engines_agree(UINT64_C(0xabcdef0123456789), 200000, 50000, 3));
}
END_TEST

START_TEST(looking_at_the_state_often_does_not_change_it)
{
    ck_assert(engines_agree(UINT64_C(0x2545f4914f6cdd1d), 60000, 500, 1));
}
END_TEST

static void copy_page(gpointer key, gpointer value, gpointer memory)
{
    struct fake_memory *to = memory;

    memcpy(fake_page(to, (GPOINTER_TO_SIZE(key) - 1) << PAGE_SHIFT, true), value, sizeof(struct fake_page));
}

/* A snapshot taken in the middle and loaded into a fresh MMU goes on to the same end. DRAM is another part's. */
START_TEST(a_restored_mmu_goes_on_as_if_it_had_never_stopped)
{
    static const char file[] = "engines_test.snapshot";
    struct world a = world_new(true, 1), b = world_new(true, 1);
    uint64_t seed = 77;
    GError *error = NULL;

    for (unsigned i = 0; i < 100000; i++) {
        struct step s = random_step(&seed);
        step_do(&a, &s);
    }
    mmu_set_paging(a.mmu, &a.paging[GUEST_NESTED]); /* b is still in the host: what is derived must be made anew */
    ck_assert(state_save(a.state, file, "test", &error));
    g_hash_table_foreach(a.memory->pages, copy_page, b.memory);
    b.memory->cycles = a.memory->cycles;
    b.memory->stores_seen = a.memory->stores_seen;
    b.memory->next_table = a.memory->next_table;
    memcpy(b.paging, a.paging, sizeof(b.paging));
    memcpy(b.watched, a.watched, sizeof(b.watched));
    b.checksum = a.checksum;
    ck_assert(state_restore(b.state, file, "test", &error));
    remove(file);
    ck_assert(worlds_agree(&a, &b));
    for (unsigned i = 0; i < 100000; i++) {
        struct step s = random_step(&seed);
        step_do(&a, &s);
        step_do(&b, &s);
    }
    ck_assert(worlds_agree(&a, &b));
    world_free(&a);
    world_free(&b);
}
END_TEST

UNIT_TESTS("mmu/engines", both_engines_agree_on_three_million_random_steps,
           looking_at_the_state_often_does_not_change_it, a_restored_mmu_goes_on_as_if_it_had_never_stopped)
#else
START_TEST(the_comparison_notices_the_planted_fault)
{
    ck_assert(!engines_agree(UINT64_C(0x9e3779b97f4a7c15), 300000, 100000, 0));
}
END_TEST

UNIT_TESTS("mmu/engines-plant", the_comparison_notices_the_planted_fault)
#endif
