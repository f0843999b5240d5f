/* SPDX-License-Identifier: MIT */
/*
 * silicon --cases N --seed S [--sequence] [--rows REGEX] [--index I] [--table] [--most N]
 * Runs N random cases on the native processor and on the model; TAP on standard output. --table: every row must
 * have run, with and without each fault that it can raise (table.c).
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/silicon/silicon.h"
#include "tests/silicon/stub.h"

#define ENOUGH_FOR_EXCEPTIONS 1500000 /* a line that such a run does not need is stale */

struct options {
    gint64 cases, seed, index, most;
    gboolean sequence, table;
    char *rows;
};

struct session {
    struct options options;
    struct native_processor processor;
    struct native *native;
    struct model *model;
    struct tally *tally;
    uint16_t *rows;
    unsigned row_count;
    uint64_t compared, skipped, differences, died;
};

/* ---- Rows --------------------------------------------------------------------------------------------------- */

static void choose_rows(struct session *s)
{
    g_autoptr(GRegex) regex = s->options.rows ? g_regex_new(s->options.rows, 0, 0, NULL) : NULL;

    s->rows = g_new(uint16_t, isa_row_count);
    for (unsigned i = 0; i < isa_row_count; i++) {
        g_autofree char *text = g_strdup_printf("%s %s", isa_rows[i].name, isa_rows[i].encoding);

        if (!row_not_run(&s->processor, &isa_rows[i]) && (!regex || g_regex_match(regex, text, 0, NULL)))
            s->rows[s->row_count++] = (uint16_t)i;
    }
}

/* ---- Cases -------------------------------------------------------------------------------------------------- */

/* By chance an address lies in the child's own pages, which the model's user does not have: nothing to compare. */
static bool meets_stub(const struct silicon_result *model)
{
    return model->vector == EXC_PF && model->cr2 >= STUB_CODE && model->cr2 < STUB_STATE + 0x1000;
}

static void judge(struct session *s, const struct silicon_case *c, const struct silicon_result *native)
{
    struct silicon_result model;
    const char *field;
    struct tally *tally = &s->tally[c->row[0]];

    model_run(s->model, c, &model);
    if (meets_stub(&model)) {
        s->skipped++;
        return;
    }
    s->compared++;
    field = compare_case(c, &model, native);
    if (c->count == 1 && native->vector == RETIRED)
        tally->retired++;
    else if (c->count == 1)
        tally->exception[native->vector & 31]++;
    if (field) {
        GString *text = g_string_new(NULL);

        describe_case(text, c, &model, native, field);
        if (s->differences++ < (uint64_t)s->options.most)
            fputs(text->str, stderr);
        g_string_free(text, TRUE);
    }
}

static bool run_ring(struct session *s, uint64_t *index, uint64_t end)
{
    struct silicon_case *cases = native_cases(s->native);
    unsigned count = 0;

    while (count < RING && *index < end) {
        if (generate_case(&cases[count], &s->processor, s->rows, s->row_count, (uint64_t)s->options.seed, (*index)++,
                          s->options.sequence))
            count++;
        else
            s->skipped++;
    }
    if (!native_run(s->native, count))
        return false;
    for (unsigned i = 0; i < count; i++)
        judge(s, &cases[i], &native_results(s->native)[i]);
    return true;
}

static bool run_all(struct session *s)
{
    uint64_t index = s->options.index >= 0 ? (uint64_t)s->options.index : 0;
    uint64_t end = s->options.index >= 0 ? index + 1 : (uint64_t)s->options.cases;

    while (index < end)
        if (!run_ring(s, &index, end))
            return false;
    return true;
}

/* ---- Program ------------------------------------------------------------------------------------------------ */

/* One line of TAP, what is wrong before it. */
static bool tell(unsigned number, bool good, const GString *wrong, const char *what)
{
    fputs(wrong->str, stdout);
    printf("%s %u - %s\n", good ? "ok" : "not ok", number, what);
    return good;
}

static bool report_cases(struct session *s)
{
    unsigned unused, excepted;
    GString *stale = g_string_new(NULL);
    bool whole = !s->options.rows && s->options.cases >= ENOUGH_FOR_EXCEPTIONS && !s->options.sequence, good;

    excepted = exceptions_count(&unused, stale);
    printf("# seed %" G_GINT64_FORMAT ": %" PRIu64 " cases compared, %" PRIu64 " drafts dropped, %u rows, %" PRIu64
           " differences, %u exceptions\n", s->options.seed, s->compared, s->skipped, s->row_count, s->differences,
           excepted);
    if (!whole)
        g_string_truncate(stale, 0);
    good = tell(1, !s->differences && !stale->len, stale,
                s->options.sequence ? "random sequences do on the model what they do on the native processor" :
                                      "random instructions do on the model what they do on the native processor");
    g_string_free(stale, TRUE);
    return good;
}

static bool report_vectors(struct session *s)
{
    const char *top = g_getenv("top_srcdir");
    g_autofree char *list = g_build_filename(top ? top : ".", "tests/silicon/vectors.list", NULL);
    GString *wrong = g_string_new(NULL);
    unsigned vectors = 0, failed = vectors_run(s->model, list, wrong, &vectors);
    bool good;

    printf("# %u vectors\n", vectors);
    good = tell(2, !failed, wrong, "where vendors differ the model does what AMD documents");
    g_string_free(wrong, TRUE);
    return good;
}

/* Nothing can be compared here; the vectors need no native processor. */
static int skip(struct session *s, const char *why)
{
    if (s->options.sequence) {
        printf("1..0 # SKIP %s\n", why);
        return EXIT_SUCCESS;
    }
    printf("1..2\nok 1 # SKIP %s\n", why);
    if (!s->model)
        s->model = model_new(&s->processor);
    return report_vectors(s) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool report_table(struct session *s)
{
    GString *table = g_string_new(NULL), *wrong = g_string_new(NULL);
    unsigned incomplete = table_print(table, &s->processor, s->rows, s->row_count, s->tally);
    bool good;

    fputs(table->str, stderr);
    printf("# %u rows run, %u of them without something that they can come to\n", s->row_count, incomplete);
    for (char *line = strtok(table->str, "\n"); line; line = strtok(NULL, "\n"))
        if (strstr(line, "MISSING"))
            g_string_append_printf(wrong, "# %s\n", line);
    good = tell(3, !incomplete, wrong, "every row ran, with and without each fault that it can raise");
    g_string_free(table, TRUE);
    g_string_free(wrong, TRUE);
    return good;
}

static int report(struct session *s)
{
    bool good;

    printf("1..%u\n", s->options.sequence ? 1 : s->options.table ? 3 : 2);
    good = report_cases(s);
    if (!s->options.sequence)
        good &= report_vectors(s);
    if (!s->options.sequence && s->options.table)
        good &= report_table(s);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_session(struct session *s, const char *list)
{
    const char *why = NULL;
    char *error = NULL;

#ifdef __SANITIZE_ADDRESS__
    return skip(s, "the sanitizer's shadow lies where the child's faulting addresses must be free");
#endif
    if (!exceptions_read(&s->processor, list, &error)) {
        printf("1..1\nnot ok 1 - %s: %s\n", list, error);
        return EXIT_FAILURE;
    }
    choose_rows(s);
    s->native = native_new(&s->processor, &why);
    if (!s->native)
        return skip(s, why);
    s->tally = g_new0(struct tally, isa_row_count);
    s->model = model_new(&s->processor);
    if (!run_all(s))
        return skip(s, "the child process could not be replaced");
    return report(s);
}

int main(int argc, char **argv)
{
    struct session s = { .options = { .cases = 100000, .seed = 1, .index = -1, .most = 10 } };
    GOptionEntry entries[] = {
        { "cases", 0, 0, G_OPTION_ARG_INT64, &s.options.cases, "number of cases", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT64, &s.options.seed, "which cases", "S" },
        { "index", 0, 0, G_OPTION_ARG_INT64, &s.options.index, "only this case", "I" },
        { "most", 0, 0, G_OPTION_ARG_INT64, &s.options.most, "differences to print", "N" },
        { "sequence", 0, 0, G_OPTION_ARG_NONE, &s.options.sequence, "2 to 16 instructions a case", NULL },
        { "table", 0, 0, G_OPTION_ARG_NONE, &s.options.table, "print what each row came to", NULL },
        { "rows", 0, 0, G_OPTION_ARG_STRING, &s.options.rows, "only rows whose name and encoding match", "REGEX" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    const char *top = g_getenv("top_srcdir");
    g_autofree char *list = g_build_filename(top ? top : ".", "tests/silicon/exceptions.list", NULL);
    int status;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, NULL))
        return 2;
    native_processor_identify(&s.processor);
    status = run_session(&s, list);
    if (s.native)
        native_free(s.native);
    if (s.model)
        model_free(s.model);
    return status;
}
