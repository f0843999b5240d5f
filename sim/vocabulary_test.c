/* SPDX-License-Identifier: MIT */
/* Clock, counters, state and snapshots, on small objects of our own. */
#include "sim/unit_test.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/bits.h"
#include "sim/clock.h"
#include "sim/counters.h"
#include "sim/state.h"
#include "sim/unmodelled.h"

/* ---- bits.h --------------------------------------------------------------------------------------- */

#define IOIO_PORT 31, 16

START_TEST(a_field_reads_and_writes_in_the_manuals_notation)
{
    ck_assert_uint_eq(bits(UINT64_C(0x03F80001), IOIO_PORT), 0x3F8);
    ck_assert_uint_eq(bits_put(1, IOIO_PORT, 0x60), 0x00600001);
    ck_assert_uint_eq(bits_mask(63, 0), UINT64_MAX);
    ck_assert_uint_eq(sign_extend(0x80, 1), UINT64_C(0xFFFFFFFFFFFFFF80));
    ck_assert(is_canonical(UINT64_C(0xFFFF800000000000)));
    ck_assert(!is_canonical(UINT64_C(0x0000800000000000)));
}
END_TEST

/* ---- Clock ---------------------------------------------------------------------------------------- */

START_TEST(cycles_and_picoseconds_convert_without_loss)
{
    /* 2300 MHz: 2300 cycles are 1 us = 10^6 ps; one cycle is 434.78 ps, rounded down. */
    ck_assert_uint_eq(cycles_to_ps(2300, 2300), PS_PER_US);
    ck_assert_uint_eq(cycles_to_ps(1, 2300), 434);
    ck_assert_uint_eq(ps_to_cycles(PS_PER_US, 2300), 2300);
    ck_assert_uint_eq(ps_to_cycles(434, 2300), 1); /* the first cycle at or past 434 ps */
    ck_assert_uint_eq(ps_to_cycles(435, 2300), 2);
    /* Where 64 bits cease to do: 2^48 ps are 281.474976710656 s, one less at 32,767 MHz is 9,223,090,561,878.03 */
    ck_assert_uint_eq(ps_to_cycles(BIT(48) - 1, 32767), UINT64_C(9223090561879));
    for (unsigned mhz = 32767; mhz <= 32768; mhz++)
        for (uint64_t ps = BIT(48) - 1; ps <= BIT(48); ps++) {
            uint64_t cycles = ps_to_cycles(ps, mhz);

            ck_assert_uint_ge(cycles_to_ps(cycles, mhz), ps);
            ck_assert_uint_lt(cycles_to_ps(cycles - 1, mhz), ps);
        }
    /* A year: 31,536,000 s x 2.3 x 10^9 cycles. */
    ck_assert_uint_eq(cycles_to_ps(UINT64_C(2300000000) * 3600, 2300), PS_PER_S * 3600);
}
END_TEST

struct firing {
    struct timer timer;
    GString *log;
};

static void fire(void *ctx)
{
    struct firing *firing = ctx;

    g_string_append(firing->log, firing->timer.name);
    if (firing->timer.name[0] == 'r' && firing->log->len < 4)
        timer_arm(&firing->timer, firing->timer.clock->now_ps + 10);
}

START_TEST(timers_fire_in_order_of_time_then_of_arming)
{
    g_autoptr(GString) log = g_string_new(NULL);
    struct firing a = { { .name = "a", .fire = fire, .ctx = &a }, log };
    struct firing b = { { .name = "b", .fire = fire, .ctx = &b }, log };
    struct firing c = { { .name = "c", .fire = fire, .ctx = &c }, log };
    struct clock clock;

    clock_init(&clock);
    clock_attach(&clock, &a.timer);
    clock_attach(&clock, &b.timer);
    clock_attach(&clock, &c.timer);
    timer_arm(&c.timer, 100);
    timer_arm(&a.timer, 100);
    timer_arm(&b.timer, 50);
    ck_assert_uint_eq(clock.next_due, 50);
    clock_fire(&clock, 99);
    ck_assert_str_eq(log->str, "b");
    clock_fire(&clock, 100);
    ck_assert_str_eq(log->str, "bca");
    ck_assert_uint_eq(clock.next_due, NEVER);
}
END_TEST

START_TEST(a_timer_that_rearms_itself_fires_again_in_the_same_advance)
{
    g_autoptr(GString) log = g_string_new(NULL);
    struct firing r = { { .name = "r", .fire = fire, .ctx = &r }, log };
    struct clock clock;

    clock_init(&clock);
    clock_attach(&clock, &r.timer);
    timer_arm(&r.timer, 5);
    clock_fire(&clock, 1000); /* 5, 15, 25, 35: the fourth does not rearm */
    ck_assert_str_eq(log->str, "rrrr");
    ck_assert_uint_eq(clock.now_ps, 1000);
}
END_TEST

/* ---- Counters ------------------------------------------------------------------------------------- */

struct sample {
    uint64_t refs[2][3];
    uint64_t plain;
};

static const char *const sides[] = { "d", "i" };
static const struct counter_row sample_rows[] = {
    { "walk.refs", "references", "entries read", offsetof(struct sample, refs),
      { { "side", 2, sides }, { "n", 3, NULL } } },
    { "walk.count", "walks", "walks made", offsetof(struct sample, plain), { { NULL, 0, NULL } } },
};

static uint64_t must_read(struct counter_set *set, const char *name)
{
    uint64_t value;
    GError *error = NULL;

    ck_assert_msg(counter_read(set, name, &value, &error), "%s", error ? error->message : name);
    return value;
}

START_TEST(a_counter_name_selects_and_sums)
{
    struct counter_set *set = counter_set_new();
    struct sample s0 = { { { 1, 2, 3 }, { 10, 20, 30 } }, 7 }, s1 = { { { 100, 0, 0 }, { 0, 0, 0 } }, 5 };
    uint64_t value;

    counters_attach(set, "node[0].core[0]", sample_rows, 2, &s0);
    counters_attach(set, "node[0].core[1]", sample_rows, 2, &s1);
    ck_assert_uint_eq(must_read(set, "node[0].core[0].walk.refs{side=i,n=2}"), 30);
    ck_assert_uint_eq(must_read(set, "node[0].core[0].walk.refs{side=d}"), 6);
    ck_assert_uint_eq(must_read(set, "node[0].core[0].walk.refs{n=0}"), 11);
    ck_assert_uint_eq(must_read(set, "node[0].core[*].walk.refs"), 166);
    ck_assert_uint_eq(must_read(set, "node[*].core[*].walk.count"), 12);
    ck_assert(!counter_read(set, "node[0].core[2].walk.count", &value, NULL));
    ck_assert(!counter_read(set, "node[0].core[0].walk.refs{n=3}", &value, NULL));
    ck_assert(!counter_read(set, "node[0].core[0].walk.refs{q=1}", &value, NULL));
    ck_assert(!counter_read(set, "node[0].core[0].walk", &value, NULL));
    ck_assert(!counter_read(set, "", &value, NULL));
    counter_set_free(set);
}
END_TEST

static void collect(void *ctx, const char *name, const struct counter_row *row, uint64_t value)
{
    (void)row;
    g_string_append_printf(ctx, "%s=%u;", name, (unsigned)value);
}

START_TEST(non_zero_values_are_visited_in_declared_order)
{
    struct counter_set *set = counter_set_new();
    struct sample s = { { { 0, 2, 0 }, { 0, 0, 9 } }, 0 };
    g_autoptr(GString) out = g_string_new(NULL);

    counters_attach(set, "p", sample_rows, 2, &s);
    counters_each(set, collect, out);
    ck_assert_str_eq(out->str, "p.walk.refs{side=d,n=1}=2;p.walk.refs{side=i,n=2}=9;");
    counters_clear(set);
    ck_assert_uint_eq(s.refs[1][2], 0);
    counter_set_free(set);
}
END_TEST

/* ---- State ---------------------------------------------------------------------------------------- */

struct thing {
    uint64_t wide;
    uint16_t narrow[3];
    bool flag;
    void *native; /* not described */
};

#define LARGEST_NARROW 1000

static const struct state_field thing_fields[] = {
    STATE_VALUE(struct thing, wide),
    { "narrow", offsetof(struct thing, narrow), 2, 3, 2, LARGEST_NARROW },
    STATE_VALUE(struct thing, flag),
};
static const struct state_part thing_part = { "thing", thing_fields, 3, NULL, NULL, NULL, NULL };

static char *temporary_file(void)
{
    char *name = g_strdup("vocabulary_test.XXXXXX");
    int fd = g_mkstemp(name);

    ck_assert_int_ge(fd, 0);
    close(fd);
    return name;
}

START_TEST(a_snapshot_brings_back_what_is_described_and_nothing_else)
{
    struct thing thing = { 0x123456789ABCDEF0, { 1, 2, 3 }, true, &thing };
    struct state *state = state_new();
    g_autofree char *file = temporary_file();
    g_autofree char *before = NULL, *after = NULL;

    state_add(state, "a.thing", &thing_part, &thing);
    before = state_hash(state);
    ck_assert(state_save(state, file, "label", NULL));
    memset(&thing, 0, sizeof(thing));
    ck_assert(state_restore(state, file, "label", NULL));
    after = state_hash(state);
    ck_assert_str_eq(before, after);
    ck_assert_uint_eq(thing.narrow[2], 3);
    ck_assert_ptr_null(thing.native);
    g_unlink(file);
    state_free(state);
}
END_TEST

START_TEST(the_hash_sees_every_described_bit)
{
    struct thing thing = { 1, { 1, 2, 3 }, true, NULL };
    struct state *state = state_new();
    g_autofree char *before = NULL, *after = NULL, *native = NULL;

    state_add(state, "a.thing", &thing_part, &thing);
    before = state_hash(state);
    thing.native = &thing;
    native = state_hash(state);
    thing.narrow[1] ^= 0x8000;
    after = state_hash(state);
    ck_assert_str_eq(before, native);
    ck_assert_str_ne(before, after);
    state_free(state);
}
END_TEST

/* Damages one byte, or cuts the file when `cut`; the restore must refuse with one line. */
static void refuse_damaged(struct state *state, const char *file, const char *bytes, gsize size, gsize at, bool cut)
{
    g_autofree char *copy = g_memdup2(bytes, size);
    g_autoptr(GError) error = NULL;

    if (!cut)
        copy[at] ^= 0x40;
    ck_assert(g_file_set_contents(file, copy, (gssize)(cut ? at : size), NULL));
    ck_assert(!state_restore(state, file, "label", &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_ptr_null(strchr(error->message, '\n'));
}

START_TEST(a_damaged_snapshot_is_refused_at_every_byte)
{
    struct thing thing = { 1, { 1, 2, 3 }, true, NULL };
    struct state *state = state_new();
    g_autofree char *file = temporary_file();
    g_autofree char *bytes = NULL;
    gsize size;

    state_add(state, "a.thing", &thing_part, &thing);
    ck_assert(state_save(state, file, "label", NULL));
    ck_assert(g_file_get_contents(file, &bytes, &size, NULL));
    for (gsize at = 0; at < size; at++) {
        refuse_damaged(state, file, bytes, size, at, false);
        refuse_damaged(state, file, bytes, size, at, true);
    }
    ck_assert_uint_eq(thing.wide, 1);
    g_unlink(file);
    state_free(state);
}
END_TEST

/* Such a file with a sound checksum: what it says is refused, and the object keeps what it had. */
static void refuse_value(struct state *state, struct thing *thing, const char *message)
{
    const struct thing sound = { 1, { 1, 2, 3 }, true, NULL };
    g_autofree char *file = temporary_file();
    g_autoptr(GError) error = NULL;

    ck_assert(state_save(state, file, "label", NULL));
    *thing = sound;
    ck_assert(!state_restore(state, file, "label", &error));
    ck_assert_ptr_nonnull(strstr(error->message, message));
    ck_assert_ptr_null(strchr(error->message, '\n'));
    ck_assert(thing->flag);
    ck_assert_uint_eq(thing->narrow[1], 2);
    g_unlink(file);
}

START_TEST(a_value_that_the_code_cannot_bear_is_refused)
{
    struct thing thing = { 1, { 1, LARGEST_NARROW + 1, 3 }, true, NULL };
    struct state *state = state_new();

    state_add(state, "a.thing", &thing_part, &thing);
    refuse_value(state, &thing, ": a.thing.narrow[1] is 1001 in the snapshot, at most 1000 is right");
    memset(&thing.flag, 2, 1); /* no bool holds that: only the file may */
    refuse_value(state, &thing, ": a.thing.flag[0] is 2 in the snapshot, at most 1 is right");
    state_free(state);
}
END_TEST

START_TEST(a_snapshot_of_another_configuration_is_refused)
{
    struct thing thing = { 1, { 1, 2, 3 }, true, NULL };
    struct state *state = state_new();
    g_autofree char *file = temporary_file();
    g_autoptr(GError) error = NULL;

    state_add(state, "a.thing", &thing_part, &thing);
    ck_assert(state_save(state, file, "2 nodes", NULL));
    ck_assert(!state_restore(state, file, "1 node", &error));
    ck_assert_ptr_nonnull(strstr(error->message, "\"2 nodes\""));
    g_unlink(file);
    state_free(state);
}
END_TEST

/* ---- Unmodelled ----------------------------------------------------------------------------------- */

static void collect_name(void *ctx, const char *name, uint64_t count)
{
    g_string_append_printf(ctx, "%s:%u;", name, (unsigned)count);
}

START_TEST(unmodelled_behaviour_is_counted_by_name)
{
    struct unmodelled *list = unmodelled_new();
    g_autoptr(GString) out = g_string_new(NULL);

    unmodelled_note(list, "RDMSR %08X", 0xC0011099);
    unmodelled_note(list, "OUT %03X", 0x60);
    unmodelled_note(list, "RDMSR %08X", 0xC0011099);
    unmodelled_each(list, collect_name, out);
    ck_assert_str_eq(out->str, "OUT 060:1;RDMSR C0011099:2;");
    ck_assert_uint_eq(unmodelled_total(list), 3);
    for (unsigned i = 0; i < 10000; i++)
        unmodelled_note(list, "name %u", i);
    ck_assert_uint_eq(unmodelled_total(list), 10003);
    unmodelled_free(list);
}
END_TEST

UNIT_TESTS("vocabulary", a_field_reads_and_writes_in_the_manuals_notation,
           cycles_and_picoseconds_convert_without_loss, timers_fire_in_order_of_time_then_of_arming,
           a_timer_that_rearms_itself_fires_again_in_the_same_advance, a_counter_name_selects_and_sums,
           non_zero_values_are_visited_in_declared_order, a_snapshot_brings_back_what_is_described_and_nothing_else,
           the_hash_sees_every_described_bit, a_damaged_snapshot_is_refused_at_every_byte,
           a_value_that_the_code_cannot_bear_is_refused,
           a_snapshot_of_another_configuration_is_refused, unmodelled_behaviour_is_counted_by_name)
