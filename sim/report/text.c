/* SPDX-License-Identifier: MIT */
/* The report that people read. */
#include "sim/report/report.h"

#include <inttypes.h>
#include <string.h>

#include "sim/report/format.h"

#define RIP_ROWS_SHOWN 12

static void text_machine(const struct report *report, GString *out)
{
    g_string_append_printf(out, "machine    %s, %u node%s x %u core%s, ", report->model, report->nodes,
                           report->nodes == 1 ? "" : "s", report->cores, report->cores == 1 ? "" : "s");
    format_bytes(out, report->memory);
    g_string_append_printf(out, ", %u MHz\n", report->mhz);
    for (guint i = 0; i < report->images->len; i++) {
        const struct report_image *image = &g_array_index(report->images, struct report_image, i);

        g_string_append_printf(out, "image      %s %s, %" PRIu64 " bytes, sha256 %.16s...\n", image->role, image->name,
                               image->bytes, image->sha256);
    }
    g_string_append_printf(out, "outcome    %s", report->stop ? report->stop : "not run");
    if (report->has_exit_value)
        g_string_append_printf(out, " %u", report->exit_value);
    g_string_append(out, " after ");
    format_time(out, report->now_ps);
    g_string_append_printf(out, " of machine time, %" PRIu64 " instructions\n", report->instructions);
    if (!report->reproducible)
        g_string_append(out, "           not reproducible: a terminal was an input\n");
    if (report->hash)
        g_string_append_printf(out, "hash       %s\n", report->hash);
}

/* ---- Walks ----------------------------------------------------------------------------------- */

/* Rows: the guest level whose entry is read or translated; columns: the nested level, 0 = the guest's own entry. */
static void text_matrix(const struct walk_totals *totals, GString *out)
{
    g_string_append(out, "             nested 4      nested 3      nested 2      nested 1     own entry"
                         "           sum\n");
    for (unsigned row = 0; row < 5; row++) {
        unsigned g = row < 4 ? 4 - row : 0;
        uint64_t sum = 0;

        for (unsigned n = 0; n < 5; n++)
            sum += totals->refs[g][n];
        if (!sum)
            continue;
        if (g)
            g_string_append_printf(out, "  guest %u", g);
        else
            g_string_append(out, "  final  ");
        for (unsigned column = 0; column < 5; column++)
            g_string_append_printf(out, "%*" PRIu64, column ? 14 : 12, totals->refs[g][column < 4 ? 4 - column : 0]);
        g_string_append_printf(out, "%14" PRIu64 "\n", sum);
    }
}

/* A native walk has one level of entries: the matrix would be one column. */
static void text_native_levels(const struct walk_totals *totals, GString *out)
{
    for (unsigned g = 4; g >= 1; g--) {
        if (totals->refs[g][0])
            g_string_append_printf(out, "  level %u%12" PRIu64 "\n", g, totals->refs[g][0]);
    }
}

static void text_walk_side(const struct report_walks *walks, const char *title, bool nested, GString *out)
{
    const struct walk_totals *totals = &walks->totals;
    uint64_t references = report_walk_references(totals);

    g_string_append_printf(out, "\n%s: %" PRIu64 " walks, %" PRIu64 " references (", title, totals->walks, references);
    format_ratio(out, references, totals->walks);
    g_string_append_printf(out, " a walk), %" PRIu64 " A/D writes, %" PRIu64 " cycles (", totals->ad_writes,
                           totals->cycles);
    format_ratio(out, totals->cycles, totals->walks);
    g_string_append(out, " a walk)\n");
    if (nested)
        text_matrix(totals, out);
    else
        text_native_levels(totals, out);
    for (guint i = 0; i < walks->pairs->len; i++) {
        const struct report_pair *pair = &g_array_index(walks->pairs, struct report_pair, i);

        g_string_append_printf(out, "  %-32s%12" PRIu64 " walks\n", pair->name, pair->walks);
    }
}

static void text_walks(const struct report *report, GString *out)
{
    static const char *const title[WALKERS][2] = {
        { "host page walks, data side", "host page walks, instruction side" },
        { "guest page walks, data side", "guest page walks, instruction side" },
    };

    for (unsigned i = 0; i < WALKERS * 2; i++) {
        const struct report_walks *walks = &report->walks[i / 2][i % 2];

        if (walks->totals.walks)
            text_walk_side(walks, title[i / 2][i % 2], i / 2 == WALKS_GUEST, out);
    }
}

static void text_tlb(const struct report *report, GString *out)
{
    const unsigned rate = 1u << TLB_HITS | 1u << TLB_MISSES;

    if (!report->tlb->len)
        return;
    g_string_append_printf(out, "\n%-18s%14s%12s%8s%12s%12s%12s\n", "structure", "hits", "misses", "hit %", "fills",
                           "evictions", "flushed");
    for (guint i = 0; i < report->tlb->len; i++) {
        const struct report_tlb *row = &g_array_index(report->tlb, struct report_tlb, i);

        g_string_append_printf(out, "  %-16s", row->name);
        for (unsigned column = 0; column < TLB_COLUMNS; column++) {
            g_autoptr(GString) percent = g_string_new(NULL);
            int width = column == TLB_HITS ? 14 : 12;

            if (row->has >> column & 1)
                g_string_append_printf(out, "%*" PRIu64, width, row->value[column]);
            else
                g_string_append_printf(out, "%*s", width, "-");
            if (column != TLB_MISSES)
                continue;
            if ((row->has & rate) == rate)
                format_percent(percent, row->value[TLB_HITS], row->value[TLB_HITS] + row->value[TLB_MISSES]);
            g_string_append_printf(out, "%8s", percent->len ? percent->str : "-");
        }
        g_string_append_c(out, '\n');
    }
}

/* ---- Exits ----------------------------------------------------------------------------------- */

static void text_exit_table(const GArray *rows, const char *title, guint limit, GString *out)
{
    uint64_t count = 0, cycles = 0;

    for (guint i = 0; i < rows->len; i++) {
        count += g_array_index(rows, struct report_exit, i).sum.count;
        cycles += g_array_index(rows, struct report_exit, i).sum.cycles;
    }
    g_string_append_printf(out, "\n%-46s%10s%8s%8s%10s%10s%10s%14s\n", title, "count", "%", "time %", "min", "avg",
                           "max", "in HLT");
    for (guint i = 0; i < rows->len && i < limit; i++) {
        const struct report_exit *row = &g_array_index(rows, struct report_exit, i);
        const struct exit_row *sum = &row->sum;
        g_autoptr(GString) percent = g_string_new(NULL), time = g_string_new(NULL);

        format_percent(percent, sum->count, count);
        format_percent(time, sum->cycles, cycles);
        g_string_append_printf(out, "  %-44s%10" PRIu64 "%8s%8s%10" PRIu64 "%10" PRIu64 "%10" PRIu64 "%14" PRIu64,
                               row->name, sum->count, percent->str, time->str, sum->cycles_min,
                               sum->count ? (sum->cycles + sum->count / 2) / sum->count : 0, sum->cycles_max,
                               sum->halted_cycles);
        if (row->symbol)
            g_string_append_printf(out, "  %s", row->symbol);
        g_string_append_c(out, '\n');
    }
    if (rows->len > limit)
        g_string_append_printf(out, "  ... %u more in the JSON report\n", rows->len - limit);
}

/* A finer table that would only repeat the coarser one is left out. */
static void text_exits(const struct report *report, GString *out)
{
    static const char *const title[EXIT_TABLES] = { "#VMEXIT (cycles)", "by guest", "by vCPU", "by guest rIP" };

    if (!report->exits[EXITS_BY_CODE]->len) {
        return;
    }
    for (unsigned table = 0; table < EXIT_TABLES; table++) {
        bool finer = table == EXITS_BY_CODE || report->exits[table]->len > report->exits[EXITS_BY_CODE]->len;

        if (finer)
            text_exit_table(report->exits[table], title[table], table == EXITS_BY_RIP ? RIP_ROWS_SHOWN : G_MAXUINT,
                            out);
    }
}

void report_write_text(const struct report *report, GString *out)
{
    text_machine(report, out);
    text_walks(report, out);
    text_tlb(report, out);
    text_exits(report, out);
    for (guint i = 0; i < report->checks->len; i++)
        g_string_append_printf(out, "%smachine check at %s\n", i ? "" : "\n",
                               (const char *)g_ptr_array_index(report->checks, i));
    for (guint i = 0; i < report->unmodelled->len; i++) {
        const struct report_unmodelled *row = &g_array_index(report->unmodelled, struct report_unmodelled, i);

        g_string_append_printf(out, "%sunmodelled %s, %" PRIu64 " times\n", i ? "" : "\n", row->name, row->count);
    }
}
