/* SPDX-License-Identifier: MIT */
/* Packed integers of MMX and SSE2: arithmetic, logic, comparison (APM5 and APM4, by mnemonic). */
#include "sim/cpu/exec/media.h"
#include "sim/cpu/isa/semantics.h"

/* a.lane[i] = EXPRESSION of x = a.lane[i], y = b.lane[i], for lanes of `bits`, as signed or unsigned numbers. */
#define LANES(name, member, count, type, expression)                                              \
    static void operate_##name(union lanes *a, const union lanes *b, unsigned bytes)            \
    {                                                                                             \
        (void)bytes;                                                                              \
        for (unsigned i = 0; i < (count); i++) {                                                  \
            type x = (type)a->member[i], y = (type)b->member[i];                                  \
                                                                                                  \
            a->member[i] = (__typeof__(a->member[i]))(expression);                                \
        }                                                                                         \
    }                                                                                             \
    VECTOR_OPERATION(name)

static inline int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* ---- Addition and subtraction ------------------------------------------------------------------------- */

LANES(paddb, b, 16, uint8_t, x + y)
LANES(paddw, w, 8, uint16_t, x + y)
LANES(paddd, d, 4, uint32_t, x + y)
LANES(paddq, q, 2, uint64_t, x + y)
LANES(psubb, b, 16, uint8_t, x - y)
LANES(psubw, w, 8, uint16_t, x - y)
LANES(psubd, d, 4, uint32_t, x - y)
LANES(psubq, q, 2, uint64_t, x - y)
LANES(paddsb, b, 16, int8_t, clamp(x + y, INT8_MIN, INT8_MAX))
LANES(paddsw, w, 8, int16_t, clamp(x + y, INT16_MIN, INT16_MAX))
LANES(paddusb, b, 16, uint8_t, clamp(x + y, 0, UINT8_MAX))
LANES(paddusw, w, 8, uint16_t, clamp(x + y, 0, UINT16_MAX))
LANES(psubsb, b, 16, int8_t, clamp(x - y, INT8_MIN, INT8_MAX))
LANES(psubsw, w, 8, int16_t, clamp(x - y, INT16_MIN, INT16_MAX))
LANES(psubusb, b, 16, uint8_t, clamp(x - y, 0, UINT8_MAX))
LANES(psubusw, w, 8, uint16_t, clamp(x - y, 0, UINT16_MAX))
LANES(pavgb, b, 16, uint8_t, (x + y + 1) >> 1)
LANES(pavgw, w, 8, uint16_t, (x + y + 1) >> 1)
LANES(pavgusb, b, 16, uint8_t, (x + y + 1) >> 1)

/* ---- Multiplication ---------------------------------------------------------------------------------------- */

LANES(pmullw, w, 8, int16_t, x * y)
LANES(pmulhw, w, 8, int16_t, (x * y) >> 16)
LANES(pmulhuw, w, 8, uint16_t, ((uint32_t)x * y) >> 16)
LANES(pmulhrw, w, 8, int16_t, (x * y + 0x8000) >> 16)
LANES(pmuludq, q, 2, uint64_t, (uint64_t)(uint32_t)x * (uint32_t)y)
LANES(pmaddwd, d, 4, uint32_t,
      (uint32_t)((int16_t)x * (int16_t)y) + (uint32_t)((int16_t)(x >> 16) * (int16_t)(y >> 16)))

/* ---- Logic -------------------------------------------------------------------------------------------------- */

LANES(pand, q, 2, uint64_t, x & y)
LANES(pandn, q, 2, uint64_t, ~x & y)
LANES(por, q, 2, uint64_t, x | y)
LANES(pxor, q, 2, uint64_t, x ^ y)

/* ---- Comparison ----------------------------------------------------------------------------------------------- */

LANES(pcmpeqb, b, 16, uint8_t, x == y ? -1 : 0)
LANES(pcmpeqw, w, 8, uint16_t, x == y ? -1 : 0)
LANES(pcmpeqd, d, 4, uint32_t, x == y ? -1 : 0)
LANES(pcmpgtb, b, 16, int8_t, x > y ? -1 : 0)
LANES(pcmpgtw, w, 8, int16_t, x > y ? -1 : 0)
LANES(pcmpgtd, d, 4, int32_t, x > y ? -1 : 0)
LANES(pminub, b, 16, uint8_t, x < y ? x : y)
LANES(pmaxub, b, 16, uint8_t, x > y ? x : y)
LANES(pminsw, w, 8, int16_t, x < y ? x : y)
LANES(pmaxsw, w, 8, int16_t, x > y ? x : y)

/* Sum of absolute differences of each eight bytes. */
static void operate_psadbw(union lanes *a, const union lanes *b, unsigned bytes)
{
    (void)bytes;
    for (unsigned half = 0; half < 2; half++) {
        uint64_t sum = 0;

        for (unsigned i = 8 * half; i < 8 * half + 8; i++)
            sum += a->b[i] > b->b[i] ? a->b[i] - b->b[i] : b->b[i] - a->b[i];
        a->q[half] = sum;
    }
}
VECTOR_OPERATION(psadbw)

/* ---- Shifts: one count for all lanes, by the low quadword of the source (APM4 PSLLW ...) ------------------- */

#define SHIFT(name, member, count, type, expression, beyond)                                      \
    static void operate_##name(union lanes *a, const union lanes *b, unsigned bytes)            \
    {                                                                                             \
        uint64_t n = b->q[0], width = 8 * sizeof(type);                                           \
                                                                                                  \
        (void)bytes;                                                                              \
        for (unsigned i = 0; i < (count); i++) {                                                  \
            type x = (type)a->member[i];                                                          \
                                                                                                  \
            a->member[i] = (__typeof__(a->member[i]))(n < width ? (expression) : (beyond));       \
        }                                                                                         \
    }                                                                                             \
    VECTOR_OPERATION(name)

SHIFT(psllw, w, 8, uint16_t, x << n, 0)
SHIFT(pslld, d, 4, uint32_t, x << n, 0)
SHIFT(psllq, q, 2, uint64_t, x << n, 0)
SHIFT(psrlw, w, 8, uint16_t, x >> n, 0)
SHIFT(psrld, d, 4, uint32_t, x >> n, 0)
SHIFT(psrlq, q, 2, uint64_t, x >> n, 0)
SHIFT(psraw, w, 8, int16_t, x >> n, x >> 15)
SHIFT(psrad, d, 4, int32_t, x >> n, x >> 31)

/* Whole register, by bytes. */
static void operate_pslldq(union lanes *a, const union lanes *b, unsigned bytes)
{
    union lanes result = { .q = { 0, 0 } };

    for (unsigned i = (unsigned)b->q[0] & 0xFF; i < bytes; i++)
        result.b[i] = a->b[i - (b->q[0] & 0xFF)];
    *a = result;
}
VECTOR_OPERATION(pslldq)

static void operate_psrldq(union lanes *a, const union lanes *b, unsigned bytes)
{
    union lanes result = { .q = { 0, 0 } };

    for (unsigned i = (unsigned)b->q[0] & 0xFF; i < bytes; i++)
        result.b[i - (b->q[0] & 0xFF)] = a->b[i];
    *a = result;
}
VECTOR_OPERATION(psrldq)
