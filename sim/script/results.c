/* SPDX-License-Identifier: MIT */
/* What a script learns and says: counter, counters, walks, exits, report, expect, log. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

/* One line or several, to wherever the options send them; an end of line at the very end adds none. */
static void print_text(const struct script *script, const char *text)
{
    do {
        const char *end = strchr(text, '\n');
        char *line = end ? g_strndup(text, (gsize)(end - text)) : g_strdup(text);

        script->options->print(script->options->ctx, line);
        g_free(line);
        text = end ? end + 1 : "";
    } while (*text);
}

/* log(...): the arguments, with a blank between two. `print` is the same. */
static int call_log(lua_State *L)
{
    int count = lua_gettop(L);
    luaL_Buffer line;

    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&line, ' ');
        script_push_string(L, i);
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    print_text(script_of(L), lua_tostring(L, -1));
    return 0;
}

/* ---- Counters -------------------------------------------------------------------------------- */

static int call_counter(lua_State *L)
{
    struct script_machine *m = script_machine(L, "counter");
    GError *error = NULL;
    uint64_t value;

    if (lua_type(L, 1) != LUA_TSTRING)
        script_raise(L, "counter: a counter's name is right (doc/counters.md lists them)");
    if (!counter_read(machine_counters(m->machine), lua_tostring(L, 1), &value, &error))
        script_raise_error(L, "counter", error);
    lua_pushinteger(L, (lua_Integer)value);
    return 1;
}

struct collecting {
    const char *pattern;
    GArray *found; /* struct report_counter */
};

static void collect_counter(void *ctx, const char *name, const struct counter_row *row, uint64_t value)
{
    struct collecting *collecting = ctx;
    struct report_counter counter = { .name = NULL, .unit = row->unit, .value = value };

    if (!report_name_matches(collecting->pattern, name))
        return;
    counter.name = g_strdup(name);
    g_array_append_val(collecting->found, counter);
}

static void free_counter(gpointer data)
{
    g_free(((struct report_counter *)data)->name);
}

static int free_array(lua_State *L)
{
    GArray **array = lua_touserdata(L, 1);

    g_clear_pointer(array, g_array_unref);
    return 0;
}

/* A GArray that the collector frees, whatever error may come; its box is left on the stack. */
static GArray *boxed_array(lua_State *L, guint element, GDestroyNotify clear)
{
    GArray **box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_array);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    *box = g_array_new(FALSE, TRUE, element);
    if (clear)
        g_array_set_clear_func(*box, clear);
    return *box;
}

/* counters("node[0].core[0].walk.*"): a table of every counter that is not zero and matches. */
static int call_counters(lua_State *L)
{
    struct script_machine *m = script_machine(L, "counters");
    struct collecting collecting = { .pattern = luaL_optstring(L, 1, "*") };

    collecting.found = boxed_array(L, sizeof(struct report_counter), free_counter);
    counters_each(machine_counters(m->machine), collect_counter, &collecting);
    lua_newtable(L);
    for (guint i = 0; i < collecting.found->len; i++) {
        const struct report_counter *counter = &g_array_index(collecting.found, struct report_counter, i);

        lua_pushinteger(L, (lua_Integer)counter->value);
        lua_setfield(L, -2, counter->name);
    }
    return 1;
}

/* ---- Walks and exits ------------------------------------------------------------------------- */

static const struct arg_key walks_keys[] = {
    { "of", ARG_STRING, "\"guest\" (every ASID but 0) or \"host\"" },
    { "side", ARG_STRING, "\"data\" or \"instruction\"" }, { "core", ARG_INTEGER, NULL },
};

static void set_integer(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

/* The one of `names` that the key has, or an error that lists them; the first if the key is absent. */
static unsigned choose(lua_State *L, const char *call, const char *key, const char *const names[2])
{
    const char *value = arg_string(L, 1, key, names[0]);

    for (unsigned i = 0; i < 2; i++) {
        if (strcmp(value, names[i]) == 0)
            return i;
    }
    script_raise(L, "%s: %s is '%s'; \"%s\" or \"%s\" is right", call, key, value, names[0], names[1]);
}

static void push_matrix(lua_State *L, const struct walk_totals *totals)
{
    lua_newtable(L);
    for (unsigned g = 0; g < 5; g++) {
        lua_createtable(L, 4, 1);
        for (unsigned n = 0; n < 5; n++) {
            lua_pushinteger(L, (lua_Integer)totals->refs[g][n]);
            lua_rawseti(L, -2, n);
        }
        lua_rawseti(L, -2, g);
    }
}

/* walks{of=, side=, core=}: {walks, refs, ad_writes, cycles, [g] = {[n] = refs}}; without core, of all cores. */
static int call_walks(lua_State *L)
{
    static const char *const ofs[2] = { "guest", "host" }, *const sides[2] = { "data", "instruction" };
    struct script_machine *m = script_machine(L, "walks");
    struct walk_totals totals;
    unsigned of, side, core;
    char path[48] = REPORT_ALL_CORES;

    if (lua_gettop(L) == 0)
        lua_newtable(L);
    args_check(L, 1, "walks", walks_keys, G_N_ELEMENTS(walks_keys));
    of = choose(L, "walks", "of", ofs);
    side = choose(L, "walks", "side", sides);
    script_core(L, m, 1, "walks", &core);
    if (arg_has(L, 1, "core"))
        snprintf(path, sizeof(path), "node[%u].core[%u]", core / m->config.cores, core % m->config.cores);
    report_walk_totals(machine_counters(m->machine), path, of == 0 ? WALKS_GUEST : WALKS_HOST, side, &totals);
    push_matrix(L, &totals);
    set_integer(L, "walks", totals.walks);
    set_integer(L, "refs", report_walk_references(&totals));
    set_integer(L, "ad_writes", totals.ad_writes);
    set_integer(L, "cycles", totals.cycles);
    return 1;
}

static void collect_exit(void *ctx, const struct exit_row *row)
{
    g_array_append_vals(ctx, row, 1);
}

static void push_exit(lua_State *L, const struct exit_row *row)
{
    const char *name = vmexit_name(row->code);

    lua_createtable(L, 0, 10);
    lua_pushstring(L, name ? name : "unnamed");
    lua_setfield(L, -2, "exit");
    set_integer(L, "code", row->code);
    set_integer(L, "vmcb", row->vmcb);
    set_integer(L, "n_cr3", row->n_cr3);
    set_integer(L, "rip", row->rip);
    set_integer(L, "count", row->count);
    set_integer(L, "cycles", row->cycles);
    set_integer(L, "cycles_min", row->cycles_min);
    set_integer(L, "cycles_max", row->cycles_max);
    set_integer(L, "halted_cycles", row->halted_cycles);
}

/* exits(): a list of rows by (vCPU, guest, code, rIP); the machine has one table for all cores. */
static int call_exits(lua_State *L)
{
    struct script_machine *m = script_machine(L, "exits");
    GArray *rows = boxed_array(L, sizeof(struct exit_row), NULL);

    core_exits_each(machine_core(m->machine, 0), collect_exit, rows);
    lua_newtable(L);
    for (guint i = 0; i < rows->len; i++) {
        push_exit(L, &g_array_index(rows, struct exit_row, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* ---- report{} -------------------------------------------------------------------------------- */

static const struct arg_key report_keys[] = {
    { "name", ARG_STRING, NULL }, { "text", ARG_BOOLEAN, "false keeps it out of the output" },
};

static bool name_is_taken(const struct report_set *set, const char *name)
{
    for (guint i = 0; i < set->names->len; i++) {
        if (strcmp(g_ptr_array_index(set->names, i), name) == 0)
            return true;
    }
    return false;
}

/* report{name=, text=}: print the machine's report; with a name, also keep it for the JSON document. */
static int call_report(lua_State *L)
{
    struct script_machine *m = script_machine(L, "report");
    struct script *script = m->script;
    struct report *report;
    const char *name;
    GString *text;

    if (lua_gettop(L) == 0)
        lua_newtable(L);
    args_check(L, 1, "report", report_keys, G_N_ELEMENTS(report_keys));
    name = arg_string(L, 1, "name", NULL);
    if (name && (!*name || name_is_taken(script->set, name)))
        script_raise(L, "report: the name '%s' is %s; each report has its own", name, *name ? "taken" : "empty");
    if (script->set->named->len >= 1000)
        script_raise_status(L, SCRIPT_LIMIT, "report: 1000 named reports, the limit");
    report = script_machine_report(m);
    text = g_string_new(NULL);
    if (name)
        g_string_append_printf(text, "report     %s\n", name);
    report_write_text(report, text);
    if (arg_boolean(L, 1, "text", true))
        print_text(script, text->str);
    g_string_free(text, TRUE);
    if (name) {
        g_ptr_array_add(script->set->names, g_strdup(name));
        g_ptr_array_add(script->set->named, report);
    } else {
        report_free(report);
    }
    return 0;
}

/* ---- expect ---------------------------------------------------------------------------------- */

static const struct arg_key expect_keys[] = {
    { "name", ARG_STRING, NULL }, { "equals", ARG_ANY, NULL }, { "differs", ARG_ANY, NULL },
    { "at_least", ARG_INTEGER, NULL }, { "at_most", ARG_INTEGER, NULL }, { "matches", ARG_STRING, NULL },
};

/* What would be right, as text on top of the stack, if value (index 1) breaks a rule of the options; else nil. */
static bool push_broken_rule(lua_State *L, int options)
{
    if (arg_push(L, options, "equals") != LUA_TNIL && !lua_rawequal(L, 1, -1)) {
        script_push_string(L, -1);
        return true;
    }
    if (arg_push(L, options, "differs") != LUA_TNIL && lua_rawequal(L, 1, -1)) {
        lua_pushliteral(L, "anything else");
        return true;
    }
    if (arg_push(L, options, "at_least") != LUA_TNIL && (!lua_isnumber(L, 1) || lua_compare(L, 1, -1, LUA_OPLT))) {
        lua_pushfstring(L, "at least %s", lua_tostring(L, -1));
        return true;
    }
    if (arg_push(L, options, "at_most") != LUA_TNIL && (!lua_isnumber(L, 1) || lua_compare(L, -1, 1, LUA_OPLT))) {
        lua_pushfstring(L, "at most %s", lua_tostring(L, -1));
        return true;
    }
    if (arg_push(L, options, "matches") != LUA_TNIL &&
        !(lua_type(L, 1) == LUA_TSTRING && strstr(lua_tostring(L, 1), lua_tostring(L, -1)))) {
        lua_pushfstring(L, "a text with \"%s\" in it", lua_tostring(L, -1));
        return true;
    }
    return false;
}

/* Without one nothing could fail. `equals = nil` is no key of a table: Lua drops it. */
static void check_has_rule(lua_State *L, int options)
{
    for (size_t i = 0; i < G_N_ELEMENTS(expect_keys); i++)
        if (strcmp(expect_keys[i].name, "name") != 0 && arg_push(L, options, expect_keys[i].name) != LUA_TNIL)
            return;
    script_raise(L, "expect: no condition; one of equals, differs, at_least, at_most, matches is right, and for nil "
                 "expect(value == nil, name)");
}

/* "file:line" of the caller, on top of the stack. */
static const char *push_place(lua_State *L)
{
    size_t length;
    const char *where;

    script_push_where(L);
    where = lua_tolstring(L, -1, &length);
    lua_pushlstring(L, where, length >= 2 ? length - 2 : 0);
    return lua_tostring(L, -1);
}

/* Everything on the Lua stack is kept until the record is made: nothing is lost by an error before. */
static void record(lua_State *L, const char *name, const char *place, const char *value, const char *right)
{
    struct script *script = script_of(L);
    struct report_expectation row = {
        .name = g_strdup(name ? name : place),
        .where = g_strdup(place),
        .passed = !right,
        .value = g_strdup(value),
        .number = lua_isinteger(L, 1),
    };

    if (right)
        row.detail = value ? g_strdup_printf("found %s; %s would be right", value, right) : g_strdup(right);
    report_set_expect(script->set, &row);
    if (right) {
        char *line = name ? g_strdup_printf("%s: expected %s: %s", place, name, row.detail) :
                     g_strdup_printf("%s: expected: %s", place, row.detail);

        script->options->print(script->options->ctx, line);
        g_free(line);
    }
}

/*
 * expect(condition [, name]) or expect(value, {equals=, differs=, at_least=, at_most=, matches=, name=}).
 * Gives whether it held; the script goes on either way.
 */
static int call_expect(lua_State *L)
{
    const char *name = NULL, *value = NULL, *right = NULL, *place;

    luaL_checkany(L, 1);
    if (script_of(L)->set->expectations->len >= 100000)
        script_raise_status(L, SCRIPT_LIMIT, "expect: 100000 expectations, the limit");
    lua_settop(L, 2);
    place = push_place(L);
    if (lua_istable(L, 2)) {
        args_check(L, 2, "expect", expect_keys, G_N_ELEMENTS(expect_keys));
        check_has_rule(L, 2);
        name = arg_string(L, 2, "name", NULL);
        value = script_push_string(L, 1);
        right = push_broken_rule(L, 2) ? lua_tostring(L, -1) : NULL;
    } else {
        if (!lua_isnil(L, 2))
            name = script_push_string(L, 2);
        if (!lua_toboolean(L, 1))
            right = "it does not hold";
    }
    record(L, name, place, value, right);
    lua_pushboolean(L, !right);
    return 1;
}

void script_open_report(lua_State *L)
{
    lua_register(L, "log", call_log);
    lua_register(L, "print", call_log);
    lua_register(L, "counter", call_counter);
    lua_register(L, "counters", call_counters);
    lua_register(L, "walks", call_walks);
    lua_register(L, "exits", call_exits);
    lua_register(L, "report", call_report);
    lua_register(L, "expect", call_expect);
}
