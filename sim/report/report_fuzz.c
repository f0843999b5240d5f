/* SPDX-License-Identifier: MIT */
/* Fuzz entry for JSON and the gate: the bytes as a baseline, as a report, and as the rule of --allow. */
#include <string.h>

#include "sim/report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const char *baseline, size_t baseline_size, const char *report, size_t report_size,
                    const char *rule)
{
    const char *const allow[] = { rule, NULL };
    const struct gate_options options = { .allow = rule ? allow : NULL, .other_images = true };
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) out = g_string_new(NULL);

    gate_compare("baseline", baseline, baseline_size, "report", report, report_size, &options, out, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char fixed[] = "{\"schema\":\"fam10h-report-1\",\"outcome\":{\"instructions\":5},"
                                "\"counters\":{\"a\":1},\"images\":[],\"hash\":\"0\"}";
    g_autofree char *text = g_malloc(size + 1);
    g_autoptr(GError) error = NULL;
    size_t half = size / 2;

    memcpy(text, data, size);
    text[size] = '\0';
    compare(text, size, fixed, sizeof(fixed) - 1, NULL);
    compare(fixed, sizeof(fixed) - 1, text, size, NULL);
    compare(text, size, text, size, NULL);
    gate_may_update("report", text, size, &error);
    if (memchr(text, '\n', half) == NULL) /* first line: the rule */
        half = 0;
    else
        half = (size_t)((char *)memchr(text, '\n', half) - text) + 1;
    if (half > 0) {
        text[half - 1] = '\0';
        compare(text + half, size - half, fixed, sizeof(fixed) - 1, text);
    }
    return 0;
}
