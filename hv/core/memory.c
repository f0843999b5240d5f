/* SPDX-License-Identifier: MIT */
#include "hv/core/memory.h"

#include "hv/core/console.h"
#include "hv/core/text.h"
#include "hv/x86/cpu.h"
#include "hv/x86/lock.h"

#define RESERVED_MAX 80
#define RAM_PIECES_MAX 64
#define LOW_MEMORY 0x100000ull /* below: firmware tables, trampoline, whatever the loader put there */
#define MAPPED_AT_ENTRY (4ull << 30)
#define TABLE_ENTRIES 512
#define READ_PATIENCE 10000 /* PAUSEs; the pool is never held that long */
#define REGION_BYTES (2ull << 20)
#define PTE_TABLE 0x63ull  /* present, writable, accessed, dirty */
#define PTE_2M 0x0E3ull    /* and page size; not global: paravirtual guests use the same addresses */

struct range {
    uint64_t start, end;
};

extern char hv_image_start[], hv_image_end[];
extern uint64_t boot_pml4[TABLE_ENTRIES], boot_pdpt[TABLE_ENTRIES];

static struct page_pool pools[NUMA_NODES_MAX];
static struct numa_map numa;
static struct lock pool_lock;
/* a bit for each region that came back once */
static uint8_t used_regions[((uint64_t)TABLE_ENTRIES << 30) / REGION_BYTES / 8];
static struct range reserved[RESERVED_MAX];
static unsigned reserved_count;

static void reserve(uint64_t start, uint64_t end)
{
    if (reserved_count == RESERVED_MAX)
        panic("the loader brought more than %d things to keep", RESERVED_MAX);
    reserved[reserved_count++] = (struct range){ start & ~(uint64_t)(PAGE_SIZE - 1),
                                                 (end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1) };
}

static void reserve_text(uint32_t address)
{
    if (address)
        reserve(address, address + text_length(memory_pointer(address)) + 1);
}

static void reserve_what_the_loader_brought(const struct multiboot_info *info)
{
    uint64_t at = (uintptr_t)info;

    reserve(0, LOW_MEMORY);
    reserve((uintptr_t)hv_image_start, (uintptr_t)hv_image_end);
    reserve(at, at + sizeof(*info));
    if (info->flags & MULTIBOOT_INFO_CMDLINE)
        reserve_text(info->cmdline);
    reserve(info->mmap_addr, (uint64_t)info->mmap_addr + info->mmap_length);
    if (info->flags & MULTIBOOT_INFO_MODULES) {
        const struct multiboot_module *modules = memory_pointer(info->mods_addr);

        reserve(info->mods_addr, info->mods_addr + (uint64_t)info->mods_count * sizeof(*modules));
        for (uint32_t i = 0; i < info->mods_count; i++) {
            reserve(modules[i].start, modules[i].end);
            reserve_text(modules[i].string);
        }
    }
}

/* Call take() for each piece of [start, end) that is not reserved. */
static void each_free_piece(uint64_t start, uint64_t end, void (*take)(uint64_t start, uint64_t end))
{
    while (start < end) {
        uint64_t stop = end, skip = 0;

        for (unsigned i = 0; i < reserved_count; i++) {
            if (reserved[i].start <= start && start < reserved[i].end)
                skip = reserved[i].end;
            else if (reserved[i].start > start && reserved[i].start < stop)
                stop = reserved[i].start;
        }
        if (skip) {
            start = skip;
            continue;
        }
        take(start, stop);
        start = stop;
    }
}

static void each_map_entry(const struct multiboot_info *info, void (*take)(uint64_t start, uint64_t end))
{
    uint32_t at = info->mmap_addr, end = info->mmap_addr + info->mmap_length;

    while (at < end) {
        const struct multiboot_mmap *entry = memory_pointer(at);

        if (entry->type == MULTIBOOT_MEMORY_RAM)
            take(entry->base, entry->base + entry->length);
        at += entry->size + 4;
    }
}

/* Place of the pool's frame bytes: the first free piece that holds them. */
static uint64_t total_frames;
static uint64_t state_wanted, state_place, highest;

static void note_highest(uint64_t start, uint64_t end)
{
    (void)start;
    if (end > highest)
        highest = end;
}

static void choose_state_piece(uint64_t start, uint64_t end)
{
    if (!state_place && end <= MAPPED_AT_ENTRY && end > start && end - start >= state_wanted)
        state_place = start;
}

static void choose_state_place(uint64_t start, uint64_t end)
{
    each_free_piece(start, end, choose_state_piece);
}

/* Each pool takes what lies in its part. */
static void add_piece(uint64_t start, uint64_t end)
{
    for (unsigned n = 0; n < numa.nodes; n++)
        if (pools[n].frame_count)
            pages_add(&pools[n], start, end);
}

static void add_below_4g(uint64_t start, uint64_t end)
{
    each_free_piece(start, end < MAPPED_AT_ENTRY ? end : MAPPED_AT_ENTRY, add_piece);
}

static void add_above_4g(uint64_t start, uint64_t end)
{
    each_free_piece(start > MAPPED_AT_ENTRY ? start : MAPPED_AT_ENTRY, end, add_piece);
}

/* One to one, 2 MiB pages, from 4 GiB to the highest memory. */
static void map_above_4g(void)
{
    if (highest > (uint64_t)TABLE_ENTRIES << 30)
        highest = (uint64_t)TABLE_ENTRIES << 30; /* one PDPT; Family 10h machines here end at 64 GiB */
    for (uint64_t at = MAPPED_AT_ENTRY; at < highest; at += 1ull << 30) {
        uint64_t *directory = memory_alloc_page();

        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            directory[i] = (at + ((uint64_t)i << 21)) | PTE_2M;
        boot_pdpt[at >> 30] = (uintptr_t)directory | PTE_TABLE;
    }
    cr3_write(cr3_read());
}

static struct numa_range ram[RAM_PIECES_MAX];
static unsigned ram_count;

static void note_ram(uint64_t start, uint64_t end)
{
    if (ram_count < RAM_PIECES_MAX)
        ram[ram_count++] = (struct numa_range){ start, end };
}

/*
 * A pool's part reaches from its node's span to that of the next higher one, so that what lies between spans, or
 * below all, is in some pool too.
 */
static void part_of_node(unsigned node, uint64_t *start, uint64_t *end)
{
    const struct numa_range *span = &numa.node[node];

    *start = 0;
    *end = span->end ? highest : 0;
    for (unsigned n = 0; n < numa.nodes; n++) {
        if (numa.node[n].end && numa.node[n].start < span->start)
            *start = span->start;
        if (numa.node[n].end && numa.node[n].start > span->start && numa.node[n].start < *end)
            *end = numa.node[n].start;
    }
}

static void init_pools(uint8_t *state)
{
    for (unsigned n = 0; n < numa.nodes; n++) {
        uint64_t start, end;

        part_of_node(n, &start, &end);
        pages_init(&pools[n], start, end, state + (start >> PAGE_SHIFT));
    }
}

void memory_init(const struct multiboot_info *info, const struct acpi_topology *topology, enum numa_choice choice,
                 unsigned fake)
{
    if (!(info->flags & MULTIBOOT_INFO_MMAP))
        panic("the loader gave no memory map");
    reserve_what_the_loader_brought(info);
    each_map_entry(info, note_highest);
    each_map_entry(info, note_ram);
    numa_build(&numa, topology, ram, ram_count, choice, fake);
    state_wanted = highest >> PAGE_SHIFT;
    each_map_entry(info, choose_state_place);
    if (!state_place)
        panic("no room for %lu bytes of frame states", (unsigned long)state_wanted);
    reserve(state_place, state_place + state_wanted);
    init_pools(memory_pointer(state_place));
    each_map_entry(info, add_below_4g);
    map_above_4g();
    each_map_entry(info, add_above_4g);
    total_frames = memory_free_frames();
}

const struct numa_map *memory_numa(void)
{
    return &numa;
}

static struct page_pool *pool_of(uint64_t address)
{
    uint64_t frame = address >> PAGE_SHIFT;

    for (unsigned n = 1; n < numa.nodes; n++)
        if (frame - pools[n].first_frame < pools[n].frame_count)
            return &pools[n];
    return &pools[0];
}

/* pool_lock is held. */
static uint64_t take_from(unsigned node, unsigned order)
{
    uint64_t address = 0;

    for (unsigned i = 0; !address && i < numa.nodes; i++)
        address = pages_alloc(&pools[(node + i) % numa.nodes], order);
    return address;
}

uint64_t memory_alloc_on(unsigned node, unsigned order)
{
    uint64_t address;

    lock_acquire(&pool_lock);
    address = take_from(node, order);
    lock_release(&pool_lock);
    return address;
}

uint64_t memory_alloc(unsigned order)
{
    return memory_alloc_on(0, order);
}

struct node_range {
    uint64_t base, end;
    unsigned node;
};

static struct node_range node_ranges[MEMORY_RANGES_MAX]; /* set before other cores run */
static unsigned node_range_count;

void memory_add_node_range(uint64_t base, uint64_t size, unsigned node)
{
    if (node_range_count < MEMORY_RANGES_MAX)
        node_ranges[node_range_count++] = (struct node_range){ base, base + size, node };
}

uint64_t memory_alloc_near(unsigned order, unsigned node)
{
    uint64_t address = 0;

    lock_acquire(&pool_lock);
    for (unsigned i = 0; i < node_range_count && !address; i++)
        for (unsigned n = 0; node_ranges[i].node == node && n < numa.nodes && !address; n++)
            address = pages_alloc_in(&pools[n], order, node_ranges[i].base, node_ranges[i].end);
    if (!address && !order)
        address = take_from(0, order);
    lock_release(&pool_lock);
    return address;
}

uint64_t memory_clear_used(uint64_t address, unsigned order)
{
    uint64_t bytes = (uint64_t)PAGE_SIZE << order;
    bool used = false;

    lock_acquire(&pool_lock);
    for (uint64_t at = address; address && at < address + bytes; at += REGION_BYTES)
        used = used || used_regions[at / REGION_BYTES / 8] >> at / REGION_BYTES % 8 & 1;
    lock_release(&pool_lock);
    return used ? (uintptr_t)text_zero(memory_pointer(address), bytes) : address;
}

void *memory_alloc_page(void)
{
    uint64_t address = memory_alloc(ORDER_4K);

    if (!address)
        panic("out of memory");
    return text_zero(memory_pointer(address), PAGE_SIZE);
}

void memory_free(uint64_t address, unsigned order)
{
    lock_acquire(&pool_lock);
    for (uint64_t at = address; at < address + ((uint64_t)PAGE_SIZE << order); at += REGION_BYTES)
        used_regions[at / REGION_BYTES / 8] |= (uint8_t)(1u << at / REGION_BYTES % 8);
    pages_free(pool_of(address), address, order);
    lock_release(&pool_lock);
}

unsigned memory_offline(uint64_t address, bool broken)
{
    unsigned marks;

    lock_acquire(&pool_lock);
    marks = pages_offline(pool_of(address), address, broken);
    lock_release(&pool_lock);
    return marks;
}

bool memory_online(uint64_t address)
{
    bool done;

    lock_acquire(&pool_lock);
    done = pages_online(pool_of(address), address);
    lock_release(&pool_lock);
    return done;
}

/* A machine check that is hv's end asks, too, and may have interrupted the very holder: then what is there must do. */
static bool lock_for_reading(void)
{
    for (unsigned i = 0; i < READ_PATIENCE; i++) {
        if (lock_try(&pool_lock))
            return true;
        cpu_pause();
    }
    return false;
}

unsigned memory_marks(uint64_t address)
{
    bool locked = lock_for_reading();
    unsigned marks = pages_marks(pool_of(address), address);

    if (locked)
        lock_release(&pool_lock);
    return marks;
}

bool memory_is_free(uint64_t address)
{
    bool locked = lock_for_reading(), is_free = pages_is_free(pool_of(address), address);

    if (locked)
        lock_release(&pool_lock);
    return is_free;
}

uint64_t memory_total_frames(void)
{
    return total_frames;
}

uint64_t memory_end(void)
{
    return highest;
}

uint64_t memory_free_frames_on(unsigned node)
{
    return pools[node].free_frames;
}

uint64_t memory_free_frames(void)
{
    uint64_t frames = 0;

    for (unsigned n = 0; n < numa.nodes; n++)
        frames += pools[n].free_frames;
    return frames;
}
