/* SPDX-License-Identifier: MIT */
#include "sim/unmodelled.h"

#include <string.h>

#include "sim/state.h"

#define NAMES_LIMIT 4096 /* a fuzzing guest must not fill native memory with names */
#define NAME_BYTES 256

struct unmodelled {
    GTree *counts; /* name -> uint64_t, in order of name */
    uint64_t total;
};

static gint compare_names(gconstpointer a, gconstpointer b, gpointer data)
{
    (void)data;
    return g_strcmp0(a, b);
}

static GTree *counts_new(void)
{
    return g_tree_new_full(compare_names, NULL, g_free, g_free);
}

struct unmodelled *unmodelled_new(void)
{
    struct unmodelled *list = g_new0(struct unmodelled, 1);

    list->counts = counts_new();
    return list;
}

void unmodelled_free(struct unmodelled *list)
{
    if (!list)
        return;
    g_tree_unref(list->counts);
    g_free(list);
}

static void unmodelled_add(struct unmodelled *list, const char *name, uint64_t count)
{
    uint64_t *counter = g_tree_lookup(list->counts, name);

    if (!counter && g_tree_nnodes(list->counts) >= NAMES_LIMIT - 1) {
        name = "further names (limit of the list)";
        counter = g_tree_lookup(list->counts, name);
    }
    if (!counter) {
        counter = g_new0(uint64_t, 1);
        g_tree_insert(list->counts, g_strdup(name), counter);
    }
    *counter += count;
    list->total += count;
}

void unmodelled_note(struct unmodelled *list, const char *format, ...)
{
    char name[NAME_BYTES];
    va_list arguments;

    va_start(arguments, format);
    g_vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    unmodelled_add(list, name, 1);
}

uint64_t unmodelled_total(const struct unmodelled *list)
{
    return list->total;
}

struct visit {
    unmodelled_visit *visit;
    void *ctx;
};

static gboolean visit_name(gpointer key, gpointer value, gpointer data)
{
    struct visit *visit = data;

    visit->visit(visit->ctx, key, *(const uint64_t *)value);
    return FALSE;
}

void unmodelled_each(const struct unmodelled *list, unmodelled_visit *visit, void *ctx)
{
    struct visit each = { visit, ctx };

    g_tree_foreach(list->counts, visit_name, &each);
}

static gboolean save_name(gpointer key, gpointer value, gpointer data)
{
    size_t length = strlen(key);

    state_write_u64(data, length);
    state_write(data, key, length);
    state_write_u64(data, *(const uint64_t *)value);
    return FALSE;
}

static void unmodelled_save(void *object, struct state_writer *writer)
{
    struct unmodelled *list = object;

    state_write_u64(writer, (uint64_t)g_tree_nnodes(list->counts));
    g_tree_foreach(list->counts, save_name, writer);
}

static bool load_name(struct unmodelled *list, struct state_reader *reader, GError **error)
{
    char name[NAME_BYTES];
    uint64_t length, count;

    if (!state_read_u64(reader, &length, error))
        return false;
    if (length >= NAME_BYTES) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "a name of %" G_GUINT64_FORMAT
                    " bytes in the list of unmodelled behaviour; at most %d are right", length, NAME_BYTES - 1);
        return false;
    }
    if (!state_read(reader, name, length, error) || !state_read_u64(reader, &count, error))
        return false;
    name[length] = '\0';
    unmodelled_add(list, name, count);
    return true;
}

static bool unmodelled_load(void *object, struct state_reader *reader, GError **error)
{
    struct unmodelled *list = object;
    uint64_t names;

    g_tree_unref(list->counts);
    list->counts = counts_new();
    list->total = 0;
    if (!state_read_u64(reader, &names, error))
        return false;
    while (names--)
        if (!load_name(list, reader, error))
            return false;
    return true;
}

void unmodelled_describe(struct unmodelled *list, struct state *state)
{
    static const struct state_part part = { "unmodelled", NULL, 0, NULL, NULL, unmodelled_save, unmodelled_load };

    state_add(state, "unmodelled", &part, list);
}
