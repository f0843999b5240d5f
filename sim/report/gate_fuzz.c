/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry for report documents and the gate: the bytes up to the first zero are an --allow rule, those up to the
 * next zero the baseline, the rest the report.
 * Built with clang -fsanitize=fuzzer, or by any driver that calls LLVMFuzzerTestOneInput.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of [text, end) with a zero behind it, as files are read. */
static char *part(const char *text, const char *end)
{
    return g_strndup(text, (gsize)(end - text));
}

static const char *zero_or_end(const char *text, const char *end)
{
    const char *zero = memchr(text, '\0', (size_t)(end - text));

    return zero ? zero : end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;
    const char *rule_end = zero_or_end(text, end);
    const char *baseline = rule_end < end ? rule_end + 1 : end, *baseline_end = zero_or_end(baseline, end);
    const char *report = baseline_end < end ? baseline_end + 1 : end;
    g_autofree char *rule = part(text, rule_end), *was = part(baseline, baseline_end), *is = part(report, end);
    const char *const allow[] = { rule, NULL };
    g_autoptr(GString) out = g_string_new(NULL);

    for (int other = 0; other < 2; other++) {
        struct gate_options options = { *rule ? allow : NULL, other != 0 };
        g_autoptr(GError) error = NULL;
        enum gate_verdict verdict = gate_compare("baseline", was, strlen(was), "report", is, (size_t)(end - report),
                                                 &options, out, &error);

        if ((verdict == GATE_UNUSABLE) != (error != NULL) || (error && strchr(error->message, '\n')))
            abort(); /* an unusable document has one line, a usable one none */
    }
    gate_may_update("report", is, (size_t)(end - report), NULL);
    return 0;
}
