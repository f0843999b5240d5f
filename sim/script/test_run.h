/* SPDX-License-Identifier: MIT */
/* Runs a script's text for a test and keeps what it said. Include once. */
#ifndef FAM10H_SCRIPT_TEST_RUN_H
#define FAM10H_SCRIPT_TEST_RUN_H

#include <glib/gstdio.h>
#include <string.h>

#include "sim/script/script.h"
#include "sim/unit_test.h"

struct test_run {
    enum script_status status;
    GString *output;
    char *message; /* the error line, or "" */
    char *json;
};

static void test_print(void *ctx, const char *line)
{
    g_string_append_printf(ctx, "%s\n", line);
}

static struct test_run test_run_options(struct script_options options, const char *text)
{
    struct test_run run = { .output = g_string_new(NULL) };
    struct report_set *set = report_set_new("t.lua");
    GError *error = NULL;

    options.file = options.file ? options.file : "t.lua";
    options.print = test_print;
    options.ctx = run.output;
    run.status = script_run(&options, text, strlen(text), set, &error);
    run.message = g_strdup(error ? error->message : "");
    run.json = report_write_json(set);
    g_clear_error(&error);
    report_set_free(set);
    return run;
}

static void test_run_free(struct test_run *run)
{
    g_string_free(run->output, TRUE);
    g_free(run->message);
    g_free(run->json);
}

/* The script runs to its end and prints exactly this. */
static inline void prints(const char *text, const char *output)
{
    struct test_run run = test_run_options((struct script_options){ 0 }, text);

    ck_assert_msg(run.status == SCRIPT_OK, "%s\n%s", text, run.message);
    ck_assert_str_eq(run.output->str, output);
    test_run_free(&run);
}

/* The script ends with this status and exactly this line. */
static inline void fails(enum script_status status, const char *text, const char *message)
{
    struct test_run run = test_run_options((struct script_options){ 0 }, text);

    ck_assert_str_eq(run.message, message);
    ck_assert_int_eq(run.status, status);
    test_run_free(&run);
}

/* The same with small limits. */
static inline void exhausts(const char *text)
{
    struct test_run run = test_run_options((struct script_options){ .instructions = 200000, .memory = 8 << 20 }, text);

    ck_assert_msg(run.status == SCRIPT_LIMIT, "%s\nstatus %d: %s", text, run.status, run.message);
    ck_assert_msg(strstr(run.message, "its limit") != NULL, "%s", run.message);
    ck_assert_ptr_null(strchr(run.message, '\n'));
    test_run_free(&run);
}

#endif
