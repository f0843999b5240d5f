/* SPDX-License-Identifier: MIT */
#include "sim/platform/fixture.h"

#include <glib/gstdio.h>
#include <unistd.h>

START_TEST(absent_ram_reads_as_zero_and_allocates_nothing)
{
    struct fixture *f = fixture_new(1, 1, 512 * MIB);

    ck_assert_uint_eq(load(f, 0x12345678, 8), 0);
    ck_assert_ptr_null(platform_space(f->platform)->dram(platform_space(f->platform)->ctx, 0x12345678, false));
    ck_assert_uint_eq(f->platform->map.dram.used, 0);
    fixture_free(f);
}
END_TEST

START_TEST(a_store_is_read_back_and_takes_one_chunk)
{
    struct fixture *f = fixture_new(1, 1, 512 * MIB);

    store(f, 0x1ffffc, 8, UINT64_C(0x1122334455667788)); /* crosses a page and a chunk */
    ck_assert_uint_eq(load(f, 0x1ffffc, 8), UINT64_C(0x1122334455667788));
    ck_assert_uint_eq(load(f, 0x200000, 4), 0x11223344);
    ck_assert_uint_eq(f->platform->map.dram.used, 2 * DRAM_CHUNK_BYTES);
    fixture_free(f);
}
END_TEST

START_TEST(the_limit_on_native_memory_sets_exhausted_and_drops_the_store)
{
    struct fixture *f = fixture_new(1, 1, 4 * GIB); /* the fixture allows 256 MiB = 128 chunks */
    struct spa_space *space = platform_space(f->platform);

    for (unsigned i = 0; i < 128; i++)
        store(f, i * DRAM_CHUNK_BYTES + (i ? 0 : 0x1000), 1, 1);
    ck_assert(!space->exhausted);
    store(f, 128 * DRAM_CHUNK_BYTES, 1, 1);
    ck_assert(space->exhausted);
    ck_assert_uint_eq(load(f, 128 * DRAM_CHUNK_BYTES, 1), 0);
    platform_reset(f->platform, false);
    ck_assert(!space->exhausted);
    ck_assert_uint_eq(load(f, 0x1000, 1), 0); /* a cold reset loses RAM */
    fixture_free(f);
}
END_TEST

START_TEST(memory_above_three_gib_moves_above_four)
{
    struct fixture *f = fixture_new(1, 1, 4 * GIB);
    struct spa_space *space = platform_space(f->platform);

    /* 4 GiB: 3 GiB below C0000000, 1 GiB from 100000000 to 13FFFFFFF. */
    ck_assert(space->is_dram(space->ctx, 0xbfffffff));
    ck_assert(!space->is_dram(space->ctx, 0xc0000000));
    ck_assert(!space->is_dram(space->ctx, 0xffffffff));
    ck_assert(space->is_dram(space->ctx, UINT64_C(0x100000000)));
    ck_assert(space->is_dram(space->ctx, UINT64_C(0x13fffffff)));
    ck_assert(!space->is_dram(space->ctx, UINT64_C(0x140000000)));
    store(f, UINT64_C(0x100000000), 8, 0xabcdef);
    ck_assert_uint_eq(load(f, UINT64_C(0x100000000), 8), 0xabcdef);
    ck_assert_uint_eq(load(f, 0, 8), 0); /* not an alias */
    fixture_free(f);
}
END_TEST

START_TEST(the_vga_window_is_not_ram)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    store(f, 0xa0000, 4, 0);
    ck_assert_uint_eq(load(f, 0xa0000, 4), 0xffffffff); /* nobody there: all ones */
    ck_assert_uint_eq(load(f, 0x9fffc, 4), 0);
    ck_assert_uint_eq(load(f, 0xc0000, 4), 0);
    ck_assert_uint_eq(load(f, 0x4000000, 1), 0xff); /* beyond 64 MiB */
    fixture_free(f);
}
END_TEST

START_TEST(the_largest_machine_has_no_ram_in_the_hypertransport_range)
{
    struct fixture *f = fixture_new(8, 1, 64 * GIB);
    struct spa_space *space = platform_space(f->platform);

    /* 64 GiB + 1 GiB of hole end at 65 GiB = 1040000000h, far below FD00000000h. */
    ck_assert(space->is_dram(space->ctx, UINT64_C(0x103fffffff)));
    ck_assert(!space->is_dram(space->ctx, UINT64_C(0x1040000000)));
    for (spa_t at = UINT64_C(0xfd00000000); at < UINT64_C(0x10000000000); at += GIB)
        ck_assert(!space->is_dram(space->ctx, at));
    fixture_free(f);
}
END_TEST

START_TEST(each_node_is_home_to_its_own_share)
{
    struct fixture *f = fixture_new(2, 1, 8 * GIB);
    struct spa_space *space = platform_space(f->platform);

    /* Node 0: 4 GiB = 0-BFFFFFFF and 100000000-13FFFFFFF; node 1 from 140000000 (the 8 GB example of section G). */
    ck_assert_uint_eq(space->home_node(space->ctx, 0), 0);
    ck_assert_uint_eq(space->home_node(space->ctx, UINT64_C(0x13fffffff)), 0);
    ck_assert_uint_eq(space->home_node(space->ctx, UINT64_C(0x140000000)), 1);
    ck_assert_uint_eq(space->home_node(space->ctx, UINT64_C(0x23fffffff)), 1);
    ck_assert_uint_eq(space->home_node(space->ctx, 0xfee00000), 0);
    fixture_free(f);
}
END_TEST

START_TEST(the_memory_map_is_ascending_and_adds_up)
{
    static const struct { unsigned nodes; uint64_t memory; } cases[] = {
        { 1, 64 * MIB }, { 2, 512 * MIB }, { 4, 4 * GIB }, { 3, 3 * GIB }, { 8, 64 * GIB }, { 7, 7 * GIB },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fixture *f = fixture_new(cases[i].nodes, 1, cases[i].memory);
        size_t count;
        const struct memory_range *range = platform_memory(f->platform, &count);
        uint64_t dram = 0;
        spa_t end = 0;

        for (size_t k = 0; k < count; k++) {
            ck_assert_uint_ge(range[k].base, end);
            end = range[k].base + range[k].size;
            if (platform_space(f->platform)->is_dram(platform_space(f->platform)->ctx, range[k].base))
                dram += range[k].size;
        }
        /* All but A0000-DFFFF: the VGA window and the option ROMs' place, which the map leaves out. */
        ck_assert_uint_eq(dram, cases[i].memory - 0x40000);
        fixture_free(f);
    }
}
END_TEST

START_TEST(an_impossible_machine_is_refused_in_one_line)
{
    static const struct { unsigned nodes, cores; uint64_t memory, host; const char *says; } cases[] = {
        { 9, 1, GIB, GIB, "nodes=9: 1 to 8" }, { 0, 1, GIB, GIB, "nodes=0" }, { 1, 0, GIB, GIB, "cores=0: 1 to 6" },
        { 1, 7, GIB, GIB, "cores=7" }, { 1, 1, GIB + 1, GIB, "memory=1073741825 bytes: a multiple of 64 MiB" },
        { 1, 1, 0, GIB, "memory=0" }, { 3, 1, GIB, GIB, "a multiple of 192 MiB" },
        { 1, 1, 128 * GIB, GIB, "up to 64 GiB" }, { 1, 1, GIB, 4096, "host-memory=4096 bytes: at least 2 MiB" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct platform_config config = fixture_config(NULL, cases[i].nodes, cases[i].cores, cases[i].memory);
        GError *error = NULL;

        config.host_memory = cases[i].host;
        ck_assert_ptr_null(platform_new(&config, &error));
        ck_assert_ptr_nonnull(strstr(error->message, cases[i].says));
        ck_assert_ptr_null(strchr(error->message, '\n'));
        g_error_free(error);
    }
}
END_TEST

START_TEST(a_store_to_a_flagged_page_is_told_and_flags_drop_native_pointers)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    struct spa_space *space = platform_space(f->platform);

    ck_assert_ptr_null(space->page_flags(space->ctx, 0x5000)); /* absent */
    store(f, 0x5008, 4, 1);
    ck_assert_uint_eq(f->stores, 0);
    space->flag_page(space->ctx, 0x5123, DRAM_PAGE_CODE);
    ck_assert_uint_eq(f->drops, 1);
    ck_assert_uint_eq(f->dropped, 0x5000);
    space->flag_page(space->ctx, 0x5fff, DRAM_PAGE_CODE); /* no change, nothing to drop */
    ck_assert_uint_eq(f->drops, 1);
    store(f, 0x5010, 2, 7);
    ck_assert_uint_eq(f->stores, 1);
    ck_assert_uint_eq(f->store_address, 0x5010);
    ck_assert_uint_eq(f->store_flags, DRAM_PAGE_CODE);
    space->flag_page(space->ctx, 0x5000, DRAM_PAGE_ARMED);
    space->unflag_page(space->ctx, 0x5000, DRAM_PAGE_CODE);
    ck_assert_uint_eq(*space->page_flags(space->ctx, 0x5000), DRAM_PAGE_ARMED);
    ck_assert_uint_eq(f->drops, 3);
    fixture_free(f);
}
END_TEST

static uint64_t region_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)ctx;
    return offset << 8 | size;
}

static void region_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    uint64_t *log = ctx;

    log[0]++;
    log[1] = offset;
    log[2] = size;
    log[3] = value;
}

START_TEST(a_region_gets_its_offsets_and_never_an_access_across_its_end)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    uint64_t log[4] = { 0 };
    const struct mmio_region region = { "test", 0xd0000000, 0x10, log, region_read, region_write };

    platform_attach_mmio(f->platform, &region);
    ck_assert_uint_eq(load(f, 0xd0000004, 4), 4 << 8 | 4);
    store(f, 0xd0000008, 2, 0xbeef);
    ck_assert_uint_eq(log[1], 8);
    ck_assert_uint_eq(log[2], 2);
    ck_assert_uint_eq(log[3], 0xbeef);
    /* 4 bytes from 0E: two bytes of the region (offset, size 1), two of nobody. */
    ck_assert_uint_eq(load(f, 0xd000000e, 4), 0xffff0101);
    log[0] = 0;
    store(f, 0xd000000e, 4, 0x44332211);
    ck_assert_uint_eq(log[0], 2);
    ck_assert_uint_eq(log[1], 0xf);
    ck_assert_uint_eq(log[3], 0x22);
    fixture_free(f);
}
END_TEST

START_TEST(absent_and_zero_pages_hash_alike)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    g_autofree char *absent = fixture_hash(f);
    g_autofree char *zero = NULL, *one = NULL;

    store(f, 0x300000, 8, 1);
    store(f, 0x300000, 8, 0);
    zero = fixture_hash(f);
    ck_assert_str_eq(absent, zero);
    store(f, 0x300000, 8, 1);
    one = fixture_hash(f);
    ck_assert_str_ne(absent, one);
    fixture_free(f);
}
END_TEST

START_TEST(a_snapshot_brings_ram_and_devices_back)
{
    struct fixture *f = fixture_new(2, 2, 4 * GIB), *g = fixture_new(2, 2, 4 * GIB);
    struct state *save = state_new(), *restore = state_new();
    struct counter_set *counters = counter_set_new();
    g_autofree char *file = g_strdup_printf("%s/fam10h-map-test.%d", g_get_tmp_dir(), (int)getpid());
    g_autofree char *before = NULL, *after = NULL;

    store(f, UINT64_C(0x100000010), 8, 42);
    outb(f, 0x70, 0x40);
    outb(f, 0x71, 0x99);
    store(g, 0x7000, 8, 7); /* must be gone afterwards */
    platform_describe(f->platform, save, counters);
    platform_describe(g->platform, restore, counters);
    ck_assert(state_save(save, file, "test", NULL));
    ck_assert(state_restore(restore, file, "test", NULL));
    before = fixture_hash(f);
    after = fixture_hash(g);
    ck_assert_str_eq(before, after);
    ck_assert_uint_eq(load(g, UINT64_C(0x100000010), 8), 42);
    ck_assert_uint_eq(load(g, 0x7000, 8), 0);
    g_unlink(file);
    state_free(save);
    state_free(restore);
    counter_set_free(counters);
    fixture_free(f);
    fixture_free(g);
}
END_TEST

/* Saves f, restores into g; the error's message or NULL. */
static char *transfer(struct fixture *f, struct fixture *g)
{
    struct state *save = state_new(), *restore = state_new();
    struct counter_set *counters = counter_set_new();
    g_autofree char *file = g_strdup_printf("%s/fam10h-map-test.%d", g_get_tmp_dir(), (int)getpid());
    GError *error = NULL;
    char *message = NULL;

    state_add(save, "dram", &dram_state, &f->platform->map.dram);
    state_add(restore, "dram", &dram_state, &g->platform->map.dram);
    ck_assert(state_save(save, file, "test", NULL));
    if (!state_restore(restore, file, "test", &error))
        message = g_strdup(error->message);
    g_clear_error(&error);
    g_unlink(file);
    counter_set_free(counters);
    state_free(save);
    state_free(restore);
    return message;
}

START_TEST(a_snapshot_of_a_larger_machine_is_refused)
{
    struct fixture *f = fixture_new(1, 1, GIB), *g = fixture_new(1, 1, 64 * MIB);
    g_autofree char *fits = NULL, *beyond = NULL, *limit = NULL;

    store(f, 0x3fff000, 8, 1);
    fits = transfer(f, g);
    ck_assert_ptr_null(fits);
    ck_assert_uint_eq(load(g, 0x3fff000, 8), 1);
    store(f, 0x4000000, 8, 1);
    beyond = transfer(f, g);
    ck_assert_ptr_nonnull(strstr(beyond, "RAM page 0x4000 (flags 0) is not a page of this machine, which has 0x4000"));
    g->platform->map.dram.limit = 0;
    limit = transfer(f, g);
    ck_assert_ptr_nonnull(strstr(limit, "--host-memory"));
    fixture_free(f);
    fixture_free(g);
}
END_TEST

START_TEST(an_armed_page_stays_armed_in_a_snapshot_and_a_code_page_does_not)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB), *g = fixture_new(1, 1, 64 * MIB);
    struct spa_space *from = platform_space(f->platform), *to = platform_space(g->platform);

    store(f, 0x5000, 1, 0);
    from->flag_page(from->ctx, 0x5000, DRAM_PAGE_ARMED);
    from->flag_page(from->ctx, 0x5000, DRAM_PAGE_CODE);
    ck_assert_ptr_null(transfer(f, g));
    ck_assert_uint_eq(*to->page_flags(to->ctx, 0x5000), DRAM_PAGE_ARMED);
    fixture_free(f);
    fixture_free(g);
}
END_TEST

UNIT_TESTS("map", absent_ram_reads_as_zero_and_allocates_nothing, a_store_is_read_back_and_takes_one_chunk,
           the_limit_on_native_memory_sets_exhausted_and_drops_the_store, memory_above_three_gib_moves_above_four,
           the_vga_window_is_not_ram, the_largest_machine_has_no_ram_in_the_hypertransport_range,
           each_node_is_home_to_its_own_share, the_memory_map_is_ascending_and_adds_up,
           an_impossible_machine_is_refused_in_one_line,
           a_store_to_a_flagged_page_is_told_and_flags_drop_native_pointers,
           a_region_gets_its_offsets_and_never_an_access_across_its_end, absent_and_zero_pages_hash_alike,
           a_snapshot_brings_ram_and_devices_back, a_snapshot_of_a_larger_machine_is_refused,
           an_armed_page_stays_armed_in_a_snapshot_and_a_code_page_does_not)
