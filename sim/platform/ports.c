/* SPDX-License-Identifier: MIT */
#include "sim/platform/ports.h"

#include <glib.h>

#include "sim/bits.h"


static uint32_t ports_read_claimed(struct ports *ports, uint16_t port, unsigned size)
{
    unsigned owner = ports->owner[port];
    const struct pio_range *range;
    uint32_t value = 0;

    if (!owner) {
        ports->unclaimed++;
        return (uint32_t)bits_mask(8 * size - 1, 0);
    }
    range = &ports->entry[owner - 1].range;
    if (size <= ports->entry[owner - 1].width)
        return (uint32_t)zero_extend(range->read(range->ctx, port, size), size);
    for (unsigned i = 0; i < size; i++)
        value |= ports_read_claimed(ports, (uint16_t)(port + i), 1) << (8 * i);
    return value;
}

static void ports_write_claimed(struct ports *ports, uint16_t port, unsigned size, uint32_t value)
{
    unsigned owner = ports->owner[port];
    const struct pio_range *range;

    if (!owner) {
        ports->unclaimed++;
        return;
    }
    range = &ports->entry[owner - 1].range;
    if (size <= ports->entry[owner - 1].width) {
        range->write(range->ctx, port, size, (uint32_t)zero_extend(value, size));
        return;
    }
    for (unsigned i = 0; i < size; i++)
        ports_write_claimed(ports, (uint16_t)(port + i), 1, (uint8_t)(value >> (8 * i)));
}

static uint32_t ports_read(void *ctx, uint16_t port, unsigned size)
{
    struct ports *ports = ctx;

    ports->reads++;
    return ports_read_claimed(ports, port, size);
}

static void ports_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct ports *ports = ctx;

    ports->writes++;
    ports_write_claimed(ports, port, size, value);
}

void ports_init(struct ports *ports)
{
    ports->space = (struct pio_space){ ports, ports_read, ports_write };
}

void ports_attach(struct ports *ports, const struct pio_range *range, unsigned width)
{
    g_assert(ports->entries < PORTS_RANGES); /* composition is fixed: not reachable by a guest */
    ports->entry[ports->entries].range = *range;
    ports->entry[ports->entries].width = width;
    ports->entries++;
    for (uint32_t i = 0; i < range->count && range->base + i < 0x10000; i++)
        ports->owner[range->base + i] = (uint8_t)ports->entries;
}
