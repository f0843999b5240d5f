/* SPDX-License-Identifier: MIT */
/* string.find, match, gmatch and gsub over our own matcher. */
#include <string.h>

#include "sim/script/pattern.h"

/* Where to begin: `init` counts from 1, from the end if negative. */
static size_t start_offset(lua_Integer init, size_t size)
{
    if (init > 0)
        return (size_t)init - 1;
    if (init == 0 || (lua_Unsigned)-init > size)
        return 0;
    return size - (size_t)-init;
}

/* The first match from `at` on. Gives its start and *end, or NULL. An anchored pattern matches at `at` alone. */
static const char *search(struct pattern_match *match, const char *at, const char *pattern, const char **end)
{
    bool anchored = pattern < match->pattern_end && *pattern == '^';

    for (;; at++) {
        match->captures = 0;
        match->depth = 0;
        *end = pattern_match_at(match, at, pattern + anchored);
        if (*end)
            return at;
        if (anchored || at >= match->subject_end)
            return NULL;
    }
}

/* As g_strstr_len, for text with zero bytes. */
static const char *find_plain(const char *text, size_t size, const char *word, size_t word_size)
{
    for (; size >= word_size; text++, size--) {
        const char *first = word_size ? memchr(text, *word, size - word_size + 1) : text;

        if (!first)
            return NULL;
        size -= (size_t)(first - text);
        text = first;
        if (memcmp(text, word, word_size) == 0)
            return text;
    }
    return NULL;
}

static bool has_specials(const char *pattern, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (pattern[i] && strchr("^$*+?.([%-", pattern[i]))
            return true;
    }
    return false;
}

static int find_or_match(lua_State *L, bool find)
{
    size_t size, pattern_size, offset;
    const char *subject = luaL_checklstring(L, 1, &size), *pattern = luaL_checklstring(L, 2, &pattern_size);
    const char *start, *end;
    struct pattern_match match;

    offset = start_offset(luaL_optinteger(L, 3, 1), size);
    if (offset > size) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || !has_specials(pattern, pattern_size))) {
        start = find_plain(subject + offset, size - offset, pattern, pattern_size);
        end = start ? start + pattern_size : NULL;
        match.captures = 0;
        match.L = L;
    } else {
        pattern_init(&match, L, subject, size, pattern, pattern_size);
        start = search(&match, subject + offset, pattern, &end);
    }
    if (!start) {
        lua_pushnil(L);
        return 1;
    }
    if (!find)
        return pattern_push_captures(&match, start, end, true);
    lua_pushinteger(L, start - subject + 1);
    lua_pushinteger(L, end - subject);
    return pattern_push_captures(&match, start, end, false) + 2;
}

static int call_find(lua_State *L)
{
    return find_or_match(L, true);
}

static int call_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* ---- gmatch ---------------------------------------------------------------------------------- */

/* Upvalues: subject, pattern, offset to go on at, end of the last match (an empty one may not touch it). */
static int gmatch_step(lua_State *L)
{
    size_t size, pattern_size;
    const char *subject = lua_tolstring(L, lua_upvalueindex(1), &size);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_size);
    size_t offset = (size_t)lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    struct pattern_match match;

    pattern_init(&match, L, subject, size, pattern, pattern_size);
    for (; offset <= size; offset++) {
        const char *end;

        match.captures = 0;
        match.depth = 0;
        end = pattern_match_at(&match, subject + offset, pattern);
        if (!end || end - subject == last)
            continue;
        lua_pushinteger(L, end - subject);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return pattern_push_captures(&match, subject + offset, end, true);
    }
    return 0;
}

static int call_gmatch(lua_State *L)
{
    size_t size, offset;

    luaL_checklstring(L, 1, &size);
    luaL_checkstring(L, 2);
    offset = start_offset(luaL_optinteger(L, 3, 1), size);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)MIN(offset, size + 1));
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_step, 4);
    return 1;
}

/* ---- gsub ------------------------------------------------------------------------------------ */

/* The replacement text with %0 ... %9 and %% filled in. */
static void add_text(struct pattern_match *match, luaL_Buffer *out, const char *start, const char *end)
{
    size_t size;
    const char *text = lua_tolstring(match->L, 3, &size), *stop = text + size;

    for (; text < stop; text++) {
        if (*text != '%') {
            luaL_addchar(out, *text);
            continue;
        }
        text++;
        if (text < stop && *text == '%') {
            luaL_addchar(out, '%');
        } else if (text < stop && *text == '0') {
            luaL_addlstring(out, start, (size_t)(end - start));
        } else if (text < stop && g_ascii_isdigit(*text)) {
            pattern_push_capture(match, *text - '1', start, end);
            luaL_tolstring(match->L, -1, NULL);
            lua_remove(match->L, -2);
            luaL_addvalue(out);
        } else {
            script_raise(match->L, "string.gsub: '%%' in the replacement is followed by a digit or '%%'");
        }
    }
}

/* What a table or a function gives for the match; false and nil keep the text. */
static void add_looked_up(struct pattern_match *match, luaL_Buffer *out, const char *start, const char *end)
{
    lua_State *L = match->L;

    if (lua_istable(L, 3)) {
        pattern_push_capture(match, 0, start, end);
        lua_gettable(L, 3);
    } else {
        int count;

        lua_pushvalue(L, 3);
        count = pattern_push_captures(match, start, end, true);
        lua_call(L, count, 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, start, (size_t)(end - start));
    } else if (!lua_isstring(L, -1)) {
        script_raise(L, "string.gsub: the replacement is %s; a string or a number is right", luaL_typename(L, -1));
    }
    luaL_addvalue(out);
}

static void check_replacement(lua_State *L)
{
    int type = lua_type(L, 3);

    if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TTABLE && type != LUA_TFUNCTION)
        script_raise(L, "string.gsub: the replacement is %s; a string, a table or a function is right",
                     luaL_typename(L, 3));
    if (type == LUA_TNUMBER)
        lua_tostring(L, 3); /* in place */
}

static int call_gsub(lua_State *L)
{
    size_t size, pattern_size;
    const char *subject = luaL_checklstring(L, 1, &size), *pattern = luaL_checklstring(L, 2, &pattern_size);
    const char *at = subject, *stop = subject + size, *last = NULL;
    lua_Integer limit, count = 0;
    bool anchored = pattern_size && *pattern == '^';
    struct pattern_match match;
    luaL_Buffer out;

    check_replacement(L);
    limit = luaL_optinteger(L, 4, (lua_Integer)size + 1);
    pattern_init(&match, L, subject, size, pattern, pattern_size);
    luaL_buffinit(L, &out);
    while (count < limit) {
        const char *end;

        match.captures = 0;
        match.depth = 0;
        end = pattern_match_at(&match, at, pattern + anchored);
        if (end && end != last) {
            count++;
            if (lua_type(L, 3) == LUA_TSTRING)
                add_text(&match, &out, at, end);
            else
                add_looked_up(&match, &out, at, end);
            at = last = end;
        } else if (at < stop) {
            luaL_addchar(&out, *at++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    luaL_addlstring(&out, at, (size_t)(stop - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

void script_open_patterns(lua_State *L)
{
    static const luaL_Reg calls[] = { { "find", call_find }, { "match", call_match }, { "gmatch", call_gmatch },
                                      { "gsub", call_gsub }, { NULL, NULL } };

    lua_getglobal(L, LUA_STRLIBNAME);
    luaL_setfuncs(L, calls, 0);
    lua_pop(L, 1);
}
