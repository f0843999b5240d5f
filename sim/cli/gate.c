/* SPDX-License-Identifier: MIT */
/* fam10h gate BASELINE REPORT */
#include <stdio.h>

#include "sim/cli/command.h"
#include "sim/report/report.h"
#include "sim/script/script.h"

/* Make the report the new baseline; what moved has been printed already. */
static int gate_update(const char *baseline, const char *name, const char *report, size_t size)
{
    g_autoptr(GError) error = NULL;

    if (!gate_may_update(name, report, size, &error))
        return command_fail("gate", EXIT_USER, "%s", error->message);
    return command_write_file("gate", baseline, report) ? 0 : EXIT_USER;
}

static int gate_files(const char *baseline_name, const char *report_name, const struct gate_options *options,
                      bool update)
{
    g_autofree char *baseline = NULL, *report = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    size_t baseline_size, report_size;
    enum gate_verdict verdict;

    if (!script_read_file(report_name, JSON_SIZE_LIMIT, &report, &report_size, &error))
        return command_fail("gate", EXIT_USER, "%s", error->message);
    if (update && !g_file_test(baseline_name, G_FILE_TEST_EXISTS))
        return gate_update(baseline_name, report_name, report, report_size);
    if (!script_read_file(baseline_name, JSON_SIZE_LIMIT, &baseline, &baseline_size, &error))
        return command_fail("gate", EXIT_USER, "%s", error->message);
    verdict = gate_compare(baseline_name, baseline, baseline_size, report_name, report, report_size, options, out,
                           &error);
    fputs(out->str, stdout);
    if (verdict == GATE_UNUSABLE)
        return command_fail("gate", EXIT_USER, "%s", error->message);
    if (update)
        return verdict == GATE_SAME && !out->len ? 0 : gate_update(baseline_name, report_name, report, report_size);
    return (int)verdict;
}

int command_gate(const char *program, int argc, char **argv)
{
    g_auto(GStrv) allow = NULL;
    gboolean update = FALSE, other_images = FALSE;
    int status;
    const GOptionEntry entries[] = {
        { "allow", 'a', 0, G_OPTION_ARG_FILENAME_ARRAY, &allow,
          "What may move: 'path=+-2%', 'path=+-100', or 'path' for any change; * and ? match", "RULE" },
        { "other-images", 0, 0, G_OPTION_ARG_NONE, &other_images, "Compare although the images differ", NULL },
        { "update", 0, 0, G_OPTION_ARG_NONE, &update, "Print what moved and make REPORT the new baseline", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    struct gate_options options;

    (void)program;
    if (!command_options("gate", entries, &argc, &argv, &status))
        return status;
    if (argc != 3)
        return command_fail("gate", EXIT_USER, "%d files; fam10h gate BASELINE REPORT compares two", argc - 1);
    options = (struct gate_options){ .allow = (const char *const *)allow, .other_images = other_images || update };
    return gate_files(argv[1], argv[2], &options, update);
}
