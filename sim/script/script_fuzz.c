/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry for scenarios: the bytes as a script, with limits small enough for many runs a second.
 * Built with clang -fsanitize=fuzzer, or by any driver that calls LLVMFuzzerTestOneInput.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void swallow(void *ctx, const char *line)
{
    (void)ctx;
    (void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct script_options options = {
        .file = "fuzz.lua", .snapshots = "/nonexistent", .instructions = 20000, .memory = 4 << 20, .print = swallow,
    };
    struct report_set *set = report_set_new("fuzz.lua");
    g_autoptr(GError) error = NULL;
    enum script_status status = script_run(&options, (const char *)data, size, set, &error);
    g_autofree char *json = report_write_json(set);
    g_autoptr(GString) out = g_string_new(NULL);

    if (status > SCRIPT_LIMIT || (error && strchr(error->message, '\n')))
        abort(); /* one status of four, one line */
    if (!report_json_check("report", json, strlen(json), NULL))
        abort(); /* what a script puts into a report must not break it */
    report_write_tap(set, out);
    report_write_junit(set, out);
    report_set_free(set);
    return 0;
}
