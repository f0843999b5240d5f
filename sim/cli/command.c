/* SPDX-License-Identifier: MIT */
#include "sim/cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/script/script.h"

int command_fail(const char *command, int status, const char *format, ...)
{
    va_list arguments;
    g_autofree char *text = NULL;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
    fprintf(stderr, "fam10h%s%s: %s\n", *command ? " " : "", command, g_strdelimit(text, "\r\n", ' '));
    return status;
}

static const struct command *command_find(const char *name)
{
    const struct command *command = commands;

    while (command->name && strcmp(command->name, name) != 0)
        command++;
    return command->name ? command : NULL;
}

bool command_options(const char *command, const GOptionEntry *entries, int *argc, char ***argv, int *status)
{
    const struct command *self = command_find(command);
    g_autoptr(GOptionContext) context = g_option_context_new(self ? self->synopsis : NULL);
    g_autoptr(GError) error = NULL;
    gboolean help = FALSE;
    const GOptionEntry help_entry[] = {
        { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this and end", NULL }, { NULL, 0, 0, 0, NULL, NULL, NULL }
    };

    g_option_context_set_help_enabled(context, FALSE); /* GLib's own would exit by itself, on any error too */
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_main_entries(context, help_entry, NULL);
    if (self)
        g_option_context_set_summary(context, self->summary);
    if (!g_option_context_parse(context, argc, argv, &error)) {
        *status = command_fail(command, EXIT_USER, "%s; fam10h %s --help lists the options", error->message, command);
        return false;
    }
    if (help) {
        g_autofree char *text = NULL, *name = g_strdup_printf("fam10h %s", command);

        g_set_prgname(name);
        text = g_option_context_get_help(context, TRUE, NULL);
        fputs(text, stdout);
        *status = 0;
        return false;
    }
    if (*argc > 1 && strcmp((*argv)[1], "--") == 0) { /* GLib leaves it when operands follow */
        memmove(&(*argv)[1], &(*argv)[2], sizeof(char *) * (size_t)(*argc - 1));
        --*argc;
    }
    return true;
}

/* ---- Where things are ------------------------------------------------------------------------ */

/* The directory that the program stands in, when it was started by a path; NULL when found by PATH. */
static char *program_directory(const char *program)
{
    return strchr(program, '/') ? g_path_get_dirname(program) : NULL;
}

char **command_image_path(const char *program)
{
    static const char *const built[] = { "hv", "workloads", "bench" };
    g_autofree char *directory = program_directory(program);
    const char *environment = g_getenv("FAM10H_IMAGES");
    GPtrArray *path = g_ptr_array_new();

    if (environment && *environment) {
        g_auto(GStrv) parts = g_strsplit(environment, ":", -1);

        for (size_t i = 0; parts[i]; i++)
            g_ptr_array_add(path, g_strdup(parts[i]));
    }
    for (size_t i = 0; directory && i < G_N_ELEMENTS(built); i++)
        g_ptr_array_add(path, g_build_filename(directory, built[i], NULL));
    g_ptr_array_add(path, g_strdup(PKGDATADIR "/images"));
    g_ptr_array_add(path, NULL);
    return (char **)g_ptr_array_free(path, FALSE);
}

/* FAM10H_SCENARIOS, beside a build directory, then installed. */
static char **scenario_directories(const char *program)
{
    g_autofree char *directory = program_directory(program);
    GPtrArray *path = g_ptr_array_new();

    if (g_getenv("FAM10H_SCENARIOS"))
        g_ptr_array_add(path, g_strdup(g_getenv("FAM10H_SCENARIOS")));
    if (directory)
        g_ptr_array_add(path, g_build_filename(directory, "..", "scenarios", NULL));
    g_ptr_array_add(path, g_strdup(PKGDATADIR "/scenarios"));
    g_ptr_array_add(path, NULL);
    return (char **)g_ptr_array_free(path, FALSE);
}

char *command_scenario_path(const char *program, const char *name)
{
    g_auto(GStrv) directories = NULL;

    if (g_file_test(name, G_FILE_TEST_EXISTS) || g_path_is_absolute(name) || strstr(name, ".."))
        return g_strdup(name);
    directories = scenario_directories(program);
    for (size_t i = 0; directories[i]; i++) {
        g_autofree char *file = g_str_has_suffix(name, ".lua") ? g_strdup(name) : g_strconcat(name, ".lua", NULL);
        g_autofree char *path = g_build_filename(directories[i], file, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&path);
    }
    return g_strdup(name);
}

/* The first comment line that is not the licence's. */
static char *first_comment(const char *path)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup("");
    lines = g_strsplit(text, "\n", 10);
    for (size_t i = 0; lines[i]; i++) {
        if (g_str_has_prefix(lines[i], "-- ") && !strstr(lines[i], "SPDX"))
            return g_strdup(lines[i] + 3);
    }
    return g_strdup("");
}

/* CE-2 before CE-10: digits compare as numbers. */
static int compare_names(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;

    while (*x && *x == *y)
        x++, y++;
    if (g_ascii_isdigit(*x) && g_ascii_isdigit(*y)) {
        size_t i = strspn(x, "0123456789"), k = strspn(y, "0123456789");

        if (i != k)
            return i < k ? -1 : 1;
    }
    return strcmp(x, y);
}

/* Scenarios of a directory and of those below it. */
static void add_names(GPtrArray *names, const char *directory, const char *below)
{
    g_autofree char *path = g_build_filename(directory, below, NULL);
    g_autoptr(GDir) open = g_dir_open(path, 0, NULL);
    const char *name;

    while (open && (name = g_dir_read_name(open))) {
        g_autofree char *full = g_build_filename(path, name, NULL);

        if (g_str_has_suffix(name, ".lua"))
            g_ptr_array_add(names, below ? g_build_filename(below, name, NULL) : g_strdup(name));
        else if (!below && g_file_test(full, G_FILE_TEST_IS_DIR) && strcmp(name, "baselines") != 0 &&
                 strcmp(name, "lib") != 0)
            add_names(names, directory, name);
    }
}

void command_scenario_list(const char *program, GString *out)
{
    g_auto(GStrv) directories = scenario_directories(program);

    for (size_t i = 0; directories[i]; i++) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

        add_names(names, directories[i], NULL);
        qsort(names->pdata, names->len, sizeof(gpointer), compare_names);
        for (guint n = 0; n < names->len; n++) {
            g_autofree char *path = g_build_filename(directories[i], g_ptr_array_index(names, n), NULL);
            g_autofree char *comment = first_comment(path);

            g_string_append_printf(out, "%-24s %s\n", (const char *)g_ptr_array_index(names, n), comment);
        }
        if (names->len)
            return;
    }
}

struct executed *command_coverage_begin(const char *file)
{
    return file || g_getenv("FAM10H_COVERAGE") ? executed_new() : NULL;
}

bool command_coverage_end(const char *command, const char *file, struct executed *executed)
{
    g_autoptr(GString) text = NULL;
    g_autofree char *made = NULL;
    int fd;

    if (!executed)
        return true;
    text = g_string_new(NULL);
    executed_write(executed, text);
    executed_free(executed);
    if (!file) {
        file = made = g_build_filename(g_getenv("FAM10H_COVERAGE"), "XXXXXX.executed", NULL);
        fd = g_mkstemp(made);
        if (fd < 0) {
            command_fail(command, EXIT_USER, "FAM10H_COVERAGE: %s: %s", made, g_strerror(errno));
            return false;
        }
        close(fd);
    }
    return command_write_file(command, file, text->str);
}

bool command_write_file(const char *command, const char *file, const char *text)
{
    g_autoptr(GError) error = NULL;

    if (strcmp(file, "-") == 0)
        return fputs(text, stdout) >= 0;
    if (g_file_set_contents(file, text, -1, &error))
        return true;
    command_fail(command, EXIT_USER, "%s", error->message);
    return false;
}
