/* SPDX-License-Identifier: MIT */
#include "hv/npt/npt.h"

#include <stddef.h>

#define PTE_P (1ull << 0)
#define PTE_U (1ull << 2) /* all nested accesses are user accesses (APM2 15.25.5) */
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_TYPE_SHIFT 9
#define PTE_TYPE (7ull << PTE_TYPE_SHIFT)
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull
#define PTE_TABLE (PTE_P | NPT_WRITE | PTE_U | PTE_A)
#define ENTRIES 512
#define BITS_PER_LEVEL 9u
#define TOP_LEVEL 3 /* levels count from the one that maps 4 KiB */
#define GPA_LIMIT (1ull << 48)

_Static_assert(NPT_TYPE_COUNT <= 8, "a type has three bits");

static uint64_t *table_at(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & PTE_ADDRESS);
}

static unsigned index_at(uint64_t gpa, unsigned level)
{
    return gpa >> (12 + 9 * level) & (ENTRIES - 1);
}

/* Read once: another core may be splitting this very page. */
static uint64_t entry_load(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

static void entry_store(uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static bool is_table(uint64_t entry, unsigned level)
{
    return level > 0 && (entry & (PTE_P | PTE_PS)) == PTE_P;
}

static enum npt_type type_of(uint64_t entry)
{
    return (enum npt_type)((entry & PTE_TYPE) >> PTE_TYPE_SHIFT);
}

static uint64_t address_of(uint64_t entry, unsigned level)
{
    return entry & PTE_ADDRESS & ~(npt_bytes((enum npt_size)level) - 1);
}

static uint64_t leaf(uint64_t spa, unsigned level, enum npt_type type)
{
    uint64_t bits = (uint64_t)type << PTE_TYPE_SHIFT;

    if (!npt_is_present(type))
        return bits;
    if (type == NPT_RAM || type == NPT_FOREIGN)
        bits |= NPT_WRITE;
    return spa | PTE_P | PTE_U | PTE_A | PTE_D | (level ? PTE_PS : 0) | bits;
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
        if (!*entry) {
            uint64_t page = new_table(npt);

            if (!page)
                return NULL;
            entry_store(entry, page | PTE_TABLE);
        } else if (!is_table(*entry, at)) {
            return NULL;
        }
        entry = &table_at(*entry)[index_at(gpa, at - 1)];
    }
    return entry;
}

/* Writers exclude each other; who asks how many there are does not wait for them. */
static void count_entries(struct npt *npt, unsigned size, int64_t more)
{
    __atomic_store_n(&npt->entries[size], npt->entries[size] + (uint64_t)more, __ATOMIC_RELAXED);
}

bool npt_map(struct npt *npt, uint64_t gpa, uint64_t spa, enum npt_size size, uint64_t rights)
{
    uint64_t *entry;

    if ((gpa | spa) & (npt_bytes(size) - 1))
        return false;
    entry = entry_at(npt, gpa, size);
    if (!entry || *entry)
        return false;
    entry_store(entry, leaf(spa, size, rights & NPT_BORROWED ? NPT_FOREIGN
                                       : rights & NPT_WRITE ? NPT_RAM
                                                            : NPT_READ_ONLY));
    count_entries(npt, size, 1);
    return true;
}

/* The entry that says what gpa is, its content and its level; NULL: nothing does. */
static uint64_t *find_leaf(const struct npt *npt, uint64_t gpa, uint64_t *value, unsigned *level)
{
    uint64_t *table = table_at(npt->root);

    if (gpa >= GPA_LIMIT)
        return NULL;
    for (unsigned at = TOP_LEVEL;; at--) {
        uint64_t *entry = &table[index_at(gpa, at)];

        *value = entry_load(entry);
        if (!*value)
            return NULL;
        if (!is_table(*value, at)) {
            *level = at;
            return entry;
        }
        table = table_at(*value);
    }
}

bool npt_find(const struct npt *npt, uint64_t gpa, struct npt_page *page)
{
    uint64_t value;
    unsigned level;

    if (!find_leaf(npt, gpa, &value, &level))
        return false;
    page->size = (enum npt_size)level;
    page->type = type_of(value);
    page->spa = npt_is_present(page->type) ? address_of(value, level) | (gpa & (npt_bytes(page->size) - 1)) : 0;
    return true;
}

bool npt_lookup(const struct npt *npt, uint64_t gpa, uint64_t *spa, enum npt_size *size)
{
    struct npt_page page;

    if (!npt_find(npt, gpa, &page) || !npt_is_present(page.type))
        return false;
    *spa = page.spa;
    *size = page.size;
    return true;
}

bool npt_split(struct npt *npt, uint64_t gpa, enum npt_cause cause)
{
    uint64_t value, page, spa;
    unsigned level;
    uint64_t *entry = find_leaf(npt, gpa, &value, &level);

    if (!entry || level == 0)
        return false;
    page = new_table(npt);
    if (!page)
        return false;
    spa = address_of(value, level);
    for (unsigned i = 0; i < ENTRIES; i++)
        table_at(page)[i] = leaf(spa + i * npt_bytes((enum npt_size)(level - 1)), level - 1, type_of(value));
    entry_store(entry, page | PTE_TABLE);
    count_entries(npt, level, -1);
    count_entries(npt, level - 1, ENTRIES);
    npt->splits[cause]++;
    return true;
}

/* The 4K entry for gpa, larger pages split and tables made as needed. */
static uint64_t *small_entry(struct npt *npt, uint64_t gpa, enum npt_cause cause)
{
    uint64_t value;
    unsigned level;

    if (gpa >= GPA_LIMIT)
        return NULL;
    while (find_leaf(npt, gpa, &value, &level) && level > 0)
        if (!npt_split(npt, gpa, cause))
            return NULL;
    return entry_at(npt, gpa, 0);
}

static void replace(struct npt *npt, uint64_t *entry, uint64_t value)
{
    count_entries(npt, NPT_4K, (int64_t)(value & PTE_P) - (int64_t)(*entry & PTE_P));
    entry_store(entry, value);
}

bool npt_place(struct npt *npt, uint64_t gpa, uint64_t spa, enum npt_type type, enum npt_cause cause)
{
    uint64_t *entry = small_entry(npt, gpa, cause);

    if (entry)
        replace(npt, entry, leaf(spa, 0, type));
    return entry != NULL;
}

bool npt_set_type(struct npt *npt, uint64_t gpa, enum npt_type type, enum npt_cause cause)
{
    struct npt_page page = { 0, NPT_4K, NPT_MMIO };

    if (npt_find(npt, gpa, &page) && page.type == type)
        return true;
    if (npt_is_present(type) && !npt_is_present(page.type))
        return false;
    return npt_place(npt, gpa, page.spa & PTE_ADDRESS, type, cause);
}

bool npt_retype(struct npt *npt, uint64_t gpa, enum npt_type from, enum npt_type to)
{
    uint64_t value;
    unsigned level;
    uint64_t *entry = find_leaf(npt, gpa, &value, &level);

    if (!entry || type_of(value) != from)
        return false;
    entry_store(entry, leaf(address_of(value, level), level, to));
    return true;
}

static bool find_spa_below(const uint64_t *table, unsigned level, uint64_t spa, uint64_t *gpa)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t value = entry_load(&table[i]), offset;

        if (!value)
            continue;
        if (is_table(value, level) && find_spa_below(table_at(value), level - 1, spa, gpa)) {
            *gpa |= (uint64_t)i << (12 + BITS_PER_LEVEL * level);
            return true;
        }
        if (is_table(value, level) || !npt_is_present(type_of(value)) || type_of(value) == NPT_FOREIGN)
            continue;
        offset = spa - address_of(value, level);
        if (offset < npt_bytes((enum npt_size)level)) {
            *gpa = (uint64_t)i << (12 + BITS_PER_LEVEL * level) | offset;
            return true;
        }
    }
    return false;
}

bool npt_find_spa(const struct npt *npt, uint64_t spa, uint64_t *gpa)
{
    return npt->root && find_spa_below(table_at(npt->root), TOP_LEVEL, spa, gpa);
}

static uint64_t retype_below(uint64_t *table, unsigned level, enum npt_type from, enum npt_type to)
{
    uint64_t changed = 0;

    for (unsigned i = 0; i < ENTRIES; i++) {
        if (!table[i])
            continue;
        if (is_table(table[i], level)) {
            changed += retype_below(table_at(table[i]), level - 1, from, to);
        } else if (type_of(table[i]) == from) {
            entry_store(&table[i], leaf(address_of(table[i], level), level, to));
            changed++;
        }
    }
    return changed;
}

uint64_t npt_retype_all(struct npt *npt, enum npt_type from, enum npt_type to)
{
    return retype_below(table_at(npt->root), TOP_LEVEL, from, to);
}

/* All entries of the table say what the first does, of memory in a row that begins on a boundary of the whole. */
static bool joins(const uint64_t *table, unsigned level)
{
    enum npt_type type = type_of(table[0]);
    uint64_t spa = address_of(table[0], level);

    if (!npt_is_present(type) || spa & (npt_bytes((enum npt_size)(level + 1)) - 1))
        return false;
    for (unsigned i = 0; i < ENTRIES; i++)
        if (table[i] != leaf(spa + i * npt_bytes((enum npt_size)level), level, type))
            return false;
    return true;
}

uint64_t npt_promote(struct npt *npt, uint64_t gpa, enum npt_size size)
{
    uint64_t *table = table_at(npt->root), *entry;
    uint64_t page;

    for (unsigned at = TOP_LEVEL;; at--) {
        entry = &table[index_at(gpa, at)];
        if (gpa >= GPA_LIMIT || !is_table(*entry, at))
            return 0;
        table = table_at(*entry);
        if (at == size)
            break;
    }
    if (size == NPT_4K || !joins(table, size - 1))
        return 0;
    page = *entry & PTE_ADDRESS;
    entry_store(entry, leaf(address_of(table[0], size - 1), size, type_of(table[0])));
    count_entries(npt, size, 1);
    count_entries(npt, size - 1, -(int64_t)ENTRIES);
    npt->tables--;
    npt->promotions++;
    return page;
}

static void destroy_table(uint64_t table, unsigned level, void (*give_back)(uint64_t spa, unsigned order))
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t entry = table_at(table)[i];

        if (!(entry & PTE_P))
            continue;
        if (is_table(entry, level))
            destroy_table(entry & PTE_ADDRESS, level - 1, give_back);
        else if (type_of(entry) != NPT_FOREIGN)
            give_back(address_of(entry, level), BITS_PER_LEVEL * level);
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
