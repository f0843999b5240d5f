/* SPDX-License-Identifier: MIT */
/* Running the machine: run{until=, limit=}, step, uart{send=, expect=}. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

#define DEFAULT_LIMIT_PS (10 * PS_PER_S)
#define PROGRESS_PS PS_PER_MS /* a multiple of the quantum, so that looking changes nothing */

/* ---- One run --------------------------------------------------------------------------------- */

struct run {
    struct script_machine *m;
    const char *call;
    uint64_t deadline;     /* machine time: the limit */
    uint64_t limit;        /* the same as it was asked for */
    bool waits;            /* until was given */
    int stops;             /* stack index of until's `stop`, or 0 */
    const char *text;      /* uart{expect=}: come to an end when this is written */
    size_t text_from;
};

/* What a stop is called in until={stop=...}, and in the event. */
static const char *const stop_names[] = {
    [MACHINE_STOP_TIME] = "time", [MACHINE_STOP_INSNS] = "insns", [MACHINE_STOP_HOOK] = "watch",
    [MACHINE_STOP_EXIT] = "exit", [MACHINE_STOP_POWER_OFF] = "power-off", [MACHINE_STOP_RESET] = "reset",
    [MACHINE_STOP_SHUTDOWN] = "shutdown", [MACHINE_STOP_HALTED] = "halted", [MACHINE_STOP_MEMORY] = "memory",
    [MACHINE_STOP_INTERRUPTED] = "interrupted", [MACHINE_STOP_FLOOD] = "flood",
};

static bool stop_is_asked_for(lua_State *L, const struct run *run, const char *name)
{
    bool asked = false;

    if (!run->stops)
        return false;
    if (lua_type(L, run->stops) == LUA_TSTRING)
        return strcmp(lua_tostring(L, run->stops), name) == 0 || strcmp(lua_tostring(L, run->stops), "any") == 0;
    for (lua_Integer i = 1; !asked && lua_geti(L, run->stops, i) == LUA_TSTRING; i++) {
        asked = strcmp(lua_tostring(L, -1), name) == 0;
        lua_pop(L, 1);
    }
    if (!asked)
        lua_pop(L, 1);
    return asked;
}

/* Call the functions of at(), look for until and breakpoints. True: the run is over, its event pushed. */
static bool settle_hits(lua_State *L, struct run *run)
{
    struct script_machine *m = run->m;
    bool over = false;

    for (guint i = 0; i < m->hits->len; i++) {
        struct watch_hit hit = g_array_index(m->hits, struct watch_hit, i);
        const struct watch *watch = watch_find(m, hit.id);

        if (!watch || (watch->gone && watch->kind >= WATCH_EXIT))
            continue;
        if (watch->purpose == WATCH_CALL) {
            lua_rawgeti(L, LUA_REGISTRYINDEX, watch->function);
            watch_push_event(L, m, &hit);
            lua_call(L, 1, 0);
        } else if (!over) {
            over = true;
            watch_push_event(L, m, &hit);
        }
    }
    g_array_set_size(m->hits, 0);
    for (guint i = m->watches->len; i-- > 0;) {
        const struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->gone)
            watch_remove(L, m, watch->id);
    }
    return over;
}

static bool text_arrived(const struct run *run)
{
    return run->text && g_strstr_len(run->m->uart_out->str + run->text_from,
                                     (gssize)(run->m->uart_out->len - run->text_from), run->text);
}

/* The machine stopped by itself: right if it was asked for, or if nothing was. Pushes the event. */
static void settle_stop(lua_State *L, const struct run *run, enum machine_stop stop)
{
    struct script_machine *m = run->m;
    bool natural = stop == MACHINE_STOP_EXIT || stop == MACHINE_STOP_POWER_OFF;

    if (stop == MACHINE_STOP_MEMORY)
        script_raise_status(L, SCRIPT_LIMIT, "%s: the guest's RAM needs more than host_memory; raise "
                            "machine{host_memory=}", run->call);
    if (stop == MACHINE_STOP_INTERRUPTED)
        script_raise_status(L, SCRIPT_FAILED, "%s: interrupted", run->call);
    if (!stop_is_asked_for(L, run, stop_names[stop]) && !(natural && !run->waits))
        script_raise_status(L, SCRIPT_FAILED, "%s: the guest stopped: %s; until={stop=\"%s\"} would expect that",
                            run->call, machine_stop_name(stop), stop_names[stop]);
    lua_newtable(L);
    lua_pushstring(L, stop_names[stop]);
    lua_setfield(L, -2, "reason");
    lua_pushinteger(L, (lua_Integer)machine_now_ps(m->machine));
    lua_setfield(L, -2, "time_ps");
    lua_pushinteger(L, (lua_Integer)machine_instructions(m->machine));
    lua_setfield(L, -2, "insns");
    if (m->has_exit_value) {
        lua_pushinteger(L, machine_exit_value(m->machine));
        lua_setfield(L, -2, "value");
    }
}

static void raise_limit(lua_State *L, const struct run *run)
{
    script_raise_status(L, SCRIPT_LIMIT, "%s: what it waits for has not come within %" PRIu64 " us of machine time; "
                        "raise limit=, or is the guest stuck?", run->call, run->limit / PS_PER_US);
}

static void report_progress(const struct script_machine *m)
{
    const struct script_options *options = m->script->options;

    if (options->progress)
        options->progress(options->ctx, machine_now_ps(m->machine), machine_instructions(m->machine));
}

/* Runs until something that was waited for, and pushes its event (over a nil). Leaves by error otherwise. */
static void run_machine(lua_State *L, struct run *run)
{
    struct script_machine *m = run->m;

    lua_pushnil(L); /* text that arrived has no event */

    for (;;) {
        uint64_t until_ps = run->deadline, until_insns = NEVER;
        enum machine_stop stop;

        watches_due(m);
        if (settle_hits(L, run) || text_arrived(run))
            return;
        watches_arm(m);
        watches_next(m, &until_ps, &until_insns);
        if (machine_now_ps(m->machine) >= run->deadline)
            raise_limit(L, run);
        if (m->script->options->progress || run->text)
            until_ps = MIN(until_ps, (machine_now_ps(m->machine) / PROGRESS_PS + 1) * PROGRESS_PS);
        stop = script_run_machine(L, m, run->call, until_ps, until_insns);
        findings_expect(m);
        m->stop = machine_stop_name(stop);
        m->has_exit_value = stop == MACHINE_STOP_EXIT;
        report_progress(m);
        if (stop == MACHINE_STOP_HOOK || stop == MACHINE_STOP_TIME || stop == MACHINE_STOP_INSNS)
            continue;
        if (m->hits->len && settle_hits(L, run))
            return; /* the exit that was waited for is also what stopped the guest */
        if (text_arrived(run))
            return;
        settle_stop(L, run, stop);
        return;
    }
}

/* As run_machine, but whatever leaves it, the machine is no longer running. Arguments: struct run as light userdata. */
static int run_protected(lua_State *L)
{
    struct run *run = lua_touserdata(L, lua_upvalueindex(1));

    run_machine(L, run);
    return 1;
}

static void run_guarded(lua_State *L, struct run *run)
{
    struct script_machine *m = run->m;
    int status, top = lua_gettop(L);

    if (m->running)
        script_raise(L, "%s: the machine is running already; inside at() there are only reg, msr, mem, inject and the "
                     "like", run->call);
    lua_pushlightuserdata(L, run);
    lua_pushcclosure(L, run_protected, 1);
    if (run->stops) {
        lua_pushvalue(L, run->stops);
        run->stops = 1;
    }
    m->running = true;
    status = lua_pcall(L, lua_gettop(L) - top - 1, 1, 0);
    m->running = false;
    g_array_set_size(m->hits, 0);
    watches_remove_until(L, m);
    watches_arm(m);
    if (status != LUA_OK)
        lua_error(L);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static const struct arg_key run_keys[] = {
    { "until", ARG_ANY, NULL },
    { "limit", ARG_TIME, "machine time after which the run counts as stuck, such as \"10s\"" },
};

static void check_stop_names(lua_State *L, int index)
{
    static const char *const names[] = { "exit", "power-off", "reset", "shutdown", "halted", "flood", "any" };
    const size_t count = G_N_ELEMENTS(names);
    const char *name, *near;

    if (lua_type(L, index) != LUA_TSTRING)
        script_raise(L, "run: until.stop is %s; a stop's name is right, such as \"%s\"", script_push_string(L, index),
                     names[0]);
    name = lua_tostring(L, index);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return;
    }
    near = script_nearest(name, names, count);
    script_raise(L, "run: no stop is called '%s'; did you mean '%s'?", name, near ? near : "any");
}

/* Leaves the checked `stop` on the stack and gives its index, or 0. */
static int read_stops(lua_State *L, int until)
{
    int stops;

    if (!lua_istable(L, until) || arg_push(L, until, "stop") == LUA_TNIL)
        return 0;
    stops = lua_gettop(L);
    if (!lua_istable(L, stops)) {
        check_stop_names(L, stops);
        return stops;
    }
    for (lua_Integer i = 1; lua_geti(L, stops, i) != LUA_TNIL; i++) {
        check_stop_names(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return stops;
}

/* run{until=, limit=} or run("5ms"); gives the event that ended it. */
static int call_run(lua_State *L)
{
    struct run run = { .m = script_booted(L, "run"), .call = "run", .limit = DEFAULT_LIMIT_PS };
    uint64_t now = machine_now_ps(run.m->machine);

    if (lua_gettop(L) == 0)
        lua_newtable(L);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, 1);
        lua_setfield(L, -2, "until");
        lua_replace(L, 1);
    }
    args_check(L, 1, "run", run_keys, G_N_ELEMENTS(run_keys));
    run.limit = arg_time(L, 1, "limit", DEFAULT_LIMIT_PS);
    if (arg_push(L, 1, "until") != LUA_TNIL) {
        int until = lua_gettop(L);
        uint64_t ps = NEVER, insns = NEVER;

        watches_remove_until(L, run.m);
        watch_add(L, run.m, until, "run: until", WATCH_UNTIL);
        run.waits = true;
        run.stops = read_stops(L, until);
        watches_next(run.m, &ps, &insns);
        if (ps != NEVER && !arg_has(L, 1, "limit"))
            run.limit = MAX(run.limit, ps - MIN(ps, now) + PS_PER_MS); /* a stated time is its own limit */
    }
    run.deadline = now + MIN(run.limit, NEVER / 4);
    run_guarded(L, &run);
    return 1;
}

/* step([n [, core]]): n instructions of one core; the others keep pace. */
static int step_instructions(lua_State *L)
{
    struct script_machine *m = script_booted(L, "step");
    lua_Integer count = luaL_optinteger(L, 1, 1), core = luaL_optinteger(L, 2, 0);
    struct run run = { .m = m, .call = "step" };

    if (m->running)
        script_raise(L, "step: the machine is running already");
    if (m->pair)
        script_raise(L, "step: the machine is linked to another; run{until={insns=}} lets both keep pace");
    if (core < 0 || core >= (lua_Integer)machine_core_count(m->machine))
        script_raise(L, "step: core %" PRId64 "; the machine has cores 0 to %u", (int64_t)core,
                     machine_core_count(m->machine) - 1);
    if (count < 0 || count > 1000000)
        script_raise(L, "step: %" PRId64 " instructions; 0 to 1000000 are right, run{until={insns=}} goes further",
                     (int64_t)count);
    for (lua_Integer i = 0; i < count; i++) {
        enum machine_stop stop;

        watches_arm(m);
        stop = machine_step(m->machine, (unsigned)core);
        watches_due(m);
        if (settle_hits(L, &run))
            return 1; /* a breakpoint: its event */
        if (stop != MACHINE_STOP_INSNS && stop != MACHINE_STOP_TIME && stop != MACHINE_STOP_HOOK) {
            settle_stop(L, &run, stop);
            return 1;
        }
    }
    return 0;
}

/* step(label, text): what is to be shown there to who follows the scenario step by step. */
static int call_step(lua_State *L)
{
    return lua_type(L, 1) == LUA_TSTRING ? script_step_shown(L) : step_instructions(L);
}

static const struct arg_key uart_keys[] = {
    { "send", ARG_STRING, NULL }, { "expect", ARG_STRING, NULL }, { "limit", ARG_TIME, NULL },
};

/* Runs until COM1 has written `text` after what was expected before. */
static void uart_expect(lua_State *L, struct script_machine *m, const char *text, uint64_t limit)
{
    struct run run = { .m = m, .call = "uart", .limit = limit, .waits = true, .text = text, .text_from = m->uart_seen };
    const char *found;

    run.deadline = machine_now_ps(m->machine) + MIN(limit, NEVER / 4);
    run_guarded(L, &run);
    lua_pop(L, 1);
    found = g_strstr_len(m->uart_out->str + m->uart_seen, (gssize)(m->uart_out->len - m->uart_seen), text);
    if (found)
        m->uart_seen = (size_t)(found - m->uart_out->str) + strlen(text);
}

/* uart{send=, expect=, limit=}: gives what COM1 has written so far. */
static int call_uart(lua_State *L)
{
    struct script_machine *m = script_machine(L, "uart");
    const char *send, *expect;
    size_t size;

    if (lua_gettop(L) == 0)
        lua_newtable(L);
    args_check(L, 1, "uart", uart_keys, G_N_ELEMENTS(uart_keys));
    if (arg_push(L, 1, "send") == LUA_TSTRING) {
        send = lua_tolstring(L, -1, &size);
        if (m->uart_in->len + size > (1u << 20))
            script_raise(L, "uart: %zu bytes to send; at most 1048576 may wait", size);
        g_byte_array_append(m->uart_in, (const guint8 *)send, (guint)size);
    }
    expect = arg_string(L, 1, "expect", NULL);
    if (expect) {
        script_booted(L, "uart");
        uart_expect(L, m, expect, arg_time(L, 1, "limit", DEFAULT_LIMIT_PS));
    }
    lua_pushlstring(L, m->uart_out->str, m->uart_out->len);
    return 1;
}

void script_open_run(lua_State *L)
{
    lua_register(L, "run", call_run);
    lua_register(L, "step", call_step);
    lua_register(L, "uart", call_uart);
}
