/* SPDX-License-Identifier: MIT */
/*
 * One translation's walks. Natively: the walk of CR3's tables, entries from memory. With nested paging: the
 * same walk, where each entry's guest-physical address first goes through the nested walk; then one more
 * nested walk for the final guest-physical address (APM2 15.25.5). Fault order: APM2 15.25.6.
 */
#include <string.h>

#include "sim/mmu/model.h"
#include "sim/spa.h"

/* ---- Entries in memory ---------------------------------------------------------------------------- */

static void trace_visit(struct translation *t, unsigned g, unsigned n, enum walk_source source, bool write,
                        const struct walk_entry *entry)
{
    struct mmu *mmu = t->mmu;
    struct walk_ref ref = {
        .gva = t->address, .fetch = t->side == SIDE_CODE, .asid = mmu->paging.asid, .g = (uint8_t)g,
        .n = (uint8_t)n, .write = write, .source = (uint8_t)source, .spa = entry->spa, .value = entry->value,
    };

    mmu->visit(mmu->visit_ctx, &ref);
}

static inline void translation_trace(struct translation *t, unsigned g, unsigned n, enum walk_source source,
                                     bool write, const struct walk_entry *entry)
{
    if (t->mmu->visit && !t->quiet)
        trace_visit(t, g, n, source, write, entry);
}

void tables_forget(struct mmu *mmu)
{
    memset(mmu->tables, 0, sizeof(mmu->tables));
}

void tables_forget_page(struct mmu *mmu, spa_t page)
{
    struct table_page *kept = &mmu->tables[page >> PAGE_SHIFT & (TABLE_PAGES - 1)];

    if (kept->tag == (page | 1))
        *kept = (struct table_page){ 0 };
}

/* The page of tables that holds `spa`; bytes is NULL where there is no DRAM to point at. */
static struct table_page table_page(struct mmu *mmu, spa_t spa)
{
    struct table_page *kept = &mmu->tables[spa >> PAGE_SHIFT & (TABLE_PAGES - 1)];
    struct table_page page = { .tag = (spa & ~PAGE_MASK) | 1 };

    if (kept->tag == page.tag)
        return *kept;
    page.bytes = mmu->space->dram(mmu->space->ctx, spa, false);
    page.remote = mmu->space->home_node(mmu->space->ctx, spa) != mmu->node;
    if (page.bytes && !spa_page_is_bad(mmu->space, spa))
        *kept = page;
    return page;
}

static uint64_t table_value(const struct table_page *page, spa_t spa, unsigned size)
{
    uint64_t value = 0;

    if (size == 8)
        memcpy(&value, page->bytes + (spa & PAGE_MASK), 8);
    else
        memcpy(&value, page->bytes + (spa & PAGE_MASK), 4);
    return value;
}

static void charge_reference(struct translation *t, const struct table_page *page, unsigned g, unsigned n)
{
    struct mmu *mmu = t->mmu;
    const struct mmu_geometry *geometry = &mmu->geometry;

    mmu->count.refs[mmu->count_asid][t->side][g][n]++;
    mmu->count.remote[mmu->count_asid][t->side] += page->remote;
    t->cycles += page->remote ? geometry->cost_ref_remote : geometry->cost_ref;
}

/* Read the entry at entry->spa; (g, n) say where in the matrix of a 2-D walk it stands. */
static void entry_read(struct translation *t, unsigned level, unsigned g, unsigned n, unsigned size,
                       struct walk_entry *entry)
{
    struct table_page page;

    if (level > 1 && walk_cache_find(t, entry)) {
        translation_trace(t, g, n, WALK_PWC, false, entry);
        return;
    }
    page = table_page(t->mmu, entry->spa);
    entry->value = page.bytes ? table_value(&page, entry->spa, size) : spa_read(t->mmu->space, entry->spa, size);
    if (t->quiet)
        return;
    if (spa_page_is_bad(t->mmu->space, entry->spa)) /* a core finds its #MC pending after the translation */
        t->mmu->space->meet(t->mmu->space->ctx, entry->spa, size, MEMORY_WALK, 0, NULL);
    charge_reference(t, &page, g, n);
    translation_trace(t, g, n, WALK_MEMORY, false, entry);
}

static void entry_use(struct translation *t, const struct walk_entry *entry, uint64_t set, bool table, unsigned g,
                      unsigned n, unsigned size)
{
    struct mmu *mmu = t->mmu;
    struct walk_entry now = { .spa = entry->spa, .value = entry->value | set };

    if (t->quiet)
        return;
    if (set) {
        spa_write(mmu->space, now.spa, size, now.value);
        mmu->count.ad_writes[mmu->count_asid][t->side]++;
        t->cycles += mmu->geometry.cost_ad_write;
        translation_trace(t, g, n, WALK_MEMORY, true, &now);
    }
    if (table && !entry->cached)
        walk_cache_keep(t, &now);
}

/* ---- Native walk: tables in system-physical memory ------------------------------------------------ */

static bool native_read(void *ctx, uint64_t address, unsigned level, struct walk_entry *entry)
{
    struct translation *t = ctx;

    entry->spa = address;
    entry_read(t, level, level, 0, t->mmu->guest.format->entry_bytes, entry);
    return true;
}

static void guest_use(void *ctx, const struct walk_entry *entry, unsigned level, uint64_t set, bool table)
{
    struct translation *t = ctx;

    entry_use(t, entry, set, table, level, 0, t->mmu->guest.format->entry_bytes);
}

static const struct entry_source native_source = { native_read, guest_use };

/* ---- Nested walk: gPA to sPA ---------------------------------------------------------------------- */

static bool nested_read(void *ctx, uint64_t address, unsigned level, struct walk_entry *entry)
{
    struct translation *t = ctx;

    entry->spa = address;
    entry_read(t, level, t->g, level, t->mmu->nested.format->entry_bytes, entry);
    return true;
}

static void nested_use(void *ctx, const struct walk_entry *entry, unsigned level, uint64_t set, bool table)
{
    struct translation *t = ctx;

    entry_use(t, entry, set, table, t->g, level, t->mmu->nested.format->entry_bytes);
}

static const struct entry_source nested_source = { nested_read, nested_use };

/*
 * Walk the nested tables for `address`. On a fault t->code is EXITINFO1 (APM2 15.25.6): nested accesses are
 * user accesses.
 */
static bool nested_walk(struct translation *t, gpa_t address, unsigned access, uint64_t kind, struct walk_leaf *leaf)
{
    struct walk walk = t->mmu->nested;

    walk.ctx = t;
    /* assumed: an address that a 32-bit nested format cannot reach is not present */
    if (address >> walk.format->address_bits)
        t->code = FAULT_U | ((access & MMU_WRITE) ? FAULT_W : 0) | (((access & MMU_FETCH) && walk.nxe) ? FAULT_ID : 0);
    else if (walk_run(&walk, address, access | MMU_USER, leaf, &t->code) == WALK_OK)
        return true;
    t->code |= kind;
    t->where = address;
    return false;
}

static spa_t leaf_address(const struct walk_leaf *leaf, uint64_t address)
{
    return leaf->base | (address & ((UINT64_C(1) << leaf->shift) - 1));
}

/* ---- Guest walk: tables in guest-physical memory -------------------------------------------------- */

/* A guest-table access is a user write at the nested level, even if no A or D changes (APM2 15.25.6). */
static bool guest_table_address(struct translation *t, gpa_t address, unsigned level, spa_t *spa)
{
    struct walk_leaf leaf;

    t->g = level;
    if (nested_tlb_find(t, address, spa)) {
        const struct walk_entry page = { .spa = *spa, .value = *spa & ~PAGE_MASK };

        translation_trace(t, level, 1, WALK_NTLB, false, &page); /* stands for the nested walk's leaf */
        return true;
    }
    if (!nested_walk(t, address, MMU_WRITE, NPF_TABLE, &leaf))
        return false;
    *spa = leaf_address(&leaf, address);
    nested_tlb_keep(t, address, *spa);
    return true;
}

static bool guest_read(void *ctx, uint64_t address, unsigned level, struct walk_entry *entry)
{
    struct translation *t = ctx;

    if (!guest_table_address(t, address, level, &entry->spa))
        return false;
    entry_read(t, level, level, 0, t->mmu->guest.format->entry_bytes, entry);
    return true;
}

static const struct entry_source guest_source = { guest_read, guest_use };

/* ---- What the control registers select ------------------------------------------------------------ */

static uint64_t walk_root(const struct walk_format *format, uint64_t cr3)
{
    if (format == &walk_long)
        return cr3 & bits_mask(SPA_BITS - 1, 12);
    return cr3 & (format == &walk_pae ? bits_mask(31, 5) : bits_mask(31, 12));
}

static void walk_derive(struct walk *walk, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    walk->format = walk_format_of(cr4, efer);
    walk->root = walk_root(walk->format, cr3);
    walk->nxe = (efer & EFER_NXE) && walk->format->entry_bytes == 8;
}

void mmu_derive(struct mmu *mmu)
{
    const struct paging *paging = &mmu->paging;

    memset(&mmu->guest, 0, sizeof(mmu->guest));
    memset(&mmu->nested, 0, sizeof(mmu->nested));
    mmu->wp = (paging->cr0 & CR0_WP) != 0;
    mmu->unpaged = !(paging->cr0 & CR0_PG) && !paging->nested;
    mmu->count_asid = paging->asid % COUNTED_ASIDS;
    if (paging->cr0 & CR0_PG) {
        walk_derive(&mmu->guest, paging->cr3, paging->cr4, paging->efer);
        if (mmu->geometry.no_1g && mmu->guest.format == &walk_long) /* nor has such a part nested paging */
            mmu->guest.format = &walk_long_no_1g;
        mmu->guest.wp = mmu->wp;
        mmu->guest.source = paging->nested ? &guest_source : &native_source;
        /* With nested paging the PDPTEs are read in the walk (APM2 15.25.10). */
        if (mmu->guest.format == &walk_pae && !paging->nested)
            mmu->guest.preloaded = mmu->paging.pdpte;
    }
    if (paging->nested) {
        walk_derive(&mmu->nested, paging->n_cr3, paging->host_cr4, paging->host_efer);
        mmu->nested.source = &nested_source;
    }
}

/* ---- A translation -------------------------------------------------------------------------------- */

static uint8_t pat_type(uint64_t pat, unsigned index)
{
    return (uint8_t)bits(pat, 8 * index + 2, 8 * index);
}

/* The walk of CR3's tables: gVA to gPA (natively the sPA). */
static enum mmu_verdict guest_walk(struct translation *t, gpa_t *address)
{
    struct walk walk = t->mmu->guest;
    struct walk_leaf leaf;
    gva_t within = t->address & bits_mask(walk.format->address_bits - 1, 0);
    enum walk_status status;

    walk.ctx = t;
    if (walk.preloaded) {
        const struct walk_entry pdpte = { .value = walk.preloaded[bits(within, 31, 30)] };
        translation_trace(t, walk.format->levels, 0, WALK_PDPTE, false, &pdpte);
    }
    status = walk_run(&walk, within, t->access, &leaf, &t->code);
    if (status == WALK_FAULT) {
        t->where = t->address;
        return MMU_PAGE_FAULT;
    }
    if (status == WALK_SOURCE)
        return MMU_NESTED_FAULT;
    *address = leaf_address(&leaf, within);
    t->rights = leaf.rights;
    t->guest_shift = leaf.shift;
    t->pat = pat_type(t->mmu->paging.pat, leaf.pat);
    return MMU_OK;
}

static enum mmu_verdict final_walk(struct translation *t, gpa_t address)
{
    struct walk_leaf leaf;

    t->g = 0;
    if (!nested_walk(t, address, t->access & (MMU_WRITE | MMU_FETCH), NPF_FINAL, &leaf))
        return MMU_NESTED_FAULT;
    t->spa = leaf_address(&leaf, address);
    t->nested_shift = leaf.shift;
    t->nested_pat = pat_type(t->mmu->paging.host_pat, leaf.pat);
    if (!(leaf.rights & RIGHT_WRITE))
        t->rights &= (uint8_t)~RIGHT_NESTED_WRITE;
    if (!(leaf.rights & RIGHT_EXECUTE))
        t->rights &= (uint8_t)~RIGHT_EXECUTE;
    if (!(leaf.rights & RIGHT_DIRTY))
        t->rights &= (uint8_t)~RIGHT_DIRTY;
    return MMU_OK;
}

bool mmu_peek_gpa(struct mmu *mmu, gpa_t address, spa_t *spa)
{
    struct translation t = { .mmu = mmu, .address = address, .access = MMU_READ, .quiet = true };

    if (!mmu->nested.format || final_walk(&t, address) != MMU_OK)
        return false;
    *spa = t.spa;
    return true;
}

enum mmu_verdict translation_walk(struct translation *t)
{
    gpa_t address = t->address & bits_mask(SPA_BITS - 1, 0);

    t->rights = RIGHT_WRITE | RIGHT_USER | RIGHT_EXECUTE | RIGHT_DIRTY | RIGHT_NESTED_WRITE;
    t->guest_shift = t->nested_shift = 0;
    t->pat = t->nested_pat = MEMTYPE_WB; /* paging off: PAT counts as WB (APM2 7.8) */
    t->cached = false;
    if (t->mmu->guest.format) {
        enum mmu_verdict verdict = guest_walk(t, &address);
        if (verdict != MMU_OK)
            return verdict;
    }
    t->spa = address;
    return t->mmu->nested.format ? final_walk(t, address) : MMU_OK;
}
