/* SPDX-License-Identifier: MIT */
/* The TLB table, from the MMUs' counters summed over the cores. */
#include <inttypes.h>
#include <string.h>

#include "sim/report/report.h"
#include "sim/report/sections.h"

#define TERMS 3

/* A column: counters to add; those after a '-' are subtracted. A name with no column has no counter. */
struct tlb_row {
    const char *name;
    const char *column[TLB_COLUMNS][TERMS];
};

static const struct tlb_row tlb_rows[] = {
    { "L1D", { { "tlb.lookups{side=d}", "-tlb.l1_misses{side=d}" }, { "tlb.l1_misses{side=d}" },
               { "tlb.fills{array=l1d}" }, { "tlb.evictions{array=l1d}" }, { "tlb.flushed{array=l1d}" } } },
    { "L1I", { { "tlb.lookups{side=i}", "-tlb.l1_misses{side=i}" }, { "tlb.l1_misses{side=i}" },
               { "tlb.fills{array=l1i_4k}", "tlb.fills{array=l1i_2m}" },
               { "tlb.evictions{array=l1i_4k}", "tlb.evictions{array=l1i_2m}" },
               { "tlb.flushed{array=l1i_4k}", "tlb.flushed{array=l1i_2m}" } } },
    { "L2D", { { "tlb.l2_hits{side=d}" }, { "tlb.l1_misses{side=d}", "-tlb.l2_hits{side=d}" } } },
    { "L2D 4K", { { "tlb.l2_hits{side=d,size=4K}" }, { NULL }, { "tlb.fills{array=l2d_4k}" },
                  { "tlb.evictions{array=l2d_4k}" }, { "tlb.flushed{array=l2d_4k}" } } },
    { "L2D 2M", { { "tlb.l2_hits{side=d,size=2M}" }, { NULL }, { "tlb.fills{array=l2d_2m}" },
                  { "tlb.evictions{array=l2d_2m}" }, { "tlb.flushed{array=l2d_2m}" } } },
    { "L2D 1G", { { "tlb.l2_hits{side=d,size=1G}" }, { NULL }, { "tlb.fills{array=l2d_1g}" },
                  { "tlb.evictions{array=l2d_1g}" }, { "tlb.flushed{array=l2d_1g}" } } },
    { "L2I 4K", { { "tlb.l2_hits{side=i}" }, { "tlb.l1_misses{side=i}", "-tlb.l2_hits{side=i}" },
                  { "tlb.fills{array=l2i_4k}" }, { "tlb.evictions{array=l2i_4k}" },
                  { "tlb.flushed{array=l2i_4k}" } } },
    { "page-walk cache", { { "pwc.hits" }, { "pwc.misses" }, { NULL }, { NULL }, { "tlb.flushed{array=pwc}" } } },
    { "nested TLB", { { "ntlb.hits" }, { "ntlb.misses" }, { NULL }, { NULL }, { "tlb.flushed{array=ntlb}" } } },
};

/* A counter of all cores together; false if the machine has none of that name. */
static bool read_all(const struct counter_set *set, const char *name, uint64_t *value)
{
    g_autofree char *full = g_strconcat(REPORT_ALL_CORES, ".", name, NULL);

    return counter_read(set, full, value, NULL);
}

/* The sum of a column's terms; false if one of them is not counted. */
static bool read_column(const struct counter_set *set, const char *const terms[TERMS], uint64_t *sum)
{
    bool counted = terms[0] != NULL;

    *sum = 0;
    for (unsigned term = 0; term < TERMS && terms[term]; term++) {
        bool subtract = *terms[term] == '-';
        uint64_t value = 0;

        counted &= read_all(set, terms[term] + subtract, &value);
        *sum += subtract ? -value : value;
    }
    return counted;
}

static void gather_row(struct report *report, const struct counter_set *set, const struct tlb_row *from)
{
    struct report_tlb row = { .name = from->name };

    for (unsigned column = 0; column < TLB_COLUMNS; column++) {
        if (read_column(set, from->column[column], &row.value[column]))
            row.has |= 1u << column;
    }
    g_array_append_val(report->tlb, row);
}

void report_gather_tlb(struct report *report, const struct counter_set *set)
{
    for (size_t i = 0; i < G_N_ELEMENTS(tlb_rows); i++)
        gather_row(report, set, &tlb_rows[i]);
}
