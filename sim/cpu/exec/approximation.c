/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/approximation.h"

#define SIGN UINT32_C(0x80000000)

/* A significand of `bits` bits, its top bit set or one beyond, at a biased exponent. */
static uint32_t assemble(uint32_t sign, int exponent, uint64_t significand, unsigned bits)
{
    if (significand >> bits) {
        significand >>= 1;
        exponent++;
    }
    if (exponent <= 0)
        return sign;
    return sign | (uint32_t)exponent << 23 | ((uint32_t)(significand << (24 - bits)) & 0x7FFFFF);
}

/* x = m / 2^23 * 2^(e-127) with m in [2^23, 2^24): 1/x = (2^24 / m) * 2^(126-e), the bracket in (1, 2]. */
uint32_t approximate_reciprocal(uint32_t x, unsigned bits)
{
    uint64_t m = (x & 0x7FFFFF) | 0x800000, quotient = ((UINT64_C(1) << (23 + bits)) + m / 2) / m;
    int e = (int)(x >> 23 & 0xFF);

    return assemble(x & SIGN, 253 - e, quotient, bits);
}

static uint64_t integer_root(uint64_t x)
{
    uint64_t root = 0;

    for (uint64_t step = UINT64_C(1) << 31; step != 0; step >>= 1)
        if ((root + step) * (root + step) <= x)
            root += step;
    return root;
}

/* With an even exponent E, x = m / 2^23 * 2^E and m / 2^23 in [1, 4): the root's reciprocal is in (1/2, 1]. */
uint32_t approximate_reciprocal_root(uint32_t x, unsigned bits)
{
    uint64_t m = (x & 0x7FFFFF) | 0x800000, root;
    int exponent = (int)(x >> 23 & 0xFF) - 127;

    if (exponent & 1) {
        m <<= 1;
        exponent--;
    }
    root = integer_root((UINT64_C(1) << (2 * bits + 2 + 23)) / m); /* one bit more than wanted */
    return assemble(0, 126 - exponent / 2, (root + 1) >> 1, bits);
}
