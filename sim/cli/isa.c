/* SPDX-License-Identifier: MIT */
/* fam10h isa: the instruction table, or what of it has no test. */
#include <stdio.h>

#include "sim/cli/command.h"
#include "sim/machine/machine.h"

int command_isa(const char *program, int argc, char **argv)
{
    g_autofree char *coverage = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    unsigned missing;
    int status;
    const GOptionEntry entries[] = {
        { "coverage", 0, 0, G_OPTION_ARG_FILENAME, &coverage,
          "List rows and declared faults without evidence in DIR; status 1 if there are any", "DIR" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    (void)program;
    if (!command_options("isa", entries, &argc, &argv, &status))
        return status;
    if (argc != 1)
        return command_fail("isa", EXIT_USER, "'%s' is not an option; fam10h isa --help lists them", argv[1]);
    if (!coverage) {
        isa_print(out);
        fputs(out->str, stdout);
        return 0;
    }
    missing = isa_coverage(out, coverage, &error);
    fputs(out->str, stdout);
    if (error)
        return command_fail("isa", EXIT_USER, "%s", error->message);
    return missing ? EXIT_FAILED : 0;
}
