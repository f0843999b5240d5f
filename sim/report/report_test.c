/* SPDX-License-Identifier: MIT */
#include "sim/report/report.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "sim/report/format.h"
#include "sim/report/sections.h"
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

/* Two cores' counters as the MMU declares those that the tables read; the tables add them up. */
#define ASIDS 2
static const char *const side_labels[] = { "d", "i" }, *const array_labels[] = { "l1d", "l2d_4k", "pwc" };
static const char *const size_labels[] = { "none", "4K", "2M", "4M", "1G" };
struct fake_counters {
    uint64_t lookups[ASIDS][2], l1_misses[ASIDS][2], l2_hits[ASIDS][2][5], fills[3], evictions[3], flushed[3];
    uint64_t walks[ASIDS][2], refs[ASIDS][2][5][5], ad_writes[ASIDS][2], cycles[ASIDS][2], pairs[ASIDS][2][5][5];
};
#define FAKE(member) offsetof(struct fake_counters, member)
#define BY_ASID { "asid", ASIDS, NULL }, { "side", 2, side_labels }
static const struct counter_row fake_rows[] = {
    { "tlb.lookups", "lookups", "", FAKE(lookups), { BY_ASID } },
    { "tlb.l1_misses", "lookups", "", FAKE(l1_misses), { BY_ASID } },
    { "tlb.l2_hits", "lookups", "", FAKE(l2_hits), { BY_ASID, { "size", 5, size_labels } } },
    { "tlb.fills", "entries", "", FAKE(fills), { { "array", 3, array_labels } } },
    { "tlb.evictions", "entries", "", FAKE(evictions), { { "array", 3, array_labels } } },
    { "tlb.flushed", "entries", "", FAKE(flushed), { { "array", 3, array_labels } } },
    { "walk.count", "walks", "", FAKE(walks), { BY_ASID } },
    { "walk.refs", "references", "", FAKE(refs), { BY_ASID, { "g", 5, NULL }, { "n", 5, NULL } } },
    { "walk.ad_writes", "writes", "", FAKE(ad_writes), { BY_ASID } },
    { "walk.cycles", "cycles", "", FAKE(cycles), { BY_ASID } },
    { "walk.pairs", "walks", "", FAKE(pairs), { BY_ASID, { "guest", 5, size_labels }, { "nested", 5, size_labels } } },
};

static struct counter_set *fake_set(struct fake_counters cores[2])
{
    struct counter_set *set = counter_set_new();

    for (unsigned core = 0; core < 2; core++) {
        g_autofree char *path = g_strdup_printf("node[0].core[%u]", core);

        cores[core] = (struct fake_counters){
            .lookups = { { 1000, 0 }, { 100, 0 } }, .l1_misses = { { 30, 0 }, { 20, 0 } },
            .l2_hits = { [1] = { [0] = { [1] = 7, [2] = 5 } } }, .fills = { 9, 8, 0 }, .evictions = { 0, 2, 0 },
            .walks = { { 3, 0 }, { 2, 0 } }, .cycles = { { 45, 0 }, { 720, 0 } }, .ad_writes = { { 0, 0 }, { 1, 0 } },
            .refs = { { { [4] = { [0] = 3 } } }, { { [0] = { [1] = 2 }, [1] = { [0] = 2 } } } },
            .pairs = { [0] = { { [2] = { [0] = 3 } } }, [1] = { { [1] = { [2] = 2 } } } },
        };
        counters_attach(set, path, fake_rows, G_N_ELEMENTS(fake_rows), &cores[core]);
    }
    return set;
}

START_TEST(the_tables_add_the_cores_up_and_tell_host_from_guest)
{
    struct fake_counters cores[2];
    struct counter_set *set = fake_set(cores);
    struct report *report = report_new();
    const struct report_walks *host = &report->walks[WALKS_HOST][0], *guest = &report->walks[WALKS_GUEST][0];
    const struct report_tlb *rows;

    report_gather_tlb(report, set);
    report_gather_walks(report, set);
    rows = (const struct report_tlb *)(const void *)report->tlb->data;
    ck_assert_str_eq(rows[0].name, "L1D");
    ck_assert_uint_eq(rows[0].value[TLB_HITS], 2 * (1100 - 50));
    ck_assert_uint_eq(rows[0].value[TLB_MISSES], 2 * 50);
    ck_assert_uint_eq(rows[0].value[TLB_FILLS], 2 * 9);
    ck_assert_str_eq(rows[2].name, "L2D");
    ck_assert_uint_eq(rows[2].value[TLB_HITS], 2 * 12);
    ck_assert_uint_eq(rows[2].value[TLB_MISSES], 2 * (50 - 12));
    ck_assert_uint_eq(rows[2].has, 1u << TLB_HITS | 1u << TLB_MISSES);
    ck_assert_uint_eq(rows[3].value[TLB_HITS], 2 * 7);  /* L2D 4K */
    ck_assert_uint_eq(rows[5].has, 1u << TLB_HITS); /* L2D 1G: the fakes have no such array */
    ck_assert_uint_eq(host->totals.walks, 6);
    ck_assert_uint_eq(host->totals.refs[4][0], 6);
    ck_assert_uint_eq(guest->totals.walks, 4);
    ck_assert_uint_eq(guest->totals.refs[0][1], 4);
    ck_assert_uint_eq(report_walk_references(&guest->totals), 8);
    ck_assert_uint_eq(guest->totals.cycles, 1440);
    ck_assert_uint_eq(guest->totals.ad_writes, 2);
    ck_assert_uint_eq(guest->pairs->len, 1);
    ck_assert_str_eq(g_array_index(guest->pairs, struct report_pair, 0).name, "guest 4K, nested 2M");
    ck_assert_str_eq(g_array_index(host->pairs, struct report_pair, 0).name, "native 2M");
    ck_assert_uint_eq(g_array_index(host->pairs, struct report_pair, 0).walks, 6);
    report_free(report);
    counter_set_free(set);
}
END_TEST

/* A counter that is renamed must not turn a column into silence. */
START_TEST(the_machine_has_every_counter_that_the_tables_read)
{
    static const unsigned columns[] = { 0x1f, 0x1f, 0x03, 0x1d, 0x1d, 0x1d, 0x1f, 0x13, 0x13 };
    struct machine_config config;
    struct machine *machine;
    struct report *report = report_new();

    machine_config_defaults(&config);
    machine = machine_new(&config, NULL);
    report_gather(report, machine, NULL, NULL);
    ck_assert_uint_eq(report->tlb->len, G_N_ELEMENTS(columns));
    for (guint i = 0; i < report->tlb->len; i++)
        ck_assert_uint_eq(g_array_index(report->tlb, struct report_tlb, i).has, columns[i]);
    for (size_t i = 6; i < G_N_ELEMENTS(fake_rows); i++) {
        g_autofree char *name = g_strdup_printf("node[*].core[*].%s{asid=0,side=d}", fake_rows[i].name);
        uint64_t value;

        ck_assert_msg(counter_read(machine_counters(machine), name, &value, NULL), "%s", name);
    }
    report_free(report);
    machine_free(machine);
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
           the_tables_add_the_cores_up_and_tell_host_from_guest,
           the_machine_has_every_counter_that_the_tables_read,
           the_json_document_has_its_members_in_order, a_set_without_a_machine_is_still_a_document,
           tap_escapes_what_would_be_a_directive, junit_escapes_markup_and_control_characters)
