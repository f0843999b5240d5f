/* SPDX-License-Identifier: MIT */
/*
 * Linux bzImage by the 32-bit entry of the boot protocol (Documentation/arch/x86/boot.rst): the real-mode part is left
 * out, its setup header copied into a page of boot parameters that says what firmware calls would have found.
 */
#include "sim/platform/loader/plan.h"

#include <string.h>

#include "sim/bits.h"
#include "sim/platform/error.h"
#include "sim/platform/map.h"
#include "sim/spa.h"

/* Offsets in the file's first sectors and, the same, in the boot parameters. */
#define HEADER 0x1f1
#define HEADER_SETUP_SECTORS 0x1f1
#define HEADER_BOOT_FLAG 0x1fe
#define HEADER_JUMP 0x201      /* the header ends so many bytes behind 202h */
#define HEADER_MAGIC 0x202
#define HEADER_VERSION 0x206
#define HEADER_LOADER 0x210
#define HEADER_FLAGS 0x211
#define HEADER_CODE32_START 0x214
#define HEADER_RAMDISK 0x218
#define HEADER_RAMDISK_BYTES 0x21c
#define HEADER_COMMAND_LINE 0x228
#define HEADER_RAMDISK_MAX 0x22c
#define HEADER_COMMAND_LINE_BYTES 0x238
#define HEADER_PREFERRED 0x258
#define HEADER_INIT_BYTES 0x260

#define PARAMS_RSDP 0x070
#define PARAMS_E820_COUNT 0x1e8
#define PARAMS_HEADER_END 0x290
#define PARAMS_E820 0x2d0
#define PARAMS_E820_BYTES 20
#define PARAMS_E820_MAX 128
#define PARAMS_BYTES 0x1000

#define FLAG_LOADED_HIGH 0
#define VERSION_FIRST 0x204       /* the first with kernels above 1 MiB, command line pointer and syssize in 32 bits */
#define VERSION_COMMAND_LINE 0x206
#define VERSION_PREFERRED 0x20a
#define LOADER_UNDEFINED 0xff     /* no number is assigned to this loader */
#define COMMAND_LINE_OLD 255      /* before 2.06 */

#define PARAMS_ADDRESS UINT64_C(0x10000)
#define COMMAND_LINE_ADDRESS UINT64_C(0x20000)
#define COMMAND_LINE_LIMIT UINT64_C(0x10000)

struct bzimage {
    const struct image *image;
    unsigned version;
    uint64_t code;         /* offset of the protected-mode part */
    spa_t load;            /* where it goes */
    uint64_t need;         /* RAM from there, until the kernel has read its memory map */
    spa_t initrd_max;      /* highest address of the initrd's last byte */
    uint64_t command_line_max;
    spa_t initrd;
};

static uint64_t header_value(const struct bzimage *b, unsigned offset, unsigned size)
{
    return image_value(b->image, offset, size);
}

bool image_is_bzimage(const struct image *image)
{
    return image_has(image, 0, PARAMS_HEADER_END) && image_value(image, HEADER_BOOT_FLAG, 2) == 0xaa55 &&
           memcmp(image->data + HEADER_MAGIC, "HdrS", 4) == 0;
}

/* ---- What the header asks for ------------------------------------------------------------------------------------ */

static bool bzimage_read_header(struct bzimage *b, GError **error)
{
    const char *name = b->image->name;
    unsigned sectors = (unsigned)header_value(b, HEADER_SETUP_SECTORS, 1);

    b->version = (unsigned)header_value(b, HEADER_VERSION, 2);
    b->code = ((sectors ? sectors : 4) + 1) * UINT64_C(512);
    if (b->version < VERSION_FIRST)
        return platform_fail(error, "%s: Linux boot protocol %u.%02u; 2.04 or later is needed", name, b->version >> 8,
                             b->version & 0xff);
    if (!bit(header_value(b, HEADER_FLAGS, 1), FLAG_LOADED_HIGH))
        return platform_fail(error, "%s: a zImage, which loads below 1 MiB; a bzImage would be right", name);
    if (b->code >= b->image->size)
        return platform_fail(error, "%s: truncated: its setup has %" PRIu64 " bytes, the file only %zu", name, b->code,
                             b->image->size);
    b->initrd_max = header_value(b, HEADER_RAMDISK_MAX, 4);
    b->command_line_max = b->version >= VERSION_COMMAND_LINE ? header_value(b, HEADER_COMMAND_LINE_BYTES, 4)
                                                             : COMMAND_LINE_OLD;
    return true;
}

/* The preferred address, which Linux is linked for; it moves itself from there when it wants to. */
static bool bzimage_place(struct platform *platform, struct bzimage *b, GError **error)
{
    uint64_t size = b->image->size - b->code;

    b->load = MIB;
    b->need = size;
    if (b->version >= VERSION_PREFERRED) {
        uint64_t preferred = header_value(b, HEADER_PREFERRED, 8), init = header_value(b, HEADER_INIT_BYTES, 4);

        b->load = preferred < MIB ? MIB : preferred;
        b->need = init > size ? init : size;
    }
    if (b->load + b->need <= MAP_4G && platform_has_ram(platform, b->load, b->need))
        return true;
    return platform_fail(error, "%s: the kernel needs %" PRIu64 " MiB of RAM at %#" PRIx64 "; give the machine more "
                         "memory", b->image->name, (b->need + MIB - 1) / MIB, b->load);
}

/* As high as the header and the RAM below 4 GiB allow, on a page boundary. */
static bool bzimage_load_initrd(struct platform *platform, struct bzimage *b, const struct image *modules,
                                size_t count, GError **error)
{
    size_t ranges;
    const struct memory_range *range = platform_memory(platform, &ranges);

    if (count > 1)
        return platform_fail(error, "%s: %zu modules; Linux takes one initrd", b->image->name, count);
    if (!count || !modules[0].size)
        return true;
    for (size_t i = ranges; i-- > 0;) {
        spa_t end = range[i].base + range[i].size, low = range[i].base;

        end = end > b->initrd_max + 1 ? b->initrd_max + 1 : end;
        if (b->load < end && b->load + b->need > low)
            low = b->load + b->need;
        if (range[i].type != 1 || range[i].base < MIB || low >= end || end - low < modules[0].size)
            continue;
        b->initrd = (end - modules[0].size) & ~PAGE_MASK;
        if (b->initrd < low)
            continue;
        spa_write_block(platform_space(platform), b->initrd, modules[0].data, modules[0].size);
        return true;
    }
    return platform_fail(error, "%s: no RAM for this initrd of %zu bytes below %#" PRIx64 "; give the machine more "
                         "memory", modules[0].name, modules[0].size, b->initrd_max);
}

/* ---- The boot parameters ----------------------------------------------------------------------------------------- */

static void params_put_memory(struct block *block, struct platform *platform)
{
    size_t count;
    const struct memory_range *range = platform_memory(platform, &count);

    count = count > PARAMS_E820_MAX ? PARAMS_E820_MAX : count;
    block_put(block, PARAMS_E820_COUNT, count, 1);
    for (size_t i = 0; i < count; i++) {
        unsigned at = PARAMS_E820 + (unsigned)i * PARAMS_E820_BYTES;

        block_put(block, at, range[i].base, 8);
        block_put(block, at + 8, range[i].size, 8);
        block_put(block, at + 16, range[i].type, 4);
    }
}

static void params_put_header(struct block *block, const struct bzimage *b)
{
    unsigned end = HEADER_MAGIC + (unsigned)header_value(b, HEADER_JUMP, 1);

    end = end > PARAMS_HEADER_END ? PARAMS_HEADER_END : end;
    memcpy(block->bytes->data + HEADER, b->image->data + HEADER, end - HEADER);
}

static bool bzimage_write_params(struct platform *platform, const struct bzimage *b, const char *command_line,
                                 uint64_t initrd_bytes, GError **error)
{
    struct block params = { PARAMS_ADDRESS, g_byte_array_new() };
    struct block text = { COMMAND_LINE_ADDRESS, g_byte_array_new() };
    uint64_t length = command_line ? strlen(command_line) : 0;

    block_reserve(&params, PARAMS_BYTES);
    params_put_header(&params, b);
    params_put_memory(&params, platform);
    block_put(&params, PARAMS_RSDP, PLATFORM_RSDP, 8);
    block_put(&params, HEADER_LOADER, LOADER_UNDEFINED, 1);
    block_put(&params, HEADER_CODE32_START, b->load, 4);
    block_put(&params, HEADER_RAMDISK, b->initrd, 4);
    block_put(&params, HEADER_RAMDISK_BYTES, b->initrd ? initrd_bytes : 0, 4);
    block_put(&params, HEADER_COMMAND_LINE, COMMAND_LINE_ADDRESS, 4);
    block_string(&text, command_line ? command_line : "");
    block_write(platform, &params);
    if (length > b->command_line_max || length >= COMMAND_LINE_LIMIT) {
        g_byte_array_unref(text.bytes);
        return platform_fail(error, "%s: a command line of %" PRIu64 " bytes; this kernel takes %" PRIu64,
                             b->image->name, length, MIN(b->command_line_max, COMMAND_LINE_LIMIT - 1));
    }
    block_write(platform, &text);
    return true;
}

bool load_bzimage(struct platform *platform, const struct image *kernel, const char *command_line,
                  const struct image *modules, size_t module_count, struct load_result *result, GError **error)
{
    struct bzimage b = { .image = kernel };

    if (!bzimage_read_header(&b, error) || !bzimage_place(platform, &b, error))
        return false;
    spa_write_block(platform_space(platform), b.load, kernel->data + b.code, kernel->size - b.code);
    if (!bzimage_load_initrd(platform, &b, modules, module_count, error) ||
        !bzimage_write_params(platform, &b, command_line, module_count ? modules[0].size : 0, error) ||
        !plan_fits(platform, kernel, error))
        return false;
    *result = (struct load_result){ .entry = b.load, .esi = PARAMS_ADDRESS, .protected_flat = true };
    return true;
}
