/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "sim/report/report.h"
#include "sim/report/test_sample.h"
#include "sim/unit_test.h"

/* Compare the sample with the sample after `change`; what moved is left in `out`. */
typedef void change_set(struct report_set *set);

static enum gate_verdict gate_after(change_set *change, const char *const *allow, bool other_images, GString *out,
                                    GError **error)
{
    struct report_set *set = sample_set();
    char *was = report_write_json(set), *is;
    struct gate_options options = { allow, other_images };
    enum gate_verdict verdict;

    if (change)
        change(set);
    is = report_write_json(set);
    verdict = gate_compare("baseline", was, strlen(was), "report", is, strlen(is), &options, out, error);
    report_set_free(set);
    g_free(was);
    g_free(is);
    return verdict;
}

#define EXPECT_MOVED(change, line)                                                 \
    do {                                                                           \
        GString *out = g_string_new(NULL);                                         \
        ck_assert_int_eq(gate_after(change, NULL, false, out, NULL), GATE_MOVED);  \
        ck_assert_str_eq(out->str, "moved: " line "\n");                           \
        g_string_free(out, TRUE);                                                  \
    } while (0)

START_TEST(equal_reports_pass_silently)
{
    GString *out = g_string_new(NULL);

    ck_assert_int_eq(gate_after(NULL, NULL, false, out, NULL), GATE_SAME);
    ck_assert_str_eq(out->str, "");
    g_string_free(out, TRUE);
}
END_TEST

/* ---- A planted +1 in each kind of table ------------------------------------------------------ */

static void plant_counter(struct report_set *set)
{
    g_array_index(set->final->counters, struct report_counter, 0).value++;
}

static void plant_new_counter(struct report_set *set)
{
    sample_counter(set->final, "node[1].core[0].walk.walks{side=data}", 1);
}

static void plant_reference(struct report_set *set)
{
    set->final->walks[WALKS_GUEST][0].totals.refs[3][2]++;
}

static void plant_pair(struct report_set *set)
{
    g_array_index(set->final->walks[WALKS_GUEST][0].pairs, struct report_pair, 0).walks++;
}

static void plant_tlb(struct report_set *set)
{
    g_array_index(set->final->tlb, struct report_tlb, 0).value[TLB_EVICTIONS]++;
}

static void plant_exit(struct report_set *set)
{
    g_array_index(set->final->exits[EXITS_BY_RIP], struct report_exit, 2).sum.cycles++;
}

static void plant_unmodelled(struct report_set *set)
{
    struct report_unmodelled row = { g_strdup("RDMSR C001_1099"), 1 };

    g_array_append_val(set->final->unmodelled, row);
}

static void plant_expectation(struct report_set *set)
{
    struct report_expectation *row = &g_array_index(set->expectations, struct report_expectation, 0);

    g_free(row->value);
    row->value = g_strdup("25");
}

static void plant_instruction(struct report_set *set)
{
    set->final->instructions++;
}

static void plant_hash(struct report_set *set)
{
    set->final->hash[0] = 'e';
}

static void plant_geometry(struct report_set *set)
{
    set->final->geometry.ntlb.entries++;
}

START_TEST(one_more_in_any_table_fails)
{
    EXPECT_MOVED(plant_counter, "counters.node[0].core[0].walk.refs{side=data,g=4,n=0}: 10 -> 11");
    EXPECT_MOVED(plant_new_counter, "counters.node[1].core[0].walk.walks{side=data}: 0 -> 1");
    EXPECT_MOVED(plant_pair, "walks.guest.data.pairs.guest 4K, nested 4K: 10 -> 11");
    EXPECT_MOVED(plant_tlb, "tlb.L1D.evictions: 52 -> 53");
    EXPECT_MOVED(plant_exit, "exits.by_rip[VMCB 0x3000 VMEXIT_VMMCALL rIP 0x100010].cycles: 500 -> 501");
    EXPECT_MOVED(plant_unmodelled, "unmodelled.RDMSR C001_1099: 0 -> 1");
    EXPECT_MOVED(plant_expectation, "outcome.expectations[references of a 4K on 4K walk].value: 24 -> 25");
    EXPECT_MOVED(plant_instruction, "outcome.instructions: 4242 -> 4243");
    EXPECT_MOVED(plant_geometry, "machine.mmu.ntlb.entries: 0 -> 1");
    EXPECT_MOVED(plant_hash, "hash: the same counts, but another final state");
    EXPECT_MOVED(plant_reference, "walks.guest.data.references.g=3,n=2: 10 -> 11\n"
                                  "moved: walks.guest.data.references_total: 240 -> 241");
}
END_TEST

/* ---- Allowances ------------------------------------------------------------------------------ */

static void grow_by_four_percent(struct report_set *set)
{
    set->final->walks[WALKS_GUEST][0].totals.cycles += 192; /* 4800 * 4 % */
}

static enum gate_verdict gate_allowing(change_set *change, const char *rule, GError **error)
{
    const char *const allow[] = { rule, NULL };
    GString *out = g_string_new(NULL);
    enum gate_verdict verdict = gate_after(change, allow, false, out, error);

    g_string_free(out, TRUE);
    return verdict;
}

START_TEST(an_allowance_is_exact)
{
    ck_assert_int_eq(gate_allowing(grow_by_four_percent, "walks.guest.data.cycles=\xc2\xb1" "4%", NULL), GATE_SAME);
    ck_assert_int_eq(gate_allowing(grow_by_four_percent, "walks.guest.data.cycles=+-4%", NULL), GATE_SAME);
    ck_assert_int_eq(gate_allowing(grow_by_four_percent, "walks.*.data.cycles=+-4.0%", NULL), GATE_SAME);
    ck_assert_int_eq(gate_allowing(grow_by_four_percent, "walks.guest.data.cycles=+-3.99%", NULL), GATE_MOVED);
    ck_assert_int_eq(gate_allowing(grow_by_four_percent, "walks.guest.data.cycles=+-192", NULL), GATE_SAME);
    ck_assert_int_eq(gate_allowing(grow_by_four_percent, "walks.guest.data.cycles=+-191", NULL), GATE_MOVED);
    ck_assert_int_eq(gate_allowing(grow_by_four_percent, "walks.guest.data.cycles", NULL), GATE_SAME);
    ck_assert_int_eq(gate_allowing(grow_by_four_percent, "walks.guest.data.walks=+-4%", NULL), GATE_MOVED);
}
END_TEST

START_TEST(a_counter_name_in_an_allowance_may_hold_equal_signs)
{
    ck_assert_int_eq(gate_allowing(plant_counter, "counters.*walk.refs{side=data,g=4,n=0}=+-1", NULL), GATE_SAME);
    ck_assert_int_eq(gate_allowing(plant_counter, "counters.*walk.refs{side=data,g=4,n=0}", NULL), GATE_SAME);
    ck_assert_int_eq(gate_allowing(plant_counter, "counters.*walk.refs{side=data,g=4,n=1}=+-1", NULL), GATE_MOVED);
}
END_TEST

START_TEST(names_match_patterns_without_backtracking)
{
    GString *many = g_string_new(NULL);

    for (unsigned i = 0; i < 1000; i++)
        g_string_append(many, "?*");
    ck_assert(report_name_matches("a*c", "abbc"));
    ck_assert(report_name_matches("*", ""));
    ck_assert(report_name_matches("node[*].core[?].walk*", "node[12].core[3].walk.refs{g=4}"));
    ck_assert(report_name_matches("*ab*b", "aabbab"));
    ck_assert(!report_name_matches("a?c", "ac"));
    ck_assert(!report_name_matches("abc", "ab"));
    ck_assert(!report_name_matches("ab", "abc"));
    ck_assert(!report_name_matches("", "a"));
    ck_assert(!report_name_matches("*\xf4", "node"));
    ck_assert(!report_name_matches(many->str, "node[0].core[0].walk.refs{asid=0,side=d,g=4,n=0}"));
    g_string_free(many, TRUE);
}
END_TEST

START_TEST(a_malformed_allowance_is_refused)
{
    static const char *const wrong[] = { "a=+-", "a=+-x%", "a=+-2%%", "a=+--2", "a=+-1.%", "a=+-99999999999999999999" };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        GError *error = NULL;

        ck_assert_int_eq(gate_allowing(NULL, wrong[i], &error), GATE_UNUSABLE);
        ck_assert_ptr_nonnull(strstr(error->message, "write 'path=+-2%'"));
        g_error_free(error);
    }
}
END_TEST

/* ---- Images ---------------------------------------------------------------------------------- */

static void other_image(struct report_set *set)
{
    g_array_index(set->final->images, struct report_image, 0).sha256[0] ^= 1;
}

static void from_elsewhere(struct report_set *set)
{
    g_array_index(set->final->images, struct report_image, 0).external = true;
}

START_TEST(different_images_are_refused_unless_allowed)
{
    GString *out = g_string_new(NULL);
    GError *error = NULL;

    ck_assert_int_eq(gate_after(other_image, NULL, false, out, &error), GATE_UNUSABLE);
    ck_assert_str_eq(error->message, "report: images[0].sha256 differs from baseline; run the same images, or say "
                                     "--other-images");
    ck_assert_int_eq(gate_after(other_image, NULL, true, out, NULL), GATE_SAME);
    g_error_free(error);
    g_string_free(out, TRUE);
}
END_TEST

START_TEST(only_our_own_images_make_a_baseline)
{
    struct report_set *set = sample_set();
    char *text = report_write_json(set);
    GError *error = NULL;

    ck_assert(gate_may_update("report", text, strlen(text), NULL));
    from_elsewhere(set);
    g_free(text);
    text = report_write_json(set);
    ck_assert(!gate_may_update("report", text, strlen(text), &error));
    ck_assert_ptr_nonnull(strstr(error->message, "images[0].external: an image from elsewhere"));
    g_error_free(error);
    report_set_free(set);
    g_free(text);
}
END_TEST

/* ---- Bad input ------------------------------------------------------------------------------- */

static void refused(const char *text, size_t size, const char *message)
{
    struct gate_options options = { NULL, false };
    GString *out = g_string_new(NULL);
    GError *error = NULL;

    ck_assert_int_eq(gate_compare("b.json", text, size, "r.json", text, size, &options, out, &error), GATE_UNUSABLE);
    ck_assert_msg(strstr(error->message, message) != NULL, "%s", error->message);
    ck_assert_ptr_null(strchr(error->message, '\n'));
    g_error_free(error);
    g_string_free(out, TRUE);
}

START_TEST(a_hundred_thousand_levels_are_refused_before_the_parser)
{
    char *deep = g_malloc(200001);

    memset(deep, '[', 100000);
    memset(deep + 100000, ']', 100000);
    deep[200000] = '\0';
    refused(deep, 200000, "b.json:1: nested more than 64 levels deep");
    memset(deep, '{', 100000);
    refused(deep, 100000, "b.json:1: nested more than 64 levels deep");
    g_free(deep);
}
END_TEST

START_TEST(sixty_four_levels_reach_the_parser)
{
    char deep[129] = "";

    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    refused(deep, 128, "not a report"); /* the depth is fine, the content is not */
}
END_TEST

START_TEST(brackets_hidden_in_strings_and_comments_do_not_count)
{
    refused("{ /* ]]]] */ \"a\": 1 }", 21, "a character that JSON does not have");
    refused("{ \"a\": \"[[[[\\\"[[[\" }", 20, "schema is missing");
}
END_TEST

START_TEST(damaged_documents_are_refused_in_one_line)
{
    static const char fraction[] = "{ \"schema\": \"fam10h-report-1\", \"counters\": { \"a\": 1.5 } }";

    refused("", 0, "not a report");
    refused("{", 1, "b.json");
    refused("]", 1, "a bracket that nothing opened");
    refused("{ \"a", 4, "a string that does not end");
    refused("{ \"a\": tru }", 12, "b.json");
    refused("{ \"schema\": 5 }", 15, "schema is missing");
    refused("{ \"schema\": \"a\\nb\" }", 20, "schema a b; this gate reads fam10h-report-1");
    refused("{ \"schema\": \"fam10h-report-9\" }", 31, "schema fam10h-report-9; this gate reads fam10h-report-1");
    refused(fraction, sizeof(fraction) - 1, "counters.a is a fraction");
    refused("{ \0 }", 5, "a zero byte");
    refused("{ \"\xff\": 1 }", 10, "not UTF-8");
}
END_TEST

UNIT_TESTS("gate", equal_reports_pass_silently, one_more_in_any_table_fails, an_allowance_is_exact,
           a_counter_name_in_an_allowance_may_hold_equal_signs, a_malformed_allowance_is_refused,
           names_match_patterns_without_backtracking,
           different_images_are_refused_unless_allowed, only_our_own_images_make_a_baseline,
           a_hundred_thousand_levels_are_refused_before_the_parser, sixty_four_levels_reach_the_parser,
           brackets_hidden_in_strings_and_comments_do_not_count, damaged_documents_are_refused_in_one_line)
