/* SPDX-License-Identifier: MIT */
/* string.format and string.rep without native addresses and without loops that no limit can stop. */
#include <string.h>

#include "sim/script/session.h"

/* Whether a format has a %p conversion: it would print an address. */
static bool format_has_pointer(const char *format)
{
    for (; *format; format++) {
        if (*format != '%')
            continue;
        format++;
        format += strspn(format, "-+ #0123456789.");
        if (*format == 'p')
            return true;
        if (!*format)
            return false;
    }
    return false;
}

static int call_format(lua_State *L)
{
    int count = lua_gettop(L);

    if (format_has_pointer(luaL_checkstring(L, 1)))
        script_raise(L, "string.format: %%p prints an address, which differs from run to run; %%s gives a name");
    for (int i = 2; i <= count; i++) {
        int type = lua_type(L, i);

        if (type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TNIL || type == LUA_TBOOLEAN)
            continue;
        script_push_string(L, i);
        lua_replace(L, i);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, count, 1);
    return 1;
}

/* Lua's own loops n times even if there is nothing to repeat. */
static int call_rep(lua_State *L)
{
    size_t length, separator = 0;

    luaL_checklstring(L, 1, &length);
    luaL_checkinteger(L, 2);
    if (!lua_isnoneornil(L, 3))
        luaL_checklstring(L, 3, &separator);
    if (length + separator == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static void wrap(lua_State *L, const char *name, lua_CFunction call)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, call, 1);
    lua_setfield(L, -2, name);
}

void script_open_strings(lua_State *L)
{
    lua_getglobal(L, LUA_STRLIBNAME);
    wrap(L, "format", call_format);
    wrap(L, "rep", call_rep);
    lua_pop(L, 1);
}
