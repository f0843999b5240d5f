/* SPDX-License-Identifier: MIT */
/* The steps of fact sheet 6.6. deviation: the swapped region of revision D (F2x10C) is not followed. */
#include "hv/mca/dram_map.h"

#define RANGES 8u
#define CHIP_SELECTS 8u
#define FIELD(value, high, low) ((uint64_t)(value) >> (low) & ((1ull << ((high) - (low) + 1)) - 1))
#define FOUR_GIB (1ull << 32)

/* F2x110, F1xF0 */
#define SELECT_HIGH_RANGE 1u
#define SELECT_HIGH 2u
#define SELECT_INTERLEAVED 4u
#define SELECT_GANGED 0x10u
#define HOLE_VALID 1u
#define INPUT_BASE 0x1FF83FE0u
#define INPUT_ALWAYS_MASKED 0x0007C01Fu
#define INPUT_BITS 0x1FFFFFFFu

/* One address on its way down. */
struct search {
    dram_map_read *read;
    void *ctx;
    uint64_t address;
    unsigned node, node_bits;  /* address bits taken by interleaving of nodes */
    uint64_t base;             /* of the node's range */
    uint32_t select;           /* F2x110 */
    bool high;                 /* in the range above DctSelBaseAddr */
};

static uint32_t get(const struct search *s, unsigned node, unsigned function, unsigned reg)
{
    return s->read(s->ctx, node, function, reg);
}

/* Whether range n of node 0's map (all nodes have the same) covers the address. */
static bool in_range(struct search *s, unsigned n)
{
    uint32_t base = get(s, 0, 1, 0x40 + 8 * n), limit = get(s, 0, 1, 0x44 + 8 * n);
    uint64_t from = FIELD(base, 31, 16) << 24 | FIELD(get(s, 0, 1, 0x140 + 8 * n), 7, 0) << 40;
    uint64_t to = FIELD(limit, 31, 16) << 24 | FIELD(get(s, 0, 1, 0x144 + 8 * n), 7, 0) << 40 | 0xFFFFFF;
    unsigned interleave = (unsigned)FIELD(base, 10, 8);

    if (!(base & 3) || s->address < from || s->address > to || (s->address >> 12 & interleave) != FIELD(limit, 10, 8))
        return false;
    s->node = (unsigned)FIELD(limit, 2, 0);
    s->node_bits = (interleave & 1) + (interleave >> 1 & 1) + (interleave >> 2 & 1);
    s->base = from;
    return true;
}

static unsigned dct_of(const struct search *s)
{
    unsigned hash = (unsigned)__builtin_parityll(FIELD(s->address, 20, 16));

    if (s->select & SELECT_GANGED)
        return 0;
    if (s->high)
        return !!(s->select & SELECT_HIGH);
    if (!(s->select & SELECT_INTERLEAVED))
        return s->select & SELECT_HIGH_RANGE ? !(s->select & SELECT_HIGH) : 0;
    switch (FIELD(s->select, 7, 6)) { /* DctSelIntLvAddr */
    case 0: return s->address >> 6 & 1;
    case 1: return s->address >> (12 + s->node_bits) & 1;
    case 2: return (s->address >> 6 & 1) ^ hash;
    default: return (s->address >> 9 & 1) ^ hash;
    }
}

/* What lies below the DCT's memory. */
static uint64_t offset_of(const struct search *s)
{
    uint32_t hole = get(s, s->node, 1, 0xF0);
    uint64_t hoist = FIELD(hole, 15, 7) << 23;
    bool hoisted = hole & HOLE_VALID && s->address >= FOUR_GIB;

    if (s->high && !(hoisted && !FIELD(s->select, 31, 16)))
        return FIELD(get(s, s->node, 2, 0x114), 31, 10) << 26;
    return hoisted ? hoist : s->base;
}

/* Take bit `at` and `count - 1` above it out of the address. */
static uint64_t without(uint64_t address, unsigned at, unsigned count)
{
    uint64_t low = (1ull << at) - 1;

    return (address & low) | (address >> count & ~low);
}

static uint64_t channel_address(const struct search *s)
{
    static const uint8_t dct_bit[4] = { 6, 12, 6, 9 };
    uint64_t address = without(s->address - offset_of(s), 12, s->node_bits);

    if (!(s->select & SELECT_INTERLEAVED) || s->high || s->select & SELECT_GANGED)
        return address;
    return without(address, dct_bit[FIELD(s->select, 7, 6)], 1);
}

static bool find_chip_select(const struct search *s, struct dram_place *place)
{
    uint64_t input = channel_address(s) >> 8;
    unsigned registers = 0x100 * place->dct;

    for (unsigned cs = 0; cs < CHIP_SELECTS; cs++) {
        uint32_t base = get(s, s->node, 2, registers + 0x40 + 4 * cs);
        uint64_t mask = (get(s, s->node, 2, registers + 0x60 + 4 * (cs / 2)) | INPUT_ALWAYS_MASKED) & INPUT_BITS;

        if (base & 1 && (input & ~mask) == (base & INPUT_BASE & ~mask)) {
            place->chip_select = cs;
            return true;
        }
    }
    return false;
}

bool dram_map_find(uint64_t spa, dram_map_read *read, void *ctx, struct dram_place *place)
{
    struct search s = { .read = read, .ctx = ctx, .address = spa };
    unsigned n = 0;

    while (n < RANGES && !in_range(&s, n))
        n++;
    if (n == RANGES)
        return false;
    s.select = get(&s, s.node, 2, 0x110);
    s.high = s.select & SELECT_HIGH_RANGE && !(s.select & SELECT_GANGED) && spa >> 27 >= FIELD(s.select, 31, 11);
    place->node = s.node;
    place->dct = dct_of(&s);
    return find_chip_select(&s, place);
}
