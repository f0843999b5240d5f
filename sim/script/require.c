/* SPDX-License-Identifier: MIT */
/*
 * require(NAME): what scenarios share. The file is lib/NAME.lua beside the scenario, or beside its directory, and NAME
 * a plain word, so that a script reaches no other file; it runs once, in the same sandbox, and its value is the same
 * for all who ask.
 */
#include <string.h>

#include "sim/script/session.h"

#define LIBRARY_LIMIT (UINT64_C(1) << 20)

static const char libraries_registry = 0; /* registry key: name -> value, or false while it loads */

static bool is_plain(const char *name)
{
    size_t length = name ? strlen(name) : 0;

    for (size_t i = 0; i < length; i++)
        if (!g_ascii_isalnum(name[i]) && name[i] != '_' && name[i] != '-')
            return false;
    return length > 0 && length < 64;
}

/* Pushes the file's function. */
static void push_library(lua_State *L, const char *name)
{
    g_autofree char *directory = g_path_get_dirname(script_of(L)->options->file);
    char *path = g_strconcat(directory, "/lib/", name, ".lua", NULL), *text;
    char *above = g_strconcat(directory, "/../lib/", name, ".lua", NULL);
    GError *error = NULL;
    GString *prepared;
    size_t size;
    int status;

    g_clear_pointer(&directory, g_free); /* errors leave without coming back */
    if (!g_file_test(path, G_FILE_TEST_EXISTS) && g_file_test(above, G_FILE_TEST_EXISTS))
        path = (g_free(path), g_strdup(above));
    g_clear_pointer(&above, g_free);
    lua_pushfstring(L, "@%s", path);
    if (!script_read_file(path, LIBRARY_LIMIT, &text, &size, &error)) {
        g_free(path);
        script_raise_error(L, "require", error);
    }
    g_free(path);
    prepared = script_source(text, size);
    g_free(text);
    status = prepared->len && prepared->str[0] == LUA_SIGNATURE[0] ? -1 :
             luaL_loadbufferx(L, prepared->str, prepared->len, lua_tostring(L, -1), "t");
    g_string_free(prepared, TRUE);
    if (status < 0)
        script_raise(L, "require: %s is bytecode; a library is Lua text", name);
    if (status != LUA_OK)
        lua_error(L);
}

static int call_require(lua_State *L)
{
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;

    lua_settop(L, 1);
    if (!is_plain(name))
        script_raise(L, "require: found %s; a plain name is right, of lib/NAME.lua beside the scenario",
                     script_push_string(L, 1));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &libraries_registry);
    if (lua_getfield(L, 2, name) == LUA_TBOOLEAN)
        script_raise(L, "require: %s asks for itself; libraries that need no one another are right", name);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pushboolean(L, false);
    lua_setfield(L, 2, name);
    push_library(L, name);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1) || lua_isboolean(L, -1))
        script_raise(L, "require: lib/%s.lua returns %s; a table of what it offers is right", name,
                     script_push_string(L, -1));
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}

void script_open_require(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &libraries_registry);
    lua_register(L, "require", call_require);
}
