/* SPDX-License-Identifier: MIT */
#include "sim/platform/error.h"
#include "sim/platform/parts.h"
#include "sim/spa.h"

#define FIRMWARE_UNIT 0x10000u
#define SHADOW_MAX 0x20000u /* E0000-FFFFF */
#define RESET_VECTOR UINT64_C(0xfffffff0)

bool load_firmware(struct platform *platform, const struct image *image, struct load_result *result, GError **error)
{
    size_t shadow = image->size < SHADOW_MAX ? image->size : SHADOW_MAX;

    if (image->size < FIRMWARE_UNIT || image->size > ROM_MAX || image->size % FIRMWARE_UNIT)
        return platform_fail(error, "%s: firmware of %zu bytes; a multiple of 65536 from 65536 to 16777216 would be "
                             "right", image->name, image->size);
    rom_set(&platform->rom, image->data, image->size);
    /* deviation: the shadow below 1 MiB is there at once; on the machine firmware copies itself (BKDG10 2.7). */
    spa_write_block(&platform->map.space, MIB - shadow, image->data + image->size - shadow, shadow);
    *result = (struct load_result){ .entry = RESET_VECTOR, .protected_flat = false };
    return true;
}
