/* SPDX-License-Identifier: MIT */
#include "sim/cpu/svm/exits.h"

#include "sim/state.h"

/*
 * A guest can exit at as many rIPs, and software run as many VMCBs, as it likes. From this many rows on,
 * new ones are counted by code alone, with -1 for the other keys, so that nobody can grow the table for ever.
 */
#define EXIT_ROWS_MAX 65536
#define OTHER UINT64_MAX

/* An exit whose vCPU has not run since. */
struct unfinished {
    spa_t vmcb;
    struct exit_row *row;
    uint64_t cycle;         /* core's cycles at the #VMEXIT */
    uint64_t halted_cycles; /* svm.halted_cycles of the core that took it, then */
    const struct core *core;
    uint64_t core_index;    /* the same, for snapshots */
};

struct exit_table {
    GHashTable *rows;       /* struct exit_row by its first four members; never walked in hash order */
    GHashTable *unfinished; /* struct unfinished by VMCB; likewise */
    GPtrArray *cores;       /* by index: who attached */
};

/* ---- Keys ------------------------------------------------------------------------------------------------- */

static guint mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ b * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xD6E8FEB86659FD93);

    return (guint)(h >> 32);
}

static guint row_hash(gconstpointer key)
{
    const struct exit_row *row = key;

    return mix(row->vmcb ^ row->code << 48, row->rip) ^ (guint)row->n_cr3;
}

static int row_compare(const struct exit_row *a, const struct exit_row *b)
{
    const uint64_t x[] = { a->vmcb, a->n_cr3, a->code, a->rip }, y[] = { b->vmcb, b->n_cr3, b->code, b->rip };

    for (unsigned i = 0; i < 4; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

static gboolean row_equal(gconstpointer a, gconstpointer b)
{
    return row_compare(a, b) == 0;
}

static guint vmcb_hash(gconstpointer key)
{
    return mix(((const struct unfinished *)key)->vmcb, 0);
}

static gboolean vmcb_equal(gconstpointer a, gconstpointer b)
{
    return ((const struct unfinished *)a)->vmcb == ((const struct unfinished *)b)->vmcb;
}

/* ---- Table ------------------------------------------------------------------------------------------------ */

struct exit_table *exit_table_new(void)
{
    struct exit_table *table = g_new0(struct exit_table, 1);

    table->rows = g_hash_table_new_full(row_hash, row_equal, g_free, NULL);
    table->unfinished = g_hash_table_new_full(vmcb_hash, vmcb_equal, g_free, NULL);
    table->cores = g_ptr_array_new();
    return table;
}

void exit_table_free(struct exit_table *table)
{
    if (!table)
        return;
    g_hash_table_unref(table->rows);
    g_hash_table_unref(table->unfinished);
    g_ptr_array_unref(table->cores);
    g_free(table);
}

void exit_table_clear(struct exit_table *table)
{
    g_hash_table_remove_all(table->unfinished);
    g_hash_table_remove_all(table->rows);
}

void exits_attach(struct exit_table *table, struct core *core)
{
    if (table->cores->len <= core->index)
        g_ptr_array_set_size(table->cores, (gint)core->index + 1);
    table->cores->pdata[core->index] = core;
}

static struct exit_row *row_find(struct exit_table *table, struct exit_row key)
{
    struct exit_row *row = g_hash_table_lookup(table->rows, &key);

    if (!row && g_hash_table_size(table->rows) >= EXIT_ROWS_MAX) {
        key.vmcb = key.n_cr3 = key.rip = OTHER;
        row = g_hash_table_lookup(table->rows, &key);
    }
    if (!row) {
        row = g_memdup2(&key, sizeof(key));
        g_hash_table_add(table->rows, row);
    }
    return row;
}

void exits_left(struct core *core, uint64_t n_cr3, uint64_t code, uint64_t rip)
{
    struct exit_table *table = core->exits;
    struct unfinished key = { .vmcb = core->svm.vmcb };
    struct unfinished *open = g_hash_table_lookup(table->unfinished, &key);
    struct exit_row *row = row_find(table, (struct exit_row){ .vmcb = key.vmcb, .n_cr3 = n_cr3, .code = code,
                                                              .rip = rip });

    row->count++;
    core->svm.count->exits[vmexit_kind(code)]++;
    core->svm.exit_cycle = core->cycles;
    if (!open) {
        if (g_hash_table_size(table->unfinished) >= EXIT_ROWS_MAX)
            return; /* its time is not measured: `timed` says so */
        open = g_memdup2(&key, sizeof(key));
        g_hash_table_add(table->unfinished, open);
    }
    open->row = row;
    open->cycle = core->cycles;
    open->halted_cycles = core->svm.halted_cycles;
    open->core = core;
    open->core_index = core->index;
}

void exits_entered(struct core *core)
{
    struct exit_table *table = core->exits;
    struct unfinished key = { .vmcb = core->svm.vmcb };
    struct unfinished *open = g_hash_table_lookup(table->unfinished, &key);
    struct exit_row *row;
    uint64_t elapsed, halted;

    if (!open || !open->row)
        return;
    row = open->row;
    /* Cores have one frequency, so their cycle counts compare; one may be a slice behind. */
    elapsed = core->cycles > open->cycle ? core->cycles - open->cycle : 0;
    halted = MIN(open->core->svm.halted_cycles - open->halted_cycles, elapsed);
    elapsed -= halted;
    row->halted_cycles += halted;
    row->cycles_min = row->timed++ ? MIN(row->cycles_min, elapsed) : elapsed;
    row->cycles_max = MAX(row->cycles_max, elapsed);
    row->cycles += elapsed;
    open->row = NULL;
}

/* ---- Looking ---------------------------------------------------------------------------------------------- */

static gint row_order(gconstpointer a, gconstpointer b)
{
    return row_compare(*(const struct exit_row *const *)a, *(const struct exit_row *const *)b);
}

/* A hash table's keys, sorted: the only way to walk one. */
static GPtrArray *keys_in_order(GHashTable *table, GCompareFunc order)
{
    GPtrArray *keys = g_ptr_array_sized_new(g_hash_table_size(table));
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_ptr_array_add(keys, key);
    g_ptr_array_sort(keys, order);
    return keys;
}

static GPtrArray *rows_in_order(const struct exit_table *table)
{
    return keys_in_order(table->rows, row_order);
}

void exits_each(const struct exit_table *table, exit_visit *visit, void *ctx)
{
    GPtrArray *rows = rows_in_order(table);

    for (guint i = 0; i < rows->len; i++)
        visit(ctx, rows->pdata[i]);
    g_ptr_array_unref(rows);
}

void core_exits_each(struct core *core, exit_visit *visit, void *ctx)
{
    exits_each(core->exits, visit, ctx);
}

/* ---- Snapshot --------------------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct exit_row) == 10 * sizeof(uint64_t), "exit_row is ten 64-bit values");

static gint unfinished_order(gconstpointer a, gconstpointer b)
{
    const struct unfinished *x = *(const struct unfinished *const *)a, *y = *(const struct unfinished *const *)b;

    return x->vmcb < y->vmcb ? -1 : x->vmcb > y->vmcb;
}

/* Position of a row in the saved order, plus one; 0 for none. */
static uint64_t row_position(GPtrArray *rows, const struct exit_row *row)
{
    guint low = 0, high = rows->len;

    while (row && low < high) {
        guint middle = low + (high - low) / 2;
        int order = row_compare(rows->pdata[middle], row);

        if (order == 0)
            return middle + 1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

static void table_save(void *object, struct state_writer *writer)
{
    struct exit_table *table = object;
    GPtrArray *rows = rows_in_order(table);
    GPtrArray *open = keys_in_order(table->unfinished, unfinished_order);

    state_write_u64(writer, rows->len);
    for (guint i = 0; i < rows->len; i++)
        state_write(writer, rows->pdata[i], sizeof(struct exit_row));
    state_write_u64(writer, open->len);
    for (guint i = 0; i < open->len; i++) {
        const struct unfinished *one = open->pdata[i];
        const uint64_t values[] = { one->vmcb, row_position(rows, one->row), one->cycle, one->halted_cycles,
                                    one->core_index };

        state_write(writer, values, sizeof(values));
    }
    g_ptr_array_unref(open);
    g_ptr_array_unref(rows);
}

static bool refuse(GError **error, const char *what)
{
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "exit table: %s", what);
    return false;
}

static bool load_rows(struct exit_table *table, struct state_reader *reader, GPtrArray *rows, GError **error)
{
    uint64_t count;

    if (!state_read_u64(reader, &count, error))
        return false;
    if (count > EXIT_ROWS_MAX + VMEXIT_KINDS)
        return refuse(error, "more rows than it can hold");
    for (uint64_t i = 0; i < count; i++) {
        struct exit_row *row = g_new0(struct exit_row, 1);

        if (!state_read(reader, row, sizeof(*row), error)) {
            g_free(row);
            return false;
        }
        if (!g_hash_table_add(table->rows, row)) /* has freed the one it replaced */
            return refuse(error, "a row appears twice");
        g_ptr_array_add(rows, row);
    }
    return true;
}

static bool load_unfinished(struct exit_table *table, struct state_reader *reader, GPtrArray *rows, GError **error)
{
    uint64_t count;

    if (!state_read_u64(reader, &count, error))
        return false;
    if (count > EXIT_ROWS_MAX)
        return refuse(error, "more open exits than it can hold");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t values[5];
        struct unfinished *one;

        if (!state_read(reader, values, sizeof(values), error))
            return false;
        if (values[1] > rows->len || values[4] >= table->cores->len || !table->cores->pdata[values[4]])
            return refuse(error, "an open exit names a row or core that is not there");
        one = g_new0(struct unfinished, 1);
        *one = (struct unfinished){ .vmcb = values[0], .row = values[1] ? rows->pdata[values[1] - 1] : NULL,
                                    .cycle = values[2], .halted_cycles = values[3],
                                    .core = table->cores->pdata[values[4]], .core_index = values[4] };
        g_hash_table_add(table->unfinished, one);
    }
    return true;
}

static bool table_load(void *object, struct state_reader *reader, GError **error)
{
    struct exit_table *table = object;
    GPtrArray *rows = g_ptr_array_new();
    bool loaded;

    exit_table_clear(table);
    loaded = load_rows(table, reader, rows, error) && load_unfinished(table, reader, rows, error);
    g_ptr_array_unref(rows);
    return loaded;
}

static const struct state_part exit_table_part = { .name = "exits", .save = table_save, .load = table_load };

void exit_table_describe(struct exit_table *table, struct state *state, const char *path)
{
    state_add(state, path, &exit_table_part, table);
}

/* ---- Counters --------------------------------------------------------------------------------------------- */

const struct counter_row svm_counter_rows[] = {
    { "svm.vmruns", "events", "VMRUN executed, VMEXIT_INVALID included", offsetof(struct svm_counters, vmruns),
      { { NULL, 0, NULL } } },
    { "svm.flushes", "events", "whole-TLB flushes that TLB_CONTROL asked for", offsetof(struct svm_counters, flushes),
      { { NULL, 0, NULL } } },
    { "svm.exits", "events", "#VMEXITs by exit code", offsetof(struct svm_counters, exits),
      { { "code", VMEXIT_KINDS, vmexit_names } } },
};
const size_t svm_counter_row_count = sizeof(svm_counter_rows) / sizeof(svm_counter_rows[0]);
