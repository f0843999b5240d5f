/* SPDX-License-Identifier: MIT */
/* A pointer chase that misses the TLB at every hop, and the tables it is run on. */
#include "bench.h"

#define PAGES (CHASE_BYTES / PAGE)
#define STEP 40503u /* odd, so that i * STEP mod 65536 visits every page once */

static uint64_t node(uint32_t i)
{
    uint32_t page = i * STEP % PAGES;

    return CHASE + (uint64_t)page * PAGE + (page * 64) % PAGE; /* different lines of the pages */
}

void chase_build(void)
{
    for (uint32_t i = 0; i < PAGES; i++)
        *(uint64_t *)(uintptr_t)node(i) = node((i + 1) % PAGES);
}

uint64_t chase(uint64_t start, uint64_t hops)
{
    uint64_t at = start;

    while (hops--)
        at = *(volatile uint64_t *)(uintptr_t)at;
    return at;
}

static uint64_t pool = POOL;

static uint64_t *table(void)
{
    uint64_t *page = (uint64_t *)(uintptr_t)pool;

    pool += PAGE;
    for (unsigned i = 0; i < 512; i++)
        page[i] = 0;
    return page;
}

#define LINK 0x67u  /* present, writable, user, accessed, dirty */
#define LARGE 0x80u

uint64_t tables_build(unsigned large, unsigned gigabytes)
{
    uint64_t *l4 = table(), *l3 = table();

    l4[0] = (uintptr_t)l3 | LINK;
    for (unsigned g = 0; g < gigabytes; g++) {
        uint64_t *l2 = table();

        l3[g] = (uintptr_t)l2 | LINK;
        for (uint64_t i = 0; i < 512; i++) {
            uint64_t base = ((uint64_t)g << 30) + (i << 21), *l1;

            if (large) {
                l2[i] = base | LINK | LARGE;
                continue;
            }
            l1 = table();
            l2[i] = (uintptr_t)l1 | LINK;
            for (uint64_t j = 0; j < 512; j++)
                l1[j] = (base + j * PAGE) | LINK;
        }
    }
    return (uintptr_t)l4;
}
