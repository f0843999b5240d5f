/* SPDX-License-Identifier: MIT */
/*
 * Multiboot 1 (Multiboot Specification 0.6.96). The command line goes to the image as given, without the image's own
 * name before it: names of files on the native machine must not reach guest memory (determinism).
 */
#include <string.h>

#include "sim/bits.h"
#include "sim/platform/error.h"
#include "sim/platform/loader/elf.h"
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

/* What is to be put where, before the first byte is written. */
struct load_plan {
    const struct image *image;
    struct segment segment[ELF_SEGMENTS];
    unsigned segments;
    uint64_t entry;
    spa_t end; /* of the highest segment */
};

/* ---- The image ------------------------------------------------------------------------------------------ */

static bool multiboot_find_header(const struct image *image, uint64_t *found, GError **error)
{
    for (uint64_t at = 0; at + 12 <= HEADER_SEARCH && image_has(image, at, 12); at += 4) {
        if (image_value(image, at, 4) != HEADER_MAGIC)
            continue;
        if ((uint32_t)(image_value(image, at, 4) + image_value(image, at + 4, 4) + image_value(image, at + 8, 4)))
            continue; /* the three words add up to zero in a header */
        *found = at;
        return true;
    }
    return platform_fail(error, "%s: no multiboot header (1BADB002h, flags, checksum; 4-byte aligned) in its first "
                         "%u bytes", image->name, HEADER_SEARCH);
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

/* e_entry is virtual; paging is off at the entry, so that it counts where its segment was loaded. */
static uint64_t multiboot_physical_entry(const struct load_plan *plan, uint64_t entry)
{
    for (unsigned i = 0; i < plan->segments; i++) {
        const struct segment *segment = &plan->segment[i];

        if (entry - segment->virtual_address < segment->memory_bytes)
            return entry - segment->virtual_address + segment->address;
    }
    return entry;
}

static bool multiboot_plan_elf(struct load_plan *plan, GError **error)
{
    struct elf elf;

    if (!image_is_elf(plan->image))
        return platform_fail(error, "%s: neither an ELF file nor a multiboot header with address fields (flag 16)",
                             plan->image->name);
    if (!elf_open(&elf, plan->image, error) || !elf_segments(&elf, plan->segment, &plan->segments, error))
        return false;
    plan->entry = multiboot_physical_entry(plan, elf.entry);
    return true;
}

/* Whether [base, base + size) is RAM that firmware leaves to the operating system. */
static bool memory_is_ram(struct platform *platform, spa_t base, uint64_t size)
{
    size_t count;
    const struct memory_range *range = platform_memory(platform, &count);
    spa_t at = base;

    for (size_t i = 0; i < count; i++) {
        if (range[i].type == 1 && at - range[i].base < range[i].size)
            at = range[i].base + range[i].size;
        if (at - base >= size)
            return true;
    }
    return false;
}

static bool multiboot_check_plan(struct platform *platform, struct load_plan *plan, GError **error)
{
    bool entry_loaded = false;

    for (unsigned i = 0; i < plan->segments; i++) {
        const struct segment *segment = &plan->segment[i];

        if (!memory_is_ram(platform, segment->address, segment->memory_bytes))
            return platform_fail(error, "%s: %#" PRIx64 " bytes at %#" PRIx64 " are not all RAM of this machine; give "
                                 "it more memory or link the image elsewhere", plan->image->name,
                                 segment->memory_bytes, segment->address);
        if (segment->address + segment->memory_bytes > plan->end)
            plan->end = segment->address + segment->memory_bytes;
        if (plan->entry - segment->address < segment->memory_bytes)
            entry_loaded = true;
    }
    if (plan->entry > UINT32_MAX)
        return platform_fail(error, "%s: entry point %#" PRIx64 "; multiboot enters 32-bit code, below 4 GiB",
                             plan->image->name, plan->entry);
    if (!entry_loaded)
        return platform_fail(error, "%s: entry point %#" PRIx64 " lies in none of the loaded segments",
                             plan->image->name, plan->entry);
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
    return multiboot_check_plan(platform, plan, error);
}

/* ---- Into memory ---------------------------------------------------------------------------------------- */

/* Absent pages read as zero already. */
static void memory_clear(struct spa_space *space, spa_t address, uint64_t size)
{
    while (size) {
        uint64_t piece = PAGE_BYTES - (address & PAGE_MASK);
        uint8_t *page = space->dram(space->ctx, address, false);

        if (piece > size)
            piece = size;
        if (page)
            memset(page + (address & PAGE_MASK), 0, piece);
        address += piece;
        size -= piece;
    }
}

static void multiboot_load(struct platform *platform, const struct load_plan *plan)
{
    struct spa_space *space = platform_space(platform);

    for (unsigned i = 0; i < plan->segments; i++) {
        const struct segment *segment = &plan->segment[i];

        spa_write_block(space, segment->address, plan->image->data + segment->offset, segment->file_bytes);
        memory_clear(space, segment->address + segment->file_bytes, segment->memory_bytes - segment->file_bytes);
    }
}

/* Modules follow the image, each on a page boundary (header flag 0 asks for it; all get it). */
static bool multiboot_load_modules(struct platform *platform, const struct load_plan *plan,
                                   const struct image *modules, size_t count, spa_t *address, GError **error)
{
    spa_t at = plan->end < MIB ? MIB : plan->end;

    for (size_t i = 0; i < count; i++) {
        at = (at + PAGE_MASK) & ~PAGE_MASK;
        if (at + modules[i].size > MAP_4G || !memory_is_ram(platform, at, modules[i].size))
            return platform_fail(error, "%s: no RAM for this module of %zu bytes at %#" PRIx64 ", after what is "
                                 "loaded already; give the machine more memory", modules[i].name, modules[i].size,
                                 at);
        spa_write_block(platform_space(platform), at, modules[i].data, modules[i].size);
        address[i] = at;
        at += modules[i].size;
    }
    return true;
}

/* ---- The information block ------------------------------------------------------------------------------- */

/* A block of guest memory that is filled from its start. */
struct block {
    spa_t base;
    GByteArray *bytes;
};

static void block_put(struct block *block, unsigned offset, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        block->bytes->data[offset + i] = (uint8_t)(value >> (8 * i));
}

/* Zero bytes at the end; their offset. */
static unsigned block_reserve(struct block *block, size_t size)
{
    unsigned offset = block->bytes->len;

    g_byte_array_set_size(block->bytes, (guint)(offset + size));
    memset(block->bytes->data + offset, 0, size);
    return offset;
}

/* A string with its terminator; its address in guest memory. */
static spa_t block_string(struct block *block, const char *string)
{
    size_t size = strlen(string) + 1;
    unsigned offset = block_reserve(block, size);

    memcpy(block->bytes->data + offset, string, size);
    return block->base + offset;
}

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
        multiboot_load(platform, plan);
        ok = multiboot_load_modules(platform, plan, modules, module_count, address, error) &&
             multiboot_write_info(platform, plan, command_line, modules, module_count, address, &info, error);
    }
    if (ok && platform_space(platform)->exhausted)
        ok = platform_fail(error, "%s: its memory does not fit into the limit on native memory; give a larger "
                           "--host-memory", kernel->name);
    if (ok)
        *result = (struct load_result){ plan->entry, LOADER_MAGIC, info, true };
    g_free(address);
    g_free(plan);
    return ok;
}
