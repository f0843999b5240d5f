/* SPDX-License-Identifier: MIT */
/* Numbers of 128 significant bits in integers, for the x87 functions that no native unit may decide. */
#ifndef FAM10H_CPU_EXEC_WIDE_H
#define FAM10H_CPU_EXEC_WIDE_H

#include "sim/cpu/core.h"

typedef unsigned __int128 wide_bits;

/* significand * 2^(exponent - 127), its top bit set; or zero. */
struct wide {
    bool negative;
    int exponent;
    wide_bits significand;
};

#define WIDE_WORDS(high, low) ((wide_bits)UINT64_C(high) << 64 | UINT64_C(low))

/* Of a finite 80-bit number. */
struct wide wide_from_x87(struct x87_register value);
/* significand need not be normalized: significand * 2^(exponent - 127). */
struct wide wide_make(bool negative, int exponent, wide_bits significand);
struct wide wide_multiply(struct wide a, struct wide b);
struct wide wide_divide(struct wide a, struct wide b);
struct wide wide_add(struct wide a, struct wide b);
/* The upper half of the product. */
wide_bits wide_high(wide_bits a, wide_bits b);

/*
 * To 80 bits by the control word's rounding and exception masks; precision control does not count.
 * `inexact`: the true value differs from `value` beyond its last bit. Returns OE, UE, PE and C1.
 */
uint16_t wide_round(struct wide value, bool inexact, uint16_t control, struct x87_register *result);

#endif
