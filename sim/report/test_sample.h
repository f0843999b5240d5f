/* SPDX-License-Identifier: MIT */
/* A report made up by hand, for the tests of its writers and of the gate. Include once. */
#ifndef FAM10H_REPORT_TEST_SAMPLE_H
#define FAM10H_REPORT_TEST_SAMPLE_H

#include "sim/report/report.h"

static const uint8_t sample_kernel[] = { 'a', 'b', 'c' };

static void sample_counter(struct report *report, const char *name, uint64_t value)
{
    struct report_counter counter = { g_strdup(name), "references", value };

    g_array_append_val(report->counters, counter);
}

/* A 4K on 4K machine: 10 data-side walks of 24 references each (DESIGN: 24 + the access = 25). */
static void sample_walks(struct report *report)
{
    struct walk_totals *totals = &report->walks[WALKS_GUEST][0].totals;
    struct report_pair pair = { g_strdup("guest 4K, nested 4K"), 10 };

    totals->walks = 10;
    totals->cycles = 4800;
    for (unsigned g = 0; g < 5; g++)
        for (unsigned n = g ? 0 : 1; n < 5; n++)
            totals->refs[g][n] = 10;
    g_array_append_val(report->walks[WALKS_GUEST][0].pairs, pair);
}

static struct report *sample_report(void)
{
    static const struct exit_row exits[] = {
        { .vmcb = 0x2000, .n_cr3 = 0x9000, .code = 0x81, .rip = 0x100010, .count = 2, .cycles = 3000,
          .cycles_min = 1000, .cycles_max = 2000 },
        { .vmcb = 0x2000, .n_cr3 = 0x9000, .code = 0x400, .rip = 0x100020, .count = 6, .cycles = 9000,
          .cycles_min = 1200, .cycles_max = 1800 },
        { .vmcb = 0x3000, .n_cr3 = 0x9000, .code = 0x81, .rip = 0x100010, .count = 1, .cycles = 500,
          .cycles_min = 500, .cycles_max = 500, .halted_cycles = 77 },
    };
    struct image kernel = { "images/hv.elf", sample_kernel, sizeof(sample_kernel), NULL };
    struct report_tlb l1d = { "L1D", 0x1f, { 900, 100, 100, 52, 0 } };
    struct report *report = report_new();

    report->model = g_strdup("10h-b3");
    report->nodes = 2;
    report->cores = 1;
    report->mhz = 2300;
    report->memory = UINT64_C(512) << 20;
    report->stop = g_strdup("debug exit");
    report->has_exit_value = true;
    report->exit_value = 3;
    report->now_ps = 1500000;
    report->instructions = 4242;
    report->hash = g_strdup("00ff");
    report_add_image(report, "kernel", &kernel, false);
    sample_counter(report, "node[0].core[0].walk.refs{side=data,g=4,n=0}", 10);
    sample_walks(report);
    g_array_append_val(report->tlb, l1d);
    report_add_exits(report, exits, G_N_ELEMENTS(exits), NULL, NULL);
    return report;
}

static void sample_expect(struct report_set *set, const char *name, bool passed, const char *value)
{
    struct report_expectation row = {
        .name = g_strdup(name), .where = g_strdup("walk.lua:7"), .passed = passed,
        .detail = passed ? NULL : g_strdup_printf("found %s; 24 would be right", value),
        .value = g_strdup(value), .number = true,
    };

    report_set_expect(set, &row);
}

static struct report_set *sample_set(void)
{
    struct report_set *set = report_set_new("scenarios/walk.lua");

    set->final = sample_report();
    sample_expect(set, "references of a 4K on 4K walk", true, "24");
    return set;
}

#endif
