/* SPDX-License-Identifier: MIT */
/*
 * PVH: an ELF image whose Xen note 18 (XEN_ELFNOTE_PHYS32_ENTRY) gives a physical 32-bit entry, entered with paging
 * off and the address of the start information in EBX (Xen's public headers, arch-x86/hvm/start_info.h).
 */
#include "sim/platform/loader/plan.h"

#include <string.h>

#include "sim/platform/error.h"
#include "sim/platform/map.h"

#define PT_NOTE 4
#define NOTE_HEADER 12
#define NOTE_PHYS32_ENTRY 18

#define START_MAGIC 0x336ec578
#define START_BYTES 56u
#define START_MODULE_BYTES 32u
#define START_MAP_BYTES 24u
#define START_ADDRESS UINT64_C(0x10000) /* start information: RAM that neither firmware nor a kernel image uses */
#define START_LIMIT UINT64_C(0x8f000)   /* it ends below the EBDA */

/* ---- The note ---------------------------------------------------------------------------------------------------- */

static uint64_t note_align(uint64_t size)
{
    return (size + 3) & ~(uint64_t)3;
}

/* One PT_NOTE segment: notes one after the other, name and description padded to four bytes. */
static bool notes_find_entry(const struct image *image, uint64_t at, uint64_t size, uint64_t *entry)
{
    uint64_t end;

    if (!image_has(image, at, size))
        return false;
    for (end = at + size; end - at >= NOTE_HEADER;) {
        uint64_t name_bytes = image_value(image, at, 4), bytes = image_value(image, at + 4, 4);
        uint64_t type = image_value(image, at + 8, 4), name = at + NOTE_HEADER;
        uint64_t description = name + note_align(name_bytes);

        if (description + note_align(bytes) > end)
            return false;
        if (type == NOTE_PHYS32_ENTRY && name_bytes == 4 && memcmp(image->data + name, "Xen", 4) == 0 &&
            (bytes == 4 || bytes == 8)) {
            *entry = image_value(image, description, (unsigned)bytes);
            return true;
        }
        at = description + note_align(bytes);
    }
    return false;
}

static bool pvh_find_entry(const struct elf *elf, uint64_t *entry)
{
    for (unsigned i = 0; i < elf->segments.count && i < ELF_SEGMENTS; i++) {
        uint64_t at = elf->segments.offset + (uint64_t)i * elf->segments.entry;
        uint64_t offset = image_value(elf->image, at + (elf->wide ? 8 : 4), elf->wide ? 8 : 4);
        uint64_t size = image_value(elf->image, at + (elf->wide ? 32 : 16), elf->wide ? 8 : 4);

        if (image_value(elf->image, at, 4) == PT_NOTE && notes_find_entry(elf->image, offset, size, entry))
            return true;
    }
    return false;
}

bool image_is_pvh(const struct image *image)
{
    struct elf elf;
    uint64_t entry;

    return image_is_elf(image) && elf_open(&elf, image, NULL) && pvh_find_entry(&elf, &entry);
}

/* ---- The start information --------------------------------------------------------------------------------------- */

static void start_put_modules(struct block *block, const struct image *modules, size_t count, const spa_t *address)
{
    unsigned at = block_reserve(block, count * START_MODULE_BYTES);

    block_put(block, 12, count, 4);
    block_put(block, 16, count ? block->base + at : 0, 8);
    for (size_t i = 0; i < count; i++, at += START_MODULE_BYTES) {
        block_put(block, at, address[i], 8);
        block_put(block, at + 8, modules[i].size, 8);
        block_put(block, at + 16, block_string(block, modules[i].string ? modules[i].string : ""), 8);
    }
}

static void start_put_memory(struct block *block, struct platform *platform)
{
    size_t count;
    const struct memory_range *range = platform_memory(platform, &count);
    unsigned at = block_reserve(block, count * START_MAP_BYTES);

    block_put(block, 40, block->base + at, 8);
    block_put(block, 48, count, 4);
    for (size_t i = 0; i < count; i++, at += START_MAP_BYTES) {
        block_put(block, at, range[i].base, 8);
        block_put(block, at + 8, range[i].size, 8);
        block_put(block, at + 16, range[i].type, 4);
    }
}

static bool pvh_write_start(struct platform *platform, const struct load_plan *plan, const char *command_line,
                            const struct image *modules, size_t count, const spa_t *address, GError **error)
{
    struct block block = { START_ADDRESS, g_byte_array_new() };

    block_reserve(&block, START_BYTES);
    block_put(&block, 0, START_MAGIC, 4);
    block_put(&block, 4, 1, 4); /* version */
    block_put(&block, 32, PLATFORM_RSDP, 8);
    start_put_memory(&block, platform);
    start_put_modules(&block, modules, count, address);
    block_put(&block, 24, block_string(&block, command_line ? command_line : ""), 8);
    if (START_ADDRESS + block.bytes->len > START_LIMIT) {
        g_byte_array_unref(block.bytes);
        return platform_fail(error, "%s: the command lines do not fit below %#" PRIx64 "; shorten them",
                             plan->image->name, START_LIMIT);
    }
    block_write(platform, &block);
    return true;
}

static bool pvh_plan(struct platform *platform, struct load_plan *plan, GError **error)
{
    struct elf elf;

    if (!elf_open(&elf, plan->image, error) || !elf_segments(&elf, plan->segment, &plan->segments, error))
        return false;
    if (!pvh_find_entry(&elf, &plan->entry))
        return platform_fail(error, "%s: no Xen note 18 with a PVH entry", plan->image->name);
    for (unsigned i = 0; i < plan->segments; i++) {
        if (plan->segment[i].address < MIB)
            return platform_fail(error, "%s: a segment at %#" PRIx64 "; a PVH image lies at 1 MiB or above",
                                 plan->image->name, plan->segment[i].address);
    }
    return plan_check(platform, plan, error);
}

bool load_pvh(struct platform *platform, const struct image *kernel, const char *command_line,
              const struct image *modules, size_t module_count, struct load_result *result, GError **error)
{
    struct load_plan *plan = g_new0(struct load_plan, 1);
    spa_t *address = g_new0(spa_t, module_count + 1);
    bool ok;

    plan->image = kernel;
    ok = pvh_plan(platform, plan, error);
    if (ok) {
        plan_load(platform, plan);
        ok = plan_load_modules(platform, plan, modules, module_count, address, error) &&
             pvh_write_start(platform, plan, command_line, modules, module_count, address, error) &&
             plan_fits(platform, kernel, error);
    }
    if (ok)
        *result = (struct load_result){ .entry = plan->entry, .ebx = START_ADDRESS, .protected_flat = true };
    g_free(address);
    g_free(plan);
    return ok;
}
