/* SPDX-License-Identifier: MIT */
/* System-physical address to node, channel and chip select: the steps of BKDG10 2.8.6 (fact sheet 6.6). */
#include "sim/platform/dram_controller.h"

#define RANGES 8
#define CHIP_SELECTS 8
#define HIGH_RANGE BIT(0)   /* F2x110 DctSelHiRngEn */
#define HIGH_SELECT BIT(1)  /* DctSelHi */
#define INTERLEAVED BIT(2)  /* DctSelIntLvEn */
#define GANGED BIT(4)
#define INTERLEAVE_ADDRESS 7, 6
#define HOLE_VALID BIT(0)   /* F1xF0 */

/* Step 1 and 2: the range of F1x40-7C. */
struct range {
    spa_t base;
    unsigned interleave; /* IntlvEn */
    unsigned node;
};

static bool range_find(const struct northbridge *nb, spa_t address, struct range *range)
{
    for (unsigned n = 0; n < RANGES; n++) {
        uint32_t low = nb_get(nb, 1, 0x40 + 8 * n), high = nb_get(nb, 1, 0x44 + 8 * n);
        spa_t base = bits(low, 31, 16) << 24 | bits(nb_get(nb, 1, 0x140 + 8 * n), 7, 0) << 40;
        spa_t limit = bits(high, 31, 16) << 24 | bits(nb_get(nb, 1, 0x144 + 8 * n), 7, 0) << 40 | 0xFFFFFF;
        unsigned interleave = (unsigned)bits(low, 10, 8);

        if (!(low & 3) || address < base || address > limit)
            continue;
        if ((address >> 12 & interleave) != bits(high, 10, 8))
            continue;
        *range = (struct range){ base, interleave, (unsigned)bits(high, 2, 0) };
        return true;
    }
    return false;
}

static unsigned interleave_log2(unsigned interleave)
{
    return interleave == 7 ? 3 : interleave == 3 ? 2 : interleave == 1 ? 1 : 0;
}

static bool parity(uint64_t value)
{
    return __builtin_parityll(value);
}

/* Step 5. */
static unsigned channel_of(uint32_t select, spa_t address, unsigned interleave, bool high)
{
    if (select & GANGED)
        return 0;
    if (high)
        return !!(select & HIGH_SELECT);
    if (select & INTERLEAVED) {
        switch (bits(select, INTERLEAVE_ADDRESS)) {
        case 0: return bit(address, 6);
        case 1: return bit(address, 12 + interleave_log2(interleave));
        case 2: return bit(address, 6) ^ parity(bits(address, 20, 16));
        default: return bit(address, 9) ^ parity(bits(address, 20, 16));
        }
    }
    return (select & HIGH_RANGE) ? !(select & HIGH_SELECT) : 0;
}

/* Step 6: what is subtracted, bits 47:23. */
static uint64_t channel_offset(const struct northbridge *nb, const struct range *range, spa_t address, bool high)
{
    uint32_t select = nb_get(nb, 2, 0x110), hole = nb_get(nb, 1, 0xF0);
    bool hoisted = (hole & HOLE_VALID) && address >= MAP_4G;
    uint64_t hole_offset = bits(hole, 15, 7) << 23;

    if (high) {
        if (!bits(select, 31, 16) && hoisted) /* DctSelBaseAddr[47:32] */
            return hole_offset;
        return bits(nb_get(nb, 2, 0x114), 31, 10) << 26;
    }
    return hoisted ? hole_offset : range->base;
}

/* Steps 8 and 9: take out the bits that chose node and channel. */
static uint64_t drop_selection(uint64_t address, uint32_t select, unsigned interleave, bool high)
{
    unsigned shift = interleave_log2(interleave);

    address = (address >> shift & ~UINT64_C(0xFFF)) | (address & 0xFC0);
    if (!(select & INTERLEAVED) || high || (select & GANGED))
        return address;
    switch (bits(select, INTERLEAVE_ADDRESS)) {
    case 1: return (address >> 1 & ~UINT64_C(0xFFF)) | (address & 0xFC0);
    case 3: return (address >> 1 & ~UINT64_C(0x1FF)) | (address & 0x1C0);
    default: return address >> 1 & ~UINT64_C(0x3F);
    }
}

/* Step 10. Ganged mode uses DCT0's registers. */
static bool chip_select_find(const struct northbridge *nb, unsigned channel, uint64_t channel_address, unsigned *found)
{
    uint64_t input = channel_address >> 8;
    unsigned dct = channel * 0x100;

    for (unsigned cs = 0; cs < CHIP_SELECTS; cs++) {
        uint32_t base = nb_get(nb, 2, dct + 0x40 + 4 * cs);
        uint64_t mask = (nb_get(nb, 2, dct + 0x60 + 4 * (cs / 2)) | UINT32_C(0x0007C01F)) & UINT32_C(0x1FFFFFFF);

        if (!(base & 1) || (input & ~mask) != (base & UINT32_C(0x1FF83FE0) & ~mask))
            continue;
        *found = cs;
        return true;
    }
    return false;
}

bool dram_place_find(const struct northbridge *nodes, unsigned count, spa_t address, struct dram_place *place)
{
    const struct northbridge *nb;
    struct range range;
    uint32_t select, spare;
    uint64_t channel_address;
    bool high;

    if (!range_find(&nodes[0], address, &range) || range.node >= count)
        return false;
    nb = &nodes[range.node];
    select = nb_get(nb, 2, 0x110);
    high = (select & HIGH_RANGE) && !(select & GANGED) && address >> 27 >= bits(select, 31, 11);
    place->node = range.node;
    place->channel = channel_of(select, address, range.interleave, high);
    channel_address = (address & ~UINT64_C(0x3F)) - (channel_offset(nb, &range, address, high) & ~UINT64_C(0x7FFFFF));
    channel_address = drop_selection(channel_address, select, range.interleave, high);
    if (!chip_select_find(nb, place->channel, channel_address, &place->chip_select))
        return false;
    spare = nb_get(nb, 3, 0xB0); /* step 11 */
    place->spare = bit(spare, 1 + 2 * place->channel) &&
                   bits(spare, 6 + 4 * place->channel, 4 + 4 * place->channel) == place->chip_select;
    return true;
}
