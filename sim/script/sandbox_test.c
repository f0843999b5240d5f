/* SPDX-License-Identifier: MIT */
/* What a scenario cannot do, what it always sees the same way, and how it is told so. */
#include "sim/script/test_run.h"

START_TEST(nothing_outside_is_in_reach)
{
    static const char *const absent[] = { "os", "io", "debug", "package", "dofile", "loadfile",
                                          "collectgarbage", "getmetatable", "setmetatable", "warn" };

    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
        g_autofree char *text = g_strdup_printf("local x = 1\nreturn %s", absent[i]);
        struct test_run run = test_run_options((struct script_options){ 0 }, text);
        g_autofree char *line = g_strdup_printf("t.lua:2: %s is not available: ", absent[i]);

        ck_assert_int_eq(run.status, SCRIPT_USER);
        ck_assert_msg(g_str_has_prefix(run.message, line), "%s", run.message);
        test_run_free(&run);
    }
}
END_TEST

START_TEST(no_way_round_leads_to_what_is_absent)
{
    prints("log(rawget(_G, 'os'), rawget(_G, 'io'), string.dump)", "nil nil nil\n");
    prints("log(pcall(load, '\\27Lua'))", "false t.lua:1: load: bytecode; a scenario loads text only\n");
    prints("local n = 0\n"
           "log(load(function() n = n + 1; return n == 1 and '\\27Lua' or nil end))",
           "nil attempt to load a binary chunk (mode is 't')\n");
    prints("log(load('return 1 + 1', 'x', 'b')())", "2\n"); /* the mode is ours */
    prints("log(load('return a', 'x', 't', {a = 5})())", "5\n");
    prints("log(pcall(load('return io')))", "false (load):1: io is not available: nothing outside the machine is in "
           "reach of a scenario; log() prints\n");
    prints("log(pcall(string.format, '%p', {}))", "false t.lua:1: string.format: %p prints an address, which differs "
           "from run to run; %s gives a name\n");
    prints("log(pcall(string.format, '%-20p', {}))", "false t.lua:1: string.format: %p prints an address, which "
           "differs from run to run; %s gives a name\n");
    prints("log(string.format('%% p %5.1f', 1))", "% p   1.0\n");
}
END_TEST

START_TEST(addresses_never_print)
{
    prints("local t, f = {}, function() end\n"
           "log(t, f, {}, t, print, coroutine.create(f))\n"
           "log(tostring(t), string.format('%s|%10s', f, t))",
           "table 1 function 1 table 2 table 1 function 2 thread 1\n"
           "table 1 function 1|   table 1\n");
    fails(SCRIPT_USER, "error({})", "t.lua:1: error object: table 1");
    fails(SCRIPT_USER, "local t = {} .. 'x'", "t.lua:1: attempt to concatenate a table value");
}
END_TEST

START_TEST(pairs_and_next_go_by_sorted_keys)
{
    prints("local t = {b = 1, [3] = 2, a = 3, [-1] = 4, [1.5] = 5, [true] = 6, [false] = 7, aa = 8}\n"
           "for k, v in pairs(t) do log(k, v) end\n"
           "log(next(t), next({}), next(t, 'b'))",
           "-1 4\n1.5 5\n3 2\na 3\naa 8\nb 1\nfalse 7\ntrue 6\n-1 nil false 7\n");
    prints("local t = {}\n"
           "for i = 1000, 1, -1 do t['k' .. i] = i end\n"
           "local last = ''\n"
           "for k in pairs(t) do assert(k > last); last = k end\n"
           "log(last)", "k999\n");
    prints("local t = {a = 1, b = 2, c = 3}\n"
           "for k in pairs(t) do t.b = nil; log(k) end", "a\nc\n");
}
END_TEST

START_TEST(random_numbers_are_the_same_every_time)
{
    const char *text = "log(math.random(1 << 40), math.random(1 << 40))";
    struct test_run a = test_run_options((struct script_options){ 0 }, text);
    struct test_run b = test_run_options((struct script_options){ 0 }, text);

    ck_assert_str_eq(a.output->str, b.output->str);
    ck_assert_ptr_nonnull(strchr(a.output->str, ' '));
    fails(SCRIPT_USER, "math.randomseed()", "t.lua:1: math.randomseed: no seed; give a number, so that every run is "
          "the same");
    prints("math.randomseed(1); local a = math.random(1000); math.randomseed(1); log(a == math.random(1000))",
           "true\n");
    test_run_free(&a);
    test_run_free(&b);
}
END_TEST

START_TEST(runaway_scripts_end)
{
    exhausts("while true do end");
    exhausts("while true do pcall(function() while true do end end) end");
    exhausts("local function f() return pcall(f) end while true do f() end");
    exhausts("local c = coroutine.wrap(function() while true do end end) while true do pcall(c) end");
    exhausts("for i = 1, 1e9 do coroutine.wrap(function() while true do end end)() end");
    exhausts("local t = {} for i = 1, 1e9 do t[i] = i end");
    exhausts("local s = 'x' while true do s = s .. s end");
    exhausts("local s = ('x'):rep(1e9)");
    exhausts("load(function() return 'x = 1 ' end)");
    exhausts("local t = {} for i = 1, 1e9 do t[i] = machine end");
}
END_TEST

/* Loops inside one call, where Lua's own instruction count does not reach. */
START_TEST(runaway_calls_end)
{
    exhausts("string.find(('a'):rep(5000), ('.-'):rep(20) .. 'b')");
    exhausts("string.find(('a'):rep(100), ('a?'):rep(100) .. ('a'):rep(101))");
    exhausts("string.gsub(('a'):rep(100000), '.-b', 'x')");
    exhausts("for i = 1, 1e9 do local s = ('a'):rep(1000000) end");
    exhausts("for w in ('a'):rep(100000):gmatch('.-b') do end");
    fails(SCRIPT_USER, "table.move({}, 1, math.maxinteger - 1, 2)",
          "t.lua:1: table.move: 9223372036854775806 elements; 10000000 is the limit");
    prints("log(#(''):rep(1 << 60), ('ab'):rep(2, '-'))", "0 ab-ab\n");
}
END_TEST

START_TEST(deep_nesting_is_an_error_of_the_script)
{
    struct test_run run = test_run_options((struct script_options){ 0 }, "local function f() return f() + 1 end f()");

    ck_assert_msg(strstr(run.message, "t.lua:1: stack overflow") != NULL, "%s", run.message);
    test_run_free(&run);
    run = test_run_options((struct script_options){ 0 }, "local s = ('('):rep(100000) load(s .. '1')()");
    ck_assert_int_eq(run.status, SCRIPT_USER);
    test_run_free(&run);
    run = test_run_options((struct script_options){ 0 }, "string.find(('('):rep(300), ('%('):rep(300))\n"
                           "string.find('x', ('('):rep(31) .. 'x')");
    ck_assert_str_eq(run.message, "t.lua:2: malformed pattern: a '(' without its ')'");
    test_run_free(&run);
}
END_TEST

START_TEST(a_misspelt_name_is_told_with_the_nearest)
{
    fails(SCRIPT_USER, "\nmaschine{}", "t.lua:2: nothing is called 'maschine'; did you mean 'machine'?");
    fails(SCRIPT_USER, "log(zzzzzzzz)", "t.lua:1: nothing is called 'zzzzzzzz'; assign it first (doc/scenarios.md "
          "lists the calls)");
    prints("x = nil; y = 5; log(y)", "5\n");
}
END_TEST

START_TEST(a_syntax_error_names_its_line)
{
    fails(SCRIPT_USER, "local x = \n= 5", "t.lua:2: unexpected symbol near '='");
    fails(SCRIPT_USER, "\033Lua", "t.lua:1: bytecode; a scenario is Lua text");
}
END_TEST

START_TEST(parameters_arrive_and_unread_ones_are_mistakes)
{
    const char *const given[] = { "backing=4k", "fast", NULL };
    const char *const wrong[] = { "bakcing=4k", NULL };
    struct test_run run = test_run_options((struct script_options){ .parameters = given },
                                           "log(param.backing, param.fast, param.guest)");

    ck_assert_str_eq(run.output->str, "4k true nil\n");
    ck_assert_int_eq(run.status, SCRIPT_OK);
    test_run_free(&run);
    run = test_run_options((struct script_options){ .parameters = wrong }, "log(param.backing)");
    ck_assert_int_eq(run.status, SCRIPT_USER);
    ck_assert_str_eq(run.message, "-s bakcing: t.lua reads no such parameter; did you mean 'backing'?");
    test_run_free(&run);
    fails(SCRIPT_USER, "param.x = 1", "t.lua:1: param is what -s key=value gave; use a variable of your own");
}
END_TEST

START_TEST(until_may_be_a_key)
{
    prints("local t = {until = 5, x = {until= 6}}\n"
           "log(t['until'], t.x['until'], 'until = 7', \"until=8\", [==[until = ]] 9]==])\n"
           "-- until = 10\n"
           "--[[ until = 11 ]] repeat local untilx = 1 until untilx == 1\n"
           "local until_ = 2; log(until_) repeat until 3==3",
           "5 6 until = 7 until=8 until = ]] 9\n2\n");
}
END_TEST

START_TEST(expectations_are_counted_and_told)
{
    struct test_run run = test_run_options((struct script_options){ 0 },
                                           "expect(24, {equals = 24, name = 'references'})\n"
                                           "expect(23, {equals = 24, name = 'references'})\n"
                                           "expect(1 == 2)\n"
                                           "expect(5, {at_least = 6})\n"
                                           "expect('abc', {matches = 'x'})\n"
                                           "log(expect(true, 'fine'), expect(7, {at_most = 7, differs = 8}))");

    ck_assert_int_eq(run.status, SCRIPT_FAILED);
    ck_assert_str_eq(run.output->str,
                     "t.lua:2: expected references: found 23; 24 would be right\n"
                     "t.lua:3: expected: it does not hold\n"
                     "t.lua:4: expected: found 5; at least 6 would be right\n"
                     "t.lua:5: expected: found abc; a text with \"x\" in it would be right\n"
                     "true true\n");
    ck_assert_str_eq(run.message, "");
    test_run_free(&run);
    fails(SCRIPT_USER, "expect(1, {equals = nil, name = 'x'})",
          "t.lua:1: expect: no condition; one of equals, differs, at_least, at_most, matches is right, and for nil "
          "expect(value == nil, name)");
    fails(SCRIPT_USER, "expect(1, {equal = 1})", "t.lua:1: expect: unknown key 'equal'; did you mean 'equals'?");
}
END_TEST

UNIT_TESTS("sandbox", nothing_outside_is_in_reach, no_way_round_leads_to_what_is_absent, addresses_never_print,
           pairs_and_next_go_by_sorted_keys, random_numbers_are_the_same_every_time, runaway_scripts_end,
           runaway_calls_end, deep_nesting_is_an_error_of_the_script, a_misspelt_name_is_told_with_the_nearest,
           a_syntax_error_names_its_line, parameters_arrive_and_unread_ones_are_mistakes, until_may_be_a_key,
           expectations_are_counted_and_told)
