/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/wide.h"

#include "sim/cpu/exec/x87.h"

#define BIAS 16383
#define SCALE 24576 /* what unmasked overflow and underflow move the exponent by (APM1 6.8.4) */

/* ---- Building -------------------------------------------------------------------------------------------- */

static unsigned leading_zeros(wide_bits x)
{
    uint64_t high = (uint64_t)(x >> 64);

    return high ? (unsigned)__builtin_clzll(high) : 64 + (unsigned)__builtin_clzll((uint64_t)x);
}

struct wide wide_make(bool negative, int exponent, wide_bits significand)
{
    unsigned shift;

    if (significand == 0)
        return (struct wide){ negative, 0, 0 };
    shift = leading_zeros(significand);
    return (struct wide){ negative, exponent - (int)shift, significand << shift };
}

struct wide wide_from_x87(struct x87_register value)
{
    int exponent = value.exponent & 0x7FFF;

    return wide_make(value.exponent >> 15, (exponent ? exponent : 1) - BIAS, (wide_bits)value.significand << 64);
}

/* ---- Arithmetic, truncating ------------------------------------------------------------------------------ */

wide_bits wide_high(wide_bits a, wide_bits b)
{
    uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a, b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
    wide_bits cross = (wide_bits)a1 * b0, other = (wide_bits)a0 * b1, low = (wide_bits)a0 * b0;
    wide_bits middle = (low >> 64) + (uint64_t)cross + (uint64_t)other;

    return (wide_bits)a1 * b1 + (cross >> 64) + (other >> 64) + (middle >> 64);
}

struct wide wide_multiply(struct wide a, struct wide b)
{
    return wide_make(a.negative != b.negative, a.exponent + b.exponent + 1, wide_high(a.significand, b.significand));
}

struct wide wide_divide(struct wide a, struct wide b)
{
    wide_bits quotient = 0, rest = a.significand;
    bool carry = false;

    if (a.significand == 0)
        return (struct wide){ a.negative != b.negative, 0, 0 };
    for (unsigned i = 0; i < 128; i++) { /* quotient in units of 2^-127, below 2 */
        quotient <<= 1;
        if (carry || rest >= b.significand) {
            rest -= b.significand;
            quotient |= 1;
        }
        carry = rest >> 127;
        rest <<= 1;
    }
    return wide_make(a.negative != b.negative, a.exponent - b.exponent, quotient);
}

struct wide wide_add(struct wide a, struct wide b)
{
    wide_bits small;

    if (b.significand == 0)
        return a;
    if (a.significand == 0 || a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand)) {
        struct wide swap = a;

        a = b;
        b = swap;
    }
    if (b.significand == 0)
        return a;
    small = a.exponent - b.exponent > 127 ? 0 : b.significand >> (a.exponent - b.exponent);
    if (a.negative != b.negative)
        return wide_make(a.negative, a.exponent, a.significand - small);
    if (a.significand + small < small) /* carry out */
        return (struct wide){ a.negative, a.exponent + 1,
                              (a.significand + small) >> 1 | (wide_bits)1 << 127 };
    return (struct wide){ a.negative, a.exponent, a.significand + small };
}

/* ---- Rounding ------------------------------------------------------------------------------------------- */

/* Whether `bits`, the upper 64 of which are kept, round away from zero. */
static bool rounds_up(wide_bits bits, bool inexact, bool negative, uint16_t control)
{
    uint64_t rest = (uint64_t)bits, half = UINT64_C(1) << 63;

    switch (control >> 10 & 3) {
    case 0: return rest > half || (rest == half && (inexact || bit((uint64_t)(bits >> 64), 0)));
    case 1: return negative && (rest != 0 || inexact);
    case 2: return !negative && (rest != 0 || inexact);
    default: return false;
    }
}

static uint16_t overflowed(bool negative, uint16_t control, struct x87_register *result)
{
    unsigned mode = control >> 10 & 3;
    bool to_infinity = mode == 0 || (mode == 1 && negative) || (mode == 2 && !negative);
    uint16_t sign = negative ? 0x8000 : 0;

    *result = to_infinity ? (struct x87_register){ UINT64_C(1) << 63, sign | 0x7FFF }
                          : (struct x87_register){ ~UINT64_C(0), sign | 0x7FFE };
    return (uint16_t)(X87_OE | X87_PE | (to_infinity ? X87_C1 : 0));
}

/* Masked underflow: the significand moves right until the exponent fits. */
static wide_bits denormalize(wide_bits bits, int by, bool *inexact)
{
    if (by > 127) {
        *inexact = true;
        return 0;
    }
    if (bits << (128 - by) != 0)
        *inexact = true;
    return bits >> by;
}

uint16_t wide_round(struct wide value, bool inexact, uint16_t control, struct x87_register *result)
{
    int exponent = value.exponent + BIAS;
    wide_bits bits = value.significand;
    uint16_t flags = 0;
    uint64_t kept;
    bool up;

    if (bits == 0) {
        *result = (struct x87_register){ 0, value.negative ? 0x8000 : 0 };
        return 0;
    }
    /* Tininess counts after rounding: what rounds up to the smallest normal number is not tiny. */
    if (exponent == 0 && (uint64_t)(bits >> 64) == ~UINT64_C(0) && rounds_up(bits, inexact, value.negative, control)) {
        flags = 0;
    } else if (exponent <= 0 && !(control & X87_UE)) {
        flags |= X87_UE;
        exponent += SCALE;
    } else if (exponent <= 0) {
        flags |= X87_UE; /* taken back below if exact */
        bits = denormalize(bits, 1 - exponent, &inexact);
        exponent = 0;
    }
    up = rounds_up(bits, inexact, value.negative, control);
    kept = (uint64_t)(bits >> 64) + up;
    if (up && kept == 0) {
        kept = UINT64_C(1) << 63;
        exponent++;
    } else if (exponent == 0 && kept >> 63) {
        exponent = 1;
    }
    if (exponent >= 0x7FFF && (control & X87_OE))
        return overflowed(value.negative, control, result);
    if (exponent >= 0x7FFF) {
        flags |= X87_OE;
        exponent -= SCALE;
    }
    if ((uint64_t)bits != 0 || inexact)
        flags |= X87_PE;
    else if (control & X87_UE)
        flags &= (uint16_t)~X87_UE;
    *result = (struct x87_register){ kept, (uint16_t)((value.negative ? 0x8000 : 0) | exponent) };
    return flags | (uint16_t)(up ? X87_C1 : 0);
}
