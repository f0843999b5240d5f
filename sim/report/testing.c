/* SPDX-License-Identifier: MIT */
/* A scenario as a test: TAP for harnesses, JUnit XML for CI systems. */
#include <inttypes.h>
#include <string.h>

#include "sim/report/report.h"

static const struct report_expectation *expectation_at(const struct report_set *set, guint i)
{
    return &g_array_index(set->expectations, struct report_expectation, i);
}

/* ---- TAP ------------------------------------------------------------------------------------- */

/* A description must not hold a line end, and '#' would begin a directive. */
static void tap_append(GString *out, const char *text, bool escape)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\n' || *c == '\r')
            g_string_append_c(out, ' ');
        else if (escape && (*c == '#' || *c == '\\'))
            g_string_append_printf(out, "\\%c", *c);
        else
            g_string_append_c(out, *c);
    }
}

void report_write_tap(const struct report_set *set, GString *out)
{
    for (guint i = 0; i < set->expectations->len; i++) {
        const struct report_expectation *row = expectation_at(set, i);

        g_string_append_printf(out, "%sok %u - ", row->passed ? "" : "not ", i + 1);
        tap_append(out, row->name, true);
        g_string_append_c(out, '\n');
        if (!row->passed) {
            g_string_append(out, "#   ");
            tap_append(out, row->where, false);
            g_string_append(out, ": ");
            tap_append(out, row->detail ? row->detail : "failed", false);
            g_string_append_c(out, '\n');
        }
    }
    if (set->expectations->len)
        g_string_append_printf(out, "1..%u\n", set->expectations->len);
    else
        g_string_append(out, "1..0 # SKIP the scenario expects nothing\n");
}

/* ---- JUnit XML ------------------------------------------------------------------------------- */

/* XML 1.0 has no way to write most control characters, nor invalid UTF-8: they become U+FFFD. */
static void xml_append(GString *out, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    for (const char *c = valid; *c; c = g_utf8_next_char(c)) {
        gunichar u = g_utf8_get_char(c);

        switch (u) {
        case '&': g_string_append(out, "&amp;"); break;
        case '<': g_string_append(out, "&lt;"); break;
        case '>': g_string_append(out, "&gt;"); break;
        case '"': g_string_append(out, "&quot;"); break;
        case '\t': case '\n': case '\r': g_string_append_printf(out, "&#%u;", (unsigned)u); break;
        default:
            g_string_append_unichar(out, u < 0x20 || u == 0xfffe || u == 0xffff ? 0xfffd : u);
        }
    }
}

void report_write_junit(const struct report_set *set, GString *out)
{
    g_string_append(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"");
    xml_append(out, set->scenario);
    g_string_append_printf(out, "\" tests=\"%u\" failures=\"%u\" errors=\"0\">\n", set->expectations->len,
                           report_set_failures(set));
    for (guint i = 0; i < set->expectations->len; i++) {
        const struct report_expectation *row = expectation_at(set, i);

        g_string_append(out, "  <testcase classname=\"");
        xml_append(out, set->scenario);
        g_string_append(out, "\" name=\"");
        xml_append(out, row->name);
        if (row->passed) {
            g_string_append(out, "\"/>\n");
            continue;
        }
        g_string_append(out, "\">\n    <failure message=\"");
        xml_append(out, row->detail ? row->detail : "failed");
        g_string_append(out, "\">");
        xml_append(out, row->where);
        g_string_append(out, "</failure>\n  </testcase>\n");
    }
    g_string_append(out, "</testsuite>\n");
}
