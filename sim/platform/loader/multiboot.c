/* SPDX-License-Identifier: MIT */
/*
 * Multiboot 1 (Multiboot Specification 0.6.96). The command line goes to the image as given, without the image's own
 * name before it: names of files on the native machine must not reach guest memory (determinism).
 */
#include <string.h>

#include "sim/bits.h"
#include "sim/platform/error.h"
#include "sim/platform/loader/plan.h"
#include "sim/platform/map.h"
#include "sim/spa.h"

#define HEADER_MAGIC 0x1badb002u
#define HEADER_SEARCH 8192 /* the header lies inside the first 8192 bytes, 4-byte aligned */
#define HEADER_KNOWN 0x0007u /* of the bits 15:0, which a loader must understand or refuse */
#define HEADER_ADDRESSES 16
#define LOADER_MAGIC 0x2badb002u

#define INFO_BYTES 120u
#define INFO_MODULE_BYTES 16u
#define INFO_MAP_BYTES 24u
#define INFO_FLAGS (BIT(0) | BIT(2) | BIT(3) | BIT(6) | BIT(9)) /* mem, cmdline, mods, mmap, loader name */
#define INFO_FLOOR UINT64_C(0x1000) /* not over the real-mode vectors and the BIOS data area */
#define LOADER_NAME "fam10h"

/* ---- The image ------------------------------------------------------------------------------------------ */

static bool multiboot_has_header(const struct image *image, uint64_t *found)
{
    for (uint64_t at = 0; at + 12 <= HEADER_SEARCH && image_has(image, at, 12); at += 4) {
        if (image_value(image, at, 4) != HEADER_MAGIC)
            continue;
        if ((uint32_t)(image_value(image, at, 4) + image_value(image, at + 4, 4) + image_value(image, at + 8, 4)))
            continue; /* the three words add up to zero in a header */
        *found = at;
        return true;
    }
    return false;
}

static bool multiboot_find_header(const struct image *image, uint64_t *found, GError **error)
{
    if (multiboot_has_header(image, found))
        return true;
    return platform_fail(error, "%s: no multiboot header (1BADB002h, flags, checksum; 4-byte aligned) in its first "
                         "%u bytes, and neither a Linux bzImage nor an ELF file with a PVH entry note", image->name,
                         HEADER_SEARCH);
}

bool image_is_multiboot(const struct image *image)
{
    uint64_t at;

    return multiboot_has_header(image, &at);
}

/* Flag 16: the header says itself what to load where, and the file's format does not matter. */
static bool multiboot_plan_addresses(struct load_plan *plan, uint64_t header, GError **error)
{
    const struct image *image = plan->image;
    uint64_t header_address = image_value(image, header + 12, 4);
    uint64_t load = image_value(image, header + 16, 4);
    uint64_t load_end = image_value(image, header + 20, 4);
    uint64_t bss_end = image_value(image, header + 24, 4);
    struct segment *segment = &plan->segment[0];

    if (!image_has(image, header, 32))
        return platform_fail(error, "%s: truncated: the multiboot header at %#" PRIx64 " has address fields up to "
                             "offset %#" PRIx64 ", the file ends at %#zx", image->name, header, header + 32,
                             image->size);
    if (load > header_address || header_address - load > header)
        return platform_fail(error, "%s: multiboot load_addr %#" PRIx64 " puts the header, at offset %#" PRIx64
                             " of the file, not at header_addr %#" PRIx64, image->name, load, header,
                             header_address);
    segment->offset = header - (header_address - load);
    segment->address = segment->virtual_address = load;
    segment->file_bytes = load_end ? load_end - load : image->size - segment->offset;
    if (load_end && (load_end < load || !image_has(image, segment->offset, segment->file_bytes)))
        return platform_fail(error, "%s: multiboot load_end_addr %#" PRIx64 " must lie between load_addr %#" PRIx64
                             " and %#" PRIx64 ", where the file ends", image->name, load_end, load,
                             load + image->size - segment->offset);
    segment->memory_bytes = segment->file_bytes;
    if (bss_end && bss_end < load + segment->file_bytes)
        return platform_fail(error, "%s: multiboot bss_end_addr %#" PRIx64 " lies before the end of the loaded bytes, "
                             "%#" PRIx64, image->name, bss_end, load + segment->file_bytes);
    if (bss_end)
        segment->memory_bytes = bss_end - load;
    plan->segments = 1;
    plan->entry = image_value(image, header + 28, 4);
    return true;
}

static bool multiboot_plan_elf(struct load_plan *plan, GError **error)
{
    struct elf elf;

    if (!image_is_elf(plan->image))
        return platform_fail(error, "%s: neither an ELF file nor a multiboot header with address fields (flag 16)",
                             plan->image->name);
    if (!elf_open(&elf, plan->image, error) || !elf_segments(&elf, plan->segment, &plan->segments, error))
        return false;
    plan->entry = plan_physical_entry(plan, elf.entry);
    return true;
}

static bool multiboot_plan(struct platform *platform, struct load_plan *plan, GError **error)
{
    uint64_t header = 0;
    uint32_t flags;

    if (!multiboot_find_header(plan->image, &header, error))
        return false;
    flags = (uint32_t)image_value(plan->image, header + 4, 4);
    if (flags & 0xffff & ~HEADER_KNOWN) /* bit 2, a video mode, is granted by not offering one */
        return platform_fail(error, "%s: multiboot flags %#x ask for what this loader does not know; bits 2:0 and 16 "
                             "would be right", plan->image->name, flags);
    if (!(bit(flags, HEADER_ADDRESSES) ? multiboot_plan_addresses(plan, header, error)
                                       : multiboot_plan_elf(plan, error)))
        return false;
    return plan_check(platform, plan, error);
}

/* ---- Into memory ---------------------------------------------------------------------------------------- */

/* ---- The information block ------------------------------------------------------------------------------- */

static void info_put_modules(struct block *block, const struct image *modules, size_t count, const spa_t *address)
{
    unsigned at = block_reserve(block, count * INFO_MODULE_BYTES);

    block_put(block, 20, count, 4);
    block_put(block, 24, block->base + at, 4);
    for (size_t i = 0; i < count; i++, at += INFO_MODULE_BYTES) {
        block_put(block, at, address[i], 4);
        block_put(block, at + 4, address[i] + modules[i].size, 4);
        block_put(block, at + 8, block_string(block, modules[i].string ? modules[i].string : ""), 4);
    }
}

static void info_put_memory(struct block *block, struct platform *platform)
{
    size_t count;
    const struct memory_range *range = platform_memory(platform, &count);
    unsigned at = block_reserve(block, count * INFO_MAP_BYTES);
    spa_t upper = MIB;

    block_put(block, 44, count * INFO_MAP_BYTES, 4);
    block_put(block, 48, block->base + at, 4);
    for (size_t i = 0; i < count; i++, at += INFO_MAP_BYTES) {
        block_put(block, at, INFO_MAP_BYTES - 4, 4); /* `size` does not count itself */
        block_put(block, at + 4, range[i].base, 8);
        block_put(block, at + 12, range[i].size, 8);
        block_put(block, at + 20, range[i].type, 4);
        if (range[i].type == 1 && range[i].base == upper)
            upper += range[i].size;
    }
    block_put(block, 4, range[0].size / 1024, 4);
    block_put(block, 8, (upper - MIB) / 1024, 4); /* up to the first hole */
}

static GByteArray *info_build(struct platform *platform, spa_t base, const char *command_line,
                              const struct image *modules, size_t count, const spa_t *address)
{
    struct block block = { base, g_byte_array_new() };

    block_reserve(&block, INFO_BYTES);
    block_put(&block, 0, INFO_FLAGS, 4);
    info_put_modules(&block, modules, count, address);
    info_put_memory(&block, platform);
    block_put(&block, 16, block_string(&block, command_line ? command_line : ""), 4);
    block_put(&block, 64, block_string(&block, LOADER_NAME), 4);
    return block.bytes;
}

/* The highest place below the EBDA, 16-byte aligned, that no segment uses. */
static bool info_place(const struct load_plan *plan, uint64_t size, spa_t *place)
{
    spa_t top = MAP_EBDA_BASE;
    bool moved = true;

    while (moved && size + INFO_FLOOR <= top) {
        *place = (top - size) & ~(spa_t)15;
        moved = false;
        for (unsigned i = 0; i < plan->segments && !moved; i++) {
            const struct segment *segment = &plan->segment[i];

            if (segment->address < *place + size && *place < segment->address + segment->memory_bytes) {
                top = segment->address;
                moved = true;
            }
        }
    }
    return !moved && size + INFO_FLOOR <= top;
}

static bool multiboot_write_info(struct platform *platform, const struct load_plan *plan, const char *command_line,
                                 const struct image *modules, size_t count, const spa_t *address, spa_t *info,
                                 GError **error)
{
    GByteArray *bytes = info_build(platform, 0, command_line, modules, count, address);
    uint64_t size = bytes->len;

    g_byte_array_unref(bytes);
    if (!info_place(plan, size, info))
        return platform_fail(error, "%s: no room below %#" PRIx64 " for %" PRIu64 " bytes of multiboot information; "
                             "shorten the command lines or link the image elsewhere", plan->image->name,
                             MAP_EBDA_BASE, size);
    bytes = info_build(platform, *info, command_line, modules, count, address);
    spa_write_block(platform_space(platform), *info, bytes->data, bytes->len);
    g_byte_array_unref(bytes);
    return true;
}

bool load_multiboot(struct platform *platform, const struct image *kernel, const char *command_line,
                    const struct image *modules, size_t module_count, struct load_result *result, GError **error)
{
    struct load_plan *plan = g_new0(struct load_plan, 1);
    spa_t *address = g_new0(spa_t, module_count + 1);
    spa_t info = 0;
    bool ok;

    plan->image = kernel;
    ok = multiboot_plan(platform, plan, error);
    if (ok) {
        plan_load(platform, plan);
        ok = plan_load_modules(platform, plan, modules, module_count, address, error) &&
             multiboot_write_info(platform, plan, command_line, modules, module_count, address, &info, error);
    }
    ok = ok && plan_fits(platform, kernel, error);
    if (ok)
        *result = (struct load_result){
            .entry = plan->entry, .eax = LOADER_MAGIC, .ebx = info, .protected_flat = true,
        };
    g_free(address);
    g_free(plan);
    return ok;
}
