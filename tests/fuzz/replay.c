/* SPDX-License-Identifier: MIT */
/* Runs a fuzz entry over committed inputs where there is no fuzzer: one TAP line for each file of a directory. */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *list(const char *directory)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_build_filename(directory, name, NULL));
    if (dir)
        g_dir_close(dir);
    qsort(names->pdata, names->len, sizeof(gpointer), compare_names);
    return names;
}

/* Usage: TARGET [DIRECTORY]; else $top_srcdir/tests/fuzz/seeds/TARGET. */
int main(int argc, char **argv)
{
    const char *top = g_getenv("top_srcdir");
    g_autofree char *target = g_path_get_basename(argv[0]);
    g_autofree char *seeds = g_build_filename(top ? top : ".", "tests", "fuzz", "seeds", target, NULL);
    GPtrArray *names = list(argc > 1 ? argv[1] : seeds);

    printf("1..%u\n", MAX(names->len, 1));
    if (names->len == 0)
        printf("not ok 1 - no seeds in %s\n", argc > 1 ? argv[1] : seeds);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        char *text = NULL;
        gsize size = 0;

        if (g_file_get_contents(name, &text, &size, NULL)) {
            LLVMFuzzerTestOneInput((const uint8_t *)text, size);
            printf("ok %u - %s\n", i + 1, strrchr(name, '/') + 1);
        } else {
            printf("not ok %u - %s cannot be read\n", i + 1, name);
        }
        fflush(stdout);
        g_free(text);
    }
    g_ptr_array_free(names, TRUE);
    return 0;
}
