/* SPDX-License-Identifier: MIT */
#include "sim/spa.h"

#include <string.h>

#define IN_PAGE(address) (PAGE_BYTES - ((address) & PAGE_MASK))

void spa_stored(struct spa_space *space, spa_t address, unsigned size)
{
    uint8_t *flags = space->page_flags(space->ctx, address);

    if (flags && *flags)
        space->stored(space->ctx, address, size);
}

static uint64_t spa_read_inside(struct spa_space *space, spa_t address, unsigned size)
{
    const uint8_t *page = space->dram(space->ctx, address, false);
    uint64_t value = 0;

    if (page)
        memcpy(&value, page + (address & PAGE_MASK), size);
    else if (!space->is_dram(space->ctx, address))
        value = space->mmio_read(space->ctx, address, size);
    return value;
}

static void spa_write_inside(struct spa_space *space, spa_t address, unsigned size, uint64_t value)
{
    uint8_t *page = space->dram(space->ctx, address, true);

    if (page) {
        memcpy(page + (address & PAGE_MASK), &value, size);
        spa_stored(space, address, size);
    } else if (!space->is_dram(space->ctx, address)) {
        space->mmio_write(space->ctx, address, size, value);
    }
}

uint64_t spa_read(struct spa_space *space, spa_t address, unsigned size)
{
    uint64_t value = 0;

    if (size <= IN_PAGE(address))
        return spa_read_inside(space, address, size);
    for (unsigned i = 0; i < size; i++)
        value |= spa_read_inside(space, address + i, 1) << (8 * i);
    return value;
}

void spa_write(struct spa_space *space, spa_t address, unsigned size, uint64_t value)
{
    if (size <= IN_PAGE(address)) {
        spa_write_inside(space, address, size, value);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        spa_write_inside(space, address + i, 1, value >> (8 * i));
}

/* The piece of a block that one access can move: a page's rest of DRAM, up to 8 bytes of a device. */
static size_t spa_piece(struct spa_space *space, spa_t address, size_t size)
{
    size_t piece = IN_PAGE(address);

    if (!space->is_dram(space->ctx, address))
        piece = 8 - (address & 7);
    return size < piece ? size : piece;
}

static void spa_read_device(struct spa_space *space, spa_t address, uint8_t *data, size_t size)
{
    if (size == 8) {
        uint64_t value = space->mmio_read(space->ctx, address, 8);
        memcpy(data, &value, 8);
        return;
    }
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)space->mmio_read(space->ctx, address + i, 1);
}

static void spa_write_device(struct spa_space *space, spa_t address, const uint8_t *data, size_t size)
{
    if (size == 8) {
        uint64_t value;
        memcpy(&value, data, 8);
        space->mmio_write(space->ctx, address, 8, value);
        return;
    }
    for (size_t i = 0; i < size; i++)
        space->mmio_write(space->ctx, address + i, 1, data[i]);
}

void spa_read_block(struct spa_space *space, spa_t address, void *data, size_t size)
{
    uint8_t *to = data;

    while (size) {
        size_t piece = spa_piece(space, address, size);
        const uint8_t *page = space->dram(space->ctx, address, false);

        if (page)
            memcpy(to, page + (address & PAGE_MASK), piece);
        else if (space->is_dram(space->ctx, address))
            memset(to, 0, piece);
        else
            spa_read_device(space, address, to, piece);
        address += piece;
        to += piece;
        size -= piece;
    }
}

void spa_write_block(struct spa_space *space, spa_t address, const void *data, size_t size)
{
    const uint8_t *from = data;

    while (size) {
        size_t piece = spa_piece(space, address, size);
        uint8_t *page = space->dram(space->ctx, address, true);

        if (page) {
            memcpy(page + (address & PAGE_MASK), from, piece);
            spa_stored(space, address, (unsigned)piece);
        } else if (!space->is_dram(space->ctx, address)) {
            spa_write_device(space, address, from, piece);
        }
        address += piece;
        from += piece;
        size -= piece;
    }
}
