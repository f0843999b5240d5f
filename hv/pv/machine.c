/* SPDX-License-Identifier: MIT */
/*
 * Of every frame of the machine: what a paravirtual guest uses it as, and which of the guest's own frames it is
 * (machine-to-physical, which all guests may read). Memory for either is taken when a guest first gets a frame of
 * the stretch that a page of it describes.
 */
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/pv/pv.h"

#define FRAMES_PER_CHUNK (PAGE_SIZE / sizeof(struct pv_frame))
#define ENTRIES 512u
#define M2P_ENTRIES ENTRIES             /* per page */
#define M2P_NONE (~0ull)
#define M2P_RIGHTS (PTE_P | PTE_U | PTE_NX) /* read-only */
#define TABLE_RIGHTS (PTE_P | PTE_W | PTE_U)

static struct lock machine_lock;
static struct pv_frame **chunks; /* atomic entries */
static uint64_t chunk_count, frame_count;
static uint64_t *m2p_pdpt;
static uint64_t m2p_nothing;     /* a page that says M2P_NONE of all */

static unsigned order_of(uint64_t bytes)
{
    unsigned order = 0;

    while (((uint64_t)PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

static void *zeroed(unsigned order)
{
    uint64_t at = memory_alloc(order);

    return at ? text_zero(memory_pointer(at), (size_t)PAGE_SIZE << order) : NULL;
}

static uint64_t *next_table(uint64_t *entry)
{
    if (!(*entry & PTE_P)) {
        void *table = zeroed(ORDER_4K);

        if (!table)
            return NULL;
        *entry = (uintptr_t)table | TABLE_RIGHTS;
    }
    return memory_pointer(*entry & PTE_ADDRESS);
}

/* The L1 entry for the M2P page of this frame. */
static uint64_t *m2p_entry(uint64_t frame)
{
    uint64_t page = frame / M2P_ENTRIES;
    uint64_t *directory = next_table(&m2p_pdpt[page / ENTRIES / ENTRIES]);
    uint64_t *l1 = directory ? next_table(&directory[page / ENTRIES % ENTRIES]) : NULL;

    return l1 ? &l1[page % ENTRIES] : NULL;
}

static bool map_nothing(void)
{
    for (uint64_t frame = 0; frame < frame_count; frame += M2P_ENTRIES) {
        uint64_t *entry = m2p_entry(frame);

        if (!entry)
            return false;
        *entry = m2p_nothing | M2P_RIGHTS;
    }
    return true;
}

static bool begin(void)
{
    frame_count = memory_end() / PAGE_SIZE;
    chunk_count = (frame_count + FRAMES_PER_CHUNK - 1) / FRAMES_PER_CHUNK;
    m2p_nothing = memory_alloc(ORDER_4K);
    m2p_pdpt = zeroed(ORDER_4K);
    if (!m2p_nothing || !m2p_pdpt)
        return false;
    memset(memory_pointer(m2p_nothing), 0xFF, PAGE_SIZE);
    if (!map_nothing())
        return false;
    chunks = zeroed(order_of(chunk_count * sizeof(chunks[0])));
    return chunks;
}

bool pv_machine_init(void)
{
    bool ok;

    lock_acquire(&machine_lock);
    ok = chunks || begin(); /* what a failure leaves is small, and the machine is out of memory */
    lock_release(&machine_lock);
    return ok;
}

uint64_t pv_m2p_root(void)
{
    return (uintptr_t)m2p_pdpt | TABLE_RIGHTS;
}

struct pv_frame *pv_machine_frame(uint64_t frame)
{
    struct pv_frame *chunk;

    if (frame >= frame_count)
        return NULL;
    chunk = __atomic_load_n(&chunks[frame / FRAMES_PER_CHUNK], __ATOMIC_ACQUIRE);
    return chunk ? &chunk[frame % FRAMES_PER_CHUNK] : NULL;
}

static bool make_chunk(uint64_t frame)
{
    struct pv_frame *chunk = zeroed(ORDER_4K);

    if (!chunk)
        return false;
    for (unsigned i = 0; i < FRAMES_PER_CHUNK; i++)
        chunk[i].owner = PV_NOBODY;
    __atomic_store_n(&chunks[frame / FRAMES_PER_CHUNK], chunk, __ATOMIC_RELEASE);
    return true;
}

static bool make_m2p(uint64_t frame)
{
    uint64_t *entry = m2p_entry(frame), page;

    if ((*entry & PTE_ADDRESS) != m2p_nothing)
        return true;
    page = memory_alloc(ORDER_4K);
    if (!page)
        return false;
    memset(memory_pointer(page), 0xFF, PAGE_SIZE);
    __atomic_store_n(entry, page | M2P_RIGHTS, __ATOMIC_RELEASE);
    return true;
}

void pv_m2p_set(uint64_t frame, uint64_t guest_frame)
{
    uint64_t *page = memory_pointer(*m2p_entry(frame) & PTE_ADDRESS);

    __atomic_store_n(&page[frame % M2P_ENTRIES], guest_frame, __ATOMIC_RELAXED);
}

uint64_t pv_m2p(uint64_t frame)
{
    const uint64_t *page = memory_pointer(*m2p_entry(frame) & PTE_ADDRESS);

    return __atomic_load_n(&page[frame % M2P_ENTRIES], __ATOMIC_RELAXED);
}

bool pv_machine_give(uint64_t frame, uint16_t owner, uint64_t guest_frame)
{
    bool ok;

    lock_acquire(&machine_lock);
    ok = frame < frame_count && (chunks[frame / FRAMES_PER_CHUNK] || make_chunk(frame)) && make_m2p(frame);
    lock_release(&machine_lock);
    if (!ok)
        return false;
    *pv_machine_frame(frame) = (struct pv_frame){ .owner = owner };
    pv_m2p_set(frame, guest_frame);
    return true;
}

void pv_machine_take(uint64_t frame)
{
    struct pv_frame *f = pv_machine_frame(frame);

    if (!f || f->owner == PV_NOBODY)
        return;
    *f = (struct pv_frame){ .owner = PV_NOBODY };
    pv_m2p_set(frame, M2P_NONE);
}
