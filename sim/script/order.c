/* SPDX-License-Identifier: MIT */
/*
 * What would otherwise show hash order or native addresses: pairs and next go by sorted keys, and tables,
 * functions, coroutines and machines print as "table 1", numbered in the order of their first printing.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/script/session.h"

static const char name_registry = 0; /* its address is the registry's key */

/* ---- Stable names ---------------------------------------------------------------------------- */

/* Number of the object at `index` among its type, given at first use. */
static lua_Integer object_number(lua_State *L, int index)
{
    lua_Integer number;

    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &name_registry);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TNUMBER) {
        number = lua_tointeger(L, -1);
        lua_pop(L, 2);
        return number;
    }
    lua_pop(L, 1);
    lua_rawgeti(L, -1, lua_type(L, index)); /* the type's last number; the keys are objects, never integers */
    number = lua_tointeger(L, -1) + 1;
    lua_pop(L, 1);
    lua_pushinteger(L, number);
    lua_rawseti(L, -2, lua_type(L, index));
    lua_pushvalue(L, index);
    lua_pushinteger(L, number);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return number;
}

const char *script_push_string(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
        return luaL_tolstring(L, index, NULL);
    default:
        if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
            lua_pop(L, 1);
            return luaL_tolstring(L, index, NULL);
        }
        return lua_pushfstring(L, "%s %I", luaL_typename(L, index), (LUAI_UACINT)object_number(L, index));
    }
}

static int call_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    script_push_string(L, 1);
    return 1;
}

/* ---- Order of keys --------------------------------------------------------------------------- */

struct key {
    int rank; /* numbers, strings, booleans, then objects by type */
    bool integer;
    lua_Integer i;
    lua_Number n;
    const char *text;
    size_t length;
};

static void key_read(lua_State *L, int index, struct key *key)
{
    int type = lua_type(L, index);

    memset(key, 0, sizeof(*key));
    key->rank = type == LUA_TNUMBER ? -2 : type == LUA_TSTRING ? -1 : type;
    if (type == LUA_TNUMBER) {
        key->integer = lua_isinteger(L, index);
        key->i = lua_tointeger(L, index);
        key->n = lua_tonumber(L, index);
    } else if (type == LUA_TSTRING) {
        key->text = lua_tolstring(L, index, &key->length);
    } else {
        key->integer = true;
        key->i = type == LUA_TBOOLEAN ? lua_toboolean(L, index) : object_number(L, index);
    }
}

static int key_compare(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    int order;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->text) {
        order = memcmp(a->text, b->text, MIN(a->length, b->length));
        return order ? order : (a->length > b->length) - (a->length < b->length);
    }
    if (a->integer && b->integer)
        return (a->i > b->i) - (a->i < b->i);
    return (a->n > b->n) - (a->n < b->n);
}

/* next(t [, k]): the smallest key above k. A scan of the table: for loops, pairs is the quicker one. */
static int call_next(lua_State *L)
{
    struct key after = { 0 }, best = { 0 }, key;
    bool first, found = false;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    first = lua_isnil(L, 2);
    if (!first)
        key_read(L, 2, &after);
    lua_pushnil(L); /* 3: the best key so far */
    lua_pushnil(L); /* 4: its value */
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        key_read(L, -2, &key);
        if ((first || key_compare(&key, &after) > 0) && (!found || key_compare(&key, &best) < 0)) {
            found = true;
            best = key;
            lua_pushvalue(L, -2);
            lua_replace(L, 3);
            lua_pushvalue(L, -1);
            lua_replace(L, 4);
        }
        lua_pop(L, 1);
    }
    return found ? 2 : 1;
}

/* Upvalues: the table, its keys in order, the position. A key whose value has become nil is left out. */
static int pairs_step(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));

    for (;;) {
        at++;
        if (lua_rawgeti(L, lua_upvalueindex(2), at) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
            break;
        lua_pop(L, 2);
    }
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(3));
    return 2;
}

struct sortable {
    struct key key;
    lua_Integer at; /* where the key itself stands in the unsorted list */
};

static int call_pairs(lua_State *L)
{
    lua_Integer count = 0;
    struct sortable *keys;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L); /* 2: keys as found */
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++count);
    }
    keys = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof(*keys), 0); /* 3 */
    for (lua_Integer i = 0; i < count; i++) {
        lua_rawgeti(L, 2, i + 1);
        key_read(L, -1, &keys[i].key);
        keys[i].at = i + 1;
        lua_pop(L, 1);
    }
    qsort(keys, (size_t)count, sizeof(*keys), key_compare); /* the key is the first member */
    lua_createtable(L, (int)MIN(count, 1 << 20), 0); /* 4: keys in order */
    for (lua_Integer i = 0; i < count; i++) {
        lua_rawgeti(L, 2, keys[i].at);
        lua_rawseti(L, 4, i + 1);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 4);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_step, 3);
    return 1;
}

void script_open_order(lua_State *L)
{
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "k"); /* names do not keep their objects alive */
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &name_registry);
    lua_register(L, "tostring", call_tostring);
    lua_register(L, "pairs", call_pairs);
    lua_register(L, "next", call_next);
}
