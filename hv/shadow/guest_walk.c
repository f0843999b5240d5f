/* SPDX-License-Identifier: MIT */
#include "hv/shadow/guest_walk.h"

#include <stddef.h>

#define PTE_P (1ull << 0)
#define PTE_RW (1ull << 1)
#define PTE_US (1ull << 2)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_NX (1ull << 63)
#define BIT_RANGE(high, low) ((2ull << (high)) - (1ull << (low)))
#define ADDRESS_8 BIT_RANGE(47, 12) /* 48 physical address bits, as the guest's CPUID says */
#define PDPTE_RESERVED (~BIT_RANGE(47, 0) | BIT_RANGE(8, 5) | BIT_RANGE(2, 1))

#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define EFER_LMA (1ull << 10)

struct level {
    uint8_t shift, bits;
    bool large;                       /* bit 7 makes it a leaf */
    uint64_t reserved, reserved_leaf; /* the second where bit 7 makes it one */
};

struct guest_format {
    unsigned levels, entry_bytes;
    bool registers; /* the top level's entries were loaded with CR3, and have no rights and no A bit */
    struct level level[WALK_LEVELS_MAX + 1];
};

#define ABOVE BIT_RANGE(51, 48)
#define ABOVE_PAE BIT_RANGE(62, 48)

static const struct guest_format format_legacy = {
    .levels = 2, .entry_bytes = 4, .level = { [2] = { .shift = 22, .bits = 10 }, [1] = { .shift = 12, .bits = 10 } },
};
/* PSE-36: bits 20:13 of a 4M entry are address bits 39:32. */
static const struct guest_format format_legacy_pse = {
    .levels = 2, .entry_bytes = 4,
    .level = { [2] = { .shift = 22, .bits = 10, .large = true, .reserved_leaf = 1u << 21 },
               [1] = { .shift = 12, .bits = 10 } },
};
static const struct guest_format format_pae = {
    .levels = 3, .entry_bytes = 8, .registers = true,
    .level = { [3] = { .shift = 30, .bits = 2 },
               [2] = { .shift = 21, .bits = 9, .large = true, .reserved = ABOVE_PAE,
                       .reserved_leaf = BIT_RANGE(20, 13) },
               [1] = { .shift = 12, .bits = 9, .reserved = ABOVE_PAE } },
};
#define LONG_LOWER_LEVELS \
    [2] = { .shift = 21, .bits = 9, .large = true, .reserved = ABOVE, .reserved_leaf = BIT_RANGE(20, 13) }, \
    [1] = { .shift = 12, .bits = 9, .reserved = ABOVE }
static const struct guest_format format_long = {
    .levels = 4, .entry_bytes = 8,
    .level = { [4] = { .shift = 39, .bits = 9, .reserved = ABOVE | BIT_RANGE(8, 7) },
               [3] = { .shift = 30, .bits = 9, .large = true, .reserved = ABOVE, .reserved_leaf = BIT_RANGE(29, 13) },
               LONG_LOWER_LEVELS },
};
static const struct guest_format format_long_no_1g = {
    .levels = 4, .entry_bytes = 8,
    .level = { [4] = { .shift = 39, .bits = 9, .reserved = ABOVE | BIT_RANGE(8, 7) },
               [3] = { .shift = 30, .bits = 9, .reserved = ABOVE | BIT_RANGE(8, 7) }, LONG_LOWER_LEVELS },
};

const struct guest_format *guest_format_of(uint64_t cr0, uint64_t cr4, uint64_t efer, bool pages_1g)
{
    if (!(cr0 & CR0_PG))
        return NULL;
    if (efer & EFER_LMA)
        return pages_1g ? &format_long : &format_long_no_1g;
    if (cr4 & CR4_PAE)
        return &format_pae;
    return cr4 & CR4_PSE ? &format_legacy_pse : &format_legacy;
}

bool guest_format_is_pae(const struct guest_format *format)
{
    return format == &format_pae;
}

unsigned guest_format_levels(const struct guest_format *format)
{
    return format->levels;
}

unsigned guest_format_entry(const struct guest_format *format)
{
    return format->entry_bytes;
}

bool guest_format_has_large(const struct guest_format *format)
{
    return format->level[2].large;
}

bool guest_load_pdptes(const struct guest_frames *frames, uint64_t cr3, uint64_t pdpte[4])
{
    const uint8_t *frame = frames->frame(frames->ctx, (cr3 & 0xFFFFFFFF) >> 12, false);
    const uint64_t *table = (const uint64_t *)(const void *)(frame + (cr3 & 0xFE0));

    if (!frame)
        return false;
    for (unsigned i = 0; i < 4; i++)
        if (table[i] & PTE_P && table[i] & PDPTE_RESERVED)
            return false;
    for (unsigned i = 0; i < 4; i++)
        pdpte[i] = table[i];
    return true;
}

/* ---- One entry ---------------------------------------------------------------------------------------------- */

struct place {
    uint64_t gfn;
    void *entry;    /* NULL: a register */
    uint64_t value;
};

static bool read_entry(const struct guest_paging *paging, const struct guest_frames *frames, unsigned level,
                       uint64_t table, uint64_t linear, struct place *place)
{
    const struct guest_format *format = paging->format;
    const struct level *l = &format->level[level];
    unsigned index = linear >> l->shift & ((1u << l->bits) - 1);
    uint8_t *frame;

    if (format->registers && level == format->levels) {
        *place = (struct place){ NO_FRAME, NULL, paging->pdpte[index] };
        return true;
    }
    place->gfn = table >> 12;
    frame = frames->frame(frames->ctx, place->gfn, false);
    if (!frame)
        return false;
    place->entry = frame + index * format->entry_bytes;
    if (format->entry_bytes == 8)
        place->value = __atomic_load_n((const uint64_t *)place->entry, __ATOMIC_ACQUIRE);
    else
        place->value = __atomic_load_n((const uint32_t *)place->entry, __ATOMIC_ACQUIRE);
    return true;
}

enum step { STEP_DOWN, STEP_AGAIN, STEP_OK, STEP_FAULT, STEP_NO_MEMORY };

/* STEP_AGAIN: somebody else changed the entry meanwhile. STEP_NO_MEMORY: it cannot be written. */
static enum step set_bits(const struct guest_paging *paging, const struct guest_frames *frames, struct place *place,
                     uint64_t bits)
{
    if (!place->entry || !(bits & ~place->value))
        return STEP_DOWN;
    if (!frames->frame(frames->ctx, place->gfn, true))
        return STEP_NO_MEMORY;
    if (paging->format->entry_bytes == 8) {
        uint64_t expected = place->value;

        if (!__atomic_compare_exchange_n((uint64_t *)place->entry, &expected, expected | bits, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return STEP_AGAIN;
    } else {
        uint32_t expected = (uint32_t)place->value;

        if (!__atomic_compare_exchange_n((uint32_t *)place->entry, &expected, expected | (uint32_t)bits, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return STEP_AGAIN;
    }
    place->value |= bits;
    return STEP_DOWN;
}

static bool is_leaf(const struct guest_format *format, unsigned level, uint64_t value)
{
    return level == 1 || (format->level[level].large && value & PTE_PS);
}

static uint64_t reserved_bits(const struct guest_paging *paging, unsigned level, bool leaf)
{
    const struct level *l = &paging->format->level[level];

    return l->reserved | (leaf && level > 1 ? l->reserved_leaf : 0) |
           (paging->format->entry_bytes == 8 && !paging->nxe ? PTE_NX : 0);
}

static uint8_t rights_of(const struct guest_format *format, uint64_t value)
{
    return (uint8_t)((value & PTE_RW ? RIGHT_W : 0) | (value & PTE_US ? RIGHT_U : 0) |
                     (format->entry_bytes == 8 && value & PTE_NX ? 0 : RIGHT_X));
}

/* First byte of what the entry points to. */
static uint64_t base_of(const struct guest_format *format, unsigned level, uint64_t value, bool leaf)
{
    uint64_t mask = leaf ? ~((1ull << format->level[level].shift) - 1) : ~0xFFFull;

    if (format->entry_bytes == 8)
        return value & ADDRESS_8 & mask;
    return (value & mask & 0xFFFFFFFF) | (leaf && level == 2 ? (value >> 13 & 0xFF) << 32 : 0);
}

/* ---- The walk ------------------------------------------------------------------------------------------------- */

static enum guest_walk_result fault(const struct guest_paging *paging, unsigned access, unsigned cause,
                                    struct guest_walk *walk)
{
    bool tells_fetches = paging->nxe && paging->format->entry_bytes == 8;

    walk->code = cause | (access & (WALK_W | WALK_U)) | (tells_fetches ? access & WALK_ID : 0);
    return GUEST_WALK_FAULT;
}

static bool permitted(const struct guest_paging *paging, unsigned rights, unsigned access)
{
    if (access & WALK_U && !(rights & RIGHT_U))
        return false;
    if (access & WALK_W && !(rights & RIGHT_W) && (access & WALK_U || paging->wp))
        return false;
    return !(access & WALK_ID) || rights & RIGHT_X;
}

/* Look at the entry of one level: reserved bits, rights, A and D (APM2 5.4.2). */
static enum step step(const struct guest_paging *paging, const struct guest_frames *frames, struct place *place,
                      unsigned level, unsigned access, struct guest_walk *walk)
{
    const struct guest_format *format = paging->format;
    bool leaf = is_leaf(format, level, place->value), allowed;
    enum step set;

    if (!(place->value & PTE_P)) {
        fault(paging, access, 0, walk);
        return STEP_FAULT;
    }
    if (place->entry && place->value & reserved_bits(paging, level, leaf)) {
        fault(paging, access, WALK_P | WALK_RSVD, walk);
        return STEP_FAULT;
    }
    if (place->entry)
        walk->rights &= rights_of(format, place->value);
    if (!leaf)
        return set_bits(paging, frames, place, PTE_A);
    allowed = permitted(paging, walk->rights, access);
    set = set_bits(paging, frames, place, PTE_A | (allowed && access & WALK_W ? PTE_D : 0));
    if (set != STEP_DOWN)
        return set;
    if (!allowed) {
        fault(paging, access, WALK_P, walk);
        return STEP_FAULT;
    }
    return STEP_OK;
}

static void finish(const struct guest_format *format, const struct place *place, unsigned level, uint64_t linear,
                   struct guest_walk *walk)
{
    uint64_t base = base_of(format, level, place->value, true);

    walk->leaf = level;
    walk->dirty = place->value & PTE_D;
    walk->pat = (uint8_t)((place->value >> 3 & 3) | (place->value >> (level == 1 ? 7 : 12) & 1) << 2);
    walk->page = base >> 12;
    walk->gpa = base | (linear & ((1ull << format->level[level].shift) - 1));
}

static enum guest_walk_result walk_once(const struct guest_paging *paging, const struct guest_frames *frames,
                                        uint64_t linear, unsigned access, struct guest_walk *walk, bool *again)
{
    const struct guest_format *format = paging->format;
    uint64_t table = paging->cr3 & (format->entry_bytes == 8 ? ADDRESS_8 : BIT_RANGE(31, 12));

    walk->rights = RIGHTS_ALL;
    walk->top = format->levels;
    for (unsigned level = format->levels;; level--) {
        struct place place = { 0 };

        walk->table[level] = table >> 12;
        walk->inherited[level] = walk->rights;
        if (!read_entry(paging, frames, level, table, linear, &place)) {
            walk->gpa = table;
            return GUEST_WALK_NO_MEMORY;
        }
        switch (step(paging, frames, &place, level, access, walk)) {
        case STEP_DOWN: break;
        case STEP_AGAIN: *again = true; return GUEST_WALK_FAULT;
        case STEP_FAULT: return GUEST_WALK_FAULT;
        case STEP_NO_MEMORY: walk->gpa = table; return GUEST_WALK_NO_MEMORY;
        case STEP_OK: finish(format, &place, level, linear, walk); return GUEST_WALK_OK;
        }
        if (place.gfn == NO_FRAME)
            walk->table[level] = NO_FRAME;
        table = base_of(format, level, place.value, false);
    }
}

enum guest_walk_result guest_walk(const struct guest_paging *paging, const struct guest_frames *frames, uint64_t linear,
                                  unsigned access, struct guest_walk *walk)
{
    enum guest_walk_result result;
    bool again;

    *walk = (struct guest_walk){ .rights = RIGHTS_ALL, .dirty = true };
    if (!paging->format) {
        walk->gpa = (uint32_t)linear;
        walk->page = walk->gpa >> 12;
        return GUEST_WALK_OK;
    }
    do {
        again = false;
        result = walk_once(paging, frames, linear, access, walk, &again);
    } while (again);
    return result;
}
