/* SPDX-License-Identifier: MIT */
/* Fuzz entry for scenarios: the bytes as a script, under small limits and without any image. */
#include <stdlib.h>
#include <string.h>

#include "sim/script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_nothing(void *ctx, const char *line)
{
    (void)ctx;
    (void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const parameters[] = { "key=value", NULL };
    const struct script_options options = {
        .file = "/nowhere/fuzz.lua",
        .parameters = parameters,
        .snapshots = "/nowhere",
        .instructions = 100000,
        .memory = 4 << 20,
        .print = print_nothing,
    };
    g_autofree char *text = g_malloc(size + 1);
    struct report_set *set = report_set_new("fuzz.lua");
    g_autoptr(GError) error = NULL;

    memcpy(text, data, size);
    text[size] = '\0';
    script_run(&options, text, size, set, &error);
    if (error && (!*error->message || strpbrk(error->message, "\r\n")))
        abort(); /* one line says what is wrong */
    report_set_free(set);
    return 0;
}
