/* SPDX-License-Identifier: MIT */
/* Page walks by who walked: the host (ASID 0) or guests (all other ASIDs), from the MMUs' counters. */
#include <inttypes.h>
#include <string.h>

#include "sim/report/report.h"
#include "sim/report/sections.h"

static const char side_label[2] = { 'd', 'i' };

/* path.noun{side=...,more}, of the host or of everybody else. */
static uint64_t read_walker(const struct counter_set *set, const char *path, enum report_walker walker, unsigned side,
                            const char *noun, const char *more)
{
    g_autofree char *all = g_strdup_printf("%s.walk.%s{side=%c%s}", path, noun, side_label[side], more);
    g_autofree char *host = g_strdup_printf("%s.walk.%s{asid=0,side=%c%s}", path, noun, side_label[side], more);
    uint64_t sum = 0, own = 0;

    counter_read(set, host, &own, NULL);
    if (walker == WALKS_HOST)
        return own;
    counter_read(set, all, &sum, NULL);
    return sum - own;
}

void report_walk_totals(const struct counter_set *set, const char *path, enum report_walker walker, unsigned side,
                        struct walk_totals *totals)
{
    memset(totals, 0, sizeof(*totals));
    totals->walks = read_walker(set, path, walker, side, "count", "");
    totals->ad_writes = read_walker(set, path, walker, side, "ad_writes", "");
    totals->cycles = read_walker(set, path, walker, side, "cycles", "");
    for (unsigned g = 0; g < 5; g++) {
        for (unsigned n = 0; n < 5; n++) {
            g_autofree char *cell = g_strdup_printf(",g=%u,n=%u", g, n);

            totals->refs[g][n] = read_walker(set, path, walker, side, "refs", cell);
        }
    }
}

uint64_t report_walk_references(const struct walk_totals *totals)
{
    uint64_t sum = 0;

    for (unsigned g = 0; g < 5; g++)
        for (unsigned n = 0; n < 5; n++)
            sum += totals->refs[g][n];
    return sum;
}

/* ---- Page-size pairs ------------------------------------------------------------------------- */

static char *pair_name(const char *guest, const char *nested)
{
    if (strcmp(nested, "none") == 0)
        return g_strdup_printf("native %s", guest);
    if (strcmp(guest, "none") == 0)
        return g_strdup_printf("guest paging off, nested %s", nested);
    return g_strdup_printf("guest %s, nested %s", guest, nested);
}

static void gather_pairs(GArray *pairs, const struct counter_set *set, enum report_walker walker, unsigned side)
{
    static const char *const sizes[] = { "none", "4K", "2M", "4M", "1G" };
    const size_t count = G_N_ELEMENTS(sizes);

    for (size_t i = 0; i < count * count; i++) {
        const char *guest = sizes[i / count], *nested = sizes[i % count];
        g_autofree char *which = g_strdup_printf(",guest=%s,nested=%s", guest, nested);
        struct report_pair pair = { .walks = read_walker(set, REPORT_ALL_CORES, walker, side, "pairs", which) };

        if (!pair.walks)
            continue;
        pair.name = pair_name(guest, nested);
        g_array_append_val(pairs, pair);
    }
}

void report_gather_walks(struct report *report, const struct counter_set *set)
{
    for (unsigned walker = 0; walker < WALKERS; walker++) {
        for (unsigned side = 0; side < 2; side++) {
            struct report_walks *walks = &report->walks[walker][side];

            report_walk_totals(set, REPORT_ALL_CORES, walker, side, &walks->totals);
            gather_pairs(walks->pairs, set, walker, side);
        }
    }
}
