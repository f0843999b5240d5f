/* SPDX-License-Identifier: MIT */
/* What run{until=}, at() and break_at() wait for: times, instruction counts, #VMEXITs, addresses. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

#define VMEXIT_CODES 0x404      /* one above VMEXIT_AVIC_NOACCEL's neighbours: all that have a name */
#define VMEXIT_INVALID_CODE UINT64_MAX

/* ---- Conditions ------------------------------------------------------------------------------ */

static const struct arg_key condition_keys[] = {
    { "time", ARG_TIME, NULL },
    { "insns", ARG_INTEGER, "a number of instructions, of core= or of all cores together" },
    { "exit", ARG_ANY, "the name or code of a #VMEXIT, such as \"VMMCALL\", or \"any\"" },
    { "address", ARG_INTEGER, "a linear address" },
    { "symbol", ARG_STRING, "the name of a symbol of the booted images" },
    { "stored", ARG_INTEGER, "a system-physical address that somebody stores to" },
    { "size", ARG_INTEGER, "how many bytes from there on, 1 if not given" },
    { "rax", ARG_INTEGER, NULL },
    { "eax", ARG_INTEGER, NULL },
    { "rip", ARG_INTEGER, NULL },
    { "output", ARG_STRING, "part of a line that COM1 writes" },
    { "core", ARG_INTEGER, NULL },
    { "count", ARG_INTEGER, "which occurrence, from 1" },
    { "stop", ARG_ANY, "a stop's name or a list of them, such as \"shutdown\"" }, /* run{until=} looks at it itself */
};

static bool exit_name_matches(uint64_t code, const char *name)
{
    const char *known = vmexit_name(code);

    if (!known)
        return false;
    return strcmp(known, name) == 0 || (g_str_has_prefix(known, "VMEXIT_") && strcmp(known + 7, name) == 0);
}

static uint64_t exit_code(lua_State *L, int index, const char *call)
{
    const char *names[VMEXIT_CODES + 1];
    const char *name, *near;

    if (lua_isinteger(L, index))
        return (uint64_t)lua_tointeger(L, index);
    if (lua_type(L, index) != LUA_TSTRING)
        script_raise(L, "%s: exit is %s; a name such as \"VMMCALL\" or a code is right", call,
                     script_push_string(L, index));
    name = lua_tostring(L, index);
    if (exit_name_matches(VMEXIT_INVALID_CODE, name))
        return VMEXIT_INVALID_CODE;
    for (uint64_t code = 0; code < VMEXIT_CODES; code++) {
        if (exit_name_matches(code, name))
            return code;
        names[code] = vmexit_name(code);
        if (names[code] && !g_str_has_prefix(name, "VMEXIT_") && g_str_has_prefix(names[code], "VMEXIT_"))
            names[code] += 7;
    }
    near = script_nearest(name, names, VMEXIT_CODES);
    script_raise(L, "%s: no #VMEXIT is called '%s'; %s%s%s", call, name,
                 near ? "did you mean '" : "APM2 appendix C lists them", near ? near : "", near ? "'?" : "");
}

unsigned watch_append(struct script_machine *m, const struct watch *watch, enum watch_kind kind, uint64_t value)
{
    struct watch fresh = *watch;

    fresh.kind = kind;
    fresh.text = kind == WATCH_OUTPUT ? g_strdup(watch->text) : NULL;
    fresh.value = value;
    fresh.id = ++m->next_watch;
    g_array_append_val(m->watches, fresh);
    return fresh.id;
}

static void read_qualifiers(lua_State *L, struct script_machine *m, int index, const char *call, struct watch *watch)
{
    uint64_t count = arg_integer(L, index, "count", 1);

    if (arg_has(L, index, "core")) {
        unsigned core;

        script_core(L, m, index, call, &core);
        watch->core = (int)core;
    }
    if (count == 0 || count > INT64_MAX)
        script_raise(L, "%s: count is %" PRId64 "; 1 is the first occurrence", call, (int64_t)count);
    watch->remaining = count;
    watch->has_rax = arg_has(L, index, "rax");
    watch->has_eax = arg_has(L, index, "eax");
    watch->has_rip = arg_has(L, index, "rip");
    watch->rax = arg_integer(L, index, watch->has_rax ? "rax" : "eax", 0);
    watch->rip = arg_integer(L, index, "rip", 0);
    if ((watch->has_rax || watch->has_eax || watch->has_rip) && !arg_has(L, index, "exit"))
        script_raise(L, "%s: rax, eax and rip go with exit=; they narrow a #VMEXIT", call);
}

/* Instructions so far: of the core that the watch names, or of all together. */
static uint64_t instructions_of(const struct script_machine *m, const struct watch *watch)
{
    return watch->core < 0 ? machine_instructions(m->machine)
                           : core_instructions(machine_core(m->machine, (unsigned)watch->core));
}

/* Times and counts of run{until=} are from now; those of at() are the machine's, or its core's, own. */
static unsigned add_limits(lua_State *L, struct script_machine *m, int index, const struct watch *watch)
{
    bool relative = watch->purpose == WATCH_UNTIL;
    unsigned id = 0;

    if (arg_has(L, index, "time"))
        id = watch_append(m, watch, WATCH_TIME,
                          arg_time(L, index, "time", 0) + (relative ? machine_now_ps(m->machine) : 0));
    if (arg_has(L, index, "insns"))
        id = watch_append(m, watch, WATCH_INSNS,
                          arg_integer(L, index, "insns", 0) + (relative ? instructions_of(m, watch) : 0));
    return id;
}

static unsigned add_events(lua_State *L, struct script_machine *m, int index, const char *call, struct watch *watch)
{
    unsigned id = 0;

    if (arg_push(L, index, "exit") != LUA_TNIL) {
        watch->any = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "any") == 0;
        id = watch_append(m, watch, WATCH_EXIT, watch->any ? 0 : exit_code(L, lua_gettop(L), call));
    }
    lua_pop(L, 1);
    if (arg_has(L, index, "output")) {
        watch->text = (char *)(uintptr_t)arg_string(L, index, "output", "");
        id = watch_append(m, watch, WATCH_OUTPUT, 0);
    }
    if (arg_has(L, index, "stored"))
        id = stores_watch(L, m, index, call, watch);
    if (arg_has(L, index, "address"))
        id = watch_append(m, watch, WATCH_ADDRESS, arg_integer(L, index, "address", 0));
    if (arg_has(L, index, "symbol")) {
        const char *name = arg_string(L, index, "symbol", "");
        uint64_t address;

        if (!script_symbol_find(m, name, &address))
            script_raise(L, "%s: no booted image has a symbol '%s'", call, name);
        id = watch_append(m, watch, WATCH_ADDRESS, address);
    }
    return id;
}

/* at() and break_at() wait for one thing, run{until=} for the first of several. */
static void check_count(lua_State *L, int index, const char *call, enum watch_purpose purpose)
{
    static const char *const what[] = { "time", "insns", "exit", "address", "symbol", "output", "stored" };
    unsigned count = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(what); i++)
        count += arg_has(L, index, what[i]);
    if (purpose == WATCH_UNTIL ? count == 0 && !arg_has(L, index, "stop") : count != 1)
        script_raise(L, "%s: %s; one of time=, insns=, exit=, address=, symbol=, output= and stored= is right", call,
                     count ? "more than one condition" : "no condition");
}

unsigned watch_add(lua_State *L, struct script_machine *m, int index, const char *call, enum watch_purpose purpose)
{
    struct watch watch = { .purpose = purpose, .core = -1, .remaining = 1, .function = LUA_NOREF };
    unsigned limit, event;

    index = lua_absindex(L, index);
    if (lua_type(L, index) == LUA_TSTRING) {
        uint64_t ps;

        if (!script_parse_time(lua_tostring(L, index), &ps))
            script_raise(L, "%s: \"%s\" is not a time; a number with ps, ns, us, ms or s is right", call,
                         lua_tostring(L, index));
        return watch_append(m, &watch, WATCH_TIME, ps + (purpose == WATCH_UNTIL ? machine_now_ps(m->machine) : 0));
    }
    args_check(L, index, call, condition_keys, G_N_ELEMENTS(condition_keys));
    check_count(L, index, call, purpose);
    read_qualifiers(L, m, index, call, &watch);
    limit = add_limits(L, m, index, &watch);
    event = add_events(L, m, index, call, &watch);
    return MAX(limit, event);
}

struct watch *watch_find(struct script_machine *m, unsigned id)
{
    for (guint i = 0; i < m->watches->len; i++) {
        struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->id == id)
            return watch;
    }
    return NULL;
}

void watch_remove(lua_State *L, struct script_machine *m, unsigned id)
{
    for (guint i = 0; i < m->watches->len; i++) {
        struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->id == id) {
            luaL_unref(L, LUA_REGISTRYINDEX, watch->function);
            g_array_remove_index(m->watches, i);
            return;
        }
    }
}

void watches_remove_until(lua_State *L, struct script_machine *m)
{
    for (guint i = m->watches->len; i-- > 0;) {
        const struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->purpose == WATCH_UNTIL)
            watch_remove(L, m, watch->id);
    }
}

/* ---- Hooks ----------------------------------------------------------------------------------- */

static unsigned core_index(const struct script_machine *m, const struct core *core)
{
    unsigned i = 0;

    while (i < machine_core_count(m->machine) && machine_core(m->machine, i) != core)
        i++;
    return i;
}

bool watch_occurs(struct script_machine *m, struct watch *watch, const struct watch_hit *event)
{
    struct watch_hit hit = *event;

    if (watch->gone || (watch->core >= 0 && (unsigned)watch->core != event->core))
        return false;
    if (watch->remaining > 1) {
        watch->remaining--;
        return false;
    }
    hit.id = watch->id;
    g_array_append_val(m->hits, hit);
    return true;
}

static bool exit_wanted(const struct watch *watch, uint64_t code, uint64_t rip, uint64_t rax)
{
    return watch->kind == WATCH_EXIT && (watch->any || watch->value == code) &&
           (!watch->has_rax || watch->rax == rax) && (!watch->has_eax || (uint32_t)watch->rax == (uint32_t)rax) &&
           (!watch->has_rip || watch->rip == rip);
}

static bool on_vmexit(void *ctx, struct core *core, uint64_t code, uint64_t rip, uint64_t rax)
{
    struct script_machine *m = ctx;
    struct watch_hit event = { .core = core_index(m, core), .code = code, .rip = rip, .rax = rax };
    bool stop = false;

    for (guint i = 0; i < m->watches->len; i++) {
        struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (exit_wanted(watch, code, rip, rax))
            stop |= watch_occurs(m, watch, &event);
    }
    return stop;
}

static bool on_breakpoint(void *ctx, struct core *core, uint64_t linear)
{
    struct script_machine *m = ctx;
    struct watch_hit event = { .core = core_index(m, core), .rip = linear };
    bool stop = false;

    /* The breakpoint at which this core was stopped last: go on. */
    if (m->passed_address == linear && m->passed_core == event.core &&
        m->passed_instructions == core_instructions(core))
        return false;
    for (guint i = 0; i < m->watches->len; i++) {
        struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->kind == WATCH_ADDRESS && watch->value == linear)
            stop |= watch_occurs(m, watch, &event);
    }
    if (stop) {
        m->passed_address = linear;
        m->passed_core = event.core;
        m->passed_instructions = core_instructions(core);
    }
    return stop;
}

void watches_line(struct script_machine *m)
{
    struct watch_hit event = { .line = m->uart_line, .line_size = m->uart_out->len - m->uart_line };
    bool stop = false;

    for (guint i = 0; i < m->watches->len; i++) {
        struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->kind == WATCH_OUTPUT &&
            g_strstr_len(m->uart_out->str + event.line, (gssize)event.line_size, watch->text)) {
            event.core = watch->core < 0 ? 0 : (unsigned)watch->core;
            stop |= watch_occurs(m, watch, &event);
        }
    }
    if (stop)
        machine_pause(m->machine);
}

void watch_clear(void *watch)
{
    g_free(((struct watch *)watch)->text);
}

void watches_arm(struct script_machine *m)
{
    bool exits = false, addresses = false;

    stores_arm(m);
    for (guint i = 0; i < m->watches->len; i++) {
        const struct watch *watch = &g_array_index(m->watches, struct watch, i);

        exits |= watch->kind == WATCH_EXIT;
        addresses |= watch->kind == WATCH_ADDRESS;
    }
    for (unsigned c = 0; c < machine_core_count(m->machine); c++) {
        struct core_hooks *hooks = core_hooks(machine_core(m->machine, c));

        hooks->ctx = m;
        hooks->vmexit = exits ? on_vmexit : NULL;
        hooks->breakpoint = on_breakpoint;
        hooks->breakpoints = addresses;
    }
}

/*
 * When to look at the watch again, in instructions of the machine: with a core's own count it cannot come sooner than
 * if no other core did any, so that the machine stops at the very instruction.
 */
static uint64_t count_to_look(const struct script_machine *m, const struct watch *watch)
{
    uint64_t done = instructions_of(m, watch), left = watch->value > done ? watch->value - done : 0;
    uint64_t all = machine_instructions(m->machine);

    return left > NEVER - all ? NEVER : all + left;
}

void watches_next(const struct script_machine *m, uint64_t *ps, uint64_t *instructions)
{
    for (guint i = 0; i < m->watches->len; i++) {
        const struct watch *watch = &g_array_index(m->watches, struct watch, i);

        if (watch->kind == WATCH_TIME && !watch->gone)
            *ps = MIN(*ps, watch->value);
        if (watch->kind == WATCH_INSNS && !watch->gone)
            *instructions = MIN(*instructions, count_to_look(m, watch));
    }
}

void watches_due(struct script_machine *m)
{
    uint64_t now = machine_now_ps(m->machine);

    for (guint i = 0; i < m->watches->len; i++) {
        struct watch *watch = &g_array_index(m->watches, struct watch, i);
        struct watch_hit hit = { .id = watch->id, .core = watch->core < 0 ? 0 : (unsigned)watch->core };

        if (watch->gone || !((watch->kind == WATCH_TIME && watch->value <= now) ||
                             (watch->kind == WATCH_INSNS && watch->value <= instructions_of(m, watch))))
            continue;
        watch->gone = true; /* a time comes once */
        g_array_append_val(m->hits, hit);
    }
}

/* Without the line's end. */
static void push_line(lua_State *L, const struct script_machine *m, const struct watch_hit *hit)
{
    const char *line = m->uart_out->str + hit->line;
    size_t size = hit->line_size;

    while (size && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    lua_pushlstring(L, line, size);
}

void watch_push_event(lua_State *L, struct script_machine *m, const struct watch_hit *hit)
{
    static const char *const reason[] = { [WATCH_TIME] = "time", [WATCH_INSNS] = "insns", [WATCH_EXIT] = "exit",
                                          [WATCH_ADDRESS] = "address", [WATCH_OUTPUT] = "output",
                                          [WATCH_STORED] = "stored" };
    const struct watch *watch = watch_find(m, hit->id);
    enum watch_kind kind = watch ? watch->kind : WATCH_TIME;

    lua_newtable(L);
    lua_pushstring(L, reason[kind]);
    lua_setfield(L, -2, "reason");
    if (kind == WATCH_EXIT) {
        const char *name = vmexit_name(hit->code);

        lua_pushstring(L, name ? name : "unnamed");
        lua_setfield(L, -2, "exit");
        lua_pushinteger(L, (lua_Integer)hit->code);
        lua_setfield(L, -2, "code");
        lua_pushinteger(L, (lua_Integer)hit->rax);
        lua_setfield(L, -2, "rax");
    }
    if (kind == WATCH_STORED) {
        lua_pushinteger(L, (lua_Integer)hit->code);
        lua_setfield(L, -2, "address");
        lua_pushinteger(L, (lua_Integer)hit->rax);
        lua_setfield(L, -2, "size");
    }
    if (kind == WATCH_OUTPUT) {
        push_line(L, m, hit);
        lua_setfield(L, -2, "line");
    }
    if (kind == WATCH_EXIT || kind == WATCH_ADDRESS) {
        lua_pushinteger(L, (lua_Integer)hit->rip);
        lua_setfield(L, -2, "rip");
    }
    if (kind == WATCH_EXIT || kind == WATCH_ADDRESS || kind == WATCH_STORED || (watch && watch->core >= 0)) {
        lua_pushinteger(L, hit->core);
        lua_setfield(L, -2, "core");
    }
    lua_pushinteger(L, (lua_Integer)machine_now_ps(m->machine));
    lua_setfield(L, -2, "time_ps");
    lua_pushinteger(L, (lua_Integer)machine_instructions(m->machine));
    lua_setfield(L, -2, "insns");
}

/* ---- Calls ----------------------------------------------------------------------------------- */

/* at(when, fn): call fn(event) then; returns a number for cancel(). */
static int call_at(lua_State *L)
{
    struct script_machine *m = script_machine(L, "at");
    unsigned id;

    if (!lua_isfunction(L, 2))
        script_raise(L, "at: the second argument is %s; at(when, function) is right", luaL_typename(L, 2));
    if (lua_istable(L, 1) && arg_has(L, 1, "stop"))
        script_raise(L, "at: stop= is for run{until=}; at takes times, counts, exits and addresses");
    id = watch_add(L, m, 1, "at", WATCH_CALL);
    lua_settop(L, 2);
    watch_find(m, id)->function = luaL_ref(L, LUA_REGISTRYINDEX);
    if (m->running)
        watches_arm(m);
    lua_pushinteger(L, id);
    return 1;
}

/* break_at(address | "symbol" | {condition}): run{} returns there; returns a number for cancel(). */
static int call_break_at(lua_State *L)
{
    struct script_machine *m = script_booted(L, "break_at");
    unsigned id;

    lua_settop(L, 1);
    if (lua_isinteger(L, 1) || lua_type(L, 1) == LUA_TSTRING) {
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, 1);
        lua_setfield(L, 2, lua_isinteger(L, 1) ? "address" : "symbol");
        lua_replace(L, 1);
    }
    if (lua_istable(L, 1) && (arg_has(L, 1, "time") || arg_has(L, 1, "insns") || arg_has(L, 1, "stop")))
        script_raise(L, "break_at: it takes exit=, address=, symbol=, output= and stored=; for the rest there is "
                        "run{until=}");
    id = watch_add(L, m, 1, "break_at", WATCH_BREAK);
    if (m->running)
        watches_arm(m);
    lua_pushinteger(L, id);
    return 1;
}

static int call_cancel(lua_State *L)
{
    struct script_machine *m = script_machine(L, "cancel");
    struct watch *watch = lua_isinteger(L, 1) ? watch_find(m, (unsigned)lua_tointeger(L, 1)) : NULL;

    if (watch)
        watch->gone = true;
    else if (!lua_isinteger(L, 1))
        script_raise(L, "cancel: found %s; the number that at() or break_at() returned is right",
                     script_push_string(L, 1));
    if (watch && !m->running)
        watch_remove(L, m, watch->id);
    lua_pushboolean(L, watch != NULL);
    return 1;
}

void script_open_watch(lua_State *L)
{
    lua_register(L, "at", call_at);
    lua_register(L, "break_at", call_break_at);
    lua_register(L, "cancel", call_cancel);
}
