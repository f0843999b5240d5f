/* SPDX-License-Identifier: MIT */
/* The records behind a report: how they are made, summed and freed. */
#include "sim/report/report.h"

#include <inttypes.h>
#include <string.h>

const char *const report_tlb_columns[TLB_COLUMNS] = { "hits", "misses", "fills", "evictions", "flushed" };

static void image_clear(gpointer data)
{
    struct report_image *image = data;

    g_free(image->role);
    g_free(image->name);
    g_free(image->sha256);
}

static void expectation_clear(gpointer data)
{
    struct report_expectation *expectation = data;

    g_free(expectation->name);
    g_free(expectation->where);
    g_free(expectation->detail);
    g_free(expectation->value);
}

static void counter_clear(gpointer data)
{
    g_free(((struct report_counter *)data)->name);
}

static void exit_clear(gpointer data)
{
    struct report_exit *row = data;

    g_free(row->name);
    g_free(row->symbol);
}

static void pair_clear(gpointer data)
{
    g_free(((struct report_pair *)data)->name);
}

static void unmodelled_clear(gpointer data)
{
    g_free(((struct report_unmodelled *)data)->name);
}

static GArray *rows_new(size_t size, GDestroyNotify clear)
{
    GArray *rows = g_array_new(FALSE, TRUE, (guint)size);

    if (clear)
        g_array_set_clear_func(rows, clear);
    return rows;
}

struct report *report_new(void)
{
    struct report *report = g_new0(struct report, 1);

    report->reproducible = true;
    report->images = rows_new(sizeof(struct report_image), image_clear);
    report->counters = rows_new(sizeof(struct report_counter), counter_clear);
    for (unsigned i = 0; i < WALKERS * 2; i++)
        report->walks[i / 2][i % 2].pairs = rows_new(sizeof(struct report_pair), pair_clear);
    report->tlb = rows_new(sizeof(struct report_tlb), NULL);
    for (unsigned table = 0; table < EXIT_TABLES; table++)
        report->exits[table] = rows_new(sizeof(struct report_exit), exit_clear);
    report->unmodelled = rows_new(sizeof(struct report_unmodelled), unmodelled_clear);
    report->checks = g_ptr_array_new_with_free_func(g_free);
    return report;
}

void report_free(struct report *report)
{
    if (!report)
        return;
    g_free(report->model);
    g_free(report->evidence);
    g_free(report->stop);
    g_free(report->hash);
    g_array_unref(report->images);
    g_array_unref(report->counters);
    for (unsigned i = 0; i < WALKERS * 2; i++)
        g_array_unref(report->walks[i / 2][i % 2].pairs);
    g_array_unref(report->tlb);
    for (unsigned table = 0; table < EXIT_TABLES; table++)
        g_array_unref(report->exits[table]);
    g_array_unref(report->unmodelled);
    g_ptr_array_unref(report->checks);
    g_free(report);
}

void report_add_image(struct report *report, const char *role, const struct image *image, bool external)
{
    struct report_image row = {
        .role = g_strdup(role),
        .name = g_path_get_basename(image->name),
        .bytes = image->size,
        .sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, image->data, image->size),
        .external = external,
    };

    g_array_append_val(report->images, row);
}

bool report_name_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *retry = NULL; /* behind the last *, and where it last began to match */

    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* ---- Exits ----------------------------------------------------------------------------------- */

static char *exit_code_name(uint64_t code)
{
    const char *name = vmexit_name(code);

    return name ? g_strdup(name) : g_strdup_printf("VMEXIT_0x%" PRIx64, code);
}

/* The row's name in a table; rows of one name are one row. */
static char *exit_row_name(enum report_exit_table table, const struct exit_row *row)
{
    g_autofree char *code = exit_code_name(row->code);

    switch (table) {
    case EXITS_BY_GUEST:
        return g_strdup_printf("N_CR3 0x%" PRIx64 " %s", row->n_cr3, code);
    case EXITS_BY_VCPU:
        return g_strdup_printf("VMCB 0x%" PRIx64 " %s", row->vmcb, code);
    case EXITS_BY_RIP:
        return g_strdup_printf("VMCB 0x%" PRIx64 " %s rIP 0x%" PRIx64, row->vmcb, code, row->rip);
    default:
        return g_steal_pointer(&code);
    }
}

static void exit_sum(struct exit_row *sum, const struct exit_row *row)
{
    if (row->count && (sum->count == 0 || row->cycles_min < sum->cycles_min))
        sum->cycles_min = row->cycles_min;
    sum->cycles_max = MAX(sum->cycles_max, row->cycles_max);
    sum->count += row->count;
    sum->cycles += row->cycles;
    sum->halted_cycles += row->halted_cycles;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Most frequent first; equal counts by code, guest, vCPU, rIP. */
static gint exit_compare(gconstpointer pa, gconstpointer pb)
{
    const struct exit_row *a = &((const struct report_exit *)pa)->sum;
    const struct exit_row *b = &((const struct report_exit *)pb)->sum;
    int order = compare_u64(b->count, a->count);

    order = order ? order : compare_u64(a->code, b->code);
    order = order ? order : compare_u64(a->n_cr3, b->n_cr3);
    order = order ? order : compare_u64(a->vmcb, b->vmcb);
    return order ? order : compare_u64(a->rip, b->rip);
}

static void exits_add_row(GArray *rows, GHashTable *index, enum report_exit_table table, const struct exit_row *row,
                          report_symbol *symbol, void *ctx)
{
    char *name = exit_row_name(table, row);
    gpointer position;

    if (g_hash_table_lookup_extended(index, name, NULL, &position)) {
        g_free(name);
    } else {
        struct report_exit fresh = { .name = name, .sum = { .code = row->code } };
        uint64_t offset;
        const char *at = table == EXITS_BY_RIP && symbol ? symbol(ctx, row->rip, &offset) : NULL;

        fresh.sum.n_cr3 = table == EXITS_BY_CODE ? 0 : row->n_cr3;
        fresh.sum.vmcb = table >= EXITS_BY_VCPU ? row->vmcb : 0;
        fresh.sum.rip = table == EXITS_BY_RIP ? row->rip : 0;
        fresh.symbol = at ? g_strdup_printf("%s+0x%" PRIx64, at, offset) : NULL;
        position = GUINT_TO_POINTER(rows->len);
        g_array_append_val(rows, fresh);
        g_hash_table_insert(index, g_strdup(name), position);
    }
    exit_sum(&g_array_index(rows, struct report_exit, GPOINTER_TO_UINT(position)).sum, row);
}

void report_add_exits(struct report *report, const struct exit_row *rows, size_t count, report_symbol *symbol,
                      void *ctx)
{
    for (unsigned table = 0; table < EXIT_TABLES; table++) {
        g_autoptr(GHashTable) index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (size_t i = 0; i < count; i++)
            exits_add_row(report->exits[table], index, table, &rows[i], symbol, ctx);
        g_array_sort(report->exits[table], exit_compare);
    }
}

/* ---- A scenario's set ------------------------------------------------------------------------ */

static void report_destroy(gpointer report)
{
    report_free(report);
}

struct report_set *report_set_new(const char *scenario)
{
    struct report_set *set = g_new0(struct report_set, 1);

    set->scenario = g_path_get_basename(scenario);
    set->expectations = rows_new(sizeof(struct report_expectation), expectation_clear);
    set->names = g_ptr_array_new_with_free_func(g_free);
    set->named = g_ptr_array_new_with_free_func(report_destroy);
    return set;
}

void report_set_free(struct report_set *set)
{
    if (!set)
        return;
    g_free(set->scenario);
    g_array_unref(set->expectations);
    report_free(set->final);
    g_ptr_array_unref(set->names);
    g_ptr_array_unref(set->named);
    g_free(set);
}

void report_set_expect(struct report_set *set, const struct report_expectation *expectation)
{
    g_array_append_vals(set->expectations, expectation, 1);
}

unsigned report_set_failures(const struct report_set *set)
{
    unsigned failures = 0;

    for (guint i = 0; i < set->expectations->len; i++)
        failures += !g_array_index(set->expectations, struct report_expectation, i).passed;
    return failures;
}
