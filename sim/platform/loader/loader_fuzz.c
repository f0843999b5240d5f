/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry for the image loaders: the bytes as a kernel (multiboot, bzImage or PVH), as an ELF symbol table, as
 * firmware. Built with clang -fsanitize=fuzzer, or by any driver that calls LLVMFuzzerTestOneInput.
 */
#include "sim/platform/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct platform_config config = {
        .nodes = 1, .cores_per_node = 1, .memory = 0x4000000, .host_memory = 0x4000000, .mhz = 2300,
    };
    const struct image image = { "fuzz", data, size, "module" };
    struct platform *platform = platform_new(&config, NULL);
    struct load_result result;
    uint64_t value = 0;

    if (!platform)
        return 0;
    load_kernel(platform, &image, "command line", &image, 1, &result, NULL);
    load_firmware(platform, &image, &result, NULL);
    image_symbol(&image, "start", &value);
    image_symbol_at(&image, value, &value);
    platform_free(platform);
    return 0;
}
