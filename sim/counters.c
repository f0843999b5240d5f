/* SPDX-License-Identifier: MIT */
#include "sim/counters.h"

#include <stdlib.h>
#include <string.h>

#include "sim/state.h"

/* Rows that were attached together: one part's table over one object. */
struct instance {
    char *prefix;
    const struct counter_row *rows;
    size_t count;
    uint8_t *base;
    void (*fold)(void *base); /* optional */
};

struct counter_set {
    GPtrArray *instances; /* in order of attachment */
};

static void instance_free(gpointer data)
{
    struct instance *instance = data;

    g_free(instance->prefix);
    g_free(instance);
}

struct counter_set *counter_set_new(void)
{
    struct counter_set *set = g_new0(struct counter_set, 1);

    set->instances = g_ptr_array_new_with_free_func(instance_free);
    return set;
}

void counter_set_free(struct counter_set *set)
{
    if (!set)
        return;
    g_ptr_array_unref(set->instances);
    g_free(set);
}

void counters_attach(struct counter_set *set, const char *prefix, const struct counter_row *rows, size_t count,
                     void *base)
{
    struct instance *instance = g_new0(struct instance, 1);

    instance->prefix = g_strdup(prefix);
    instance->rows = rows;
    instance->count = count;
    instance->base = base;
    g_ptr_array_add(set->instances, instance);
}

void counters_fold(struct counter_set *set, void (*fold)(void *base))
{
    struct instance *instance = g_ptr_array_index(set->instances, set->instances->len - 1);

    instance->fold = fold;
}

static void instance_fold(const struct instance *instance)
{
    if (instance->fold)
        instance->fold(instance->base);
}

/* ---- Storage ---------------------------------------------------------------------------------- */

static uint64_t *row_storage(const struct instance *instance, const struct counter_row *row)
{
    return (uint64_t *)(void *)(instance->base + row->offset);
}

static unsigned row_dims(const struct counter_row *row)
{
    unsigned n = 0;

    while (n < COUNTER_DIMS && row->dim[n].name)
        n++;
    return n;
}

static size_t row_size(const struct counter_row *row)
{
    size_t size = 1;

    for (unsigned d = 0; d < row_dims(row); d++)
        size *= row->dim[d].size;
    return size;
}

/* Index of the element's value in dimension `d`. */
static unsigned row_coordinate(const struct counter_row *row, size_t element, unsigned d)
{
    for (unsigned later = row_dims(row); later-- > d + 1;)
        element /= row->dim[later].size;
    return (unsigned)(element % row->dim[d].size);
}

/* ---- Names ------------------------------------------------------------------------------------ */

static void name_append_value(GString *name, const struct counter_dim *dim, unsigned value)
{
    if (dim->labels)
        g_string_append_printf(name, "%s=%s", dim->name, dim->labels[value]);
    else
        g_string_append_printf(name, "%s=%u", dim->name, value);
}

static void name_build(GString *name, const struct instance *instance, const struct counter_row *row, size_t element)
{
    unsigned dims = row_dims(row);

    g_string_truncate(name, 0);
    if (instance->prefix[0])
        g_string_append_printf(name, "%s.", instance->prefix);
    g_string_append(name, row->name);
    for (unsigned d = 0; d < dims; d++) {
        g_string_append_c(name, d ? ',' : '{');
        name_append_value(name, &row->dim[d], row_coordinate(row, element, d));
    }
    if (dims)
        g_string_append_c(name, '}');
}

/* Whether `text` names `part`, where an index [*] of the pattern stands for any number. */
static bool path_matches(const char *pattern, size_t length, const char *text)
{
    const char *end = pattern + length;

    while (pattern < end) {
        if (end - pattern >= 3 && strncmp(pattern, "[*]", 3) == 0 && *text == '[') {
            const char *close = strchr(text, ']');
            if (!close)
                return false;
            pattern += 3;
            text = close + 1;
        } else if (*pattern++ != *text++) {
            return false;
        }
    }
    return *text == '\0';
}

/* What the braces of a name select: a value, or -1 for all, in each dimension. */
struct selection {
    int value[COUNTER_DIMS];
};

static bool selection_value(const struct counter_dim *dim, const char *text, int *value)
{
    char *end;
    unsigned long number;

    for (unsigned v = 0; dim->labels && v < dim->size; v++) {
        if (strcmp(dim->labels[v], text) == 0) {
            *value = (int)v;
            return true;
        }
    }
    number = strtoul(text, &end, 10);
    if (dim->labels || *text == '\0' || *end != '\0' || number >= dim->size)
        return false;
    *value = (int)number;
    return true;
}

static bool selection_item(const struct counter_row *row, char *item, struct selection *selection)
{
    char *equals = strchr(item, '=');

    if (!equals)
        return false;
    *equals = '\0';
    for (unsigned d = 0; d < row_dims(row); d++)
        if (strcmp(row->dim[d].name, item) == 0)
            return strcmp(equals + 1, "*") == 0 ||
                   selection_value(&row->dim[d], equals + 1, &selection->value[d]);
    return false;
}

/* braces: the text after the name, "" or "{...}". */
static bool selection_parse(const struct counter_row *row, const char *braces, struct selection *selection)
{
    size_t length = strlen(braces);
    g_autofree char *inside = NULL;
    g_auto(GStrv) items = NULL;

    for (unsigned d = 0; d < COUNTER_DIMS; d++)
        selection->value[d] = -1;
    if (length == 0)
        return true;
    if (braces[0] != '{' || braces[length - 1] != '}')
        return false;
    inside = g_strndup(braces + 1, length - 2);
    items = g_strsplit(inside, ",", -1);
    for (char **item = items; *item; item++)
        if (!selection_item(row, *item, selection))
            return false;
    return true;
}

static bool selection_takes(const struct counter_row *row, const struct selection *selection, size_t element)
{
    for (unsigned d = 0; d < row_dims(row); d++)
        if (selection->value[d] >= 0 && (unsigned)selection->value[d] != row_coordinate(row, element, d))
            return false;
    return true;
}

static uint64_t row_sum(const struct instance *instance, const struct counter_row *row,
                        const struct selection *selection)
{
    const uint64_t *storage = row_storage(instance, row);
    uint64_t sum = 0;

    for (size_t element = 0; element < row_size(row); element++)
        if (selection_takes(row, selection, element))
            sum += storage[element];
    return sum;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

/* Adds row's selected values if `name` (path length `path`, then braces) names it. */
static bool row_read(const struct instance *instance, const struct counter_row *row, const char *name, size_t path,
                     uint64_t *sum)
{
    g_autofree char *full =
        instance->prefix[0] ? g_strdup_printf("%s.%s", instance->prefix, row->name) : g_strdup(row->name);
    struct selection selection;

    if (!path_matches(name, path, full) || !selection_parse(row, name + path, &selection))
        return false;
    *sum += row_sum(instance, row, &selection);
    return true;
}

gboolean counter_read(const struct counter_set *set, const char *name, uint64_t *value, GError **error)
{
    size_t path = strcspn(name, "{");
    bool found = false;

    *value = 0;
    for (guint i = 0; i < set->instances->len; i++) {
        const struct instance *instance = g_ptr_array_index(set->instances, i);

        instance_fold(instance);
        for (size_t r = 0; r < instance->count; r++)
            found |= row_read(instance, &instance->rows[r], name, path, value);
    }
    if (!found)
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "no counter is named \"%s\"; `fam10h counters` lists them", name);
    return found;
}

void counters_each(const struct counter_set *set, counter_visit *visit, void *ctx)
{
    g_autoptr(GString) name = g_string_new(NULL);

    for (guint i = 0; i < set->instances->len; i++) {
        const struct instance *instance = g_ptr_array_index(set->instances, i);

        instance_fold(instance);
        for (size_t r = 0; r < instance->count; r++) {
            const struct counter_row *row = &instance->rows[r];
            const uint64_t *storage = row_storage(instance, row);

            for (size_t element = 0; element < row_size(row); element++) {
                if (!storage[element])
                    continue;
                name_build(name, instance, row, element);
                visit(ctx, name->str, row, storage[element]);
            }
        }
    }
}

void counters_declared(const struct counter_set *set, counter_declare *declare, void *ctx)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < set->instances->len; i++) {
        const struct instance *instance = g_ptr_array_index(set->instances, i);

        if (!g_hash_table_add(seen, (gpointer)instance->rows))
            continue;
        for (size_t r = 0; r < instance->count; r++)
            declare(ctx, instance->prefix, &instance->rows[r]);
    }
}

void counters_clear(struct counter_set *set)
{
    for (guint i = 0; i < set->instances->len; i++) {
        const struct instance *instance = g_ptr_array_index(set->instances, i);

        instance_fold(instance);
        for (size_t r = 0; r < instance->count; r++)
            memset(row_storage(instance, &instance->rows[r]), 0, row_size(&instance->rows[r]) * sizeof(uint64_t));
    }
}

/* ---- Snapshot --------------------------------------------------------------------------------- */

static void instance_save(void *object, struct state_writer *writer)
{
    const struct instance *instance = object;

    instance_fold(instance);
    for (size_t r = 0; r < instance->count; r++) {
        const uint64_t *storage = row_storage(instance, &instance->rows[r]);

        for (size_t element = 0; element < row_size(&instance->rows[r]); element++)
            state_write_u64(writer, storage[element]);
    }
}

static bool instance_load(void *object, struct state_reader *reader, GError **error)
{
    const struct instance *instance = object;

    for (size_t r = 0; r < instance->count; r++) {
        uint64_t *storage = row_storage(instance, &instance->rows[r]);

        for (size_t element = 0; element < row_size(&instance->rows[r]); element++)
            if (!state_read_u64(reader, &storage[element], error))
                return false;
    }
    return true;
}

void counters_describe(struct counter_set *set, struct state *state)
{
    static const struct state_part part = { "counters", NULL, 0, NULL, NULL, instance_save, instance_load };

    for (guint i = 0; i < set->instances->len; i++) {
        struct instance *instance = g_ptr_array_index(set->instances, i);
        g_autofree char *path = g_strdup_printf("counters[%u].%s", i, instance->prefix);

        state_add(state, path, &part, instance);
    }
}
