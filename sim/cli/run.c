/* SPDX-License-Identifier: MIT */
/* fam10h run SCENARIO */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "sim/cli/command.h"
#include "sim/report/report.h"
#include "sim/script/script.h"

#define SCRIPT_SIZE_LIMIT (16u << 20)

struct run_options {
    char **parameters;
    char *json, *junit, *engine, *snapshots, *coverage;
    gboolean tap, progress, list, step, check;
};

static void print_line(void *ctx, const char *line)
{
    const struct run_options *options = ctx;
    size_t length;

    do { /* what a script says may have line ends: each line is a comment */
        length = strcspn(line, "\n");
        printf("%s%.*s\n", options->tap ? "# " : "", (int)length, line);
        line += length;
    } while (*line++);
}

/* One key without waiting for the end of a line; false: q, Ctrl-C, or the end of input. */
static bool wait_for_key(void)
{
    struct termios before, raw;
    unsigned char key = 'q';

    fputs("[a key: on, q: end] ", stdout);
    fflush(stdout);
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return true;
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    if (read(STDIN_FILENO, &key, 1) != 1)
        key = 'q';
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    fputs("\r\033[K", stdout);
    return key != 'q' && key != 3;
}

/* On a terminal somebody reads and goes on; elsewhere it is a transcript. */
static bool print_step(void *ctx, const char *label, const char *text)
{
    const struct run_options *options = ctx;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    printf("%s-- step %s %.*s\n", options->tap ? "# " : "", label, MAX(0, 60 - (int)strlen(label)),
           "------------------------------------------------------------");
    for (size_t i = 0; lines[i] && (*lines[i] || lines[i + 1]); i++)
        printf("%s   %s\n", options->tap ? "# " : "", lines[i]);
    return !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || wait_for_key();
}

/* A person who waits sees time pass; a file would only fill. */
static void print_progress(void *ctx, uint64_t now_ps, uint64_t instructions)
{
    (void)ctx;
    if (now_ps % (10 * PS_PER_MS) < PS_PER_MS)
        fprintf(stderr, "\r%" PRIu64 " ms, %" PRIu64 "M instructions ", now_ps / PS_PER_MS, instructions / 1000000);
}

static bool write_results(const struct run_options *options, const struct report_set *set)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *json = NULL;
    bool written = true;

    if (options->tap) {
        report_write_tap(set, text);
        fputs(text->str, stdout);
    } else if (set->expectations->len) {
        unsigned failures = report_set_failures(set);

        printf("%s: %u expectations, %u failed\n", set->scenario, set->expectations->len, failures);
    }
    if (options->junit) {
        g_string_truncate(text, 0);
        report_write_junit(set, text);
        written &= command_write_file("run", options->junit, text->str);
    }
    if (options->json) {
        json = report_write_json(set);
        written &= command_write_file("run", options->json, json);
    }
    return written;
}

static int run_file(const char *program, const char *name, const struct run_options *options, enum engine engine)
{
    g_autofree char *file = command_scenario_path(program, name), *text = NULL;
    g_auto(GStrv) images = command_image_path(program);
    g_autoptr(GError) error = NULL;
    struct script_options script = {
        .file = file,
        .parameters = (const char *const *)options->parameters,
        .image_path = (const char *const *)images,
        .snapshots = options->snapshots,
        .engine = engine,
        .print = print_line,
        .check = options->check,
        .progress = options->progress && isatty(STDERR_FILENO) ? print_progress : NULL,
        .step = options->step ? print_step : NULL,
        .ctx = (void *)options,
    };
    struct report_set *set;
    size_t size;
    int status;

    if (!script_read_file(file, SCRIPT_SIZE_LIMIT, &text, &size, &error))
        return command_fail("run", EXIT_USER, "%s", error->message);
    set = report_set_new(file);
    script.executed = command_coverage_begin(options->coverage);
    status = (int)script_run(&script, text, size, set, &error);
    if (script.progress)
        fputs("\r\033[K", stderr);
    fflush(stdout);
    if (error)
        fprintf(stderr, "%s\n", error->message);
    if (!command_coverage_end("run", options->coverage, script.executed) && status == SCRIPT_OK)
        status = EXIT_USER;
    if (!write_results(options, set) && status == SCRIPT_OK)
        status = EXIT_USER;
    report_set_free(set);
    return status;
}

static bool parse_engine(const char *name, enum engine *engine)
{
    *engine = name && strcmp(name, "reference") == 0 ? ENGINE_REFERENCE : ENGINE_FAST;
    return !name || *engine == ENGINE_REFERENCE || strcmp(name, "fast") == 0;
}

static int run_list(const char *program)
{
    g_autoptr(GString) out = g_string_new(NULL);

    command_scenario_list(program, out);
    fputs(out->str, stdout);
    return 0;
}

static int run_with(const char *program, int argc, char **argv, const struct run_options *options)
{
    enum engine engine;

    if (options->list)
        return run_list(program);
    if (argc != 2)
        return command_fail("run", EXIT_USER, "%d scenarios; fam10h run FILE runs one, --list shows what there is",
                            argc - 1);
    if (!parse_engine(options->engine, &engine))
        return command_fail("run", EXIT_USER, "--engine %s; reference and fast are right", options->engine);
    return run_file(program, argv[1], options, engine);
}

int command_run(const char *program, int argc, char **argv)
{
    struct run_options options = { 0 };
    int status;
    const GOptionEntry entries[] = {
        { "set", 's', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.parameters, "Give the scenario param.KEY", "KEY=VALUE" },
        { "json", 0, 0, G_OPTION_ARG_FILENAME, &options.json, "Write the report document (-: stdout)", "FILE" },
        { "junit", 0, 0, G_OPTION_ARG_FILENAME, &options.junit, "Write the expectations as JUnit XML", "FILE" },
        { "tap", 0, 0, G_OPTION_ARG_NONE, &options.tap, "Print the expectations as TAP, all else as comments", NULL },
        { "engine", 0, 0, G_OPTION_ARG_FILENAME, &options.engine,
          "fast, or reference: every access through the full model, the same report", "NAME" },
        { "snapshots", 0, 0, G_OPTION_ARG_FILENAME, &options.snapshots, "Where save and restore have their files",
          "DIR" },
        { "coverage", 0, 0, G_OPTION_ARG_FILENAME, &options.coverage,
          "Write which instructions of the kernels were executed", "FILE" },
        { "check", 0, 0, G_OPTION_ARG_NONE, &options.check, "Check each kernel's own accesses; what is found fails",
          NULL },
        { "progress", 0, 0, G_OPTION_ARG_NONE, &options.progress, "Show machine time on a terminal", NULL },
        { "step", 0, 0, G_OPTION_ARG_NONE, &options.step,
          "Show each step that the scenario marks; on a terminal wait for a key", NULL },
        { "list", 0, 0, G_OPTION_ARG_NONE, &options.list, "List the scenarios and end", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    if (command_options("run", entries, &argc, &argv, &status))
        status = run_with(program, argc, argv, &options);
    g_strfreev(options.parameters);
    g_free(options.json);
    g_free(options.junit);
    g_free(options.engine);
    g_free(options.snapshots);
    g_free(options.coverage);
    return status;
}
