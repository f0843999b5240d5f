/* SPDX-License-Identifier: MIT */
/* fam10h counters: doc/counters.md, made from the declarations. */
#include <stdio.h>
#include <string.h>

#include "sim/cli/command.h"
#include "sim/machine/machine.h"

static void print_dimensions(GString *out, const struct counter_row *row)
{
    for (unsigned d = 0; d < COUNTER_DIMS && row->dim[d].name; d++) {
        const struct counter_dim *dim = &row->dim[d];

        g_string_append_printf(out, "%s`%s`: ", d ? "; " : "", dim->name);
        if (!dim->labels)
            g_string_append_printf(out, "0-%u", dim->size - 1);
        for (unsigned v = 0; dim->labels && v < dim->size; v++)
            g_string_append_printf(out, "%s%s", v ? ", " : "", dim->labels[v]);
    }
}

static void print_row(void *ctx, const char *prefix, const struct counter_row *row)
{
    GString *out = ctx;

    g_string_append_printf(out, "| `%s%s%s` | %s | %s | ", prefix, *prefix ? "." : "", row->name, row->unit,
                           row->meaning);
    print_dimensions(out, row);
    g_string_append(out, " |\n");
}

static void print_document(GString *out, const struct counter_set *set)
{
    g_string_append(out,
                    "<!-- SPDX-License-Identifier: MIT -->\n"
                    "<!-- Made by `fam10h counters` from the declarations; make check compares. -->\n"
                    "# Counters\n\n"
                    "A full name is `part[n].part[n].noun.event{dimension=value,...}`. In `counter(name)` a dimension\n"
                    "left out sums over its values and `[*]` over an index:\n"
                    "`counter(\"node[*].core[*].walk.refs{side=d}\")`. Reports show what is not zero.\n\n"
                    "| name | unit | meaning | dimensions |\n|---|---|---|---|\n");
    counters_declared(set, print_row, out);
}

int command_counters(const char *program, int argc, char **argv)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    struct machine_config config;
    struct machine *machine;
    int status;
    const GOptionEntry entries[] = { { NULL, 0, 0, 0, NULL, NULL, NULL } };

    (void)program;
    if (!command_options("counters", entries, &argc, &argv, &status))
        return status;
    machine_config_defaults(&config);
    machine = machine_new(&config, &error);
    if (!machine)
        return command_fail("counters", EXIT_USER, "%s", error->message);
    print_document(out, machine_counters(machine));
    fputs(out->str, stdout);
    machine_free(machine);
    return 0;
}
