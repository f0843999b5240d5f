/* SPDX-License-Identifier: MIT */
/*
 * Compare a report with its baseline, value by value. A document becomes a list of (path, value): members
 * join with '.', rows of an array go by their "name" in brackets. An absent integer counts as 0, because
 * reports leave zero counters out.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>

#include "sim/report/report.h"

struct value {
    char *path;
    bool number;
    int64_t integer;
    char *text; /* as the document has it; NULL for a number */
};

struct document {
    const char *name;
    GPtrArray *values;  /* struct value, in the document's order */
    GHashTable *by_path;
};

static void value_free(gpointer data)
{
    struct value *value = data;

    g_free(value->path);
    g_free(value->text);
    g_free(value);
}

static void document_clear(struct document *document)
{
    g_clear_pointer(&document->by_path, g_hash_table_unref);
    g_clear_pointer(&document->values, g_ptr_array_unref);
}

static bool refuse(GError **error, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool refuse(GError **error, const char *name, const char *format, ...)
{
    va_list arguments;
    g_autofree char *text = NULL, *line = NULL;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    line = g_strdelimit(g_strdup_printf("%s: %s", name, text), "\r\n", ' ');
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, line);
    return false;
}

/* ---- Flattening ------------------------------------------------------------------------------ */

static bool flatten(struct document *document, const char *path, JsonNode *node, GError **error);

/* Rows of one name get a number after the first. */
static char *unique_path(struct document *document, char *path)
{
    g_autofree char *first = path;
    unsigned n = 2;

    if (!g_hash_table_contains(document->by_path, path))
        return g_steal_pointer(&first);
    for (;; n++) {
        g_autofree char *numbered = g_strdup_printf("%s#%u", first, n);

        if (!g_hash_table_contains(document->by_path, numbered))
            return g_steal_pointer(&numbered);
    }
}

static bool flatten_value(struct document *document, const char *path, JsonNode *node, GError **error)
{
    struct value *value;
    GType type = json_node_get_node_type(node) == JSON_NODE_NULL ? G_TYPE_INVALID : json_node_get_value_type(node);

    if (type == G_TYPE_DOUBLE)
        return refuse(error, document->name, "%s is a fraction; a report holds integers and strings", path);
    value = g_new0(struct value, 1);
    value->path = unique_path(document, g_strdup(path));
    value->number = type == G_TYPE_INT64;
    if (value->number)
        value->integer = json_node_get_int(node);
    else if (type == G_TYPE_STRING)
        value->text = g_strdup(json_node_get_string(node));
    else if (type == G_TYPE_BOOLEAN)
        value->text = g_strdup(json_node_get_boolean(node) ? "true" : "false");
    else
        value->text = g_strdup("null");
    g_ptr_array_add(document->values, value);
    g_hash_table_insert(document->by_path, value->path, value);
    return true;
}

static bool flatten_object(struct document *document, const char *path, JsonObject *object, GError **error)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *member;

    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &member)) {
        g_autofree char *inner = *path ? g_strconcat(path, ".", name, NULL) : g_strdup(name);

        if (!flatten(document, inner, member, error))
            return false;
    }
    return true;
}

/* The "name" of a row, or NULL. */
static const char *row_name(JsonNode *node)
{
    JsonNode *name = JSON_NODE_HOLDS_OBJECT(node) ? json_object_get_member(json_node_get_object(node), "name") : NULL;

    return name && JSON_NODE_HOLDS_VALUE(name) && json_node_get_value_type(name) == G_TYPE_STRING ?
           json_node_get_string(name) : NULL;
}

static bool flatten_array(struct document *document, const char *path, JsonArray *array, GError **error)
{
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < json_array_get_length(array); i++) {
        JsonNode *row = json_array_get_element(array, i);
        const char *name = row_name(row);
        g_autofree char *inner = name ? g_strdup_printf("%s[%s]", path, name) : g_strdup_printf("%s[%u]", path, i);

        if (!g_hash_table_add(used, g_strdup(inner))) {
            char *numbered = g_strdup_printf("%s#%u", inner, i);

            g_free(inner);
            inner = numbered;
        }
        if (!flatten(document, inner, row, error))
            return false;
    }
    return true;
}

/* Depth is bounded by report_json_check. */
static bool flatten(struct document *document, const char *path, JsonNode *node, GError **error)
{
    if (JSON_NODE_HOLDS_OBJECT(node))
        return flatten_object(document, path, json_node_get_object(node), error);
    if (JSON_NODE_HOLDS_ARRAY(node))
        return flatten_array(document, path, json_node_get_array(node), error);
    return flatten_value(document, path, node, error);
}

static const struct value *document_find(const struct document *document, const char *path)
{
    return g_hash_table_lookup(document->by_path, path);
}

static bool document_read(struct document *document, const char *name, const char *text, size_t size, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) reason = NULL;
    const struct value *schema;
    JsonNode *root;

    document->name = name;
    document->values = g_ptr_array_new_with_free_func(value_free);
    document->by_path = g_hash_table_new(g_str_hash, g_str_equal);
    if (!report_json_check(name, text, size, error))
        return false;
    if (!json_parser_load_from_data(parser, text, (gssize)size, &reason))
        return refuse(error, name, "%s", reason->message);
    root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return refuse(error, name, "not a report: `fam10h run --json` writes an object");
    if (!flatten(document, "", root, error))
        return false;
    schema = document_find(document, "schema");
    if (!schema || !schema->text || strcmp(schema->text, REPORT_SCHEMA) != 0)
        return refuse(error, name, "schema %s; this gate reads " REPORT_SCHEMA,
                      schema && schema->text ? schema->text : "is missing");
    return true;
}

/* ---- What is allowed to move ----------------------------------------------------------------- */

struct allowance {
    char *pattern;
    bool any;             /* every change */
    bool percent;
    uint64_t amount;      /* hundredths of a percent, or the difference itself */
};

static void allowance_clear(gpointer data)
{
    g_free(((struct allowance *)data)->pattern);
}

/* "2", "0.25" into hundredths when `percent`. */
static bool amount_parse(const char *text, size_t length, bool percent, uint64_t *amount)
{
    g_autofree char *copy = g_strndup(text, length);
    char *end;
    unsigned fraction = 0, digits = 0;

    if (!g_ascii_isdigit(copy[0]) || length > 15)
        return false;
    *amount = strtoull(copy, &end, 10);
    if (percent && *end == '.') {
        for (end++; g_ascii_isdigit(*end) && digits < 2; end++, digits++)
            fraction = fraction * 10 + (unsigned)(*end - '0');
        if (!digits)
            return false;
    }
    if (percent)
        *amount = *amount * 100 + (digits == 1 ? fraction * 10 : fraction);
    return *end == '\0';
}

/* Whether the '=' at `equals` belongs to a dimension: "walk.refs{asid=1}". */
static bool in_braces(const char *text, const char *equals)
{
    const char *open = g_strrstr_len(text, equals - text, "{"), *close = g_strrstr_len(text, equals - text, "}");

    return open && (!close || close < open);
}

static bool allowance_parse(const char *text, struct allowance *allowance, GError **error)
{
    static const char *const signs[] = { "\xc2\xb1", "+-", "+/-" };
    const char *equals = strrchr(text, '=');

    for (size_t i = 0; equals && i < G_N_ELEMENTS(signs); i++) {
        const char *number = equals + 1 + strlen(signs[i]);
        size_t length;

        if (!g_str_has_prefix(equals + 1, signs[i]))
            continue;
        length = strlen(number);
        allowance->percent = length && number[length - 1] == '%';
        if (!amount_parse(number, length - allowance->percent, allowance->percent, &allowance->amount))
            return refuse(error, text, "not an amount: write 'path=+-2%%' or 'path=+-100'");
        allowance->pattern = g_strndup(text, (size_t)(equals - text));
        return true;
    }
    if (equals && !in_braces(text, equals))
        return refuse(error, text, "not an amount: write 'path=+-2%%', 'path=+-100' or 'path'");
    allowance->any = true;
    allowance->pattern = g_strdup(text);
    return true;
}

static bool allowance_covers(const struct allowance *allowance, const char *path, const struct value *was,
                             const struct value *is)
{
    int64_t a = was ? was->integer : 0, b = is ? is->integer : 0;
    uint64_t difference = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    uint64_t size = a < 0 ? -(uint64_t)a : (uint64_t)a;

    if (!report_name_matches(allowance->pattern, path))
        return false;
    if (allowance->any)
        return true;
    if ((was && !was->number) || (is && !is->number))
        return false;
    if (!allowance->percent)
        return difference <= allowance->amount;
    return (unsigned __int128)difference * 10000 <= (unsigned __int128)size * allowance->amount;
}

/* ---- Comparison ------------------------------------------------------------------------------ */

struct comparison {
    const struct document *baseline, *report;
    GArray *allowances;
    GString *out;
    bool other_images;
    unsigned moved, allowed;
    bool hash_moved;
};

static bool value_equal(const struct value *a, const struct value *b)
{
    if (!a || !b) {
        const struct value *present = a ? a : b;
        return present->number && present->integer == 0;
    }
    if (a->number != b->number)
        return false;
    return a->number ? a->integer == b->integer : strcmp(a->text, b->text) == 0;
}

/* Strings of a document may hold line ends; a line of output may not. */
static void line_append(GString *out, const char *text)
{
    g_autofree char *line = g_strdelimit(g_strdup(text), "\r\n", ' ');

    g_string_append(out, line);
}

static void value_append(GString *out, const struct value *value, const struct value *other)
{
    if (!value)
        g_string_append(out, other->number ? "0" : "absent");
    else if (value->number)
        g_string_append_printf(out, "%" PRId64, value->integer);
    else
        line_append(out, value->text);
}

static bool path_is_hash(const char *path)
{
    return strcmp(path, "hash") == 0 || (g_str_has_prefix(path, "reports.") && g_str_has_suffix(path, ".hash"));
}

static bool path_is_image(const char *path)
{
    return g_str_has_prefix(path, "images[") || (g_str_has_prefix(path, "reports.") && strstr(path, ".images["));
}

static void compare_path(struct comparison *comparison, const char *path)
{
    const struct value *was = document_find(comparison->baseline, path);
    const struct value *is = document_find(comparison->report, path);
    bool allowed = comparison->other_images && path_is_image(path);

    if (value_equal(was, is))
        return;
    for (guint i = 0; i < comparison->allowances->len && !allowed; i++)
        allowed = allowance_covers(&g_array_index(comparison->allowances, struct allowance, i), path, was, is);
    if (path_is_hash(path) && !allowed) {
        comparison->hash_moved = true; /* judged at the end: it follows from every other difference */
        return;
    }
    g_string_append(comparison->out, allowed ? "allowed: " : "moved: ");
    line_append(comparison->out, path);
    g_string_append(comparison->out, ": ");
    value_append(comparison->out, was, is ? is : was);
    g_string_append(comparison->out, " -> ");
    value_append(comparison->out, is, was ? was : is);
    g_string_append_c(comparison->out, '\n');
    if (allowed)
        comparison->allowed++;
    else
        comparison->moved++;
}

static void compare_all(struct comparison *comparison)
{
    for (guint i = 0; i < comparison->baseline->values->len; i++)
        compare_path(comparison, ((struct value *)g_ptr_array_index(comparison->baseline->values, i))->path);
    for (guint i = 0; i < comparison->report->values->len; i++) {
        const char *path = ((struct value *)g_ptr_array_index(comparison->report->values, i))->path;

        if (!document_find(comparison->baseline, path))
            compare_path(comparison, path);
    }
    if (comparison->hash_moved && !comparison->moved && !comparison->allowed) {
        g_string_append(comparison->out, "moved: hash: the same counts, but another final state\n");
        comparison->moved++;
    }
}

/* Counts of different images are not comparable unless somebody says so. */
static bool same_images(const struct document *a, const struct document *b, GError **error)
{
    for (guint i = 0; i < a->values->len; i++) {
        const struct value *value = g_ptr_array_index(a->values, i);
        const struct value *other = document_find(b, value->path);

        if (!path_is_image(value->path) || !g_str_has_suffix(value->path, ".sha256"))
            continue;
        if (!other || !value_equal(value, other))
            return refuse(error, b->name, "%s differs from %s; run the same images, or say --other-images",
                          value->path, a->name);
    }
    return true;
}

static bool allowances_parse(const struct gate_options *options, GArray *allowances, GError **error)
{
    for (size_t i = 0; options->allow && options->allow[i]; i++) {
        struct allowance allowance = { 0 };

        if (!allowance_parse(options->allow[i], &allowance, error))
            return false;
        g_array_append_val(allowances, allowance);
    }
    return true;
}

enum gate_verdict gate_compare(const char *baseline_name, const char *baseline, size_t baseline_size,
                               const char *report_name, const char *report, size_t report_size,
                               const struct gate_options *options, GString *out, GError **error)
{
    struct document was = { 0 }, is = { 0 };
    g_autoptr(GArray) allowances = g_array_new(FALSE, FALSE, sizeof(struct allowance));
    struct comparison comparison = { .baseline = &was, .report = &is, .allowances = allowances, .out = out,
                                     .other_images = options->other_images };
    enum gate_verdict verdict = GATE_UNUSABLE;

    g_array_set_clear_func(allowances, allowance_clear);
    if (allowances_parse(options, allowances, error) &&
        document_read(&was, baseline_name, baseline, baseline_size, error) &&
        document_read(&is, report_name, report, report_size, error) &&
        (options->other_images || (same_images(&was, &is, error) && same_images(&is, &was, error)))) {
        compare_all(&comparison);
        verdict = comparison.moved ? GATE_MOVED : GATE_SAME;
    }
    document_clear(&was);
    document_clear(&is);
    return verdict;
}

bool gate_may_update(const char *name, const char *report, size_t size, GError **error)
{
    struct document document = { 0 };
    bool ours = document_read(&document, name, report, size, error);

    for (guint i = 0; ours && i < document.values->len; i++) {
        const struct value *value = g_ptr_array_index(document.values, i);

        if (path_is_image(value->path) && g_str_has_suffix(value->path, ".external") &&
            strcmp(value->text ? value->text : "", "false") != 0)
            ours = refuse(error, name, "%s: an image from elsewhere; baselines hold only this build's images",
                          value->path);
    }
    document_clear(&document);
    return ours;
}
