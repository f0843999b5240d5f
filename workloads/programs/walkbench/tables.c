/* SPDX-License-Identifier: MIT */
#include "workloads/programs/walkbench/tables.h"

#include "workloads/lib/guest.h"

#define PTE_P 0x01
#define PTE_RW 0x02
#define PTE_A 0x20
#define PTE_D 0x40
#define PTE_PS 0x80
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define WINDOW_32 0x80000000ull
#define WINDOW_LONG 0x8000000000ull /* the second PML4 entry */

static const struct paging_mode modes[] = {
    { "long4k", true, CR4_PAE, 8, 4, { 39, 30, 21, 12 }, WINDOW_LONG },
    { "long2m", true, CR4_PAE, 8, 3, { 39, 30, 21 }, WINDOW_LONG },
    { "long1g", true, CR4_PAE, 8, 2, { 39, 30 }, WINDOW_LONG },
    { "pae4k", false, CR4_PAE, 8, 3, { 30, 21, 12 }, WINDOW_32 },
    { "pae2m", false, CR4_PAE, 8, 2, { 30, 21 }, WINDOW_32 },
    { "legacy4k", false, CR4_PSE, 4, 2, { 22, 12 }, WINDOW_32 },
    { "legacy4m", false, CR4_PSE, 4, 1, { 22 }, WINDOW_32 },
    { "off", false, 0, 0, 0, { 0 }, 0 },
};

const struct paging_mode *paging_mode_find(const char *name)
{
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        const char *a = modes[i].name, *b = name;

        while (*a && *a == *b) {
            a++;
            b++;
        }
        if (*a == *b)
            return &modes[i];
    }
    return NULL;
}

static uint32_t new_table(struct tables *tables)
{
    uint32_t page = tables->next;

    tables->next += 0x1000;
    memset((void *)(uintptr_t)page, 0, 0x1000);
    return page;
}

void tables_init(struct tables *tables, const struct paging_mode *mode, uint32_t region)
{
    *tables = (struct tables){ .mode = mode, .next = region };
    if (mode->levels)
        tables->root = new_table(tables);
}

static uint64_t entry_read(const struct paging_mode *mode, uint32_t at)
{
    return mode->entry_bytes == 8 ? *(uint64_t *)(uintptr_t)at : *(uint32_t *)(uintptr_t)at;
}

static void entry_write(const struct paging_mode *mode, uint32_t at, uint64_t value)
{
    if (mode->entry_bytes == 8)
        *(uint64_t *)(uintptr_t)at = value;
    else
        *(uint32_t *)(uintptr_t)at = (uint32_t)value;
}

/* Legacy PAE's top entries have only P, PWT and PCD (APM2 5.2.3). */
static bool is_pae_pdpte(const struct paging_mode *mode, unsigned level)
{
    return !mode->long_mode && mode->shift[level] == 30;
}

void tables_map(struct tables *tables, uint64_t linear, uint64_t physical)
{
    const struct paging_mode *mode = tables->mode;
    uint32_t entries = 0x1000 / mode->entry_bytes;
    uint32_t table = tables->root;

    for (unsigned level = 0;; level++) {
        uint32_t index = (uint32_t)(linear >> mode->shift[level]) & (entries - 1);
        uint32_t at = table + index * mode->entry_bytes;

        if (level == mode->levels - 1) {
            entry_write(mode, at, physical | PTE_P | PTE_RW | PTE_A | PTE_D | (mode->shift[level] > 12 ? PTE_PS : 0));
            return;
        }
        if (!(entry_read(mode, at) & PTE_P))
            entry_write(mode, at, new_table(tables) | PTE_P | (is_pae_pdpte(mode, level) ? 0 : PTE_RW | PTE_A));
        table = (uint32_t)entry_read(mode, at) & 0xFFFFF000;
    }
}
