/* SPDX-License-Identifier: MIT */
/* What the subcommands share: their table, options, error lines and files. */
#ifndef FAM10H_CLI_COMMAND_H
#define FAM10H_CLI_COMMAND_H

#include <glib.h>
#include <stdbool.h>

#include "sim/machine/machine.h"

enum { EXIT_FAILED = 1, EXIT_USER = 2, EXIT_LIMIT = 3 };

struct command {
    const char *name;
    const char *synopsis; /* after the name, for --help */
    const char *summary;
    /* argv[0] is the subcommand's name; `program` is the path fam10h was started by. Returns the exit status. */
    int (*main)(const char *program, int argc, char **argv);
};

int command_run(const char *program, int argc, char **argv);
int command_boot(const char *program, int argc, char **argv);
int command_gate(const char *program, int argc, char **argv);
int command_isa(const char *program, int argc, char **argv);
int command_counters(const char *program, int argc, char **argv);

/* The subcommands in order; the last has no name. */
extern const struct command commands[];

/* "fam10h COMMAND: what" on stderr; returns `status`. */
int command_fail(const char *command, int status, const char *format, ...) G_GNUC_PRINTF(3, 4);

/*
 * Parse options; what is left in argv are operands. False: `status` is what to exit with (0 after --help,
 * 2 after one line about an unknown option).
 */
bool command_options(const char *command, const GOptionEntry *entries, int *argc, char ***argv, int *status);

/* Directories where this build's or installation's images are: a NULL-terminated list to free. */
char **command_image_path(const char *program);
/* The file of a scenario: as given, or by its name among the installed ones. NULL if there is none. */
char *command_scenario_path(const char *program, const char *name);
/* All scenarios found, with the first comment of each. */
void command_scenario_list(const char *program, GString *out);

/*
 * Whether to note what is executed of kernels: into FILE if it was given, else into a new file of the directory that
 * FAM10H_COVERAGE names. NULL: neither. command_coverage_end writes and frees; false after a line if that fails.
 */
struct executed *command_coverage_begin(const char *file);
bool command_coverage_end(const char *command, const char *file, struct executed *executed);

/* Write text to FILE by way of a temporary name, or to stdout for "-"; a line and false if that fails. */
bool command_write_file(const char *command, const char *file, const char *text);

#endif
