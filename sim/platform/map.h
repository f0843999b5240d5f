/* SPDX-License-Identifier: MIT */
/*
 * The system-physical address map (BKDG10 2.7, F1x40, F1xF0): DRAM from 0 to TOP_MEM except the VGA window, devices
 * from TOP_MEM to 4 GiB, the DRAM that the hole displaced from 4 GiB to TOM2. Fixed as firmware leaves it.
 */
#ifndef FAM10H_PLATFORM_MAP_H
#define FAM10H_PLATFORM_MAP_H

#include "sim/bus.h"
#include "sim/platform/dram.h"
#include "sim/platform/platform.h"

#define GIB UINT64_C(0x40000000)
#define MIB UINT64_C(0x100000)
#define MAP_4G (4 * GIB)
#define MAP_HOLE_BASE UINT64_C(0xc0000000) /* hole C0000000-FFFFFFFF: F1xF0[31:24] = C0h */
#define MAP_CONFIG_BASE UINT64_C(0xe0000000) /* PCI configuration space, where firmware puts the window */
#define MAP_CONFIG_BYTES UINT64_C(0x10000000)
#define MAP_VGA_BASE UINT64_C(0xa0000)
#define MAP_VGA_END UINT64_C(0xc0000)
#define MAP_EBDA_BASE UINT64_C(0x9fc00)    /* firmware's extended data area, up to A0000 */
#define MAP_BIOS_BASE UINT64_C(0xe0000)    /* firmware's shadow, where an OS looks for the RSDP */
#define MAP_ACPI_BYTES UINT64_C(0x10000)   /* ACPI tables: the last 64 KiB below TOP_MEM */
#define MAP_REGIONS 32
#define MAP_RANGES (2 * MAX_NODES + 8)

struct dram_errors;

struct map {
    struct spa_space space;
    struct dram dram;
    unsigned nodes;
    uint64_t node_bytes;
    spa_t top_mem;   /* end of DRAM below 4 GiB */
    spa_t tom2;      /* end of DRAM above 4 GiB; 4 GiB if there is none */
    struct mmio_region region[MAP_REGIONS];
    unsigned regions;
    struct memory_range range[MAP_RANGES];
    size_t ranges;
    struct dram_errors *errors;
    /* platform_wiring's */
    void *ctx;
    void (*stored)(void *ctx, spa_t address, unsigned size, uint8_t flags);
    void (*drop_native)(void *ctx, spa_t page); /* SPA_LIMIT: of all pages */
    /* counters */
    uint64_t mmio_reads, mmio_writes, unclaimed;
};

void map_init(struct map *map, unsigned nodes, uint64_t memory, uint64_t host_memory);
void map_free(struct map *map);
/* The region's number, for map_place. */
unsigned map_attach(struct map *map, const struct mmio_region *region);
/* Move a region; size 0 takes it out of the map. */
void map_place(struct map *map, unsigned region, spa_t base, uint64_t size);
bool map_has_dram(const struct map *map, spa_t base, uint64_t size);

/* Note from now on which pages are stored to, or none. */
void map_watch_stores(struct map *map, bool on);
void map_track_stores(struct map *map, bool on);
/* The first page stored to since, at or past *position (0 at first), which moves on behind it; false: no more. */
bool map_next_stored(const struct map *map, uint64_t *position, spa_t *page);

/* A node's DRAM as F1x40/44 describe it: base and inclusive limit, the hole included if the node spans it. */
struct map_node_range {
    spa_t base, limit;
    bool spans_hole;
};
/* Byte `offset` of a node's own DRAM as an address, and back. */
spa_t map_node_address(const struct map *map, unsigned node, uint64_t offset);
uint64_t map_node_offset(const struct map *map, spa_t address);
struct map_node_range map_node_range(const struct map *map, unsigned node);

#endif
