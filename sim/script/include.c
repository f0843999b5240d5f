/* SPDX-License-Identifier: MIT */
/*
 * include(file): another file's text as part of the scenario; step(label, text): where a scenario that is followed
 * step by step (--step) stops and shows something.
 */
#include <string.h>

#include "sim/script/session.h"

#define SOURCE_LIMIT (16u << 20)

static const char included_registry; /* its address: the table of what files gave, by path */

/* ---- include(file) ------------------------------------------------------------------------------------------- */

/* Relative to the scenario's own directory, and not above it. */
static bool is_plain(const char *name)
{
    return *name && !g_path_is_absolute(name) && !strstr(name, "..") && g_str_has_suffix(name, ".lua");
}

/* Pushes the text as Lua reads it, and its chunk name behind it. */
static void push_text(lua_State *L, const char *name)
{
    g_autofree char *directory = g_path_get_dirname(script_of(L)->options->file);
    char *path = g_build_filename(directory, name, NULL), *text = NULL;
    GError *error = NULL;
    GString *source;
    size_t size;
    bool read = script_read_file(path, SOURCE_LIMIT, &text, &size, &error);

    g_free(g_steal_pointer(&directory)); /* what follows may leave by longjmp */
    if (!read) {
        g_free(path);
        script_raise_error(L, "include", error);
    }
    source = script_source(text, size);
    lua_pushlstring(L, source->str, source->len);
    lua_pushfstring(L, "@%s", path);
    g_string_free(source, TRUE);
    g_free(text);
    g_free(path);
}

/* What the file returned, the same each time; it runs once. */
static int call_include(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    size_t size;
    const char *text;

    if (!is_plain(name))
        script_raise(L, "include: found %s; the name of a .lua file beside the scenario or below is right", name);
    lua_settop(L, 1);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &included_registry) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &included_registry);
    }
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) == LUA_TLIGHTUSERDATA)
        script_raise(L, "include: %s includes itself", name);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, L);
    lua_rawset(L, 2);
    push_text(L, name);
    text = lua_tolstring(L, -2, &size);
    if (luaL_loadbufferx(L, text, size, lua_tostring(L, -1), "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, true);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return 1;
}

/* ---- step(label, text) ------------------------------------------------------------------------------------------ */

/* `text` may be a function that makes it, called only if somebody looks. Gives whether somebody does. */
int script_step_shown(lua_State *L)
{
    const struct script_options *options = script_of(L)->options;
    const char *label = lua_tostring(L, 1), *text;

    if (!lua_isfunction(L, 2) && lua_type(L, 2) != LUA_TSTRING)
        script_raise(L, "step: the text is %s; a string, or a function that gives one, is right", luaL_typename(L, 2));
    if (options->step && lua_isfunction(L, 2)) {
        lua_settop(L, 2);
        lua_call(L, 0, 1);
    }
    text = options->step ? lua_tostring(L, -1) : NULL;
    if (options->step && !text)
        script_raise(L, "step: the function gave %s; a string is right", luaL_typename(L, -1));
    if (options->step && !options->step(options->ctx, label, text))
        script_raise_status(L, SCRIPT_FAILED, "step: ended at the terminal");
    lua_pushboolean(L, options->step != NULL);
    return 1;
}

void script_open_include(lua_State *L)
{
    lua_register(L, "include", call_include);
}
