/* SPDX-License-Identifier: MIT */
/* What COM1 writes as an event, steps that somebody follows. */
#include "sim/script/test_images.h"

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

START_TEST(a_store_is_an_event)
{
    /* store.img: ecx = 3, 2, 1 to 200008h, 205008h, 20A008h; the next instruction is 10002Dh's */
    says("machine{} boot{kernel = 'store.img'}\n"
         "at({stored = 0x205000, size = 16}, function(e)\n"
         "    log(e.reason, ('%x %d %x'):format(e.address, e.size, reg('rip')), e.core, mem(0x205008, 4)) end)\n"
         "at({stored = 0x20A00B}, function() log('its last byte') end)\n"
         "at({stored = 0x20A00C}, function() log('behind it') end)\n"
         "at({stored = 0x201000, size = 8}, function() log('a load') end)\n"
         "log(run{until = {stored = 0x20F000}}.reason, reg('rip') == 0x10003D, run{}.value)",
         "stored 205008 4 10002d 0 2\nits last byte\nstored true 0\n");
    says("machine{} boot{kernel = 'store.img'} local id = at({stored = 0x200008}, function() log('no') end)\n"
         "cancel(id) log(run{}.value)", "0\n");
    ends(SCRIPT_USER, "machine{memory = '64M'} boot{kernel = 'store.img'} at({stored = 0x3FFFFFF, size = 2}, print)",
         "t.lua:1: at: there is no RAM at 0x3ffffff; a system-physical address of RAM is right");
    ends(SCRIPT_USER, "machine{} at({stored = 0}, print)",
         "t.lua:1: at: stored= without a booted machine; boot{} first");
    ends(SCRIPT_USER, "machine{} boot{kernel = 'store.img'} at({stored = 0, size = 0}, print)",
         "t.lua:1: at: size is 0; 1 to 1048576 bytes are right");
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
    static const char text[] =
        "log(step('1', 'one')) log(step('2', function() return 'two' end)) step('end', 'x') log('more')";
    struct test_run run = test_run_options((struct script_options){ .step = show }, text);

    ck_assert_str_eq(run.output->str, "[1|one]\ntrue\n[2|two]\ntrue\n[end|x]\n");
    ck_assert_int_eq(run.status, SCRIPT_FAILED);
    ck_assert_str_eq(run.message, "t.lua:1: step: ended at the terminal");
    test_run_free(&run);
    prints("log(step('1', 'one')) log(step('2', function() error('not called') end))", "false\nfalse\n");
    fails(SCRIPT_USER, "step('1', 5)",
          "t.lua:1: step: the text is number; a string, or a function that gives one, is right");
}
END_TEST

START_TEST(registers_of_a_bank_are_told_in_words)
{
    prints("log(mca_words(3, 0xB400000000000833, 0x1000))",
           "MC3 LS: uncorrected system data read error of a load, address 1000; "
           "bus, source, data read, memory, L3 or generic\n");
    fails(SCRIPT_USER, "mca_words(6, 0)", "t.lua:1: mca_words: bank 6; 0 to 5 are right");
}
END_TEST

UNIT_TESTS("steps", a_line_of_output_is_an_event, a_store_is_an_event,
           steps_are_shown_to_who_follows, registers_of_a_bank_are_told_in_words)
