/* SPDX-License-Identifier: MIT */
/*
 * Native pointers: what makes the simulator itself fast without changing one counter (DESIGN section 3).
 * A slot is valid only while the L1 entry it came from is resident. A hit is a tag compare plus a store
 * of the access number, so that recency stays exact and hits are accesses minus misses.
 * Included by mmu.h alone.
 */
#ifndef FAM10H_MMU_NATIVE_H
#define FAM10H_MMU_NATIVE_H

#define NATIVE_SLOTS 1024
/* A tag that no page address equals, nor one with the lowest bits of a misaligned access (native_aligned). */
#define NATIVE_NONE UINT64_C(0x800)

struct native_slot {
    gva_t tag_read;   /* page address if reads are allowed, else NATIVE_NONE */
    gva_t tag_write;  /* page address if writes are allowed: D set, page not watched */
    uintptr_t delta;  /* native address = delta + linear address */
    uint64_t stamp;   /* access number of the last hit */
};

/* The instruction side: decoded blocks are found by system-physical address. */
#define FETCH_SLOTS 64

struct fetch_slot {
    gva_t tag;      /* page address, or NATIVE_NONE */
    spa_t spa;      /* of the page */
    uint64_t stamp; /* fetch number of the last hit */
};

/* First member of struct mmu. Index [user]: separate slots for CPL 3 and for CPL 0-2. */
struct native_map {
    uint64_t accesses;        /* data-side lookups so far: the access number */
    uint64_t fetches;         /* instruction-side lookups so far */
    struct native_slot slot[2][NATIVE_SLOTS];
    struct fetch_slot fetch[2][FETCH_SLOTS];
    struct fetch_slot *last_fetch; /* for mmu_fetch_again; never NULL after a successful fetch */
};

static inline unsigned native_index(gva_t address)
{
    uint64_t vpn = address >> PAGE_SHIFT;

    return (unsigned)((vpn ^ vpn >> 9) & (NATIVE_SLOTS - 1));
}

static inline uint8_t *native_hit(struct native_map *map, struct native_slot *slot, gva_t address)
{
    uint8_t *native = (uint8_t *)(slot->delta + address);

    slot->stamp = ++map->accesses;
    if (native == NULL) /* a slot with a tag points somewhere: the callers' tests for NULL are of the tag alone */
        __builtin_unreachable();
    return native;
}

/*
 * Native pointer for a data access that stays inside one page, or NULL: then call mmu_translate.
 * On success the lookup has been counted.
 */
static inline uint8_t *native_data(struct mmu *mmu, gva_t address, unsigned size, unsigned access)
{
    struct native_map *map = (struct native_map *)mmu;
    struct native_slot *slot = &map->slot[(access & MMU_USER) != 0][native_index(address)];
    gva_t tag = (access & MMU_WRITE) ? slot->tag_write : slot->tag_read;

    if (tag != (address & ~PAGE_MASK) || (address & PAGE_MASK) + size > PAGE_BYTES)
        return NULL;
    return native_hit(map, slot, address);
}

/*
 * The same for a power of two, but NULL for a misaligned access too: one comparison tells whether the page is
 * the slot's and the access aligned, hence inside it.
 */
static inline uint8_t *native_slot_aligned(struct native_map *map, struct native_slot *slot, gva_t address,
                                           unsigned size, bool write)
{
    gva_t tag = write ? slot->tag_write : slot->tag_read;

    if (tag != (address & (~PAGE_MASK | (size - 1))))
        return NULL;
    return native_hit(map, slot, address);
}

static inline uint8_t *native_aligned(struct mmu *mmu, gva_t address, unsigned size, bool write, bool user)
{
    struct native_map *map = (struct native_map *)mmu;

    return native_slot_aligned(map, &map->slot[user][native_index(address)], address, size, write);
}

/*
 * System-physical address of the instruction byte at `address`, or false: then call mmu_translate with
 * MMU_FETCH. On success the lookup has been counted.
 */
static inline bool native_fetch(struct mmu *mmu, gva_t address, unsigned access, spa_t *spa)
{
    struct native_map *map = (struct native_map *)mmu;
    struct fetch_slot *slot = &map->fetch[(access & MMU_USER) != 0][(address >> PAGE_SHIFT) & (FETCH_SLOTS - 1)];

    if (slot->tag != (address & ~PAGE_MASK))
        return false;
    slot->stamp = ++map->fetches;
    map->last_fetch = slot;
    *spa = slot->spa | (address & PAGE_MASK);
    return true;
}

/*
 * Instruction side: `count` more fetches from the page of the last successful MMU_FETCH translation,
 * with no other instruction-side lookup in between. Keeps count and recency exact for decoded blocks.
 */
void mmu_fetch_again(struct mmu *mmu, uint64_t count);

#endif
