/* SPDX-License-Identifier: MIT */
/*
 * hv's own text and constants in frames that can be replaced (a machine check may have spoilt one). The 2 MiB
 * page that maps
 * them is split when the first of them is: hv runs in large pages otherwise.
 */
#include "hv/core/memory.h"

#include "hv/core/percore.h"
#include "hv/core/text.h"
#include "hv/x86/cpu.h"
#include "hv/x86/lock.h"

#define CR4_PGE (1ull << 7)
#define ENTRIES 512u
#define LARGE_BYTES 0x200000ull
#define PTE_P_W_A_D 0x63ull
#define PTE_PS 0x80ull
#define PTE_4K 0x163ull /* present, writable, accessed, dirty, global */
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull

extern char hv_image_start[], hv_constants_end[];
extern uint64_t boot_directories[]; /* of the first 4 GiB, one behind the other */

static uint64_t copy;              /* of the pages below; 0: none */
static unsigned generation;        /* replacements so far; atomic */
static unsigned followed[CORES_MAX];
static struct lock replace_lock;

/* Whole pages: the last one's end belongs to .data. */
static uint64_t text_end(void)
{
    return (uintptr_t)hv_constants_end & ~(uint64_t)(PAGE_SIZE - 1);
}

void memory_keep_text(void)
{
    uint64_t bytes = text_end() - (uintptr_t)hv_image_start;
    unsigned order = 0;

    while ((uint64_t)PAGE_SIZE << order < bytes)
        order++;
    copy = memory_alloc(order);
    if (copy)
        memcpy(memory_pointer(copy), hv_image_start, bytes);
}

/* The entry of the 4K page at address, NULL while its large page is whole. */
static uint64_t *small_entry(uint64_t address)
{
    uint64_t directory = boot_directories[address / LARGE_BYTES];

    if (directory & PTE_PS)
        return NULL;
    return (uint64_t *)memory_pointer(directory & PTE_ADDRESS) + address / PAGE_SIZE % ENTRIES;
}

bool memory_is_text(uint64_t address)
{
    const uint64_t *entry;

    if (!copy || address < (uintptr_t)hv_image_start || address >= text_end())
        return false;
    entry = small_entry(address);
    return !entry || (*entry & PTE_ADDRESS) == (address & PTE_ADDRESS);
}

static bool split(uint64_t address)
{
    uint64_t page = memory_alloc(ORDER_4K), large = address & ~(LARGE_BYTES - 1);
    uint64_t *table = memory_pointer(page);

    if (!page)
        return false;
    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = (large + (uint64_t)i * PAGE_SIZE) | PTE_4K;
    __atomic_store_n(&boot_directories[address / LARGE_BYTES], page | PTE_P_W_A_D, __ATOMIC_RELEASE);
    return true;
}

static bool replace(uint64_t address, uint64_t frame)
{
    uint64_t page = address & PTE_ADDRESS;

    if (!small_entry(address) && !split(address))
        return false;
    memcpy(memory_pointer(frame), memory_pointer(copy + page - (uintptr_t)hv_image_start), PAGE_SIZE);
    __atomic_store_n(small_entry(address), frame | PTE_4K, __ATOMIC_RELEASE);
    __atomic_fetch_add(&generation, 1, __ATOMIC_RELEASE);
    return true;
}

bool memory_replace_text(uint64_t address)
{
    uint64_t frame = memory_alloc(ORDER_4K);
    bool done;

    lock_acquire(&replace_lock);
    done = frame && memory_is_text(address) && replace(address, frame);
    lock_release(&replace_lock);
    if (!done && frame)
        memory_free(frame, ORDER_4K);
    memory_follow(percore_self()->index);
    return done;
}

/* Global entries go when CR4.PGE changes (APM2 5.5.2). */
void memory_follow(unsigned core)
{
    unsigned now = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);

    if (followed[core] == now)
        return;
    cr4_write(cr4_read() & ~CR4_PGE);
    cr4_write(cr4_read() | CR4_PGE);
    __atomic_store_n(&followed[core], now, __ATOMIC_RELEASE);
}

bool memory_settled(unsigned cores)
{
    for (unsigned i = 0; i < cores; i++)
        if (__atomic_load_n(&followed[i], __ATOMIC_ACQUIRE) != __atomic_load_n(&generation, __ATOMIC_ACQUIRE))
            return false;
    return true;
}
