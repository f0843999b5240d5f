/* SPDX-License-Identifier: MIT */
/* Errors with their place, and the named arguments of calls: every key known, every value of its kind. */
#include <inttypes.h>
#include <string.h>

#include "sim/script/session.h"

/* ---- Errors ---------------------------------------------------------------------------------- */

void script_push_where(lua_State *L)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushfstring(L, "%s: ", script_of(L)->options->file);
}

/* The whole message is built by GLib, then copied into Lua: nothing is lost when lua_error jumps. */
static int raise_text(lua_State *L, int status, char *text)
{
    struct script *script = script_of(L);

    script_push_where(L);
    lua_pushstring(L, text);
    g_free(text);
    lua_concat(L, 2);
    g_free(script->raised_message);
    script->raised_message = g_strdup(lua_tostring(L, -1));
    script->raised_status = status;
    return lua_error(L);
}

int script_raise(lua_State *L, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    raise_text(L, SCRIPT_USER, text);
    abort();
}

int script_raise_status(lua_State *L, int status, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    raise_text(L, status, text);
    abort();
}

int script_raise_error(lua_State *L, const char *call, GError *error)
{
    char *text = g_strdup_printf("%s: %s", call, error ? error->message : "failed");

    g_clear_error(&error);
    raise_text(L, SCRIPT_USER, text);
    abort();
}

/* ---- Named arguments ------------------------------------------------------------------------- */

static bool is_parsed(lua_State *L, int index, bool (*parse)(const char *, uint64_t *))
{
    uint64_t value;

    return lua_type(L, index) == LUA_TSTRING && parse(lua_tostring(L, index), &value);
}

static bool value_is(lua_State *L, int index, enum arg_kind kind)
{
    switch (kind) {
    case ARG_STRING: return lua_type(L, index) == LUA_TSTRING;
    case ARG_INTEGER: return lua_isinteger(L, index);
    case ARG_BOOLEAN: return lua_isboolean(L, index);
    case ARG_TABLE: return lua_istable(L, index);
    case ARG_FUNCTION: return lua_isfunction(L, index);
    case ARG_TIME: return is_parsed(L, index, script_parse_time);
    case ARG_BYTES:
        return (lua_isinteger(L, index) && lua_tointeger(L, index) >= 0) || is_parsed(L, index, script_parse_bytes);
    default: return true;
    }
}

static const char *kind_right(enum arg_kind kind)
{
    static const char *const right[] = {
        [ARG_STRING] = "a string", [ARG_INTEGER] = "an integer", [ARG_BOOLEAN] = "true or false",
        [ARG_TABLE] = "a table", [ARG_FUNCTION] = "a function", [ARG_TIME] = "a time with its unit, such as \"5ms\"",
        [ARG_BYTES] = "bytes, such as \"64K\", \"512M\" or \"4G\"", [ARG_ANY] = "a value",
    };

    return right[kind];
}

static const struct arg_key *key_find(const struct arg_key *keys, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static void raise_unknown_key(lua_State *L, const char *call, const char *name, const struct arg_key *keys,
                              size_t count)
{
    const char *names[64] = { NULL };
    const char *near;
    luaL_Buffer list;

    for (size_t i = 0; i < count && i < G_N_ELEMENTS(names); i++)
        names[i] = keys[i].name;
    near = script_nearest(name, names, MIN(count, G_N_ELEMENTS(names)));
    if (near)
        script_raise(L, "%s: unknown key '%s'; did you mean '%s'?", call, name, near);
    luaL_buffinit(L, &list);
    for (size_t i = 0; i < count; i++) {
        if (i)
            luaL_addstring(&list, ", ");
        luaL_addstring(&list, keys[i].name);
    }
    luaL_pushresult(&list);
    script_raise(L, "%s: unknown key '%s'; it takes %s", call, name, lua_tostring(L, -1));
}

void args_check(lua_State *L, int index, const char *call, const struct arg_key *keys, size_t count)
{
    index = lua_absindex(L, index);
    if (!lua_istable(L, index))
        script_raise(L, "%s: found %s; a table with named values is right: %s{%s=...}", call,
                     luaL_typename(L, index), call, keys[0].name);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        const struct arg_key *key;

        if (lua_type(L, -2) != LUA_TSTRING) {
            lua_pushvalue(L, -2);
            script_raise(L, "%s: a value without a name ([%s]); name it, such as %s{%s=...}", call,
                         script_push_string(L, -1), call, keys[0].name);
        }
        key = key_find(keys, count, lua_tostring(L, -2));
        if (!key)
            raise_unknown_key(L, call, lua_tostring(L, -2), keys, count);
        if (!value_is(L, -1, key->kind))
            script_raise(L, "%s: %s is %s; it is %s", call, key->name, script_push_string(L, -1),
                         key->right ? key->right : kind_right(key->kind));
        lua_pop(L, 1);
    }
}

int arg_push(lua_State *L, int index, const char *name)
{
    if (!index) {
        lua_pushnil(L);
        return LUA_TNIL;
    }
    index = lua_absindex(L, index);
    lua_pushstring(L, name);
    return lua_rawget(L, index);
}

bool arg_has(lua_State *L, int index, const char *name)
{
    bool has = arg_push(L, index, name) != LUA_TNIL;

    lua_pop(L, 1);
    return has;
}

uint64_t arg_integer(lua_State *L, int index, const char *name, uint64_t otherwise)
{
    uint64_t value = arg_push(L, index, name) == LUA_TNIL ? otherwise : (uint64_t)lua_tointeger(L, -1);

    lua_pop(L, 1);
    return value;
}

bool arg_boolean(lua_State *L, int index, const char *name, bool otherwise)
{
    bool value = arg_push(L, index, name) == LUA_TNIL ? otherwise : lua_toboolean(L, -1);

    lua_pop(L, 1);
    return value;
}

uint64_t arg_time(lua_State *L, int index, const char *name, uint64_t otherwise)
{
    uint64_t value = otherwise;

    if (arg_push(L, index, name) == LUA_TSTRING)
        script_parse_time(lua_tostring(L, -1), &value);
    lua_pop(L, 1);
    return value;
}

uint64_t arg_bytes(lua_State *L, int index, const char *name, uint64_t otherwise)
{
    uint64_t value = otherwise;
    int type = arg_push(L, index, name);

    if (type == LUA_TSTRING)
        script_parse_bytes(lua_tostring(L, -1), &value);
    else if (type == LUA_TNUMBER)
        value = (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

const char *arg_string(lua_State *L, int index, const char *name, const char *otherwise)
{
    const char *value = arg_push(L, index, name) == LUA_TSTRING ? lua_tostring(L, -1) : otherwise;

    lua_pop(L, 1);
    return value;
}
