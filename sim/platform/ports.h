/* SPDX-License-Identifier: MIT */
/* I/O space: 64 Ki ports, each claimed by at most one range. */
#ifndef FAM10H_PLATFORM_PORTS_H
#define FAM10H_PLATFORM_PORTS_H

#include "sim/bus.h"

#define PORTS_RANGES 64

struct ports {
    struct pio_space space;
    uint8_t owner[0x10000]; /* 1 + index of the range that claims the port; 0: nobody */
    struct {
        struct pio_range range;
        unsigned width; /* widest access in bytes; the bus splits wider ones over successive ports */
    } entry[PORTS_RANGES];
    unsigned entries;
    /* counters */
    uint64_t reads, writes, unclaimed;
};

void ports_init(struct ports *ports);
/* width: 1 for an 8-bit (ISA) device, 4 for one that sees every access whole. A later range hides an earlier one. */
void ports_attach(struct ports *ports, const struct pio_range *range, unsigned width);

#endif
