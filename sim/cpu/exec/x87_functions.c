/* SPDX-License-Identifier: MIT */
/*
 * Argument reduction and series. Fixed-point numbers are unsigned in units of 2^-127. All series go on until
 * their terms vanish there, so that the 64 bits of the result are those of the exact value save in rare ties.
 */
#include "sim/cpu/exec/x87_functions.h"

#define ONE ((wide_bits)1 << 127)

static const struct wide constant_one = { false, 0, ONE };
static const struct wide constant_ln2 = { false, -1, WIDE_WORDS(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF) };
static const struct wide constant_two_over_ln2 = { false, 1, WIDE_WORDS(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E89) };
static const struct wide constant_pi = { false, 1, WIDE_WORDS(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1) };
static const struct wide constant_half_pi = { false, 0, WIDE_WORDS(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1) };

static wide_bits fixed_multiply(wide_bits a, wide_bits b)
{
    return wide_high(a, b) << 1;
}

/* A positive number below 2. */
static wide_bits fixed_from(struct wide x)
{
    return x.exponent < -127 ? 0 : x.significand >> -x.exponent;
}

/* ---- Sine and cosine --------------------------------------------------------------------------------------- */

/*
 * assumed: arguments are reduced by a pi of 66 bits, as processors of the time do: 3243F6A8_885A308D3h * 2^-64.
 */
#define REDUCTION_PI ((wide_bits)3 << 64 | UINT64_C(0x243F6A8885A308D3))

/* 1 - t/(first (first+1)) (1 - t/((first+2) (first+3)) ( ... )), t below 0.62. */
static wide_bits alternating(wide_bits t, unsigned first)
{
    wide_bits sum = ONE;

    for (unsigned n = first + 34; n >= first; n -= 2) {
        sum = ONE - fixed_multiply(t, sum) / (n * (n + 1));
        if (n < 2)
            break;
    }
    return sum;
}

/* Quarter turns taken off: x = quadrant * pi/2 + r, r in [-pi/4, pi/4], x positive. */
static struct wide reduce(struct wide x, unsigned *quadrant)
{
    wide_bits rest = x.significand >> 64; /* in units of 2^(exponent - 63); pi/2 is REDUCTION_PI * 2^-65 */
    bool negative = false;

    *quadrant = 0;
    if (x.exponent < -1)
        return x;
    for (int i = 0; i < x.exponent + 2; i++) {
        rest <<= 1;
        *quadrant <<= 1;
        if (rest >= REDUCTION_PI) {
            rest -= REDUCTION_PI;
            *quadrant |= 1;
        }
    }
    if (2 * rest > REDUCTION_PI) {
        rest = REDUCTION_PI - rest;
        negative = true;
        *quadrant += 1;
    }
    return wide_make(negative, 127 - 65, rest);
}

void function_sine_cosine(struct wide x, struct wide *sine, struct wide *cosine)
{
    bool negative = x.negative;
    unsigned quadrant;
    struct wide r, s, c;
    wide_bits t;

    x.negative = false;
    r = reduce(x, &quadrant);
    t = fixed_from((struct wide){ false, r.exponent, r.significand });
    t = fixed_multiply(t, t);
    /* Too small to count: still below 1, for rounding's sake, in the proportion of r*r/6 to r*r/2. */
    s = wide_multiply(r, wide_make(false, 0, t ? alternating(t, 2) : ONE - 1));
    c = wide_make(false, 0, t ? alternating(t, 1) : ONE - 3);
    *sine = (quadrant & 1) ? c : s;
    *cosine = (quadrant & 1) ? s : c;
    sine->negative ^= ((quadrant & 2) != 0) ^ negative;
    cosine->negative ^= ((quadrant + 1) & 2) != 0;
}

/* ---- Arc tangent -------------------------------------------------------------------------------------------- */

/* atan(i / 8). */
static const struct wide arc_tangents[9] = {
    { false, 0, 0 },
    { false, -4, WIDE_WORDS(0xFEADD4D5617B6E32, 0xC897989F3E888EF8) },
    { false, -3, WIDE_WORDS(0xFADBAFC96406EB15, 0x6DC79EF5F7A217E6) },
    { false, -2, WIDE_WORDS(0xB7B0CA0F26F78473, 0x8AA32122DCFE4483) },
    { false, -2, WIDE_WORDS(0xED63382B0DDA7B45, 0x6FE445ECBC3A8D03) },
    { false, -1, WIDE_WORDS(0x8F005D5EF7F59F9B, 0x5C835E1665C43748) },
    { false, -1, WIDE_WORDS(0xA4BC7D1934F70924, 0x19A87F2A457DAC9F) },
    { false, -1, WIDE_WORDS(0xB8053E2BC2319E73, 0xCB2DA55210A4443D) },
    { false, -1, WIDE_WORDS(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1) },
};

/* 1 - t/3 + t^2/5 - ..., t at most 2^-8. */
static wide_bits alternating_odd(wide_bits t)
{
    wide_bits sum = ONE / 41;

    for (unsigned n = 39; n <= 39; n -= 2)
        sum = ONE / n - fixed_multiply(t, sum);
    return sum;
}

/* Of z in (0, 1]: atan(z) = atan(c) + atan((z - c) / (1 + z c)), c the nearest eighth. */
static struct wide arc_tangent_small(struct wide z)
{
    unsigned eighth = (unsigned)((fixed_from(z) + (ONE >> 4)) >> 124);
    struct wide c = wide_make(false, 0, (wide_bits)eighth << 124), w = z;
    wide_bits t;

    if (eighth != 0) {
        struct wide difference = wide_add(z, (struct wide){ true, c.exponent, c.significand });

        w = wide_divide(difference, wide_add(constant_one, wide_multiply(z, c)));
    }
    t = fixed_from((struct wide){ false, w.exponent, w.significand });
    t = w.significand ? fixed_multiply(t, t) : 0;
    w = wide_multiply(w, wide_make(false, 0, t ? alternating_odd(t) : ONE - 1));
    return wide_add(arc_tangents[eighth], w);
}

struct wide function_arc_tangent(struct wide y, struct wide x)
{
    bool negative = y.negative, left = x.negative, steep;
    struct wide angle;

    y.negative = x.negative = false;
    steep = y.exponent > x.exponent || (y.exponent == x.exponent && y.significand > x.significand);
    angle = arc_tangent_small(steep ? wide_divide(x, y) : wide_divide(y, x));
    if (steep) {
        angle.negative = true;
        angle = wide_add(constant_half_pi, angle);
    }
    if (left) {
        angle.negative = true;
        angle = wide_add(constant_pi, angle);
    }
    angle.negative = negative;
    return angle;
}

/* ---- Powers and logarithms ------------------------------------------------------------------------------------ */

/* e^u - 1 = u (1 + u/2 (1 + u/3 (1 + ...))), |u| <= ln 2. */
struct wide function_power(struct wide x)
{
    struct wide u = wide_multiply(x, constant_ln2), sum = constant_one;

    for (unsigned n = 36; n >= 2; n--) {
        struct wide term = wide_multiply(u, sum);

        sum = wide_add(constant_one, wide_make(term.negative, term.exponent, term.significand / n));
    }
    return wide_multiply(u, sum);
}

/* log2((1 + s) / (1 - s)) = 2/ln2 (s + s^3/3 + s^5/5 ...), |s| below 0.172. */
static struct wide logarithm_series(struct wide s)
{
    wide_bits t = fixed_from((struct wide){ false, s.exponent, s.significand }), sum = ONE / 53;

    t = fixed_multiply(t, t);
    for (unsigned n = 51; n <= 51; n -= 2)
        sum = ONE / n + fixed_multiply(t, sum);
    return wide_multiply(constant_two_over_ln2, wide_multiply(s, wide_make(false, 0, sum)));
}

struct wide function_logarithm(struct wide x)
{
    int exponent = x.exponent;
    struct wide m = { false, 0, x.significand }, s, whole;

    if (m.significand > WIDE_WORDS(0xB504F333F9DE6484, 0x597D89B3754ABE9F)) { /* sqrt 2 */
        m.exponent = -1;
        exponent++;
    }
    s = wide_add(m, (struct wide){ true, 0, ONE });
    if (s.significand != 0)
        s = logarithm_series(wide_divide(s, wide_add(m, constant_one)));
    whole = wide_make(exponent < 0, 127, (wide_bits)(exponent < 0 ? -exponent : exponent));
    return wide_add(whole, s);
}

struct wide function_logarithm_plus_one(struct wide x)
{
    struct wide sum = wide_add(x, constant_one);

    /* Near 1 the sum loses bits of x: s = x / (x + 2) does not. */
    if (x.exponent <= -3)
        return logarithm_series(wide_divide(x, wide_add(x, (struct wide){ false, 1, ONE })));
    return function_logarithm(sum);
}
