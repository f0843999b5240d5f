/* SPDX-License-Identifier: MIT */
#include "hv/shadow/pool.h"

#include <stddef.h>

static bool points_to_frame(const struct shadow *shadow, uint32_t page)
{
    return role_level(shadow->pages[page].role) == 1;
}

static struct shadow_link *link_of(struct shadow *shadow, uint32_t number)
{
    return &shadow->pages[number / TABLE_ENTRIES].links[number % TABLE_ENTRIES];
}

/* Where the list begins that this entry belongs to. */
static uint32_t *list_of(struct shadow *shadow, uint32_t page, uint32_t target)
{
    return points_to_frame(shadow, page) ? &shadow->mapped[target] : &shadow->pages[target].parents;
}

void pool_set(struct shadow *shadow, uint32_t page, unsigned index, uint64_t value, uint32_t target)
{
    uint32_t number = page * TABLE_ENTRIES + index, *list = list_of(shadow, page, target);

    *link_of(shadow, number) = (struct shadow_link){ .next = *list, .target = target };
    if (*list)
        link_of(shadow, *list)->previous = number;
    *list = number;
    shadow->pages[page].present++;
    __atomic_store_n(pool_entry(shadow, number), value, __ATOMIC_RELEASE);
}

void pool_clear(struct shadow *shadow, uint32_t page, unsigned index)
{
    uint32_t number = page * TABLE_ENTRIES + index;
    const struct shadow_link *link = link_of(shadow, number);

    if (!*pool_entry(shadow, number))
        return;
    __atomic_store_n(pool_entry(shadow, number), 0, __ATOMIC_RELEASE);
    shadow->pages[page].present--;
    if (link->next)
        link_of(shadow, link->next)->previous = link->previous;
    if (link->previous)
        link_of(shadow, link->previous)->next = link->next;
    else
        *list_of(shadow, page, link->target) = link->next;
}

void pool_empty(struct shadow *shadow, uint32_t page)
{
    unsigned count = shadow->pages[page].own_top ? 4 : TABLE_ENTRIES;

    for (unsigned i = 0; i < count && shadow->pages[page].present; i++)
        pool_clear(shadow, page, i);
}

void pool_unmap(struct shadow *shadow, uint64_t gfn)
{
    while (shadow->mapped[gfn])
        pool_clear(shadow, shadow->mapped[gfn] / TABLE_ENTRIES, shadow->mapped[gfn] % TABLE_ENTRIES);
}

/* ---- Pages ------------------------------------------------------------------------------------------------------ */

static void free_page(struct shadow *shadow, uint32_t page)
{
    shadow->pages[page].next = shadow->free;
    shadow->free = page;
    shadow->stale = true; /* a walk cache may still lead to it */
    shadow->counts.in_use--;
}

static void leave_frame(struct shadow *shadow, uint32_t page)
{
    uint32_t *at = &shadow->tables[shadow->pages[page].gfn];

    while (*at != page)
        at = &shadow->pages[*at].next;
    *at = shadow->pages[page].next;
    shadow->pages[page].gfn = NO_FRAME;
}

void pool_drop(struct shadow *shadow, uint32_t page)
{
    struct shadow_page *p = &shadow->pages[page];

    pool_empty(shadow, page);
    while (p->parents)
        pool_clear(shadow, p->parents / TABLE_ENTRIES, p->parents % TABLE_ENTRIES);
    if (p->gfn == NO_FRAME)
        return;
    leave_frame(shadow, page);
    if (!p->pins)
        free_page(shadow, page);
}

void pool_unpin(struct shadow *shadow, uint32_t page)
{
    struct shadow_page *p = &shadow->pages[page];

    if (!page || --p->pins || p->gfn != NO_FRAME || p->own_top)
        return;
    pool_empty(shadow, page);
    free_page(shadow, page);
}

/* The next page that nobody holds, round and round. */
static bool reclaim(struct shadow *shadow)
{
    for (uint32_t tried = 0; tried < shadow->page_count; tried++) {
        uint32_t page = shadow->hand;

        shadow->hand = page + 1 < shadow->page_count ? page + 1 : 1;
        if (shadow->pages[page].gfn == NO_FRAME || shadow->pages[page].pins)
            continue;
        pool_drop(shadow, page);
        shadow->counts.reclaimed++;
        return true;
    }
    return false;
}

/* From now on writes to the frame come to hv. True: some vCPU may still be able to write. */
static bool protect(struct shadow *shadow, uint64_t gfn)
{
    bool any = false;

    for (uint32_t number = shadow->mapped[gfn]; number; number = link_of(shadow, number)->next) {
        uint64_t *entry = pool_entry(shadow, number);

        if (!(*entry & SPTE_W))
            continue;
        __atomic_store_n(entry, *entry & ~SPTE_W, __ATOMIC_RELEASE);
        shadow->counts.protected++;
        any = true;
    }
    return any;
}

static uint32_t make(struct shadow *shadow, uint64_t gfn, uint32_t role)
{
    struct shadow_page *p;
    uint32_t page;

    if (!shadow->free && !reclaim(shadow))
        return 0;
    page = shadow->free;
    p = &shadow->pages[page];
    shadow->free = p->next;
    p->gfn = gfn;
    p->role = role;
    p->pins = 1;
    p->writes = 0;
    p->next = shadow->tables[gfn];
    shadow->tables[gfn] = page;
    if ((!(role & ROLE_DIRECT) && protect(shadow, gfn)) || shadow->stale) {
        shadow->stale = false;
        shadow->host.flush(shadow->host.ctx);
    }
    shadow->counts.made++;
    if (++shadow->counts.in_use > shadow->counts.in_use_most)
        shadow->counts.in_use_most = shadow->counts.in_use;
    return page;
}

uint32_t pool_find(const struct shadow *shadow, uint64_t gfn, uint32_t role)
{
    uint32_t page = shadow->tables[gfn];

    while (page && shadow->pages[page].role != role)
        page = shadow->pages[page].next;
    return page;
}

uint32_t pool_get(struct shadow *shadow, uint64_t gfn, uint32_t role, bool *made)
{
    uint32_t page = pool_find(shadow, gfn, role);

    *made = false;
    if (page) {
        shadow->pages[page].pins++;
        return page;
    }
    page = make(shadow, gfn, role);
    *made = page != 0;
    return page;
}

/*
 * ---- A table that cannot be read any more
 * ---------------------------------------------------------------------------
 */

#define IN_USE SPTE_W /* what stands for an entry that is there, and not present to a processor */

/* The entries of this list that lie in the page. */
static void mark_list(const struct shadow *shadow, uint32_t number, uint32_t page, uint64_t *table)
{
    for (; number; number = shadow->pages[number / TABLE_ENTRIES].links[number % TABLE_ENTRIES].next)
        if (number / TABLE_ENTRIES == page)
            table[number % TABLE_ENTRIES] = IN_USE;
}

void pool_replace_table(struct shadow *shadow, uint32_t page, uint64_t *fresh)
{
    struct shadow_page *p = &shadow->pages[page];

    if (points_to_frame(shadow, page)) {
        for (uint64_t gfn = 0; gfn < shadow->frame_count; gfn++)
            mark_list(shadow, shadow->mapped[gfn], page, fresh);
    } else {
        for (uint32_t child = 1; child < shadow->page_count; child++)
            mark_list(shadow, shadow->pages[child].parents, page, fresh);
    }
    p->table = fresh;
    pool_empty(shadow, page);
    while (p->parents)
        pool_clear(shadow, p->parents / TABLE_ENTRIES, p->parents % TABLE_ENTRIES);
}
