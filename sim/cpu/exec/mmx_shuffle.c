/* SPDX-License-Identifier: MIT */
/* Packing, unpacking and shuffling of MMX and SSE lanes (APM4 and APM5, by mnemonic). */
#include "sim/cpu/exec/media.h"
#include "sim/cpu/isa/semantics.h"

/* ---- Unpack: lanes of a and b in turn, from the low or the high half ------------------------------------- */

#define UNPACK(name, member, lane, high)                                                          \
    static void operate_##name(union lanes *a, const union lanes *b, unsigned bytes)            \
    {                                                                                             \
        unsigned half = bytes / (lane) / 2, from = (high) ? half : 0;                             \
        union lanes result = *a;                                                                 \
                                                                                                  \
        for (unsigned i = 0; i < half; i++) {                                                     \
            result.member[2 * i] = a->member[from + i];                                           \
            result.member[2 * i + 1] = b->member[from + i];                                       \
        }                                                                                         \
        *a = result;                                                                              \
    }                                                                                             \
    VECTOR_OPERATION(name)

UNPACK(punpcklbw, b, 1, false)
UNPACK(punpcklwd, w, 2, false)
UNPACK(punpckldq, d, 4, false)
UNPACK(punpcklqdq, q, 8, false)
UNPACK(punpckhbw, b, 1, true)
UNPACK(punpckhwd, w, 2, true)
UNPACK(punpckhdq, d, 4, true)
UNPACK(punpckhqdq, q, 8, true)
UNPACK(unpcklps, d, 4, false)
UNPACK(unpckhps, d, 4, true)
UNPACK(unpcklpd, q, 8, false)
UNPACK(unpckhpd, q, 8, true)

/* ---- Pack with saturation: a's lanes below, b's above ------------------------------------------------------ */

#define PACK(name, from, from_type, to, to_size, low, high)                                       \
    static void operate_##name(union lanes *a, const union lanes *b, unsigned bytes)            \
    {                                                                                             \
        unsigned half = bytes / (to_size) / 2;                                                    \
        union lanes result = *a;                                                                 \
                                                                                                  \
        for (unsigned i = 0; i < 2 * half; i++) {                                                 \
            from_type x = (from_type)(i < half ? a->from[i] : b->from[i - half]);                 \
                                                                                                  \
            result.to[i] = (__typeof__(result.to[i]))(x < (low) ? (low) : x > (high) ? (high) : x); \
        }                                                                                         \
        *a = result;                                                                              \
    }                                                                                             \
    VECTOR_OPERATION(name)

PACK(packsswb, w, int16_t, b, 1, INT8_MIN, INT8_MAX)
PACK(packuswb, w, int16_t, b, 1, 0, UINT8_MAX)
PACK(packssdw, d, int32_t, w, 2, INT16_MIN, INT16_MAX)

/* ---- Shuffle: op0 becomes lanes of op1, chosen by two bits each of the immediate ------------------------- */

typedef void shuffle_fn(union lanes *a, const union lanes *b, unsigned immediate);

static enum outcome shuffle(struct core *core, const struct insn *insn, shuffle_fn *fn)
{
    enum outcome outcome = media_ready(core, insn);
    union lanes a, b;

    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    vector_read(core, insn, 0, &a);
    fn(&a, &b, (unsigned)insn->immediate);
    if (insn->op[0].kind == OPERAND_MMX)
        mmx_enter(core);
    vector_write(core, insn, 0, &a);
    return OUTCOME_NEXT;
}

#define SHUFFLE(name)                                                                             \
    enum outcome exec_##name(struct core *core, const struct insn *insn)                          \
    {                                                                                             \
        return shuffle(core, insn, shuffle_##name);                                               \
    }

static void shuffle_words(union lanes *a, const union lanes *b, unsigned first, unsigned immediate)
{
    for (unsigned i = 0; i < 4; i++)
        a->w[first + i] = b->w[first + (immediate >> 2 * i & 3)];
}

static void shuffle_pshufw(union lanes *a, const union lanes *b, unsigned immediate)
{
    shuffle_words(a, b, 0, immediate);
}
SHUFFLE(pshufw)

static void shuffle_pshuflw(union lanes *a, const union lanes *b, unsigned immediate)
{
    a->q[1] = b->q[1];
    shuffle_words(a, b, 0, immediate);
}
SHUFFLE(pshuflw)

static void shuffle_pshufhw(union lanes *a, const union lanes *b, unsigned immediate)
{
    a->q[0] = b->q[0];
    shuffle_words(a, b, 4, immediate);
}
SHUFFLE(pshufhw)

static void shuffle_pshufd(union lanes *a, const union lanes *b, unsigned immediate)
{
    for (unsigned i = 0; i < 4; i++)
        a->d[i] = b->d[immediate >> 2 * i & 3];
}
SHUFFLE(pshufd)

/* Two lanes of the destination, then two of the source. */
static void shuffle_shufps(union lanes *a, const union lanes *b, unsigned immediate)
{
    union lanes from = *a;

    for (unsigned i = 0; i < 4; i++)
        a->d[i] = (i < 2 ? &from : b)->d[immediate >> 2 * i & 3];
}
SHUFFLE(shufps)

static void shuffle_shufpd(union lanes *a, const union lanes *b, unsigned immediate)
{
    a->q[0] = a->q[immediate & 1];
    a->q[1] = b->q[immediate >> 1 & 1];
}
SHUFFLE(shufpd)

/* ---- One word -------------------------------------------------------------------------------------------------- */

static void shuffle_pinsrw(union lanes *a, const union lanes *b, unsigned immediate)
{
    a->w[immediate] = b->w[0];
}

enum outcome exec_pinsrw(struct core *core, const struct insn *insn)
{
    struct insn masked = *insn;

    masked.immediate &= vector_bytes(insn, 0) / 2 - 1;
    return shuffle(core, &masked, shuffle_pinsrw);
}

enum outcome exec_pextrw(struct core *core, const struct insn *insn)
{
    enum outcome outcome = media_ready(core, insn);
    union lanes b;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    vector_read(core, insn, 1, &b);
    if (insn->op[1].kind == OPERAND_MMX)
        mmx_enter(core);
    return operand_write(core, insn, 0, b.w[insn->immediate & (vector_bytes(insn, 1) / 2 - 1)]);
}

/* ---- Sign bits to a general register ------------------------------------------------------------------------- */

static enum outcome sign_mask(struct core *core, const struct insn *insn, unsigned lane)
{
    enum outcome outcome = media_ready(core, insn);
    unsigned mask = 0;
    union lanes b;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    vector_read(core, insn, 1, &b);
    if (insn->op[1].kind == OPERAND_MMX)
        mmx_enter(core);
    for (unsigned i = 0; i < vector_bytes(insn, 1) / lane; i++)
        mask |= (unsigned)(b.b[lane * (i + 1) - 1] >> 7) << i;
    return operand_write(core, insn, 0, mask);
}

enum outcome exec_pmovmskb(struct core *core, const struct insn *insn)
{
    return sign_mask(core, insn, 1);
}

enum outcome exec_movmskps(struct core *core, const struct insn *insn)
{
    return sign_mask(core, insn, 4);
}

enum outcome exec_movmskpd(struct core *core, const struct insn *insn)
{
    return sign_mask(core, insn, 8);
}
