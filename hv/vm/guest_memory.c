/* SPDX-License-Identifier: MIT */
/* A guest's memory: what its map says is RAM, what backs it, hv's own reads and writes of it. */
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/guest.h"
#include "hv/vm/paging.h"

#define VGA_HOLE_START 0xA0000ull
#define VGA_HOLE_END 0xC0000ull
#define LOW_TOP 0xA0000ull       /* RAM as the guest is told: 0 - A0000h, and from 1 MiB */
#define HIGH_START 0x100000ull
#define MMIO_START 0xC0000000ull /* a larger guest's rest begins at 4 GiB */
#define MMIO_END 0x100000000ull

static uint64_t low_end(const struct guest *guest)
{
    return guest->spec.memory < MMIO_START ? guest->spec.memory : MMIO_START;
}

static uint64_t high_end(const struct guest *guest)
{
    return guest->spec.memory <= MMIO_START ? MMIO_END : MMIO_END + (guest->spec.memory - MMIO_START);
}

/* The stretch of guest RAM that gpa lies in. C0000h-FFFFFh is backed too: firmware lives there. */
static bool ram_stretch(const struct guest *guest, uint64_t gpa, uint64_t *start, uint64_t *end)
{
    const uint64_t stretches[][2] = { { 0, VGA_HOLE_START }, { VGA_HOLE_END, low_end(guest) },
                                      { MMIO_END, high_end(guest) } };

    for (unsigned i = 0; i < 3; i++) {
        if (gpa >= stretches[i][0] && gpa < stretches[i][1]) {
            *start = stretches[i][0];
            *end = stretches[i][1];
            return true;
        }
    }
    return false;
}

uint64_t guest_top(const struct guest *guest)
{
    return high_end(guest) > MMIO_END ? high_end(guest) : low_end(guest);
}

bool guest_is_ram(const struct guest *guest, uint64_t gpa)
{
    uint64_t start, end;

    return ram_stretch(guest, gpa, &start, &end);
}

static uint64_t alloc_table(void)
{
    uint64_t page = memory_alloc(ORDER_4K);

    if (page)
        text_zero(memory_pointer(page), PAGE_SIZE);
    return page;
}

bool guest_memory_begin(struct guest *guest)
{
    return npt_init(&guest->npt, alloc_table);
}

/*
 * The node of the first core that its first vCPU may run on: its memory comes from there, and when that is full from
 * the next node. Whatever the distances say.
 */
static unsigned home_node(const struct guest *guest)
{
    uint64_t cores = guest->vcpus ? guest->vcpus[0].affinity : guest->spec.cores;
    unsigned core = cores ? (unsigned)__builtin_ctzll(cores) : 0;

    return core < ACPI_CORES_MAX ? memory_numa()->core_node[core] : 0;
}

uint64_t guest_alloc(const struct guest *guest, unsigned order)
{
    return guest->near ? memory_alloc_near(order, guest->near - 1) : memory_alloc_on(home_node(guest), order);
}

/* Back the page at gpa with the largest page that fits and is to be had. Returns its size in bytes, 0: no memory. */
static uint64_t back_page(struct guest *guest, uint64_t gpa, uint64_t end)
{
    enum npt_size size = npt_fit(gpa, end, guest->spec.backing);

    for (;; size--) {
        uint64_t spa = memory_clear_used(guest_alloc(guest, 9u * size), 9u * size);

        if (spa) {
            if (npt_map(&guest->npt, gpa, spa, size, NPT_WRITE))
                return npt_bytes(size);
            memory_free(spa, 9u * size);
        }
        if (size == NPT_4K)
            return 0;
    }
}

/* On demand: the whole page of the guest's backing size around gpa, where the stretch allows one. */
bool guest_populate(struct guest *guest, uint64_t gpa)
{
    struct npt_page page;
    uint64_t start, end;
    enum npt_size size;
    bool ok;

    if (guest->pv || !ram_stretch(guest, gpa, &start, &end))
        return false;
    lock_acquire(&guest->memory_lock);
    ok = npt_find(&guest->npt, gpa, &page); /* another vCPU may have been faster */
    for (size = guest->spec.backing; !ok; size--) {
        uint64_t at = gpa & ~(npt_bytes(size) - 1), backed = 0;

        if (at >= start && npt_fit(at, end, size) == size)
            ok = (backed = back_page(guest, at, end)) != 0;
        for (uint64_t i = 0; ok && i < backed >> PAGE_SHIFT; i++)
            log_dirty_mark(&guest->log, (at >> PAGE_SHIFT) + i);
        if (size == NPT_4K)
            break;
    }
    lock_release(&guest->memory_lock);
    return ok;
}

bool guest_populate_all(struct guest *guest)
{
    uint64_t start, end;
    uint64_t gpa = 0, bytes;

    while (gpa < high_end(guest)) {
        if (!ram_stretch(guest, gpa, &start, &end)) {
            gpa = gpa < VGA_HOLE_END ? VGA_HOLE_END : MMIO_END;
            continue;
        }
        bytes = back_page(guest, gpa, end);
        if (!bytes)
            return false;
        gpa += bytes;
    }
    return true;
}

struct piece_taker {
    void (*take)(void *ctx, uint64_t offset, void *memory, uint64_t size);
    void *ctx;
    bool writes;
};

/*
 * One piece, under the lock when it is written: the frame behind it must not go elsewhere meanwhile. Returns its
 * size, 0: there is no memory.
 */
static uint64_t one_piece(struct guest *guest, uint64_t gpa, uint64_t size, const struct piece_taker *taker,
                          uint64_t offset)
{
    struct npt_page page;
    uint64_t piece = 0;

    if (taker->writes)
        lock_acquire(&guest->memory_lock);
    if (npt_find(&guest->npt, gpa, &page) && npt_is_present(page.type)) {
        piece = npt_bytes(page.size) - (page.spa & (npt_bytes(page.size) - 1));
        if (piece > size)
            piece = size;
        if (!taker->writes || page.type != NPT_READ_ONLY)
            taker->take(taker->ctx, offset, memory_pointer(page.spa), piece);
        for (uint64_t at = gpa & ~(uint64_t)(PAGE_SIZE - 1); taker->writes && at < gpa + piece; at += PAGE_SIZE)
            log_dirty_mark(&guest->log, at >> PAGE_SHIFT);
    }
    if (taker->writes)
        lock_release(&guest->memory_lock);
    return piece;
}

/* Call for each piece of [gpa, gpa + size) that lies within one nested page. */
static bool each_piece(struct guest *guest, uint64_t gpa, uint64_t size, const struct piece_taker *taker)
{
    uint64_t offset = 0;

    while (offset < size) {
        uint64_t piece = one_piece(guest, gpa + offset, size - offset, taker, offset);

        if (!piece && guest_populate(guest, gpa + offset))
            piece = one_piece(guest, gpa + offset, size - offset, taker, offset);
        if (!piece)
            return false;
        offset += piece;
    }
    return true;
}

static void copy_in(void *ctx, uint64_t offset, void *memory, uint64_t size)
{
    memcpy(memory, (const char *)ctx + offset, size);
}

static void copy_out(void *ctx, uint64_t offset, void *memory, uint64_t size)
{
    memcpy((char *)ctx + offset, memory, size);
}

static void clear(void *ctx, uint64_t offset, void *memory, uint64_t size)
{
    (void)ctx;
    (void)offset;
    text_zero(memory, size);
}

bool guest_write(struct guest *guest, uint64_t gpa, const void *data, uint64_t size)
{
    struct piece_taker taker = { copy_in, (void *)(uintptr_t)data, true };

    if (!each_piece(guest, gpa, size, &taker))
        return false;
    paging_written(guest, gpa, size);
    return true;
}

bool guest_zero(struct guest *guest, uint64_t gpa, uint64_t size)
{
    return each_piece(guest, gpa, size, &(struct piece_taker){ clear, NULL, true });
}

/* Table entries and instruction bytes, which most exits ask for, lie within one nested page. */
bool guest_read(struct guest *guest, uint64_t gpa, void *data, uint64_t size)
{
    enum npt_size page;
    uint64_t spa;

    if (npt_lookup(&guest->npt, gpa, &spa, &page) && (spa & (npt_bytes(page) - 1)) + size <= npt_bytes(page)) {
        if (size == sizeof(uint64_t))
            __builtin_memcpy(data, memory_pointer(spa), sizeof(uint64_t));
        else
            memcpy(data, memory_pointer(spa), size);
        return true;
    }
    return each_piece(guest, gpa, size, &(struct piece_taker){ copy_out, data, false });
}

unsigned guest_ram_told(const struct guest *guest, struct guest_ram ram[GUEST_RAM_PIECES])
{
    ram[0] = (struct guest_ram){ 0, LOW_TOP };
    ram[1] = (struct guest_ram){ HIGH_START, low_end(guest) };
    ram[2] = (struct guest_ram){ MMIO_END, high_end(guest) };
    return high_end(guest) > MMIO_END ? 3 : 2;
}

uint64_t guest_pages(const struct guest *guest)
{
    uint64_t pages = 0;

    for (unsigned size = 0; size < NPT_SIZE_COUNT; size++)
        pages += npt_entries(&guest->npt, (enum npt_size)size) * (npt_bytes((enum npt_size)size) / PAGE_SIZE);
    return pages;
}
