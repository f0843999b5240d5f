/* SPDX-License-Identifier: MIT */
/*
 * What a scenario is given of Lua: nothing that reaches files, time, native addresses or the collector, and
 * no end without a limit. Metatables are not offered, so that there are neither finalizers nor weak tables.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

/* ---- Limits ---------------------------------------------------------------------------------- */

#define BYTES_PER_INSTRUCTION 32

/*
 * lua_Alloc with a limit on what the script holds; counts what is asked for, so that all systems agree. What it
 * asks for counts as work, too: a loop over string.rep does nearly all of its own inside Lua.
 */
void *script_allocate(void *ctx, void *block, size_t old_size, size_t new_size)
{
    struct script *script = ctx;
    void *fresh;

    if (!block)
        old_size = 0; /* Lua passes the kind of object there */
    if (new_size == 0) {
        free(block);
        script->memory -= old_size;
        return NULL;
    }
    if (new_size > old_size && script->memory + (new_size - old_size) > script->memory_limit)
        return NULL;
    fresh = realloc(block, new_size);
    if (new_size > old_size)
        script->instructions += new_size / BYTES_PER_INSTRUCTION;
    if (fresh)
        script->memory = script->memory - old_size + new_size;
    return fresh;
}

void script_count(lua_State *L, uint64_t count)
{
    struct script *script = script_of(L);

    script->instructions += count;
    if (script->instructions < script->instruction_limit)
        return;
    /* From now on at every instruction, so that no pcall can hold it up. */
    script->out_of_instructions = true;
    lua_sethook(L, script_count_hook, LUA_MASKCOUNT, 1);
    script_raise_status(L, SCRIPT_LIMIT, "the script has run %" PRIu64 " Lua instructions, its limit; does a loop "
                        "not end?", script->instruction_limit);
}

void script_count_hook(lua_State *L, lua_Debug *ar)
{
    if (lua_getinfo(L, "l", ar) && ar->currentline > 0)
        script_of(L)->last_line = ar->currentline;
    script_count(L, script_of(L)->out_of_instructions ? 1 : SCRIPT_HOOK_INTERVAL);
}

/* ---- Calls in other clothes ------------------------------------------------------------------ */

/* load(chunk [, name [, mode [, env]]]): text only. Upvalue: Lua's own. */
static int call_load(lua_State *L)
{
    bool has_env = !lua_isnone(L, 4);

    if (lua_type(L, 1) == LUA_TSTRING && lua_tostring(L, 1)[0] == LUA_SIGNATURE[0])
        script_raise(L, "load: bytecode; a scenario loads text only");
    lua_settop(L, 4);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    if (lua_isnil(L, 2))
        lua_pushliteral(L, "=(load)");
    else
        lua_pushvalue(L, 2);
    lua_pushliteral(L, "t");
    if (has_env)
        lua_pushvalue(L, 4);
    lua_call(L, has_env ? 4 : 3, LUA_MULTRET);
    return lua_gettop(L) - 4;
}

/* math.randomseed(n [, m]): Lua's own would take a seed from the clock. */
static int call_randomseed(lua_State *L)
{
    if (lua_gettop(L) == 0)
        script_raise(L, "math.randomseed: no seed; give a number, so that every run is the same");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 0);
    return 0;
}

/* table.move(t, from, to, at [, t2]): bounded, because it runs inside Lua where no limit can stop it. */
static int call_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);

    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from > 10000000)
        script_raise(L, "table.move: %" PRIu64 " elements; 10000000 is the limit",
                     (uint64_t)((lua_Unsigned)to - (lua_Unsigned)from) + 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* Replace field `name` of the table on top by `call`, which finds the old one in its upvalue. */
static void wrap(lua_State *L, const char *name, lua_CFunction call)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, call, 1);
    lua_setfield(L, -2, name);
}

/* ---- Globals --------------------------------------------------------------------------------- */

static const struct {
    const char *name, *instead;
} absent[] = {
    { "os", "nothing outside the machine is in reach of a scenario" },
    { "io", "nothing outside the machine is in reach of a scenario; log() prints" },
    { "debug", "it would reach into the sandbox" },
    { "package", "require(NAME) loads lib/NAME.lua beside the scenario, and nothing else does" },
    { "dofile", "require(NAME) loads lib/NAME.lua beside the scenario, and nothing else does" },
    { "loadfile", "require(NAME) loads lib/NAME.lua beside the scenario, and nothing else does" },
    { "collectgarbage", "collection is not a scenario's to see" },
    { "warn", "log() prints" },
    { "getmetatable", "scenarios have no metatables" },
    { "setmetatable", "scenarios have no metatables (finalizers and weak tables would not be deterministic)" },
};

static const char *global_nearest(lua_State *L, const char *name)
{
    const char *names[256];
    size_t count = 0;

    lua_pushglobaltable(L);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING && count < G_N_ELEMENTS(names))
            names[count++] = lua_tostring(L, -1);
    }
    lua_pop(L, 1);
    return script_nearest(name, names, count);
}

/* A global that is not there is a mistake, most often a spelling one. */
static int global_missing(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    const char *near;

    if (!name)
        return 0;
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
        if (strcmp(absent[i].name, name) == 0)
            script_raise(L, "%s is not available: %s", name, absent[i].instead);
    }
    near = global_nearest(L, name);
    if (near)
        script_raise(L, "nothing is called '%s'; did you mean '%s'?", name, near);
    script_raise(L, "nothing is called '%s'; assign it first (doc/scenarios.md lists the calls)", name);
}

/* ---- param ----------------------------------------------------------------------------------- */

/* param.key: the value of -s key=value as a string, or nil. */
static int param_read(lua_State *L)
{
    struct script *script = script_of(L);
    const char *key = luaL_checkstring(L, 2);
    const char *value = g_hash_table_lookup(script->parameters, key);

    if (!g_hash_table_contains(script->parameters_read, key))
        g_hash_table_add(script->parameters_read, g_strdup(key));
    lua_pushstring(L, value);
    return 1;
}

static int param_write(lua_State *L)
{
    script_raise(L, "param is what -s key=value gave; use a variable of your own");
}

static void open_param(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushcfunction(L, param_read);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, param_write);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_setglobal(L, "param");
}

/* ---- Opening --------------------------------------------------------------------------------- */

static void remove_field(lua_State *L, const char *name)
{
    lua_pushnil(L);
    lua_setfield(L, -2, name);
}

static void seed_random(lua_State *L)
{
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, 0x10f);
    lua_call(L, 1, 0);
}

void script_open_sandbox(lua_State *L)
{
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++)
        remove_field(L, absent[i].name);
    wrap(L, "load", call_load);
    lua_newtable(L);
    lua_pushcfunction(L, global_missing);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 1);
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    wrap(L, "move", call_move);
    luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
    seed_random(L);
    wrap(L, "randomseed", call_randomseed);
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    remove_field(L, "dump");
    lua_pop(L, 6);
    script_open_order(L);
    script_open_strings(L);
    script_open_patterns(L);
    open_param(L);
}
