/* SPDX-License-Identifier: MIT */
/*
 * Bit fields in the manual's notation: `#define IOIO_PORT 31, 16` and then
 * `bits(x, IOIO_PORT)`. All are functions of their arguments alone.
 */
#ifndef FAM10H_BITS_H
#define FAM10H_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define BIT(n) (UINT64_C(1) << (n))
/* bits_mask as a constant, for tables. */
#define BITS(hi, lo) (UINT64_MAX >> (63 - (hi)) & UINT64_MAX << (lo))

/* A mask of bits hi..lo, both included. */
static inline uint64_t bits_mask(unsigned hi, unsigned lo)
{
    return (~UINT64_C(0) >> (63 - (hi - lo))) << lo;
}

/* Field hi:lo of x, moved down to bit 0. */
static inline uint64_t bits(uint64_t x, unsigned hi, unsigned lo)
{
    return (x & bits_mask(hi, lo)) >> lo;
}

/* Bit n of x. */
static inline bool bit(uint64_t x, unsigned n)
{
    return (x >> n) & 1;
}

/* x with field hi:lo replaced by v. */
static inline uint64_t bits_put(uint64_t x, unsigned hi, unsigned lo, uint64_t v)
{
    uint64_t mask = bits_mask(hi, lo);

    return (x & ~mask) | ((v << lo) & mask);
}

/* x with bit n set to v. */
static inline uint64_t bit_put(uint64_t x, unsigned n, bool v)
{
    return (x & ~BIT(n)) | ((uint64_t)v << n);
}

/* x, of `size` bytes (1, 2, 4 or 8), sign-extended to 64 bits. */
static inline uint64_t sign_extend(uint64_t x, unsigned size)
{
    unsigned shift = 64 - 8 * size;

    return (uint64_t)((int64_t)(x << shift) >> shift);
}

/* x cut to `size` bytes (1, 2, 4 or 8). A table, because sizes vary from call to call on the hottest paths. */
static inline uint64_t zero_extend(uint64_t x, unsigned size)
{
    static const uint64_t kept[9] = { [1] = 0xFF, [2] = 0xFFFF, [4] = 0xFFFFFFFF, [8] = UINT64_MAX };

    return x & kept[size];
}

/* The 48-bit address rule of long mode: bits 63:47 all equal. */
static inline bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

#endif
