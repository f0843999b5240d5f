/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry for the image loaders: the bytes as a kernel (multiboot, bzImage or PVH), as an ELF symbol table, as
 * firmware. Built with clang -fsanitize=fuzzer, or by any driver that calls LLVMFuzzerTestOneInput.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/platform/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is refused is refused by one line. */
static void one_line(bool loaded, GError **error)
{
    if (loaded != !*error || (*error && strpbrk((*error)->message, "\r\n")))
        abort();
    g_clear_error(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct platform_config config = {
        .nodes = 1, .cores_per_node = 1, .memory = 0x4000000, .host_memory = 0x4000000, .mhz = 2300,
    };
    const struct image image = { "fuzz", data, size, "module" };
    struct platform *platform = platform_new(&config, NULL);
    struct load_result result;
    GError *error = NULL;
    uint64_t value = 0;

    if (!platform)
        return 0;
    one_line(load_kernel(platform, &image, "command line", &image, 1, &result, &error), &error);
    one_line(load_firmware(platform, &image, &result, &error), &error);
    image_symbol(&image, "start", &value);
    image_symbol_at(&image, value, &value);
    platform_free(platform);
    return 0;
}
