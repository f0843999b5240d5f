/* SPDX-License-Identifier: MIT */
/* Fuzz entry for error records in the text format of Linux mce-inject. */
#include <stdlib.h>
#include <string.h>

#include "sim/mce/mce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_malloc(size + 1);
    g_autoptr(GError) error = NULL;
    GArray *records;

    memcpy(text, data, size);
    text[size] = '\0';
    records = mca_text_parse(text, size, &error);
    if ((records == NULL) != (error != NULL) || (error && strchr(error->message, '\n')))
        abort(); /* one line says why there are none */
    if (records)
        g_array_unref(records);
    return 0;
}
