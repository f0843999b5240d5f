/* SPDX-License-Identifier: MIT */
#include "sim/platform/rom.h"

#include <string.h>

#include "sim/platform/error.h"

static uint64_t rom_read(void *ctx, uint64_t offset, unsigned size)
{
    const struct rom *rom = ctx;
    uint64_t first = ROM_MAX - rom->size; /* offset of the first byte of the image */
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        uint64_t byte = offset + i >= first ? rom->bytes[offset + i - first] : 0xff;
        value |= byte << (8 * i);
    }
    return value;
}

/* Without flash commands a store to the flash does nothing. */
static void rom_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)ctx, (void)offset, (void)size, (void)value;
}

void rom_set(struct rom *rom, const uint8_t *bytes, uint64_t size)
{
    g_free(rom->bytes);
    rom->bytes = g_malloc(size);
    rom->size = size;
    memcpy(rom->bytes, bytes, size);
}

void rom_free(struct rom *rom)
{
    g_free(rom->bytes);
    rom->bytes = NULL;
    rom->size = 0;
}

struct mmio_region rom_region(struct rom *rom)
{
    return (struct mmio_region){ "rom", ROM_BASE, ROM_MAX, rom, rom_read, rom_write };
}

static void rom_save(void *object, struct state_writer *writer)
{
    const struct rom *rom = object;

    state_write_u64(writer, rom->size);
    if (rom->size)
        state_write(writer, rom->bytes, rom->size);
}

static bool rom_load(void *object, struct state_reader *reader, GError **error)
{
    struct rom *rom = object;
    uint64_t size;

    rom_free(rom);
    if (!state_read_u64(reader, &size, error))
        return false;
    if (size > ROM_MAX)
        return platform_fail(error, "snapshot: firmware of %" PRIu64 " bytes; at most %" PRIu64, size, ROM_MAX);
    if (!size)
        return true;
    rom->bytes = g_malloc(size);
    rom->size = size;
    return state_read(reader, rom->bytes, size, error);
}

const struct state_part rom_state = { .name = "rom", .save = rom_save, .load = rom_load };
