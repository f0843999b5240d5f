/* SPDX-License-Identifier: MIT */
/* For unit tests of a core: RAM from 0 up and nothing else, behind a spa_space. Elsewhere reads give all ones. */
#ifndef FAM10H_CPU_FLAT_RAM_H
#define FAM10H_CPU_FLAT_RAM_H

#include "sim/spa.h"

struct flat_ram {
    uint8_t *bytes;
    uint64_t size;
    uint8_t flags; /* of every page; the processor sets none */
};

static inline bool flat_ram_is_dram(void *ctx, spa_t address)
{
    const struct flat_ram *ram = ctx;

    return address < ram->size;
}

static inline uint8_t *flat_ram_dram(void *ctx, spa_t address, bool allocate)
{
    const struct flat_ram *ram = ctx;

    (void)allocate;
    return address < ram->size ? ram->bytes + (address & ~PAGE_MASK) : NULL;
}

static inline uint8_t *flat_ram_page_flags(void *ctx, spa_t address)
{
    struct flat_ram *ram = ctx;

    return address < ram->size ? &ram->flags : NULL;
}

static inline void flat_ram_flag_page(void *ctx, spa_t address, enum dram_page_flag flag)
{
    (void)ctx, (void)address, (void)flag;
}

static inline void flat_ram_stored(void *ctx, spa_t address, unsigned size)
{
    (void)ctx, (void)address, (void)size;
}

static inline uint64_t flat_ram_mmio_read(void *ctx, spa_t address, unsigned size)
{
    (void)ctx, (void)address;
    return zero_extend(UINT64_MAX, size);
}

static inline void flat_ram_mmio_write(void *ctx, spa_t address, unsigned size, uint64_t value)
{
    (void)ctx, (void)address, (void)size, (void)value;
}

static inline unsigned flat_ram_home_node(void *ctx, spa_t address)
{
    (void)ctx, (void)address;
    return 0;
}

static inline struct spa_space flat_ram_space(struct flat_ram *ram)
{
    return (struct spa_space){
        .ctx = ram, .dram = flat_ram_dram, .is_dram = flat_ram_is_dram, .page_flags = flat_ram_page_flags,
        .flag_page = flat_ram_flag_page, .unflag_page = flat_ram_flag_page, .stored = flat_ram_stored,
        .mmio_read = flat_ram_mmio_read, .mmio_write = flat_ram_mmio_write, .home_node = flat_ram_home_node,
    };
}

#endif
