/* SPDX-License-Identifier: MIT */
/* machine{check=}, findings(): what the kernel did that it must not do, with symbol and line. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

#define LINES_LIMIT (UINT64_C(64) << 20)

/* A row of tools/line-table. */
struct line_row {
    uint64_t first, end;
    const char *file; /* into the text */
    unsigned line;
};

struct line_table {
    char *text;
    GArray *rows;    /* struct line_row, ascending */
    GArray *atomics; /* struct machine_code_range */
    struct machine_code_range pool;
};

void line_table_free(struct line_table *table)
{
    if (!table)
        return;
    g_free(table->text);
    g_array_unref(table->rows);
    g_array_unref(table->atomics);
    g_free(table);
}

/* "FIRST END FILE LINE[ atomic]"; a line of another form is left out. `at` ends in a zero byte and is cut up. */
static void read_row(struct line_table *table, char *at)
{
    g_auto(GStrv) words = g_strsplit(at, " ", 6);
    unsigned count = g_strv_length(words);
    struct line_row row;

    if (count < 4)
        return;
    row = (struct line_row){ g_ascii_strtoull(words[0], NULL, 16), g_ascii_strtoull(words[1], NULL, 16),
                             at + strlen(words[0]) + 1 + strlen(words[1]) + 1,
                             (unsigned)g_ascii_strtoull(words[3], NULL, 10) };
    at[row.file - at + (ptrdiff_t)strlen(words[2])] = 0;
    g_array_append_val(table->rows, row);
    if (count > 4 && strcmp(words[4], "atomic") == 0) {
        struct machine_code_range range = { row.first, row.end };

        g_array_append_val(table->atomics, range);
    }
    if (g_str_has_suffix(row.file, "/pages.c")) { /* the pool's own code: one source file, one piece */
        table->pool.first = table->pool.first ? table->pool.first : row.first;
        table->pool.end = row.end;
    }
}

/* The table beside an image: its path with .lines for what follows the last dot. NULL: there is none. */
static struct line_table *line_table_beside(const char *image)
{
    const char *dot = strrchr(image, '.');
    g_autofree char *stem = dot ? g_strndup(image, (gsize)(dot - image)) : g_strdup(image);
    g_autofree char *path = g_strconcat(stem, ".lines", NULL);
    struct line_table *table;
    size_t size;
    char *text;

    if (!script_read_file(path, LINES_LIMIT, &text, &size, NULL))
        return NULL;
    table = g_new0(struct line_table, 1);
    table->text = text;
    table->rows = g_array_new(FALSE, FALSE, sizeof(struct line_row));
    table->atomics = g_array_new(FALSE, FALSE, sizeof(struct machine_code_range));
    for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = 0;
        read_row(table, at);
    }
    return table;
}

void findings_begin(struct script_machine *m, const char *kernel)
{
    struct machine_check_rules rules = { 0 };

    if (!m->check)
        return;
    m->lines = line_table_beside(kernel);
    if (m->lines) {
        rules.pool = m->lines->pool;
        rules.atomic = (const struct machine_code_range *)(void *)m->lines->atomics->data;
        rules.atomic_count = m->lines->atomics->len;
    }
    machine_check_kernel(m->machine, &rules);
}

/* ---- In words ------------------------------------------------------------------------------------------- */

static const char *const kind_names[] = {
    [FINDING_TEXT_WRITE] = "text-write", [FINDING_FREE_WRITE] = "free-write", [FINDING_FREE_READ] = "free-read",
    [FINDING_FOREIGN_WRITE] = "foreign-write", [FINDING_UNINITIALISED] = "uninitialised", [FINDING_EXECUTE] = "execute",
    [FINDING_RACE] = "race",
};

static const char *const kind_words[] = {
    [FINDING_TEXT_WRITE] = "stores to its own text",
    [FINDING_FREE_WRITE] = "stores to a page that is free",
    [FINDING_FREE_READ] = "reads a page that is free",
    [FINDING_FOREIGN_WRITE] = "stores to memory that is not its own",
    [FINDING_UNINITIALISED] = "reads what nobody has written",
    [FINDING_EXECUTE] = "executes what is not its text",
    [FINDING_RACE] = "accesses without an order what another core stored",
};

/* "symbol+1Ch (file:line)" */
static void append_place(const struct script_machine *m, uint64_t address, GString *out)
{
    uint64_t offset = 0;
    const char *symbol = script_symbol_at((void *)(uintptr_t)m, address, &offset);

    g_string_append_printf(out, "%s+%" PRIx64 "h", symbol ? symbol : "?", symbol ? offset : address);
    for (guint i = 0; m->lines && i < m->lines->rows->len; i++) {
        const struct line_row *row = &g_array_index(m->lines->rows, struct line_row, i);

        if (address >= row->first && address < row->end) {
            g_string_append_printf(out, " (%s:%u)", row->file, row->line);
            return;
        }
    }
}

static GString *in_words(const struct script_machine *m, const struct machine_finding *finding)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "core %u at ", finding->core);
    append_place(m, finding->rip, out);
    g_string_append_printf(out, " %s: %u bytes at %" PRIx64 "h", kind_words[finding->kind], finding->size,
                           finding->address);
    if (finding->kind == FINDING_RACE || finding->kind == FINDING_TEXT_WRITE) {
        g_string_append(out, ", ");
        append_place(m, finding->address, out);
    }
    if (finding->kind == FINDING_RACE || finding->kind == FINDING_EXECUTE) {
        g_string_append(out, finding->kind == FINDING_RACE ? ", at " : ", from ");
        append_place(m, finding->other, out);
    }
    return out;
}

void findings_expect(struct script_machine *m)
{
    size_t count;
    const struct machine_finding *finding = machine_findings(m->machine, &count);

    for (; m->check == SCRIPT_CHECK_EXPECT && m->findings < count; m->findings++) {
        g_autoptr(GString) words = in_words(m, &finding[m->findings]);
        g_autofree char *line = g_strdup_printf("%s: %s", m->script->options->file, words->str);
        struct report_expectation row = {
            .name = g_strdup_printf("the checks find nothing (%s)", kind_names[finding[m->findings].kind]),
            .where = g_strdup(m->script->options->file),
            .detail = g_strdup(words->str),
        };

        report_set_expect(m->script->set, &row);
        m->script->options->print(m->script->options->ctx, line);
    }
}

/* findings(): a list of {kind, core, rip, address, size, count, symbol, text}, in order of time. */
static int call_findings(lua_State *L)
{
    struct script_machine *m = script_booted(L, "findings");
    size_t count;
    const struct machine_finding *finding = machine_findings(m->machine, &count);

    if (!m->check)
        script_raise(L, "findings: this machine is not checked; machine{check = \"list\"} is");
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        GString *words = in_words(m, &finding[i]);
        uint64_t offset;
        const char *symbol = script_symbol_at(m, finding[i].rip, &offset);
        const struct {
            const char *name;
            uint64_t value;
        } numbers[] = { { "core", finding[i].core }, { "rip", finding[i].rip }, { "address", finding[i].address },
                        { "size", finding[i].size }, { "count", finding[i].count } };

        lua_createtable(L, 0, 8);
        for (size_t n = 0; n < G_N_ELEMENTS(numbers); n++) {
            lua_pushinteger(L, (lua_Integer)numbers[n].value);
            lua_setfield(L, -2, numbers[n].name);
        }
        lua_pushstring(L, kind_names[finding[i].kind]);
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, symbol);
        lua_setfield(L, -2, "symbol");
        lua_pushlstring(L, words->str, words->len);
        lua_setfield(L, -2, "text");
        g_string_free(words, TRUE);
        lua_seti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

void script_open_findings(lua_State *L)
{
    lua_register(L, "findings", call_findings);
}
