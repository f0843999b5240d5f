/* SPDX-License-Identifier: MIT */
#include "sim/report/report.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "sim/report/format.h"
#include "sim/report/test_sample.h"
#include "sim/unit_test.h"

static void ck_formats(void (*format)(GString *, uint64_t, uint64_t), uint64_t a, uint64_t b, const char *expected)
{
    g_autoptr(GString) out = g_string_new(NULL);

    format(out, a, b);
    ck_assert_str_eq(out->str, expected);
}

START_TEST(numbers_are_rounded_in_integers)
{
    /* 5/25 = 20 %, the slides' first step; 1/3 = 33.33 %; 2/3 = 66.67 %; 250/10 = 25. */
    ck_formats(format_percent, 5, 25, "20.00");
    ck_formats(format_percent, 1, 3, "33.33");
    ck_formats(format_percent, 2, 3, "66.67");
    ck_formats(format_percent, 0, 0, "0.00");
    ck_formats(format_percent, UINT64_MAX, UINT64_MAX, "100.00");
    ck_formats(format_ratio, 250, 10, "25.00");
    ck_formats(format_ratio, 7, 0, "-");
}
END_TEST

START_TEST(bytes_and_times_take_their_largest_unit)
{
    GString *out = g_string_new(NULL);

    format_bytes(out, UINT64_C(4) << 30);
    g_string_append_c(out, ' ');
    format_bytes(out, 1536 << 10);
    g_string_append_c(out, ' ');
    format_bytes(out, 1001);
    g_string_append_c(out, ' ');
    format_time(out, 1234567); /* ps */
    g_string_append_c(out, ' ');
    format_time(out, 999);
    ck_assert_str_eq(out->str, "4G 1536K 1001 1.234 us 999 ps");
}
END_TEST

START_TEST(exits_are_summed_by_code_guest_vcpu_and_rip)
{
    struct report *report = sample_report();
    const struct report_exit *first = &g_array_index(report->exits[EXITS_BY_CODE], struct report_exit, 0);
    const struct report_exit *second = &g_array_index(report->exits[EXITS_BY_CODE], struct report_exit, 1);

    /* Three rows: 2 codes; 1 guest x 2 codes; (vCPU 2000: 2) + (vCPU 3000: 1) = 3; the same by rIP. */
    ck_assert_uint_eq(report->exits[EXITS_BY_CODE]->len, 2);
    ck_assert_uint_eq(report->exits[EXITS_BY_GUEST]->len, 2);
    ck_assert_uint_eq(report->exits[EXITS_BY_VCPU]->len, 3);
    ck_assert_uint_eq(report->exits[EXITS_BY_RIP]->len, 3);
    ck_assert_str_eq(first->name, "VMEXIT_NPF");
    ck_assert_uint_eq(first->sum.count, 6);
    ck_assert_str_eq(second->name, "VMEXIT_VMMCALL");
    ck_assert_uint_eq(second->sum.count, 3);
    ck_assert_uint_eq(second->sum.cycles, 3500);
    ck_assert_uint_eq(second->sum.cycles_min, 500);
    ck_assert_uint_eq(second->sum.cycles_max, 2000);
    ck_assert_uint_eq(second->sum.halted_cycles, 77);
    report_free(report);
}
END_TEST

START_TEST(the_text_shows_the_walk_matrix_and_the_exit_table)
{
    struct report *report = sample_report();
    GString *out = g_string_new(NULL);

    report_write_text(report, out);
    ck_assert_ptr_nonnull(strstr(out->str, "10h-b3, 2 nodes x 1 core, 512M, 2300 MHz\n"));
    ck_assert_ptr_nonnull(strstr(out->str, "debug exit 3 after 1.500 us of machine time, 4242 instructions\n"));
    ck_assert_ptr_nonnull(strstr(out->str, "guest page walks, data side: 10 walks, 240 references (24.00 a "
                                           "walk), 0 A/D writes, 4800 cycles (480.00 a walk)\n"));
    ck_assert_ptr_nonnull(strstr(out->str, "  guest 4          10            10            10            10"
                                           "            10            50\n"));
    ck_assert_ptr_nonnull(strstr(out->str, "  final            10            10            10            10"
                                           "             0            40\n"));
    /* NPF: 6 of 9 exits, 9000 of 12500 cycles = 72 %. */
    ck_assert_ptr_nonnull(strstr(out->str, "VMEXIT_NPF                                           6   66.67   72.00"
                                           "      1200      1500      1800             0\n"));
    /* sha256("abc"), FIPS 180-2 appendix B.1 */
    ck_assert_ptr_nonnull(strstr(out->str, "kernel hv.elf, 3 bytes, sha256 ba7816bf8f01cfea...\n"));
    g_string_free(out, TRUE);
    report_free(report);
}
END_TEST

START_TEST(the_json_document_has_its_members_in_order)
{
    static const char *const members[] = { "schema", "scenario", "machine", "images", "outcome", "counters", "walks",
                                           "tlb", "exits", "unmodelled", "hash" };
    struct report_set *set = sample_set();
    char *text = report_write_json(set);
    JsonParser *parser = json_parser_new();
    GList *names;
    size_t i = 0;

    ck_assert(json_parser_load_from_data(parser, text, -1, NULL));
    names = json_object_get_members(json_node_get_object(json_parser_get_root(parser)));
    for (GList *name = names; name; name = name->next, i++)
        ck_assert_str_eq(name->data, members[i]);
    ck_assert_uint_eq(i, G_N_ELEMENTS(members));
    ck_assert_ptr_nonnull(strstr(text, "\"node[0].core[0].walk.refs{side=data,g=4,n=0}\" : 10"));
    ck_assert_ptr_nonnull(strstr(text, "\"n_cr3\" : \"0x9000\""));
    ck_assert_ptr_nonnull(strstr(text, "\"value\" : 24"));
    g_list_free(names);
    g_object_unref(parser);
    report_set_free(set);
    g_free(text);
}
END_TEST

START_TEST(a_set_without_a_machine_is_still_a_document)
{
    struct report_set *set = report_set_new("empty.lua");
    char *text = report_write_json(set);

    ck_assert_ptr_nonnull(strstr(text, "\"expectations\" : []"));
    report_set_free(set);
    g_free(text);
}
END_TEST

START_TEST(tap_escapes_what_would_be_a_directive)
{
    struct report_set *set = report_set_new("x.lua");
    GString *out = g_string_new(NULL);

    sample_expect(set, "plain", true, "1");
    sample_expect(set, "not # TODO\nreally", false, "23");
    report_write_tap(set, out);
    ck_assert_str_eq(out->str, "ok 1 - plain\n"
                               "not ok 2 - not \\# TODO really\n"
                               "#   walk.lua:7: found 23; 24 would be right\n"
                               "1..2\n");
    g_string_free(out, TRUE);
    report_set_free(set);
}
END_TEST

START_TEST(junit_escapes_markup_and_control_characters)
{
    struct report_set *set = report_set_new("x.lua");
    GString *out = g_string_new(NULL);

    sample_expect(set, "a < b && \"c\" > \x01\xff", false, "23");
    report_write_junit(set, out);
    ck_assert_str_eq(out->str,
                     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                     "<testsuite name=\"x.lua\" tests=\"1\" failures=\"1\" errors=\"0\">\n"
                     "  <testcase classname=\"x.lua\" name=\"a &lt; b &amp;&amp; &quot;c&quot; &gt; "
                     "\xef\xbf\xbd\xef\xbf\xbd\">\n"
                     "    <failure message=\"found 23; 24 would be right\">walk.lua:7</failure>\n"
                     "  </testcase>\n"
                     "</testsuite>\n");
    g_string_free(out, TRUE);
    report_set_free(set);
}
END_TEST

UNIT_TESTS("report", numbers_are_rounded_in_integers, bytes_and_times_take_their_largest_unit,
           exits_are_summed_by_code_guest_vcpu_and_rip, the_text_shows_the_walk_matrix_and_the_exit_table,
           the_json_document_has_its_members_in_order, a_set_without_a_machine_is_still_a_document,
           tap_escapes_what_would_be_a_directive, junit_escapes_markup_and_control_characters)
