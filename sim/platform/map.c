/* SPDX-License-Identifier: MIT */
#include "sim/platform/map.h"

#include <string.h>

#include "sim/bits.h"
#include "sim/platform/dram_errors.h"

#define MAP_NONE UINT64_MAX
#define HOLE_BYTES (MAP_4G - MAP_HOLE_BASE)

/* Position of a DRAM address in the row of all nodes' bytes; MAP_NONE if it is not DRAM. */
static uint64_t map_offset(const struct map *map, spa_t address)
{
    if (address < map->top_mem)
        return address - MAP_VGA_BASE < MAP_VGA_END - MAP_VGA_BASE ? MAP_NONE : address;
    if (address >= MAP_4G && address < map->tom2)
        return address - HOLE_BYTES;
    return MAP_NONE;
}

/* The sPA of a byte of that row. */
static spa_t map_address(const struct map *map, uint64_t offset)
{
    return offset < map->top_mem ? offset : offset + HOLE_BYTES;
}

/* ---- struct spa_space ----------------------------------------------------------------------------------- */

static uint8_t *map_dram(void *ctx, spa_t address, bool allocate)
{
    struct map *map = ctx;
    uint64_t offset = map_offset(map, address);

    return offset == MAP_NONE ? NULL : dram_page(&map->dram, offset, allocate, &map->space.exhausted);
}

/* Every node's row of DRAM has these bytes too; the VGA window hides them. */
static uint8_t *map_smram(void *ctx, spa_t address, bool allocate)
{
    struct map *map = ctx;

    if (address < MAP_VGA_BASE || address >= MAP_VGA_END || address >= map->top_mem)
        return NULL;
    return dram_page(&map->dram, address, allocate, &map->space.exhausted);
}

static bool map_is_dram(void *ctx, spa_t address)
{
    return map_offset(ctx, address) != MAP_NONE;
}

static uint8_t *map_page_flags(void *ctx, spa_t address)
{
    struct map *map = ctx;
    uint64_t offset = map_offset(map, address);

    return offset == MAP_NONE ? NULL : dram_page_flags(&map->dram, offset);
}

static void map_set_flags(struct map *map, spa_t address, uint8_t clear, uint8_t set)
{
    uint8_t *flags = map_page_flags(map, address);
    uint8_t now;

    if (!flags)
        return;
    now = (uint8_t)((*flags & ~clear) | set);
    if (now == *flags)
        return;
    *flags = now;
    if (map->drop_native)
        map->drop_native(map->ctx, address & ~PAGE_MASK);
}

static void map_flag_page(void *ctx, spa_t address, enum dram_page_flag flag)
{
    map_set_flags(ctx, address, 0, (uint8_t)flag);
}

static void map_unflag_page(void *ctx, spa_t address, enum dram_page_flag flag)
{
    map_set_flags(ctx, address, (uint8_t)flag, 0);
}

static void map_stored(void *ctx, spa_t address, unsigned size)
{
    struct map *map = ctx;
    uint8_t *flags = map_page_flags(map, address);

    if (!flags)
        return;
    *flags = (uint8_t)(*flags & ~DRAM_PAGE_CLEAN);
    if (*flags & DRAM_PAGE_BAD)
        dram_errors_stored(map->errors, address, size);
    if (*flags && map->stored)
        map->stored(map->ctx, address, size, *flags);
}

void map_watch_stores(struct map *map, bool on)
{
    dram_watch(&map->dram, on);
}

void map_track_stores(struct map *map, bool on)
{
    dram_track(&map->dram, on);
}

bool map_next_stored(const struct map *map, uint64_t *position, spa_t *page)
{
    uint64_t offset = dram_next_stored(&map->dram, *position);

    if (offset == UINT64_MAX)
        return false;
    *position = offset + PAGE_BYTES;
    *page = map_address(map, offset);
    return true;
}

/* Regions are few and device accesses rare: a search in order of attachment. */
static const struct mmio_region *map_find_region(const struct map *map, spa_t address)
{
    for (unsigned i = 0; i < map->regions; i++) {
        if (address - map->region[i].base < map->region[i].size)
            return &map->region[i];
    }
    return NULL;
}

static uint64_t map_mmio_read(void *ctx, spa_t address, unsigned size)
{
    struct map *map = ctx;
    const struct mmio_region *region = map_find_region(map, address);
    uint64_t value = 0;

    map->mmio_reads++;
    if (!region) {
        map->unclaimed++;
        return bits_mask(8 * size - 1, 0);
    }
    if (address - region->base + size <= region->size)
        return zero_extend(region->read(region->ctx, address - region->base, size), size);
    for (unsigned i = 0; i < size; i++)
        value |= map_mmio_read(map, address + i, 1) << (8 * i);
    return value;
}

static void map_mmio_write(void *ctx, spa_t address, unsigned size, uint64_t value)
{
    struct map *map = ctx;
    const struct mmio_region *region = map_find_region(map, address);

    map->mmio_writes++;
    if (!region) {
        map->unclaimed++;
        return;
    }
    if (address - region->base + size <= region->size) {
        region->write(region->ctx, address - region->base, size, zero_extend(value, size));
        return;
    }
    for (unsigned i = 0; i < size; i++)
        map_mmio_write(map, address + i, 1, bits(value, 8 * i + 7, 8 * i));
}

static unsigned map_home_node(void *ctx, spa_t address)
{
    const struct map *map = ctx;
    uint64_t offset = map_offset(map, address);

    return offset == MAP_NONE ? 0 : (unsigned)(offset / map->node_bytes);
}

static bool map_meet(void *ctx, spa_t address, unsigned size, enum memory_access kind, unsigned core,
                     struct mca_error *own)
{
    const struct map *map = ctx;

    return dram_errors_meet(map->errors, address, size, kind, core, own);
}

/* ---- Building --------------------------------------------------------------------------------------------- */

struct map_node_range map_node_range(const struct map *map, unsigned node)
{
    spa_t base = map_address(map, node * map->node_bytes);
    spa_t limit = map_address(map, (node + 1) * map->node_bytes - 1);

    return (struct map_node_range){ base, limit, base < map->top_mem && limit >= MAP_4G };
}

spa_t map_node_address(const struct map *map, unsigned node, uint64_t offset)
{
    return map_address(map, node * map->node_bytes + offset);
}

/* The VGA window's bytes count: DRAM lies there, hidden. */
uint64_t map_node_offset(const struct map *map, spa_t address)
{
    uint64_t offset = map_offset(map, address);

    return (offset == MAP_NONE ? address : offset) % map->node_bytes;
}

static void map_add_range(struct map *map, spa_t base, spa_t end, unsigned type)
{
    if (base < end)
        map->range[map->ranges++] = (struct memory_range){ base, end - base, map_home_node(map, base), type };
}

/* The part [base, end) of RAM, split where the next node's begins. */
static void map_add_ram(struct map *map, spa_t base, spa_t end)
{
    while (base < end) {
        spa_t next = map_node_range(map, map_home_node(map, base)).limit + 1;
        spa_t stop = next > base && next < end ? next : end;

        map_add_range(map, base, stop, 1);
        base = stop;
    }
}

/* What firmware reports: E820 types 1 RAM, 2 reserved, 3 ACPI. */
static void map_build_ranges(struct map *map)
{
    spa_t acpi = map->top_mem - MAP_ACPI_BYTES;

    map_add_ram(map, 0, MAP_EBDA_BASE);
    map_add_range(map, MAP_EBDA_BASE, MAP_VGA_BASE, 2);
    map_add_range(map, MAP_BIOS_BASE, MIB, 2);
    map_add_ram(map, MIB, acpi);
    map_add_range(map, acpi, map->top_mem, 3);
    map_add_range(map, MAP_CONFIG_BASE, MAP_CONFIG_BASE + MAP_CONFIG_BYTES, 2);
    map_add_range(map, UINT64_C(0xfec00000), UINT64_C(0xfec01000), 2); /* IOAPIC */
    map_add_range(map, UINT64_C(0xfed00000), UINT64_C(0xfed01000), 2); /* HPET */
    map_add_range(map, UINT64_C(0xfee00000), UINT64_C(0xfee01000), 2); /* local APIC */
    map_add_range(map, UINT64_C(0xff000000), MAP_4G, 2);               /* firmware ROM */
    map_add_ram(map, MAP_4G, map->tom2);
}

void map_init(struct map *map, unsigned nodes, uint64_t memory, uint64_t host_memory)
{
    map->space = (struct spa_space){
        .ctx = map, .dram = map_dram, .is_dram = map_is_dram, .page_flags = map_page_flags,
        .flag_page = map_flag_page, .unflag_page = map_unflag_page, .stored = map_stored,
        .mmio_read = map_mmio_read, .mmio_write = map_mmio_write, .home_node = map_home_node, .smram = map_smram,
        .meet = map_meet,
    };
    map->nodes = nodes;
    map->node_bytes = memory / nodes;
    map->top_mem = memory < MAP_HOLE_BASE ? memory : MAP_HOLE_BASE;
    map->tom2 = MAP_4G + (memory - map->top_mem);
    dram_init(&map->dram, memory, host_memory);
    map_build_ranges(map);
}

void map_free(struct map *map)
{
    dram_free(&map->dram);
}

unsigned map_attach(struct map *map, const struct mmio_region *region)
{
    g_assert(map->regions < MAP_REGIONS); /* composition is fixed: not reachable by a guest */
    map->region[map->regions] = *region;
    return map->regions++;
}

void map_place(struct map *map, unsigned region, spa_t base, uint64_t size)
{
    map->region[region].base = base;
    map->region[region].size = size;
}

bool map_has_dram(const struct map *map, spa_t base, uint64_t size)
{
    return base < map->top_mem || (base < map->tom2 && base + size > MAP_4G);
}
