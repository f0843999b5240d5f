/* SPDX-License-Identifier: MIT */
#include "workloads/lib/paging64.h"

#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

#define TABLES 32
#define ADDRESS 0x000FFFFFFFFFF000ull

static uint64_t tables[TABLES][512] __attribute__((aligned(4096)));
static unsigned used;

uint64_t *paging_entry(uint64_t linear, unsigned level)
{
    uint64_t *table = (uint64_t *)(cr3_read() & ADDRESS);

    for (unsigned at = 4;; at--) {
        uint64_t *entry = &table[linear >> (3 + 9 * at) & 511];

        if (at == level)
            return entry;
        if (!(*entry & PTE_P)) {
            if (used == TABLES)
                guest_fail("paging_entry: out of tables");
            *entry = (uintptr_t)tables[used++] | PTE_P | PTE_RW | PTE_US;
        } else if (*entry & PTE_PS) {
            guest_fail("paging_entry: a large page covers %llx", (unsigned long long)linear);
        }
        table = (uint64_t *)(*entry & ADDRESS);
    }
}
