/* SPDX-License-Identifier: MIT */
/* The table printed, and compared with the evidence of test runs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sim/cpu/cpu.h"
#include "sim/cpu/isa/evidence.h"

/* ---- Recording ---------------------------------------------------------------------------------------- */

/* By vector, as the rows' fault column spells them. */
static const char *const fault_names[32] = {
    [EXC_DE] = "DE", [EXC_DB] = "DB", [EXC_BP] = "BP", [EXC_OF] = "OF", [EXC_BR] = "BR", [EXC_UD] = "UD",
    [EXC_NM] = "NM", [EXC_DF] = "DF", [EXC_TS] = "TS", [EXC_NP] = "NP", [EXC_SS] = "SS", [EXC_GP] = "GP",
    [EXC_PF] = "PF", [EXC_MF] = "MF", [EXC_AC] = "AC", [EXC_MC] = "MC", [EXC_XF] = "XF", [EXC_SX] = "SX",
};

#define EVENT_RETIRED 32
#define EVENT_EXIT 33

struct isa_evidence {
    int file;
    uint64_t seen[]; /* a bit for each event of each row */
};

struct isa_evidence *isa_evidence_new(const char *directory, const char *name)
{
    struct isa_evidence *evidence = g_malloc0(sizeof(*evidence) + isa_row_count * sizeof(evidence->seen[0]));
    char *path = g_strdup_printf("%s/%s.evidence", directory, name);

    g_mkdir_with_parents(directory, 0777);
    evidence->file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    g_free(path);
    if (evidence->file >= 0)
        return evidence;
    g_free(evidence);
    return NULL;
}

void isa_evidence_free(struct isa_evidence *evidence)
{
    if (evidence == NULL)
        return;
    close(evidence->file);
    g_free(evidence);
}

static int event_of(const struct core *core, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_FAULT:
    case OUTCOME_TRAP:
        return core->fault.vector & 31;
    case OUTCOME_VMEXIT:
        return EVENT_EXIT;
    case OUTCOME_REPEAT:
        return -1;
    default:
        return EVENT_RETIRED;
    }
}

void isa_evidence_record(struct isa_evidence *evidence, const struct core *core, const struct isa_row *row,
                         enum outcome outcome)
{
    unsigned number = (unsigned)(row - isa_rows);
    int event = event_of(core, outcome);
    const char *name;
    char *line;

    if (event < 0 || bit(evidence->seen[number], (unsigned)event))
        return;
    evidence->seen[number] |= BIT(event);
    name = event == EVENT_RETIRED ? "retired" : event == EVENT_EXIT ? "exit" : fault_names[event];
    line = g_strdup_printf("%s\t%s\t%s\n", row->encoding, row->name, name ? name : "?");
    if (write(evidence->file, line, strlen(line)) < 0)
        g_warning("evidence of tests: %s", g_strerror(errno));
    g_free(line);
}

/* ---- Coverage ------------------------------------------------------------------------------------------ */

/* The set of lines of every .evidence file. */
static GHashTable *read_evidence(const char *directory, GError **error)
{
    GHashTable *lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GDir *dir = g_dir_open(directory, 0, error);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        char *path = g_build_filename(directory, name, NULL), *text = NULL;

        if (g_str_has_suffix(name, ".evidence") && g_file_get_contents(path, &text, NULL, NULL)) {
            char **line = g_strsplit(text, "\n", -1);

            for (char **at = line; *at != NULL; at++)
                g_hash_table_add(lines, g_strdup(*at));
            g_strfreev(line);
        }
        g_free(text);
        g_free(path);
    }
    if (dir != NULL) {
        g_dir_close(dir);
        return lines;
    }
    g_hash_table_destroy(lines);
    return NULL;
}

static bool shown(GHashTable *lines, const struct isa_row *row, const char *event)
{
    char *key = g_strdup_printf("%s\t%s\t%s", row->encoding, row->name, event);
    bool found = g_hash_table_contains(lines, key);

    g_free(key);
    return found;
}

static unsigned missing_in_row(GString *out, GHashTable *lines, const struct isa_row *row)
{
    char **faults = g_strsplit(row->faults, " ", -1);
    unsigned missing = 0;

    if (!(row->attributes & (A_NEVER_RETIRES | A_UNMODELLED)) && !shown(lines, row, "retired")) {
        g_string_append_printf(out, "%-24s %-20s no test\n", row->encoding, row->name);
        missing++;
    }
    for (char **fault = faults; *fault != NULL; fault++) {
        if (**fault == '\0' || shown(lines, row, *fault))
            continue;
        g_string_append_printf(out, "%-24s %-20s no test of #%s\n", row->encoding, row->name, *fault);
        missing++;
    }
    g_strfreev(faults);
    return missing;
}

unsigned isa_coverage(GString *out, const char *evidence_directory, GError **error)
{
    GHashTable *lines = read_evidence(evidence_directory, error);
    unsigned missing = 0;

    if (lines == NULL)
        return isa_row_count;
    for (unsigned n = 0; n < isa_row_count; n++)
        missing += missing_in_row(out, lines, &isa_rows[n]);
    g_hash_table_destroy(lines);
    return missing;
}

/* ---- The table ------------------------------------------------------------------------------------------ */

static const char *modes_text(unsigned modes)
{
    switch (modes) {
    case ISA_MODES_ANY: return "any";
    case ISA_MODES_NOT64: return "not 64-bit";
    case ISA_MODES_ONLY64: return "64-bit";
    case ISA_MODES_PROT: return "protected";
    default: return "protected, not 64-bit";
    }
}

unsigned isa_print(GString *out)
{
    g_string_append_printf(out, "%-24s %-22s %-12s %-11s %-10s %-6s %-9s %s\n", "encoding", "name", "operands", "modes",
                           "OSZAPC", "cycles", "intercept", "faults");
    for (unsigned n = 0; n < isa_row_count; n++) {
        const struct isa_row *row = &isa_rows[n];
        char intercept[8] = "-";

        if (row->intercept.stage != ISA_STAGE_NONE)
            g_snprintf(intercept, sizeof(intercept), "%03X%s", row->intercept.code,
                       row->intercept.stage == ISA_STAGE_PRE ? " pre" : "");
        g_string_append_printf(out, "%-24s %-22s %-12s %-11s %-10s %-6u %-9s %s\n", row->encoding, row->name,
                               row->operands, modes_text(row->modes), row->flags,
                               isa_cost_cycles((enum isa_cost)row->cost), intercept, row->faults);
    }
    return isa_row_count;
}
