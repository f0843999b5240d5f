/* SPDX-License-Identifier: MIT */
/* The exit table: rows, order, cycles to the vCPU's next VMRUN on any core, snapshots. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "sim/cpu/svm/svm_fixture.h"
#include "sim/state.h"

static void gather(void *ctx, const struct exit_row *row)
{
    g_array_append_vals(ctx, row, 1);
}

static GArray *rows_of(const struct exit_table *table)
{
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct exit_row));

    exits_each(table, gather, rows);
    return rows;
}

#define ROW(rows, i) g_array_index(rows, struct exit_row, i)

/* As svm does it: the vCPU `vmcb` leaves, and comes back, at given cycles. */
static void leave(struct core *core, spa_t vmcb, uint64_t cycle, uint64_t code, uint64_t rip)
{
    core->svm.vmcb = vmcb;
    core->cycles = cycle;
    exits_left(core, 0, code, rip);
}

static void enter(struct core *core, spa_t vmcb, uint64_t cycle)
{
    core->svm.vmcb = vmcb;
    core->cycles = cycle;
    exits_entered(core);
}

START_TEST(an_exit_costs_the_cycles_to_the_same_vcpus_next_vmrun)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];
    GArray *rows;

    enter(core, 0xA000, 100);              /* the first VMRUN ends no exit */
    leave(core, 0xA000, 1000, 0x72, 0x10);
    enter(core, 0xB000, 1200);             /* another vCPU runs in between */
    leave(core, 0xB000, 1300, 0x72, 0x10);
    enter(core, 0xA000, 1500);             /* A: 500 */
    leave(core, 0xA000, 2000, 0x72, 0x10);
    enter(core, 0xA000, 2010);             /* A: 10 */
    leave(core, 0xA000, 3000, 0x72, 0x10); /* A: not yet known */
    rows = rows_of(fix->exits);
    ck_assert_uint_eq(rows->len, 2);
    ck_assert_uint_eq(ROW(rows, 0).vmcb, 0xA000);
    ck_assert_uint_eq(ROW(rows, 0).count, 3);
    ck_assert_uint_eq(ROW(rows, 0).timed, 2);
    ck_assert_uint_eq(ROW(rows, 0).cycles, 510);
    ck_assert_uint_eq(ROW(rows, 0).cycles_min, 10);
    ck_assert_uint_eq(ROW(rows, 0).cycles_max, 500);
    ck_assert_uint_eq(ROW(rows, 1).vmcb, 0xB000);
    ck_assert_uint_eq(ROW(rows, 1).count, 1);
    ck_assert_uint_eq(ROW(rows, 1).timed, 0);
    ck_assert_uint_eq(ROW(rows, 1).cycles, 0);
    g_array_unref(rows);
    fixture_free(fix);
}
END_TEST

START_TEST(the_next_vmrun_counts_on_whatever_core_it_is)
{
    struct fixture *fix = fixture_new("10h-b3");
    GArray *rows;

    leave(fix->core[0], 0xA000, 1000, 0x78, 0x20);
    enter(fix->core[2], 0xA000, 4000);
    leave(fix->core[2], 0xA000, 5000, 0x78, 0x20);
    enter(fix->core[0], 0xA000, 4990); /* a slice behind: nothing is made up */
    rows = rows_of(fix->exits);
    ck_assert_uint_eq(rows->len, 1);
    ck_assert_uint_eq(ROW(rows, 0).cycles, 3000);
    ck_assert_uint_eq(ROW(rows, 0).cycles_min, 0);
    ck_assert_uint_eq(ROW(rows, 0).cycles_max, 3000);
    g_array_unref(rows);
    fixture_free(fix);
}
END_TEST

START_TEST(time_in_hlt_has_a_column_of_its_own)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core = fix->core[0];
    GArray *rows;

    core->svm.halted_cycles = 70;
    leave(core, 0xA000, 1000, 0x78, 0x20);
    core->svm.halted_cycles += 600; /* the host waited in HLT */
    enter(core, 0xA000, 2000);
    rows = rows_of(fix->exits);
    ck_assert_uint_eq(ROW(rows, 0).halted_cycles, 600);
    ck_assert_uint_eq(ROW(rows, 0).cycles, 400);
    g_array_unref(rows);
    fixture_free(fix);
}
END_TEST

START_TEST(rows_come_in_order_of_vmcb_guest_code_and_rip)
{
    static const uint64_t keys[][3] = { { 0xB000, 0x78, 1 }, { 0xA000, 0x400, 5 }, { 0xA000, 0x72, 9 },
                                        { 0xA000, 0x72, 3 } };
    static const unsigned sorted[] = { 3, 2, 1, 0 };
    struct fixture *fix = fixture_new("10h-b3");
    GArray *rows;

    for (unsigned i = 0; i < 4; i++)
        leave(fix->core[0], keys[i][0], 1, keys[i][1], keys[i][2]);
    rows = rows_of(fix->exits);
    ck_assert_uint_eq(rows->len, 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(ROW(rows, i).vmcb, keys[sorted[i]][0]);
        ck_assert_uint_eq(ROW(rows, i).code, keys[sorted[i]][1]);
        ck_assert_uint_eq(ROW(rows, i).rip, keys[sorted[i]][2]);
    }
    ck_assert_uint_eq(fix->core[0]->svm.count->exits[0x72], 2);
    ck_assert_uint_eq(fix->core[0]->svm.count->exits[vmexit_kind(VMEXIT_NPF)], 1);
    g_array_unref(rows);
    fixture_free(fix);
}
END_TEST

START_TEST(a_guest_that_exits_everywhere_does_not_grow_the_table_for_ever)
{
    struct fixture *fix = fixture_new("10h-b3");
    GArray *rows;

    for (uint64_t rip = 0; rip < 70000; rip++)
        leave(fix->core[0], 0xA000 + (rip << 12), rip, 0x72, rip);
    rows = rows_of(fix->exits);
    ck_assert_uint_eq(rows->len, 65537);
    ck_assert_uint_eq(ROW(rows, 65536).vmcb, UINT64_MAX); /* all the rest, by code alone */
    ck_assert_uint_eq(ROW(rows, 65536).code, 0x72);
    ck_assert_uint_eq(ROW(rows, 65536).count, 70000 - 65536);
    g_array_unref(rows);
    fixture_free(fix);
}
END_TEST

START_TEST(a_real_exit_and_vmrun_fill_the_table)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct core *core;
    GArray *rows;

    fixture_guest(fix);
    core = fixture_in_guest(fix);
    core->rip = 0x1002;
    fixture_leave(core, VMEXIT_CPUID, 0, 0);
    core->cycles += 50;
    core->next_rip = HOST_NEXT;
    svm_vmrun(core);
    rows = rows_of(fix->exits);
    ck_assert_uint_eq(rows->len, 1);
    ck_assert_uint_eq(ROW(rows, 0).vmcb, VMCB_PA);
    ck_assert_uint_eq(ROW(rows, 0).rip, 0x1002);
    ck_assert_uint_eq(ROW(rows, 0).cycles, VMEXIT_CYCLES + 50);
    ck_assert_uint_eq(core->svm.count->vmruns, 2);
    g_array_unref(rows);
    fixture_free(fix);
}
END_TEST

START_TEST(a_snapshot_brings_rows_and_open_exits_back)
{
    char *file = g_strdup_printf("exits_test.%d.snapshot", (int)getpid());
    struct fixture *one = fixture_new("10h-b3"), *two = fixture_new("10h-b3");
    struct state *save = state_new(), *load = state_new();
    GArray *rows;
    char *hash[2];

    leave(one->core[0], 0xA000, 1000, 0x78, 0x20);
    leave(one->core[1], 0xB000, 1100, 0x72, 0x30);
    enter(one->core[1], 0xB000, 1150);
    leave(two->core[0], 0xC000, 5, 0x72, 7); /* to be gone */
    exit_table_describe(one->exits, save, "exits");
    exit_table_describe(two->exits, load, "exits");
    ck_assert(state_save(save, file, "test", NULL));
    ck_assert(state_restore(load, file, "test", NULL));
    hash[0] = state_hash(save);
    hash[1] = state_hash(load);
    ck_assert_str_eq(hash[0], hash[1]);
    enter(two->core[0], 0xA000, 1777); /* the open exit goes on */
    rows = rows_of(two->exits);
    ck_assert_uint_eq(rows->len, 2);
    ck_assert_uint_eq(ROW(rows, 0).cycles, 777);
    ck_assert_uint_eq(ROW(rows, 1).cycles, 50);
    g_array_unref(rows);
    g_unlink(file);
    g_free(file);
    g_free(hash[0]);
    g_free(hash[1]);
    state_free(save);
    state_free(load);
    fixture_free(one);
    fixture_free(two);
}
END_TEST

UNIT_TESTS("exits", an_exit_costs_the_cycles_to_the_same_vcpus_next_vmrun,
           the_next_vmrun_counts_on_whatever_core_it_is, time_in_hlt_has_a_column_of_its_own,
           rows_come_in_order_of_vmcb_guest_code_and_rip,
           a_guest_that_exits_everywhere_does_not_grow_the_table_for_ever, a_real_exit_and_vmrun_fill_the_table,
           a_snapshot_brings_rows_and_open_exits_back)
