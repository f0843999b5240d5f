/* SPDX-License-Identifier: MIT */
/* The firmware flash: up to 16 MiB that end at 4 GiB. */
#ifndef FAM10H_PLATFORM_ROM_H
#define FAM10H_PLATFORM_ROM_H

#include "sim/bus.h"
#include "sim/state.h"

#define ROM_MAX UINT64_C(0x1000000)
#define ROM_BASE UINT64_C(0xff000000)

struct rom {
    uint8_t *bytes; /* NULL: an erased flash, all ones */
    uint64_t size;
};

/* Takes a copy. */
void rom_set(struct rom *rom, const uint8_t *bytes, uint64_t size);
void rom_free(struct rom *rom);
struct mmio_region rom_region(struct rom *rom);

extern const struct state_part rom_state;

#endif
