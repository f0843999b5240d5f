/* SPDX-License-Identifier: MIT */
/* What COM1 writes as an event, included files, steps that somebody follows. */
#include "sim/script/test_images.h"

static void write_text(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
}

START_TEST(a_line_of_output_is_an_event)
{
    /* out 3F8h of the line's end is at 10003Fh, in flat mode of two bytes each: the next instruction is 100035h's */
    says("machine{} boot{kernel = 'count.img'}\n"
         "at({output = 'K'}, function(e) log('at', e.reason, e.line, ('%x'):format(reg('rip'))) end)\n"
         "local e = run{until = {output = 'OK'}} log(e.reason, e.line, #uart{})\n"
         "log(run{}.value)",
         "at output OK 100035\noutput OK 3\n7\n");
    says("machine{} boot{kernel = 'count.img'} at({output = 'NO'}, function() log('never') end)\n"
         "break_at{output = 'O'} log(run{}.reason, run{}.reason)", "output exit\n");
    ends(SCRIPT_LIMIT, "machine{} boot{kernel = 'echo.img'} uart{send = 'a line without an end'}\n"
         "run{until = {output = 'line'}, limit = '1ms'}",
         "t.lua:2: run: what it waits for has not come within 1000 us of machine time; raise limit=, or is the guest "
         "stuck?");
}
END_TEST

static void includes(const char *text, enum script_status status, const char *output)
{
    struct test_run run;

    make_images();
    write_text("part.lua", "log('once', param.size) local n = 0 return {next = function() n = n + 1 return n end}\n");
    write_text("loop.lua", "include('loop.lua')\n");
    write_text("bad.lua", "x =\n");
    run = run_text(text, ENGINE_FAST);
    ck_assert_msg(status == SCRIPT_OK ? strcmp(run.output->str, output) == 0 : g_str_has_suffix(run.message, output),
                  "%s%s", run.output->str, run.message);
    ck_assert_int_eq(run.status, status);
    test_run_free(&run);
    remove_images();
}

START_TEST(an_included_file_runs_once_and_gives_what_it_returned)
{
    g_autofree char *missing = NULL;

    includes("local a, b = include('part.lua'), include('part.lua') log(a == b, a.next(), b.next())", SCRIPT_OK,
             "once nil\ntrue 1 2\n");
    includes("include('../part.lua')", SCRIPT_USER,
             "t.lua:1: include: found ../part.lua; the name of a .lua file beside the scenario or below is right");
    includes("include('/etc/passwd')", SCRIPT_USER,
             "t.lua:1: include: found /etc/passwd; the name of a .lua file beside the scenario or below is right");
    includes("include('loop.lua')", SCRIPT_USER, "loop.lua:1: include: loop.lua includes itself");
    includes("include('bad.lua')", SCRIPT_USER, "bad.lua:2: unexpected symbol near <eof>");
}
END_TEST

/* Shown up to the second, then nobody wants more. */
static bool show(void *ctx, const char *label, const char *text)
{
    g_string_append_printf(ctx, "[%s|%s]\n", label, text);
    return strcmp(label, "end") != 0;
}

START_TEST(steps_are_shown_to_who_follows)
{
    static const char text[] = "log(step('1', 'one')) log(step('2', function() return 'two' end)) step('end', 'x') log('more')";
    struct test_run run = test_run_options((struct script_options){ .step = show }, text);

    ck_assert_str_eq(run.output->str, "[1|one]\ntrue\n[2|two]\ntrue\n[end|x]\n");
    ck_assert_int_eq(run.status, SCRIPT_FAILED);
    ck_assert_str_eq(run.message, "t.lua:1: step: ended at the terminal");
    test_run_free(&run);
    prints("log(step('1', 'one')) log(step('2', function() error('not called') end))", "false\nfalse\n");
    fails(SCRIPT_USER, "step('1', 5)", "t.lua:1: step: the text is number; a string, or a function that gives one, is right");
}
END_TEST

START_TEST(registers_of_a_bank_are_told_in_words)
{
    prints("log(mca_words(3, 0xB400000000000833, 0x1000))",
           "MC3 LS: uncorrected system data read error of a load, address 1000; bus, source, data read, memory, L3 or generic\n");
    fails(SCRIPT_USER, "mca_words(6, 0)", "t.lua:1: mca_words: bank 6; 0 to 5 are right");
}
END_TEST

UNIT_TESTS("steps", a_line_of_output_is_an_event, an_included_file_runs_once_and_gives_what_it_returned,
           steps_are_shown_to_who_follows, registers_of_a_bank_are_told_in_words)
