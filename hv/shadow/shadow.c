/* SPDX-License-Identifier: MIT */
/* Roots, the fault path, and what becomes of the guest's writes. */
#include "hv/shadow/pool.h"

#include <stddef.h>

#define WRITES_OF_A_TABLE 3 /* in a row, without a fill through it: more of them, and it is no table any more */
#define PDPTE_P 1ull
#define PAT_ENTRIES 8
#define TOP_LEVEL 4

/* ---- Set up ----------------------------------------------------------------------------------------------------- */

uint64_t shadow_frame_bytes(uint64_t frame_count)
{
    return 2 * sizeof(uint32_t) * frame_count;
}

uint64_t shadow_page_bytes(uint32_t page_count)
{
    return page_count * sizeof(struct shadow_page);
}

static void *frame_memory(void *ctx, uint64_t gfn, bool write)
{
    const struct shadow *shadow = ctx;
    uint64_t spa;

    if (shadow->host.frame(shadow->host.ctx, gfn, write, &spa) == SHADOW_NO_MEMORY)
        return NULL;
    return (void *)(uintptr_t)spa;
}

bool shadow_init(struct shadow *shadow, const struct shadow_host *host, uint64_t frame_count, uint32_t page_count,
                 const struct shadow_memory *memory)
{
    *shadow = (struct shadow){ .host = *host, .frame_count = frame_count, .mapped = memory->frames,
                               .tables = (uint32_t *)memory->frames + frame_count, .pages = memory->pages,
                               .page_count = page_count, .hand = 1 };
    shadow->frames = (struct guest_frames){ .ctx = shadow, .frame = frame_memory };
    for (uint32_t i = page_count - 1; i > 0; i--) {
        struct shadow_page *p = &shadow->pages[i];

        p->table = memory->table(memory->ctx);
        p->links = memory->links(memory->ctx);
        p->gfn = NO_FRAME;
        p->next = shadow->free;
        shadow->free = i;
        if (!p->table || !p->links)
            return false;
    }
    return true;
}

void shadow_each_page(struct shadow *shadow, void (*visit)(void *ctx, void *table, void *links), void *ctx)
{
    for (uint32_t i = 1; i < shadow->page_count; i++)
        visit(ctx, shadow->pages[i].own_top ? shadow->pages[i].kept : shadow->pages[i].table, shadow->pages[i].links);
}

/* ---- Roots ------------------------------------------------------------------------------------------------------ */

bool shadow_vcpu_init(struct shadow *shadow, struct shadow_vcpu *vcpu, uint64_t *pdptes)
{
    struct shadow_page *p;

    *vcpu = (struct shadow_vcpu){ .top = shadow->free };
    if (!vcpu->top)
        return false;
    p = &shadow->pages[vcpu->top];
    shadow->free = p->next;
    p->own_top = true;
    p->role = 3;
    p->kept = p->table;
    p->table = pdptes;
    return true;
}

static uint32_t role_of(const struct guest_paging *paging)
{
    uint32_t role = (paging->wp ? ROLE_WP : 0) | (paging->nxe ? ROLE_NXE : 0);

    if (!paging->format)
        return ROLE_DIRECT;
    if (guest_format_entry(paging->format) == 4)
        role |= ROLE_SMALL | (guest_format_has_large(paging->format) ? ROLE_PSE : 0);
    return role | (guest_format_is_pae(paging->format) ? ROLE_PAE : 0);
}

static uint32_t with_level(uint32_t role, unsigned level, unsigned rights)
{
    return role | level | rights << ROLE_RIGHTS_SHIFT;
}

static bool in_range(const struct shadow *shadow, uint64_t gfn)
{
    return gfn < shadow->frame_count;
}

/* A four-level root; of nothing, if CR3 points where no memory can be: the walk finds that out. */
static uint32_t long_root(struct shadow *shadow, const struct shadow_vcpu *vcpu)
{
    uint64_t gfn = (vcpu->paging.cr3 & SPTE_ADDRESS) >> 12;
    uint32_t role = with_level(vcpu->role, TOP_LEVEL, RIGHTS_ALL);
    bool made;

    return in_range(shadow, gfn) ? pool_get(shadow, gfn, role, &made) : pool_get(shadow, 0, role | ROLE_DIRECT, &made);
}

/* What the directory of a quarter of the 4 GiB is made of; NO_FRAME: of nothing. */
static uint64_t quarter_source(const struct shadow_vcpu *vcpu, unsigned quarter, uint32_t *role)
{
    const struct guest_paging *paging = &vcpu->paging;

    *role = with_level(vcpu->role, 2, RIGHTS_ALL);
    if (!paging->format)
        return (uint64_t)quarter << 18;
    if (guest_format_is_pae(paging->format))
        return paging->pdpte[quarter] & PDPTE_P ? (paging->pdpte[quarter] & SPTE_ADDRESS) >> 12 : NO_FRAME;
    *role |= quarter << ROLE_QUADRANT_SHIFT;
    return (paging->cr3 & 0xFFFFFFFF) >> 12;
}

/* Outside long mode the root is the vCPU's own: tie it to the directories that were made before. */
static void load_top(struct shadow *shadow, const struct shadow_vcpu *vcpu)
{
    for (unsigned i = 0; i < 4; i++) {
        uint32_t role, child = 0;
        uint64_t gfn = quarter_source(vcpu, i, &role);

        if (in_range(shadow, gfn))
            child = pool_find(shadow, gfn, role);
        if (child)
            pool_set(shadow, vcpu->top, i, (uintptr_t)shadow->pages[child].table | SPTE_P, child);
    }
}

void shadow_load(struct shadow *shadow, struct shadow_vcpu *vcpu, const struct guest_paging *paging)
{
    uint32_t old = vcpu->root;

    if (&vcpu->paging != paging)
        vcpu->paging = *paging;
    vcpu->role = role_of(paging);
    if (paging->format && guest_format_levels(paging->format) == TOP_LEVEL) {
        vcpu->root = long_root(shadow, vcpu);
        vcpu->cr3 = (uintptr_t)shadow->pages[vcpu->root].table;
    } else {
        vcpu->root = 0;
        vcpu->cr3 = (uintptr_t)shadow->pages[vcpu->top].table;
    }
    pool_empty(shadow, vcpu->top);
    if (!vcpu->root)
        load_top(shadow, vcpu);
    pool_unpin(shadow, old);
}

/* Types by byte (APM2 7.8.1): the processor's PAT has each of them, so that one is found; else write-back, entry 0. */
void shadow_load_pat(struct shadow *shadow, struct shadow_vcpu *vcpu, uint64_t guest, uint64_t processor)
{
    for (unsigned i = 0; i < PAT_ENTRIES; i++) {
        unsigned found = 0;

        for (unsigned j = PAT_ENTRIES; j-- > 0;)
            if ((guest >> 8 * i & 7) == (processor >> 8 * j & 7))
                found = j;
        vcpu->pat[i] = (uint8_t)found;
    }
    shadow_forget_all(shadow);
}

/* ---- A fault ---------------------------------------------------------------------------------------------------- */

struct fill {
    struct shadow *shadow;
    struct shadow_vcpu *vcpu;
    const struct guest_walk *walk;
    uint64_t linear;
    unsigned access;
    uint32_t held[TOP_LEVEL + 1]; /* by level: pages pinned while we work */
    bool made;                    /* one of them is new: the guest may have written its frame before that */
    bool full;                    /* the pool had none */
};

static unsigned index_at(uint64_t linear, unsigned level)
{
    return linear >> (3 + 9 * level) & (TABLE_ENTRIES - 1);
}

/* Frames that one entry of this level maps. */
static uint64_t frames_of(unsigned level)
{
    return 1ull << 9 * (level - 1);
}

/* What the page of a level is made of, in this walk. */
static uint64_t source_of(const struct fill *fill, unsigned level, uint32_t *role)
{
    const struct guest_walk *walk = fill->walk;
    uint32_t common = fill->vcpu->role;
    unsigned rights;

    if (!fill->vcpu->paging.format) {
        *role = with_level(common, level, RIGHTS_ALL);
        return (fill->linear & 0xFFFFFFFF) >> 12 & ~(frames_of(level + 1) - 1);
    }
    if (level < walk->leaf) { /* inside a large page */
        rights = walk->dirty ? walk->rights : walk->rights & ~RIGHT_W;
        *role = with_level(common | ROLE_DIRECT, level, rights);
        return walk->gpa >> 12 & ~(frames_of(level + 1) - 1);
    }
    *role = with_level(common, level, walk->inherited[level]);
    if (common & ROLE_SMALL)
        *role |= (uint32_t)(level == 2 ? fill->linear >> 30 & 3 : fill->linear >> 21 & 1) << ROLE_QUADRANT_SHIFT;
    return walk->table[level];
}

/* Tie the page of `level` to the one above. */
static bool descend(struct fill *fill, unsigned level)
{
    struct shadow *shadow = fill->shadow;
    uint32_t role, parent = fill->held[level + 1], child;
    unsigned index = index_at(fill->linear, level + 1);
    uint64_t gfn = source_of(fill, level, &role), *entry = &shadow->pages[parent].table[index];
    bool made, pdpte = shadow->pages[parent].own_top;

    child = pool_get(shadow, gfn, role, &made);
    if (!child) {
        fill->full = true;
        return false;
    }
    fill->held[level] = child;
    fill->made |= made && !(role & ROLE_DIRECT);
    if (*entry && shadow->pages[parent].links[index].target != child)
        pool_clear(shadow, parent, index);
    if (!*entry)
        pool_set(shadow, parent, index, (uintptr_t)shadow->pages[child].table | SPTE_P |
                 (pdpte ? 0 : SPTE_W | SPTE_U | SPTE_AD), child);
    return true;
}

static void set_leaf(struct fill *fill, uint64_t gfn, uint64_t spa, bool writable)
{
    struct shadow *shadow = fill->shadow;
    const struct guest_walk *walk = fill->walk;
    uint32_t page = fill->held[1];
    unsigned index = index_at(fill->linear, 1), pat = fill->vcpu->paging.format ? fill->vcpu->pat[walk->pat] : 0;
    uint64_t value = spa | SPTE_P | SPTE_AD | (uint64_t)(pat & 3) << 3 | (uint64_t)(pat >> 2) << 7;

    value |= walk->rights & RIGHT_U ? SPTE_U : 0;
    value |= walk->rights & RIGHT_X ? 0 : SPTE_NX;
    if (walk->rights & RIGHT_W) {
        value |= walk->dirty && writable ? SPTE_W : 0;
    } else if (fill->access & WALK_W && writable) {
        /* Only CR0.WP = 0 lets a supervisor write here: let it, and fault at the next access by a user. */
        value = (value | SPTE_W) & ~SPTE_U;
    }
    if (shadow->pages[page].table[index] == value && shadow->pages[page].links[index].target == (uint32_t)gfn)
        return;
    pool_clear(shadow, page, index);
    pool_set(shadow, page, index, value, (uint32_t)gfn);
}

static void release(struct fill *fill)
{
    for (unsigned level = 1; level < TOP_LEVEL; level++) {
        if (!fill->held[level] || fill->shadow->pages[fill->held[level]].own_top)
            continue;
        fill->shadow->pages[fill->held[level]].writes = 0;
        pool_unpin(fill->shadow, fill->held[level]);
    }
}

/* All pages of the walk, from the root down; false: not this time. */
static bool build(struct fill *fill)
{
    unsigned level = fill->vcpu->root ? TOP_LEVEL : 3;

    fill->held[level] = fill->vcpu->root ? fill->vcpu->root : fill->vcpu->top;
    while (--level > 0)
        if (!descend(fill, level))
            return false;
    return true;
}

/* The guest's tables permit the access: is it one that a leaf entry can serve? */
static enum shadow_result classify(struct shadow *shadow, unsigned access, uint64_t gfn, uint64_t *spa, bool *writable)
{
    enum shadow_backing backing;

    if (!in_range(shadow, gfn))
        return SHADOW_DEVICE;
    if (access & WALK_W && shadow_is_table(shadow, gfn))
        return SHADOW_TABLE_WRITE;
    backing = shadow->host.frame(shadow->host.ctx, gfn, access & WALK_W, spa);
    if (backing == SHADOW_NO_MEMORY || (access & WALK_W && backing == SHADOW_READ_ONLY))
        return SHADOW_DEVICE;
    *writable = backing == SHADOW_WRITABLE && !shadow_is_table(shadow, gfn);
    return SHADOW_FILLED;
}

/* False: a table was not protected while it was walked, so that what was read may be out of date. */
static bool try_fill(struct fill *fill, enum shadow_result *result)
{
    struct shadow *shadow = fill->shadow;
    uint64_t spa = 0, gfn = fill->walk->gpa >> 12;
    bool writable = false, done = true;

    *result = classify(shadow, fill->access, gfn, &spa, &writable);
    if (*result == SHADOW_FILLED) {
        done = build(fill) && !fill->made;
        if (done)
            set_leaf(fill, gfn, spa & SPTE_ADDRESS, writable);
        release(fill);
    }
    shadow->counts.fills += done && *result == SHADOW_FILLED;
    shadow->counts.table_writes += *result == SHADOW_TABLE_WRITE;
    return done;
}

/* Its root was made of a frame that is no table any more: the same registers, a new root. */
static bool root_is_gone(const struct shadow *shadow, const struct shadow_vcpu *vcpu)
{
    return vcpu->root && shadow->pages[vcpu->root].gfn == NO_FRAME;
}

enum shadow_result shadow_fault(struct shadow *shadow, struct shadow_vcpu *vcpu, uint64_t linear, uint32_t code,
                                struct guest_walk *walk)
{
    unsigned access = code & (WALK_W | WALK_U | WALK_ID);
    enum shadow_result result = SHADOW_BROKEN;

    if (root_is_gone(shadow, vcpu))
        shadow_load(shadow, vcpu, &vcpu->paging);
    for (;;) {
        struct fill fill = { .shadow = shadow, .vcpu = vcpu, .walk = walk, .linear = linear, .access = access };

        switch (guest_walk(&vcpu->paging, &shadow->frames, linear, access, walk)) {
        case GUEST_WALK_FAULT:
            shadow->counts.reflected++;
            return SHADOW_REFLECT;
        case GUEST_WALK_NO_MEMORY:
            return SHADOW_BROKEN;
        case GUEST_WALK_OK:
            break;
        }
        if (try_fill(&fill, &result) || fill.full)
            return fill.full ? SHADOW_BROKEN : result;
    }
}

/* ---- Writes to tables ------------------------------------------------------------------------------------------- */

bool shadow_is_table(const struct shadow *shadow, uint64_t gfn)
{
    for (uint32_t page = shadow->tables[gfn]; page; page = shadow->pages[page].next)
        if (!(shadow->pages[page].role & ROLE_DIRECT))
            return true;
    return false;
}

/* Entries made of bytes first to last of the page's frame. */
static void clear_made_of(struct shadow *shadow, uint32_t page, unsigned first, unsigned last)
{
    uint32_t role = shadow->pages[page].role;
    unsigned quadrant = (role & ROLE_QUADRANT) >> ROLE_QUADRANT_SHIFT, each = 1, begin = 0, count = TABLE_ENTRIES;

    if (!(role & ROLE_SMALL)) {
        for (unsigned i = first / 8; i <= last / 8; i++)
            pool_clear(shadow, page, i);
        return;
    }
    if (role_level(role) == 2) { /* a 4M directory entry is two of ours */
        each = 2;
        count = TABLE_ENTRIES / 2;
    }
    begin = quadrant * count;
    for (unsigned i = first / 4; i <= last / 4; i++) {
        if (i < begin || i >= begin + count)
            continue;
        for (unsigned n = 0; n < each; n++)
            pool_clear(shadow, page, (i - begin) * each + n);
    }
}

static bool pinned(const struct shadow *shadow, uint64_t gfn)
{
    for (uint32_t page = shadow->tables[gfn]; page; page = shadow->pages[page].next)
        if (shadow->pages[page].pins && !(shadow->pages[page].role & ROLE_DIRECT))
            return true;
    return false;
}

static void written_frame(struct shadow *shadow, uint64_t gfn, unsigned first, unsigned last, bool guest)
{
    bool flooded = false;

    for (uint32_t page = shadow->tables[gfn]; page; page = shadow->pages[page].next) {
        if (shadow->pages[page].role & ROLE_DIRECT)
            continue;
        clear_made_of(shadow, page, first, last);
        flooded |= guest && ++shadow->pages[page].writes > WRITES_OF_A_TABLE;
    }
    if (flooded && !pinned(shadow, gfn))
        shadow_unshadow(shadow, gfn);
}

void shadow_written(struct shadow *shadow, uint64_t gpa, uint64_t bytes, bool guest)
{
    while (bytes) {
        uint64_t gfn = gpa >> 12, piece = 0x1000 - (gpa & 0xFFF);

        if (piece > bytes)
            piece = bytes;
        if (in_range(shadow, gfn) && shadow->tables[gfn])
            written_frame(shadow, gfn, gpa & 0xFFF, (unsigned)((gpa & 0xFFF) + piece - 1), guest);
        gpa += piece;
        bytes -= piece;
    }
}

/* Pages made of tables; direct ones stay: they are made of the memory's place only. */
static bool drop_tables(struct shadow *shadow, uint64_t gfn)
{
    bool any = false;

    for (uint32_t page = shadow->tables[gfn], next; page; page = next) {
        next = shadow->pages[page].next;
        if (shadow->pages[page].role & ROLE_DIRECT)
            continue;
        pool_drop(shadow, page);
        any = true;
    }
    return any;
}

void shadow_unshadow(struct shadow *shadow, uint64_t gfn)
{
    if (in_range(shadow, gfn) && drop_tables(shadow, gfn))
        shadow->counts.unshadowed++;
}

void shadow_forget(struct shadow *shadow, uint64_t gfn, uint64_t count)
{
    for (; count && in_range(shadow, gfn); gfn++, count--) {
        pool_unmap(shadow, gfn);
        drop_tables(shadow, gfn);
    }
}

void shadow_forget_all(struct shadow *shadow)
{
    for (uint32_t page = 1; page < shadow->page_count; page++)
        if (shadow->pages[page].own_top || shadow->pages[page].gfn != NO_FRAME)
            pool_empty(shadow, page);
}

uint32_t shadow_page_at(const struct shadow *shadow, uint64_t spa)
{
    for (uint32_t page = 1; page < shadow->page_count; page++)
        if (!shadow->pages[page].own_top && (uintptr_t)shadow->pages[page].table == (spa & SPTE_ADDRESS))
            return page;
    return 0;
}

void shadow_replace_table(struct shadow *shadow, uint32_t page, void *fresh)
{
    pool_replace_table(shadow, page, fresh);
}
