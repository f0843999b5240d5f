/* SPDX-License-Identifier: MIT */
/*
 * What a node's DRAM controllers do by themselves: which chip select an address lies in, the sequential scrubber,
 * the online spare, the error counts of F3xB0, F3xB8/BC's error injection (fact sheet 5.9, 5.10, 6.6).
 */
#ifndef FAM10H_PLATFORM_DRAM_CONTROLLER_H
#define FAM10H_PLATFORM_DRAM_CONTROLLER_H

#include "sim/platform/northbridge.h"

/* Where a system-physical address lies (fact sheet 6.6). */
struct dram_place {
    unsigned node;
    unsigned channel;     /* DCT 0 or 1 */
    unsigned chip_select; /* 0 to 7, as the address maps say */
    bool spare;           /* SwapDone: the spare rank holds it now */
};
/* false: no node's DRAM range, or no enabled chip select, matches. */
bool dram_place_find(const struct northbridge *nodes, unsigned count, spa_t address, struct dram_place *place);

/* An ECC error at `address`: F3xB0 counts it for its chip select. */
void dram_controller_count(struct northbridge *nb, unsigned channel, unsigned chip_select);

void dram_controller_connect(struct northbridge *nb, struct clock *clock);
void dram_controller_reset(struct northbridge *nb);
/* A word went bad or good: the next one that the scrubber will meet may be another. */
void dram_controller_errors_changed(struct northbridge *nb);

/* F3x58, 5C, 60, B0: the value after a write of `value`, with what starts by it. */
uint32_t dram_controller_written(struct northbridge *nb, unsigned offset, uint32_t old, uint32_t value);
/* F3x5C, 60, B0 as they read now; others as stored. */
uint32_t dram_controller_read(const struct northbridge *nb, unsigned offset, uint32_t stored);

#endif
