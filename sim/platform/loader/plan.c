/* SPDX-License-Identifier: MIT */
#include "sim/platform/loader/plan.h"

#include <string.h>

#include "sim/platform/error.h"
#include "sim/platform/map.h"
#include "sim/spa.h"

bool platform_has_ram(struct platform *platform, spa_t base, uint64_t size)
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

uint64_t plan_physical_entry(const struct load_plan *plan, uint64_t entry)
{
    for (unsigned i = 0; i < plan->segments; i++) {
        const struct segment *segment = &plan->segment[i];

        if (entry - segment->virtual_address < segment->memory_bytes)
            return entry - segment->virtual_address + segment->address;
    }
    return entry;
}

bool plan_check(struct platform *platform, struct load_plan *plan, GError **error)
{
    bool entry_loaded = false;

    for (unsigned i = 0; i < plan->segments; i++) {
        const struct segment *segment = &plan->segment[i];

        if (!platform_has_ram(platform, segment->address, segment->memory_bytes))
            return platform_fail(error, "%s: %#" PRIx64 " bytes at %#" PRIx64 " are not all RAM of this machine; give "
                                 "it more memory or link the image elsewhere", plan->image->name,
                                 segment->memory_bytes, segment->address);
        if (segment->address + segment->memory_bytes > plan->end)
            plan->end = segment->address + segment->memory_bytes;
        if (plan->entry - segment->address < segment->memory_bytes)
            entry_loaded = true;
    }
    if (plan->entry > UINT32_MAX)
        return platform_fail(error, "%s: entry point %#" PRIx64 "; it is entered in 32-bit code, below 4 GiB",
                             plan->image->name, plan->entry);
    if (!entry_loaded)
        return platform_fail(error, "%s: entry point %#" PRIx64 " lies in none of the loaded segments",
                             plan->image->name, plan->entry);
    return true;
}

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

void plan_load(struct platform *platform, const struct load_plan *plan)
{
    struct spa_space *space = platform_space(platform);

    for (unsigned i = 0; i < plan->segments; i++) {
        const struct segment *segment = &plan->segment[i];

        spa_write_block(space, segment->address, plan->image->data + segment->offset, segment->file_bytes);
        memory_clear(space, segment->address + segment->file_bytes, segment->memory_bytes - segment->file_bytes);
    }
}

bool plan_load_modules(struct platform *platform, const struct load_plan *plan, const struct image *modules,
                       size_t count, spa_t *address, GError **error)
{
    spa_t at = plan->end < MIB ? MIB : plan->end;

    for (size_t i = 0; i < count; i++) {
        at = (at + PAGE_MASK) & ~PAGE_MASK;
        if (at + modules[i].size > MAP_4G || !platform_has_ram(platform, at, modules[i].size))
            return platform_fail(error, "%s: no RAM for this module of %zu bytes at %#" PRIx64 ", after what is "
                                 "loaded already; give the machine more memory", modules[i].name, modules[i].size,
                                 at);
        spa_write_block(platform_space(platform), at, modules[i].data, modules[i].size);
        address[i] = at;
        at += modules[i].size;
    }
    return true;
}

bool plan_fits(struct platform *platform, const struct image *image, GError **error)
{
    if (!platform_space(platform)->exhausted)
        return true;
    return platform_fail(error, "%s: its memory does not fit into the limit on native memory; give a larger "
                         "--host-memory", image->name);
}

/* ---- Blocks of boot information --------------------------------------------------------------------------------- */

void block_put(struct block *block, unsigned offset, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        block->bytes->data[offset + i] = (uint8_t)(value >> (8 * i));
}

unsigned block_reserve(struct block *block, size_t size)
{
    unsigned offset = block->bytes->len;

    g_byte_array_set_size(block->bytes, (guint)(offset + size));
    memset(block->bytes->data + offset, 0, size);
    return offset;
}

spa_t block_string(struct block *block, const char *string)
{
    size_t size = strlen(string) + 1;
    unsigned offset = block_reserve(block, size);

    memcpy(block->bytes->data + offset, string, size);
    return block->base + offset;
}

void block_write(struct platform *platform, struct block *block)
{
    spa_write_block(platform_space(platform), block->base, block->bytes->data, block->bytes->len);
    g_byte_array_unref(block->bytes);
    block->bytes = NULL;
}
