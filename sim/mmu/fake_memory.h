/* SPDX-License-Identifier: MIT */
/* For the unit tests of this folder: sparse DRAM behind a spa_space, page tables written into it, an MMU on it. */
#ifndef FAM10H_MMU_FAKE_MEMORY_H
#define FAM10H_MMU_FAKE_MEMORY_H

#include <glib.h>
#include <string.h>

#include "sim/mmu/control.h"
#include "sim/mmu/mmu.h"
#include "sim/mmu/walk.h"
#include "sim/spa.h"
#include "sim/unit_test.h"

#define DEVICE_BASE UINT64_C(0xf0000000) /* one page of device registers */
#define REMOTE_BASE (UINT64_C(1) << 36)  /* from here on node 1 */

struct fake_page {
    uint8_t bytes[PAGE_BYTES];
    uint8_t flags;
};

struct fake_memory {
    GHashTable *pages; /* page number -> struct fake_page */
    struct spa_space space;
    uint64_t cycles;
    spa_t next_table; /* bump allocator for tables, in the space that the tables live in */
    uint64_t guest_offset; /* sPA of gPA 0 while guest tables are built */
    unsigned stores_seen;
};

static inline struct fake_page *fake_page(struct fake_memory *memory, spa_t address, bool allocate)
{
    gpointer key = GSIZE_TO_POINTER((gsize)(address >> PAGE_SHIFT) + 1);
    struct fake_page *page = g_hash_table_lookup(memory->pages, key);

    if (!page && allocate) {
        page = g_new0(struct fake_page, 1);
        g_hash_table_insert(memory->pages, key, page);
    }
    return page;
}

static inline bool fake_is_dram(void *ctx, spa_t address)
{
    (void)ctx;
    return (address & ~PAGE_MASK) != DEVICE_BASE;
}

static inline uint8_t *fake_dram(void *ctx, spa_t address, bool allocate)
{
    struct fake_page *page = fake_is_dram(ctx, address) ? fake_page(ctx, address, allocate) : NULL;

    return page ? page->bytes : NULL;
}

static inline uint8_t *fake_flags(void *ctx, spa_t address)
{
    struct fake_page *page = fake_page(ctx, address, false);

    return page ? &page->flags : NULL;
}

static inline void fake_stored(void *ctx, spa_t address, unsigned size)
{
    struct fake_memory *memory = ctx;

    (void)address, (void)size;
    memory->stores_seen++;
}

static inline uint64_t fake_mmio_read(void *ctx, spa_t address, unsigned size)
{
    (void)ctx, (void)address;
    return UINT64_MAX >> (64 - 8 * size);
}

static inline void fake_mmio_write(void *ctx, spa_t address, unsigned size, uint64_t value)
{
    (void)ctx, (void)address, (void)size, (void)value;
}

static inline unsigned fake_home_node(void *ctx, spa_t address)
{
    (void)ctx;
    return address >= REMOTE_BASE;
}

static inline struct fake_memory *fake_memory_new(void)
{
    struct fake_memory *memory = g_new0(struct fake_memory, 1);

    memory->pages = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    memory->space = (struct spa_space){
        .ctx = memory, .dram = fake_dram, .is_dram = fake_is_dram, .page_flags = fake_flags, .stored = fake_stored,
        .mmio_read = fake_mmio_read, .mmio_write = fake_mmio_write, .home_node = fake_home_node,
    };
    memory->next_table = 0x100000;
    return memory;
}

static inline void fake_memory_free(struct fake_memory *memory)
{
    g_hash_table_unref(memory->pages);
    g_free(memory);
}

static inline uint64_t fake_read(struct fake_memory *memory, spa_t address)
{
    return spa_read(&memory->space, address, 8);
}

static inline void fake_write(struct fake_memory *memory, spa_t address, uint64_t value)
{
    spa_write(&memory->space, address, 8, value);
}

/* ---- Page tables ---------------------------------------------------------------------------------- */

/* sPA of the entry of `level` for `address`; the tables above it must exist. */
static inline spa_t fake_entry(struct fake_memory *memory, const struct walk_format *format, uint64_t root,
                               uint64_t address, unsigned level)
{
    uint64_t table = root;

    for (unsigned l = format->levels;; l--) {
        const struct walk_level *at = &format->level[l];
        spa_t entry = table + memory->guest_offset +
                      (address >> at->shift & ((1U << at->bits) - 1)) * format->entry_bytes;

        if (l == level)
            return entry;
        table = spa_read(&memory->space, entry, format->entry_bytes) &
                (format->entry_bytes == 8 ? UINT64_C(0x0000fffffffff000) : UINT64_C(0xfffff000));
    }
}

/* Map the page of `address` to `frame` by an entry of `level`; missing tables are made, with full rights and A. */
static inline void fake_map(struct fake_memory *memory, const struct walk_format *format, uint64_t root,
                            uint64_t address, uint64_t frame, unsigned level, uint64_t flags)
{
    unsigned size = format->entry_bytes;

    for (unsigned l = format->levels; l > level; l--) {
        spa_t entry = fake_entry(memory, format, root, address, l);

        if (spa_read(&memory->space, entry, size) & PTE_P)
            continue;
        spa_write(&memory->space, entry, size,
                  memory->next_table |
                      (format->level[l].plain ? PTE_P : PTE_P | PTE_RW | PTE_US | PTE_A));
        memory->next_table += PAGE_BYTES;
    }
    spa_write(&memory->space, fake_entry(memory, format, root, address, level), size,
              frame | flags | (level > 1 ? PTE_PS : 0));
}

#define MAP_ALL (PTE_P | PTE_RW | PTE_US)
#define MAP_USED (MAP_ALL | PTE_A | PTE_D)

static inline uint64_t fake_root(struct fake_memory *memory)
{
    uint64_t root = memory->next_table;

    memory->next_table += PAGE_BYTES;
    return root;
}

/* ---- The MMU -------------------------------------------------------------------------------------- */

/* 10h-b3 without walk caches; costs that tell themselves apart. */
static const struct mmu_geometry fake_geometry = {
    .l1d = { 48, 0 }, .l1i_4k = { 32, 0 }, .l1i_2m = { 16, 0 }, .l2d_4k = { 512, 4 }, .l2d_2m = { 128, 2 },
    .l2i_4k = { 512, 4 }, .cost_l2_hit = 5, .cost_ref = 15, .cost_ref_remote = 15, .cost_pwc_hit = 1,
    .cost_ntlb_hit = 2, .cost_ad_write = 20,
};

static inline struct paging fake_long_mode(uint64_t root)
{
    return (struct paging){ .cr0 = CR0_PG | CR0_WP | 1, .cr3 = root, .cr4 = CR4_PAE, .efer = EFER_LMA | EFER_NXE,
                            .pat = UINT64_C(0x0007040600070406), .host_pat = UINT64_C(0x0007040600070406) };
}

#endif
