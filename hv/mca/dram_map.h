/* SPDX-License-Identifier: MIT */
/*
 * Which chip-select of DRAM an address lies in, by the northbridges' registers (BKDG10 2.8, fact sheet 6.6): node
 * from the
 * base and limit registers of function 1, DCT and chip-select from function 2. Pure: registers come through a callback.
 */
#ifndef HV_MCA_DRAM_MAP_H
#define HV_MCA_DRAM_MAP_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t dram_map_read(void *ctx, unsigned node, unsigned function, unsigned reg);

struct dram_place {
    unsigned node, dct, chip_select;
};
/* False: no DRAM is there, or the map is one of those that this does not follow (see dram_map.c). */
bool dram_map_find(uint64_t spa, dram_map_read *read, void *ctx, struct dram_place *place);

#endif
