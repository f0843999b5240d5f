/* SPDX-License-Identifier: MIT */
/* The walk itself, and the table formats as data. Read nested.c for how two of them make a 2-D walk. */
#include "sim/mmu/walk.h"

#include "sim/mmu/control.h"

/* ---- Formats -------------------------------------------------------------------------------------- */

/* Physical addresses have 48 bits (CPUID 8000_0008): bits 51:48 of an entry are reserved. */
#define ABOVE_SPA BITS(51, 48)
/* Outside long mode bits 62:52 are reserved too, not available to software (APM2 5.2.3). */
#define ABOVE_SPA_PAE BITS(62, 48)

const struct walk_format walk_legacy = {
    .name = "legacy", .levels = 2, .entry_bytes = 4, .address_bits = 32,
    .level = {
        [2] = { .shift = 22, .bits = 10 }, /* CR4.PSE = 0: bit 7 is ignored */
        [1] = { .shift = 12, .bits = 10 },
    },
};

const struct walk_format walk_legacy_pse = {
    .name = "legacy-pse", .levels = 2, .entry_bytes = 4, .address_bits = 32,
    .level = {
        [2] = { .shift = 22, .bits = 10, .large = true, .reserved_leaf = BIT(21) }, /* PSE36: 20:13 are 39:32 */
        [1] = { .shift = 12, .bits = 10 },
    },
};

const struct walk_format walk_pae = {
    .name = "pae", .levels = 3, .entry_bytes = 8, .address_bits = 32,
    .level = {
        [3] = { .shift = 30, .bits = 2, .plain = true, .reserved = PDPTE_RESERVED },
        [2] = { .shift = 21, .bits = 9, .large = true, .reserved = ABOVE_SPA_PAE,
                .reserved_leaf = BITS(20, 13) },
        [1] = { .shift = 12, .bits = 9, .reserved = ABOVE_SPA_PAE },
    },
};

const struct walk_format walk_long = {
    .name = "long", .levels = 4, .entry_bytes = 8, .address_bits = 48,
    .level = {
        [4] = { .shift = 39, .bits = 9, .reserved = ABOVE_SPA | BITS(8, 7) }, /* APM2 figure 5-20 */
        [3] = { .shift = 30, .bits = 9, .large = true, .reserved = ABOVE_SPA, .reserved_leaf = BITS(29, 13) },
        [2] = { .shift = 21, .bits = 9, .large = true, .reserved = ABOVE_SPA, .reserved_leaf = BITS(20, 13) },
        [1] = { .shift = 12, .bits = 9, .reserved = ABOVE_SPA },
    },
};

const struct walk_format walk_long_no_1g = {
    .name = "long without 1G pages", .levels = 4, .entry_bytes = 8, .address_bits = 48,
    .level = {
        [4] = { .shift = 39, .bits = 9, .reserved = ABOVE_SPA | BITS(8, 7) },
        [3] = { .shift = 30, .bits = 9, .reserved = ABOVE_SPA | BITS(8, 7) },
        [2] = { .shift = 21, .bits = 9, .large = true, .reserved = ABOVE_SPA, .reserved_leaf = BITS(20, 13) },
        [1] = { .shift = 12, .bits = 9, .reserved = ABOVE_SPA },
    },
};

const struct walk_format *walk_format_of(uint64_t cr4, uint64_t efer)
{
    if (efer & EFER_LMA)
        return &walk_long;
    if (cr4 & CR4_PAE)
        return &walk_pae;
    return (cr4 & CR4_PSE) ? &walk_legacy_pse : &walk_legacy;
}

/* ---- One entry ------------------------------------------------------------------------------------ */

static bool entry_is_leaf(const struct walk *walk, unsigned level, uint64_t value)
{
    return level == 1 || (walk->format->level[level].large && (value & PTE_PS));
}

static uint64_t entry_reserved(const struct walk *walk, unsigned level, bool leaf)
{
    const struct walk_level *l = &walk->format->level[level];
    uint64_t reserved = l->reserved;

    if (leaf && level > 1)
        reserved |= l->reserved_leaf;
    if (walk->format->entry_bytes == 8 && !walk->nxe)
        reserved |= PTE_NX;
    return reserved;
}

/* Rights that this entry leaves of `rights` (APM2 5.6: the most restrictive level decides). */
static unsigned entry_rights(const struct walk *walk, unsigned level, uint64_t value, unsigned rights)
{
    if (walk->format->level[level].plain)
        return rights;
    if (!(value & PTE_RW))
        rights &= ~(unsigned)RIGHT_WRITE;
    if (!(value & PTE_US))
        rights &= ~(unsigned)RIGHT_USER;
    if (walk->format->entry_bytes == 8 && (value & PTE_NX))
        rights &= ~(unsigned)RIGHT_EXECUTE;
    return rights;
}

static uint64_t entry_base(const struct walk *walk, unsigned level, uint64_t value, bool leaf)
{
    unsigned shift = leaf ? walk->format->level[level].shift : PAGE_SHIFT;

    if (walk->format->entry_bytes == 4 && leaf && level == 2)
        return bits(value, 31, 22) << 22 | bits(value, 20, 13) << 32;
    return value & bits_mask(walk->format->entry_bytes == 4 ? 31 : SPA_BITS - 1, shift);
}

static uint64_t fault_code(const struct walk *walk, unsigned access, uint64_t cause)
{
    return cause | ((access & MMU_WRITE) ? FAULT_W : 0) | ((access & MMU_USER) ? FAULT_U : 0) |
           (((access & MMU_FETCH) && walk->nxe) ? FAULT_ID : 0);
}

/* ---- The walk ------------------------------------------------------------------------------------- */

/* The leaf was found: fill *leaf, set A, and D for a permitted write; then the permission check. */
static enum walk_status walk_end(const struct walk *walk, unsigned level, const struct walk_entry *entry,
                                 unsigned rights, unsigned access, struct walk_leaf *leaf, uint64_t *code)
{
    uint64_t value = entry->value;
    bool permitted = rights_permit(rights, access, walk->wp);
    uint64_t want = PTE_A | ((permitted && (access & MMU_WRITE)) ? PTE_D : 0);

    walk->source->use(walk->ctx, entry, level, want & ~value, false);
    if (!permitted) {
        *code = fault_code(walk, access, FAULT_P);
        return WALK_FAULT;
    }
    value |= want;
    if (value & PTE_D)
        rights |= RIGHT_DIRTY;
    if (value & PTE_G)
        rights |= RIGHT_GLOBAL;
    leaf->base = entry_base(walk, level, value, true);
    leaf->shift = walk->format->level[level].shift;
    leaf->rights = (uint8_t)rights;
    leaf->pat = (uint8_t)(bits(value, 4, 3) | (uint64_t)bit(value, level == 1 ? 7 : 12) << 2);
    return WALK_OK;
}

/* The entry of `level` in the table at `table`. */
static bool walk_entry_read(const struct walk *walk, uint64_t table, unsigned level, uint64_t address,
                            struct walk_entry *entry)
{
    const struct walk_level *l = &walk->format->level[level];
    uint64_t index = bits(address, l->shift + l->bits - 1U, l->shift);

    if (walk->preloaded && level == walk->format->levels) {
        *entry = (struct walk_entry){ .value = walk->preloaded[index] };
        return true;
    }
    return walk->source->read(walk->ctx, table + index * walk->format->entry_bytes, level, entry);
}

enum walk_status walk_run(const struct walk *walk, uint64_t address, unsigned access, struct walk_leaf *leaf,
                          uint64_t *code)
{
    unsigned rights = RIGHT_WRITE | RIGHT_USER | RIGHT_EXECUTE | RIGHT_NESTED_WRITE;
    uint64_t table = walk->root;

    for (unsigned level = walk->format->levels;; level--) {
        bool in_register = walk->preloaded && level == walk->format->levels;
        struct walk_entry entry = { 0 };
        bool is_leaf;

        if (!walk_entry_read(walk, table, level, address, &entry))
            return WALK_SOURCE;
        if (!(entry.value & PTE_P)) {
            *code = fault_code(walk, access, 0);
            return WALK_FAULT;
        }
        is_leaf = entry_is_leaf(walk, level, entry.value);
        if (!in_register && (entry.value & entry_reserved(walk, level, is_leaf))) {
            *code = fault_code(walk, access, FAULT_P | FAULT_RSVD);
            return WALK_FAULT;
        }
        rights = entry_rights(walk, level, entry.value, rights);
        if (is_leaf)
            return walk_end(walk, level, &entry, rights, access, leaf, code);
        if (!in_register)
            walk->source->use(walk->ctx, &entry, level,
                              walk->format->level[level].plain ? 0 : PTE_A & ~entry.value, true);
        table = entry_base(walk, level, entry.value, false);
    }
}
