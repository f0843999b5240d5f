/* SPDX-License-Identifier: MIT */
#include "sim/mmu/memtype.h"

#include <string.h>

#include "sim/bits.h"

#define UC MEMTYPE_UC
#define WC MEMTYPE_WC
#define WT MEMTYPE_WT
#define WP MEMTYPE_WP
#define WB MEMTYPE_WB
#define UC_ MEMTYPE_UC_MINUS
#define CD MEMTYPE_CD
#define WCP MEMTYPE_WC_PLUS

/* PAT encodings 2 and 3 cannot be written (MSR 0277); were they read, they would mean UC. */
static const uint8_t nested_table[8][8] = {
    /* guest \ host     UC   WC   -   -   WT   WP   WB   UC- */
    [MEMTYPE_UC] =       { UC, UC, UC, UC, UC, UC, UC, UC },
    [MEMTYPE_UC_MINUS] = { UC, WC, UC, UC, UC, UC, UC, UC_ },
    [MEMTYPE_WC] =       { WC, WC, UC, UC, WCP, WCP, WCP, WC },
    [MEMTYPE_WP] =       { UC, UC, UC, UC, UC, WP, WP, UC },
    [MEMTYPE_WT] =       { UC, UC, UC, UC, WT, UC, WT, UC },
    [MEMTYPE_WB] =       { UC, WC, UC, UC, WT, WP, WB, UC },
};

static const uint8_t combine_table[10][8] = {
    /* PAT \ MTRR       UC  WC  -   -   WT  WP  WB */
    [MEMTYPE_UC] =       { UC, CD, UC, UC, CD, CD, CD },
    [MEMTYPE_UC_MINUS] = { UC, WC, UC, UC, CD, CD, CD },
    [MEMTYPE_WC] =       { WC, WC, UC, UC, WC, WC, WC },
    [MEMTYPE_WC_PLUS] =  { WC, WC, UC, UC, WCP, WCP, WCP },
    [MEMTYPE_WP] =       { UC, CD, UC, UC, CD, WP, WP },
    [MEMTYPE_WT] =       { UC, CD, UC, UC, WT, CD, WT },
    [MEMTYPE_WB] =       { UC, WC, UC, UC, WT, WP, WB },
};

enum memtype memtype_nested(enum memtype guest, enum memtype host)
{
    return nested_table[guest & 7][host & 7];
}

enum memtype memtype_combine(enum memtype pat, enum memtype mtrr)
{
    return pat > MEMTYPE_WC_PLUS ? UC : combine_table[pat][mtrr & 7];
}

void memory_types_reset(struct memory_types *types)
{
    memset(types, 0, sizeof(*types));
    types->cap = 0x508;         /* VCNT 8, FIX, WC */
    types->sys_cfg = 0x20600;   /* BKDG10 MSRC001_0010 */
}

/* ---- Fixed ranges --------------------------------------------------------------------------------- */

#define MIB UINT64_C(0x100000)

/* Register and byte of an address below 1 MB: 64K ranges to 7FFFF, 16K to BFFFF, then 4K. */
static enum memtype fixed_type(const struct memory_types *types, spa_t address)
{
    unsigned reg, byte;

    if (address < 0x80000) {
        reg = 0;
        byte = (unsigned)(address >> 16);
    } else if (address < 0xc0000) {
        reg = 1 + (unsigned)bits(address, 17, 17);
        byte = (unsigned)bits(address, 16, 14);
    } else {
        reg = 3 + (unsigned)bits(address, 17, 15);
        byte = (unsigned)bits(address, 14, 12);
    }
    return (enum memtype)(types->fixed[reg] >> (8 * byte) & 7); /* bits 4:3 are RdDram, WrDram */
}

static bool fixed_applies(const struct memory_types *types, spa_t address)
{
    return address < MIB && bit(types->def, MTRR_DEF_FIXED_EN);
}

/* ---- Variable ranges ------------------------------------------------------------------------------ */

static bool variable_matches(const uint64_t pair[2], spa_t address)
{
    uint64_t mask = pair[1] & bits_mask(47, 12);

    return bit(pair[1], MTRR_MASK_VALID) && (address & mask) == (pair[0] & mask);
}

/* Overlapping ranges (APM2 7.7.3): UC wins, WT beats WB; assumed: any other mixture counts as UC. */
static enum memtype overlap(enum memtype a, enum memtype b)
{
    if (a == b)
        return a;
    if ((a == WT && b == WB) || (a == WB && b == WT))
        return WT;
    return UC;
}

static enum memtype default_type(const struct memory_types *types, spa_t address)
{
    if (address >= UINT64_C(1) << 32 && address < (types->top_mem2 & bits_mask(47, 23)) &&
        bit(types->sys_cfg, SYS_CFG_TOM2_EN) && bit(types->sys_cfg, SYS_CFG_TOM2_FORCE_WB))
        return WB; /* BKDG10 MSRC001_0010[22] */
    return (enum memtype)(types->def & 7);
}

enum memtype mtrr_type(const struct memory_types *types, spa_t address)
{
    bool found = false;
    enum memtype type = UC;

    if (!bit(types->def, MTRR_DEF_EN))
        return UC;
    if (fixed_applies(types, address))
        return fixed_type(types, address);
    for (unsigned i = 0; i < MTRR_VARIABLE; i++) {
        if (!variable_matches(types->variable[i], address))
            continue;
        enum memtype here = (enum memtype)(types->variable[i][0] & 7);
        type = found ? overlap(type, here) : here;
        found = true;
    }
    return found ? type : default_type(types, address);
}

/* Whether a variable range holds all of the page or none of it. */
static bool variable_is_uniform(const uint64_t pair[2], spa_t page, unsigned shift)
{
    uint64_t mask = pair[1] & bits_mask(47, 12);
    uint64_t inside = mask & ((UINT64_C(1) << shift) - 1);
    uint64_t above = mask & ~inside;

    return !bit(pair[1], MTRR_MASK_VALID) || !inside || (page & above) != (pair[0] & above);
}

static bool fixed_is_uniform(const struct memory_types *types)
{
    enum memtype type = mtrr_type(types, MIB); /* of the rest of the page */

    for (unsigned reg = 0; reg < MTRR_FIXED; reg++)
        for (unsigned byte = 0; byte < 8; byte++)
            if ((types->fixed[reg] >> (8 * byte) & 7) != (uint64_t)type)
                return false;
    return true;
}

bool mtrr_is_uniform(const struct memory_types *types, spa_t address, unsigned shift)
{
    spa_t page = address >> shift << shift;
    spa_t top = types->top_mem2 & bits_mask(47, 23);

    if (shift == PAGE_SHIFT || !bit(types->def, MTRR_DEF_EN))
        return true;
    for (unsigned i = 0; i < MTRR_VARIABLE; i++)
        if (!variable_is_uniform(types->variable[i], page, shift))
            return false;
    if (page < top && top < page + (UINT64_C(1) << shift) && default_type(types, top - 1) != default_type(types, top))
        return false;
    return !fixed_applies(types, page) || fixed_is_uniform(types);
}
