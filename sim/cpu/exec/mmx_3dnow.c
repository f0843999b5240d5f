/* SPDX-License-Identifier: MIT */
/*
 * 3DNow! (APM5, by mnemonic): pairs of single-precision numbers without infinities, NaNs or exceptions.
 * Denormal operands are zeros, results below the normal range are zeros, those above are the largest number.
 * assumed: operands that the manual calls unsupported (exponent FFh) are computed as SSE does, and a result
 * with that exponent becomes the largest number too; sums and products round to nearest.
 */
#include "sim/cpu/exec/approximation.h"
#include "sim/cpu/exec/media.h"
#include "sim/cpu/exec/native_sse.h"
#include "sim/cpu/isa/semantics.h"

#define SIGN UINT32_C(0x80000000)
#define EXPONENT UINT32_C(0x7F800000)
#define LARGEST UINT32_C(0x7F7FFFFF)
#define NOW_MXCSR (MXCSR_MASKS | MXCSR_DAZ | MXCSR_FZ)
#define TRUNCATE (UINT32_C(3) << 13)

static uint32_t saturate(uint32_t x)
{
    return (x & EXPONENT) == EXPONENT ? (x & SIGN) | LARGEST : x;
}

static uint32_t flush(uint32_t x)
{
    return (x & EXPONENT) == 0 ? x & SIGN : x;
}

static void saturate_both(union lanes *a)
{
    a->d[0] = saturate(a->d[0]);
    a->d[1] = saturate(a->d[1]);
}

/* ---- Sums and products ---------------------------------------------------------------------------------- */

#define NATIVE(name, native)                                                                      \
    static void operate_##name(union lanes *a, const union lanes *b, unsigned bytes)              \
    {                                                                                             \
        (void)bytes;                                                                              \
        native(NOW_MXCSR, a, b);                                                                  \
        saturate_both(a);                                                                         \
    }                                                                                             \
    VECTOR_OPERATION(name)

NATIVE(pfadd, native_addps)
NATIVE(pfsub, native_subps)
NATIVE(pfmul, native_mulps)

static void operate_pfsubr(union lanes *a, const union lanes *b, unsigned bytes)
{
    union lanes from = *b;

    operate_pfsub(&from, a, bytes);
    *a = from;
}
VECTOR_OPERATION(pfsubr)

/* The lanes of each operand combined: a's into the low lane, b's into the high one. */
static void combine(union lanes *a, const union lanes *b, native_sse_fn *low, native_sse_fn *high)
{
    union lanes x = { .d = { a->d[0] } }, y = { .d = { b->d[0] } };

    low(NOW_MXCSR, &x, &(union lanes){ .d = { a->d[1] } });
    high(NOW_MXCSR, &y, &(union lanes){ .d = { b->d[1] } });
    a->d[0] = saturate(x.d[0]);
    a->d[1] = saturate(y.d[0]);
}

static void operate_pfacc(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    combine(a, b, native_addss, native_addss);
}
VECTOR_OPERATION(pfacc)

static void operate_pfnacc(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    combine(a, b, native_subss, native_subss);
}
VECTOR_OPERATION(pfnacc)

static void operate_pfpnacc(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    combine(a, b, native_subss, native_addss);
}
VECTOR_OPERATION(pfpnacc)

/* ---- Comparison -------------------------------------------------------------------------------------------- */

/* A number whose order is that of the floating-point values; both zeros are 0. */
static int64_t order(uint32_t x)
{
    x = flush(x);
    return (x & SIGN) ? -(int64_t)(x & ~SIGN) : (int64_t)x;
}

#define COMPARE(name, expression)                                                                 \
    static void operate_##name(union lanes *a, const union lanes *b, unsigned bytes)              \
    {                                                                                             \
        (void)bytes;                                                                              \
        for (unsigned i = 0; i < 2; i++) {                                                        \
            int64_t x = order(a->d[i]), y = order(b->d[i]);                                       \
                                                                                                  \
            a->d[i] = (expression);                                                               \
        }                                                                                         \
    }                                                                                             \
    VECTOR_OPERATION(name)

COMPARE(pfcmpeq, x == y ? ~0u : 0)
COMPARE(pfcmpge, x >= y ? ~0u : 0)
COMPARE(pfcmpgt, x > y ? ~0u : 0)
/* A zero that is chosen is +0. */
COMPARE(pfmax, (x > y ? x : y) == 0 ? 0 : x > y ? a->d[i] : b->d[i])
COMPARE(pfmin, (x < y ? x : y) == 0 ? 0 : x < y ? a->d[i] : b->d[i])

/* ---- Conversion: towards zero -------------------------------------------------------------------------------- */

static void operate_pi2fd(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    native_cvtdq2ps(NOW_MXCSR | TRUNCATE, a, b);
}
VECTOR_OPERATION(pi2fd)

static void operate_pi2fw(union lanes *a, const union lanes *b, unsigned bytes)
{
    union lanes words = { .d = { (uint32_t)(int16_t)b->w[0], (uint32_t)(int16_t)b->w[2] } };

    operate_pi2fd(a, &words, bytes);
}
VECTOR_OPERATION(pi2fw)

/* Truncated, and saturated to `limit` (a power of two: the first value out of range). */
static uint32_t to_integer(uint32_t x, uint32_t limit)
{
    unsigned exponent = x >> 23 & 0xFF;
    uint64_t magnitude = 0;

    if (exponent >= 127 + 32)
        magnitude = limit;
    else if (exponent >= 127)
        magnitude = (((uint64_t)(x & 0x7FFFFF) | 0x800000) << (exponent - 127)) >> 23;
    if (x & SIGN)
        return (uint32_t)-(int64_t)(magnitude > limit ? limit : magnitude);
    return (uint32_t)(magnitude >= limit ? limit - 1 : magnitude);
}

static void operate_pf2id(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    a->d[0] = to_integer(b->d[0], UINT32_C(1) << 31);
    a->d[1] = to_integer(b->d[1], UINT32_C(1) << 31);
}
VECTOR_OPERATION(pf2id)

static void operate_pf2iw(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    a->d[0] = to_integer(b->d[0], 1 << 15);
    a->d[1] = to_integer(b->d[1], 1 << 15);
}
VECTOR_OPERATION(pf2iw)

/* ---- Reciprocals ---------------------------------------------------------------------------------------------- */

/*
 * PFRCP is accurate to 14 bits, PFRSQRT to 15; one step of Newton and Raphson makes 24. assumed: the tables
 * behind them are not public; ours are the exact values rounded to 16 bits, and the steps are what the manual
 * defines, exact in double precision and rounded once. deviation: AMD's steps exchange a compressed format.
 */
#define RECIPROCAL_BITS 16

static uint32_t reciprocal(uint32_t x)
{
    x = flush(x);
    if ((x & ~SIGN) == 0)
        return x | LARGEST;
    return approximate_reciprocal(x, RECIPROCAL_BITS);
}

/* The low lane of the source, into both lanes. */
static void operate_pfrcp(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    a->d[0] = a->d[1] = reciprocal(b->d[0]);
}
VECTOR_OPERATION(pfrcp)

/* The magnitude counts; the sign goes to the result. */
static void operate_pfrsqrt(union lanes *a, const union lanes *b, unsigned bytes)
{
    uint32_t x = flush(b->d[0]), magnitude = x & ~SIGN;

    (void)bytes;
    a->d[0] = a->d[1] =
        (x & SIGN) | (magnitude == 0 ? LARGEST : approximate_reciprocal_root(magnitude, RECIPROCAL_BITS));
}
VECTOR_OPERATION(pfrsqrt)

#define DOUBLE_HALF UINT64_C(0x3FE0000000000000)
#define DOUBLE_ONE UINT64_C(0x3FF0000000000000)
#define DOUBLE_TWO UINT64_C(0x4000000000000000)
#define DOUBLE_THREE UINT64_C(0x4008000000000000)

/* (from - x * y) * scale. */
static uint32_t newton(uint32_t x, uint32_t y, uint64_t from, uint64_t scale)
{
    union lanes wide_x = { .q = { 0, 0 } }, wide_y = wide_x, result = { .q = { from, 0 } };

    native_cvtss2sd(NOW_MXCSR, &wide_x, &(union lanes){ .d = { x } });
    native_cvtss2sd(NOW_MXCSR, &wide_y, &(union lanes){ .d = { y } });
    native_mulsd(NOW_MXCSR, &wide_x, &wide_y);
    native_subsd(NOW_MXCSR, &result, &wide_x);
    native_mulsd(NOW_MXCSR, &result, &(union lanes){ .q = { scale, 0 } });
    native_cvtsd2ss(NOW_MXCSR, &wide_y, &result);
    return saturate(wide_y.d[0]);
}

/* 2 - a * b */
static void operate_pfrcpit1(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    for (unsigned i = 0; i < 2; i++)
        a->d[i] = newton(a->d[i], b->d[i], DOUBLE_TWO, DOUBLE_ONE);
}
VECTOR_OPERATION(pfrcpit1)

/* (3 - a * b) / 2 */
static void operate_pfrsqit1(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    for (unsigned i = 0; i < 2; i++)
        a->d[i] = newton(a->d[i], b->d[i], DOUBLE_THREE, DOUBLE_HALF);
}
VECTOR_OPERATION(pfrsqit1)

/* The second step of both: the product. */
NATIVE(pfrcpit2, native_mulps)

/* ---- Moves ----------------------------------------------------------------------------------------------------- */

static void operate_pswapd(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    *a = (union lanes){ .d = { b->d[1], b->d[0] } };
}
VECTOR_OPERATION(pswapd)
