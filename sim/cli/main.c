/* SPDX-License-Identifier: MIT */
/* fam10h COMMAND: one table of subcommands, one file for each. */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "sim/cli/command.h"
#include "sim/script/script.h"

const struct command commands[] = {
    { "run", "SCENARIO", "Run a scenario: a Lua script that builds a machine, drives it and asserts.", command_run },
    { "boot", "--kernel IMAGE", "Boot an image with the terminal as its serial port; Ctrl-A X ends.", command_boot },
    { "gate", "BASELINE REPORT", "Compare a report with its baseline; exit status 1 when something moved.",
      command_gate },
    { "counters", "", "Print every counter's declaration (doc/counters.md).", command_counters },
    { "isa", "[--coverage DIR]", "Print the instruction table, or what of it has no test.", command_isa },
    { NULL, NULL, NULL, NULL },
};

static void print_help(FILE *out)
{
    fputs("fam10h: a reference model of an AMD Family 10h server\n\n", out);
    for (const struct command *command = commands; command->name; command++)
        fprintf(out, "  fam10h %s%s%s\n      %s\n", command->name, *command->synopsis ? " " : "", command->synopsis,
                command->summary);
    fputs("\n  fam10h COMMAND --help lists a command's options. Exit status: 0, 1 (an expectation, the gate or the\n"
          "  guest failed), 2 (a mistake in options, script or files), 3 (a stated limit was reached).\n", out);
}

static const char *nearest_command(const char *name)
{
    const char *names[16];
    size_t count = 0;

    while (commands[count].name && count < G_N_ELEMENTS(names)) {
        names[count] = commands[count].name;
        count++;
    }
    return script_nearest(name, names, count);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    const char *near;

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return argc > 1 ? 0 : EXIT_USER;
    }
    if (strcmp(name, "--version") == 0) {
        puts(PACKAGE_STRING);
        return 0;
    }
    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command->main(argv[0], argc - 1, argv + 1);
    }
    near = nearest_command(name);
    if (near)
        return command_fail("", EXIT_USER, "no command is called '%s'; did you mean '%s'?", name, near);
    return command_fail("", EXIT_USER, "no command is called '%s'; fam10h --help lists them", name);
}
