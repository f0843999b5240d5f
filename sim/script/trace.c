/* SPDX-License-Identifier: MIT */
/* trace{walks=true}: every reference of the page walks from now on, as a list that the script reads. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

#define DEFAULT_LIMIT 10000
#define MOST 1000000

/* One core's references since trace{} was called for it. */
struct walk_trace {
    unsigned core;
    GArray *refs;    /* struct walk_ref */
    size_t limit;
    uint64_t lost;   /* references beyond the limit */
};

static const struct arg_key trace_keys[] = {
    { "walks", ARG_BOOLEAN, "true begins a new list, false ends it" }, { "core", ARG_INTEGER, NULL },
    { "limit", ARG_INTEGER, "how many references to keep, 1 to 1000000" },
};

static void trace_free(gpointer data)
{
    struct walk_trace *trace = data;

    g_array_unref(trace->refs);
    g_free(trace);
}

static void on_reference(void *ctx, const struct walk_ref *ref)
{
    struct walk_trace *trace = ctx;

    if (trace->refs->len < trace->limit)
        g_array_append_vals(trace->refs, ref, 1);
    else
        trace->lost++;
}

static struct walk_trace *trace_find(const struct script_machine *m, unsigned core)
{
    for (guint i = 0; m->traces && i < m->traces->len; i++) {
        struct walk_trace *trace = g_ptr_array_index(m->traces, i);

        if (trace->core == core)
            return trace;
    }
    return NULL;
}

void traces_free(struct script_machine *m)
{
    if (m->traces)
        g_ptr_array_unref(m->traces);
    m->traces = NULL;
}

static void push_ref(lua_State *L, const struct walk_ref *ref)
{
    static const char *const source[] = { [WALK_MEMORY] = "memory", [WALK_PWC] = "pwc", [WALK_NTLB] = "ntlb",
                                          [WALK_PDPTE] = "pdpte" };
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = { { "gva", ref->gva }, { "asid", ref->asid }, { "g", ref->g }, { "n", ref->n }, { "spa", ref->spa },
                   { "value", ref->value } };

    lua_createtable(L, 0, 9);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        lua_pushinteger(L, (lua_Integer)fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    lua_pushboolean(L, ref->fetch);
    lua_setfield(L, -2, "fetch");
    lua_pushboolean(L, ref->write);
    lua_setfield(L, -2, "write");
    lua_pushstring(L, ref->source < G_N_ELEMENTS(source) ? source[ref->source] : "unknown");
    lua_setfield(L, -2, "source");
}

/* Gives the list so far of the core, and how many were lost; nil if it was not traced. */
static int push_list(lua_State *L, const struct walk_trace *trace)
{
    if (!trace)
        return 0;
    lua_createtable(L, (int)trace->refs->len, 0);
    for (guint i = 0; i < trace->refs->len; i++) {
        push_ref(L, &g_array_index(trace->refs, struct walk_ref, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, (lua_Integer)trace->lost);
    return 2;
}

static void trace_begin(lua_State *L, struct script_machine *m, unsigned core, uint64_t limit)
{
    struct walk_trace *trace = trace_find(m, core);

    if (limit == 0 || limit > MOST)
        script_raise(L, "trace: limit is %" PRId64 "; 1 to %d are right", (int64_t)limit, MOST);
    if (!m->traces)
        m->traces = g_ptr_array_new_with_free_func(trace_free);
    if (!trace) {
        trace = g_new0(struct walk_trace, 1);
        trace->core = core;
        trace->refs = g_array_new(FALSE, FALSE, sizeof(struct walk_ref));
        g_ptr_array_add(m->traces, trace);
    }
    trace->limit = limit;
    trace->lost = 0;
    g_array_set_size(trace->refs, 0);
    mmu_trace_walks(core_mmu(machine_core(m->machine, core)), on_reference, trace);
}

/*
 * trace{walks=true, core=, limit=} begins; trace{core=} gives the list so far; trace{walks=false} ends
 * and gives it.
 */
static int call_trace(lua_State *L)
{
    struct script_machine *m = script_machine(L, "trace");
    unsigned core;

    if (lua_gettop(L) == 0)
        lua_newtable(L);
    args_check(L, 1, "trace", trace_keys, G_N_ELEMENTS(trace_keys));
    script_core(L, m, 1, "trace", &core);
    if (arg_boolean(L, 1, "walks", false)) {
        trace_begin(L, m, core, arg_integer(L, 1, "limit", DEFAULT_LIMIT));
        return 0;
    }
    if (arg_has(L, 1, "walks"))
        mmu_trace_walks(core_mmu(machine_core(m->machine, core)), NULL, NULL);
    return push_list(L, trace_find(m, core));
}

void script_open_trace(lua_State *L)
{
    lua_register(L, "trace", call_trace);
}
