/* SPDX-License-Identifier: MIT */
#include "hv/npt/npt.h"

#include <stddef.h>

#define PTE_P (1ull << 0)
#define PTE_U (1ull << 2) /* all nested accesses are user accesses (APM2 15.25.5) */
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull
#define PTE_TABLE (PTE_P | NPT_WRITE | PTE_U | PTE_A)
#define ENTRIES 512
#define BITS_PER_LEVEL 9u
#define TOP_LEVEL 3 /* levels count from the one that maps 4 KiB */

static uint64_t *table_at(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & PTE_ADDRESS);
}

static unsigned index_at(uint64_t gpa, unsigned level)
{
    return gpa >> (12 + 9 * level) & (ENTRIES - 1);
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 0 || entry & PTE_PS;
}

static uint64_t new_table(struct npt *npt)
{
    uint64_t page = npt->table();

    if (page)
        npt->tables++;
    return page;
}

bool npt_init(struct npt *npt, uint64_t (*table)(void))
{
    *npt = (struct npt){ .table = table };
    npt->root = new_table(npt);
    return npt->root != 0;
}

/* The entry for gpa at `level`; NULL if a larger page is in the way or no table could be had. */
static uint64_t *entry_at(struct npt *npt, uint64_t gpa, unsigned level)
{
    uint64_t *entry = &table_at(npt->root)[index_at(gpa, TOP_LEVEL)];

    for (unsigned at = TOP_LEVEL; at > level; at--) {
        if (!(*entry & PTE_P)) {
            uint64_t page = new_table(npt);

            if (!page)
                return NULL;
            *entry = page | PTE_TABLE;
        } else if (is_leaf(*entry, at)) {
            return NULL;
        }
        entry = &table_at(*entry)[index_at(gpa, at - 1)];
    }
    return entry;
}

static uint64_t leaf(uint64_t spa, enum npt_size size, uint64_t rights)
{
    return spa | PTE_P | PTE_U | PTE_A | PTE_D | (size == NPT_4K ? 0 : PTE_PS) | rights;
}

bool npt_map(struct npt *npt, uint64_t gpa, uint64_t spa, enum npt_size size, uint64_t rights)
{
    uint64_t *entry;

    if ((gpa | spa) & (npt_bytes(size) - 1))
        return false;
    entry = entry_at(npt, gpa, size);
    if (!entry || *entry & PTE_P)
        return false;
    *entry = leaf(spa, size, rights);
    npt->entries[size]++;
    return true;
}

static uint64_t *find_leaf(const struct npt *npt, uint64_t gpa, unsigned *level)
{
    uint64_t *table = table_at(npt->root);

    for (unsigned at = TOP_LEVEL;; at--) {
        uint64_t *entry = &table[index_at(gpa, at)];

        if (!(*entry & PTE_P))
            return NULL;
        if (is_leaf(*entry, at)) {
            *level = at;
            return entry;
        }
        table = table_at(*entry);
    }
}

bool npt_lookup(const struct npt *npt, uint64_t gpa, uint64_t *spa, enum npt_size *size)
{
    unsigned level;
    const uint64_t *entry = find_leaf(npt, gpa, &level);

    if (!entry)
        return false;
    *size = (enum npt_size)level;
    *spa = (*entry & PTE_ADDRESS & ~(npt_bytes(*size) - 1)) | (gpa & (npt_bytes(*size) - 1));
    return true;
}

bool npt_split(struct npt *npt, uint64_t gpa)
{
    unsigned level;
    uint64_t *entry = find_leaf(npt, gpa, &level), *smaller;
    uint64_t page, spa, rights;

    if (!entry || level == 0)
        return false;
    page = new_table(npt);
    if (!page)
        return false;
    smaller = table_at(page);
    spa = *entry & PTE_ADDRESS & ~(npt_bytes((enum npt_size)level) - 1);
    rights = *entry & (NPT_WRITE | NPT_BORROWED);
    for (unsigned i = 0; i < ENTRIES; i++)
        smaller[i] = leaf(spa + i * npt_bytes((enum npt_size)(level - 1)), (enum npt_size)(level - 1), rights);
    *entry = page | PTE_TABLE;
    npt->entries[level]--;
    npt->entries[level - 1] += ENTRIES;
    npt->splits++;
    return true;
}

static void destroy_table(uint64_t table, unsigned level, void (*give_back)(uint64_t spa, unsigned order))
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t entry = table_at(table)[i];

        if (!(entry & PTE_P))
            continue;
        if (!is_leaf(entry, level))
            destroy_table(entry & PTE_ADDRESS, level - 1, give_back);
        else if (!(entry & NPT_BORROWED))
            give_back(entry & PTE_ADDRESS & ~(npt_bytes((enum npt_size)level) - 1), BITS_PER_LEVEL * level);
    }
    give_back(table, 0);
}

void npt_destroy(struct npt *npt, void (*give_back)(uint64_t spa, unsigned order))
{
    if (npt->root)
        destroy_table(npt->root, TOP_LEVEL, give_back);
    *npt = (struct npt){ .table = npt->table };
}

enum npt_size npt_fit(uint64_t gpa, uint64_t end, enum npt_size limit)
{
    while (limit > NPT_4K && (gpa & (npt_bytes(limit) - 1) || end - gpa < npt_bytes(limit)))
        limit--;
    return limit;
}
