/* SPDX-License-Identifier: MIT */
/*
 * Our matcher against Lua's own (in a state of its own), on a list of cases and on random patterns over a small
 * alphabet: results, positions and whether there is an error must agree.
 */
#include "sim/script/test_run.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* Prints the outcome of each call; runs on both sides. */
static const char probe[] =
    "local subjects, patterns, show = ...\n"
    "local function try(f, ...)\n"
    "  local r = table.pack(pcall(f, ...))\n"
    "  if not r[1] then show('error') return end\n"
    "  for i = 1, r.n do r[i] = tostring(r[i]) end\n"
    "  show(table.concat(r, '|', 1, r.n) .. '.')\n"
    "end\n"
    "for _, s in ipairs(subjects) do\n"
    "  for _, p in ipairs(patterns) do\n"
    "    try(string.find, s, p) try(string.match, s, p, 2) try(string.find, s, p, -2)\n"
    "    try(string.find, s, p, 1, true)\n"
    "    try(string.gsub, s, p, '<%0>') try(string.gsub, s, p, '[%1]', 2)\n"
    "    try(string.gsub, s, p, function(a, b) return b end)\n"
    "    try(function() local t = {} for a, b in s:gmatch(p) do t[#t + 1] = tostring(a) .. tostring(b) end\n"
    "      return table.concat(t, ',') end)\n"
    "  end\n"
    "end\n";

static int show_call(lua_State *L)
{
    g_string_append_printf(lua_touserdata(L, lua_upvalueindex(1)), "%s\n", lua_tostring(L, 1));
    return 0;
}

/* Lua source of a list of strings. */
static char *list_source(GPtrArray *strings)
{
    GString *out = g_string_new("{");

    for (guint i = 0; i < strings->len; i++)
        g_string_append_printf(out, "[==[%s]==],", (const char *)g_ptr_array_index(strings, i));
    g_string_append_c(out, '}');
    return g_string_free(out, FALSE);
}

/* The first line that differs alone: the whole would be too long for a message. */
static void first_difference(const char *ours, const char *theirs)
{
    size_t i = 0, line = 0;

    for (; ours[i] && ours[i] == theirs[i]; i++)
        line = ours[i] == '\n' ? i + 1 : line;
    ck_assert_msg(ours[i] == theirs[i], "ours %.*s, Lua's %.*s", (int)strcspn(ours + line, "\n"), ours + line,
                  (int)strcspn(theirs + line, "\n"), theirs + line);
}

static void agree(GPtrArray *subjects, GPtrArray *patterns)
{
    g_autofree char *s = list_source(subjects), *p = list_source(patterns);
    g_autofree char *theirs = g_strdup_printf("local a, b = %s, %s; (load(...))(a, b, show)", s, p);
    g_autofree char *ours = g_strdup_printf("local a, b = %s, %s; (load([===[%s]===]))(a, b, log)", s, p, probe);
    GString *lua_says = g_string_new(NULL);
    struct test_run run = test_run_options((struct script_options){ 0 }, ours);
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    lua_pushlightuserdata(L, lua_says);
    lua_pushcclosure(L, show_call, 1);
    lua_setglobal(L, "show");
    ck_assert_int_eq(luaL_loadstring(L, theirs), LUA_OK);
    lua_pushstring(L, probe);
    ck_assert_msg(lua_pcall(L, 1, 0, 0) == LUA_OK, "%s", lua_tostring(L, -1));
    lua_close(L);
    ck_assert_msg(run.status == SCRIPT_OK, "%s", run.message);
    first_difference(run.output->str, lua_says->str);
    g_string_free(lua_says, TRUE);
    test_run_free(&run);
}

static GPtrArray *strings_of(const char *const *list, size_t count)
{
    GPtrArray *strings = g_ptr_array_new();

    for (size_t i = 0; i < count; i++)
        g_ptr_array_add(strings, (gpointer)list[i]);
    return strings;
}

START_TEST(the_manuals_constructs_agree_with_lua)
{
    static const char *const subjects[] = {
        "", "a", "hello world", "key = value, other=7", "THE (quick) fox", "  trim  ", "a.b-c[d]e^f$g%h", "0x1F 12 -3",
        "(a(b)c)(d", "aaa", "abcabc", "x\ty\nz", "1,2,,3",
    };
    static const char *const patterns[] = {
        "", ".", "a*", "a+", "a-", "a?", "^a", "a$", "^$", "^.-$", "%a+", "%A+", "%d", "%s*", "%S+", "%w+%s*=%s*%w+",
        "(%w+)%s*=%s*(%w+)", "%b()", "%f[%w]%w+", "%f[%W]", "()%a()", "(a)(b)(c)", "(%a)%1", "[abc]", "[^abc]",
        "[a-c]+", "[]]", "[^]]", "[a-]", "[%a-z]", "[%w_]+", "%.", "%%", "[%]]", "(a*(.)%w(%s*))", "^(%s*)(.-)%s*$",
        "[^,]*", ",?", "%x%x", "%u%l", "%p", "%c", "%g+", "(", ")", "(()", "%", "[", "[a", "[%", "%b", "%bx", "%f",
        "%fa", "%1", "%9", "(%1)", "a**", "^*", "$", "$a", "-", "x-y", "[a-%a]", "a]", "%z",
    };
    GPtrArray *s = strings_of(subjects, G_N_ELEMENTS(subjects)), *p = strings_of(patterns, G_N_ELEMENTS(patterns));

    agree(s, p);
    g_ptr_array_unref(s);
    g_ptr_array_unref(p);
}
END_TEST

static void add_random(GRand *random, GPtrArray *strings, const char *alphabet, gint longest)
{
    GString *text = g_string_new(NULL);
    gint length = g_rand_int_range(random, 0, longest + 1);

    for (gint i = 0; i < length; i++)
        g_string_append_c(text, alphabet[g_rand_int_range(random, 0, (gint32)strlen(alphabet))]);
    g_ptr_array_add(strings, g_string_free(text, FALSE));
}

START_TEST(random_patterns_agree_with_lua)
{
    GRand *random = g_rand_new_with_seed(10);
    GPtrArray *subjects = g_ptr_array_new_with_free_func(g_free), *patterns = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; i < 12; i++)
        add_random(random, subjects, "aab1 (.)", 10);
    for (unsigned i = 0; i < 3000; i++)
        add_random(random, patterns, "aab1.*+-?()[]^$%%wdfb", 8);
    agree(subjects, patterns);
    g_ptr_array_unref(subjects);
    g_ptr_array_unref(patterns);
    g_rand_free(random);
}
END_TEST

UNIT_TESTS("pattern", the_manuals_constructs_agree_with_lua, random_patterns_agree_with_lua)
