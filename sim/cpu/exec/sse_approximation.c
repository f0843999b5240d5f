/* SPDX-License-Identifier: MIT */
/*
 * RCPPS, RCPSS, RSQRTPS, RSQRTSS (APM4): relative error at most 1.5 * 2^-12, no exceptions, denormals are
 * zeros. assumed: AMD's tables are not public; ours are the exact values rounded to twelve bits.
 */
#include "sim/cpu/exec/approximation.h"
#include "sim/cpu/exec/media.h"
#include "sim/cpu/isa/semantics.h"

#define ACCURACY 12
#define SIGN UINT32_C(0x80000000)
#define INFINITY_32 UINT32_C(0x7F800000)
#define INDEFINITE_32 UINT32_C(0xFFC00000)
#define QUIET UINT32_C(0x00400000)

static bool is_nan(uint32_t x)
{
    return (x & ~SIGN) > INFINITY_32;
}

static bool is_zero_or_denormal(uint32_t x)
{
    return (x & INFINITY_32) == 0;
}

static uint32_t reciprocal(uint32_t x)
{
    if (is_nan(x))
        return x | QUIET;
    if (is_zero_or_denormal(x))
        return (x & SIGN) | INFINITY_32;
    if ((x & ~SIGN) == INFINITY_32)
        return x & SIGN;
    return approximate_reciprocal(x, ACCURACY);
}

static uint32_t reciprocal_root(uint32_t x)
{
    if (is_nan(x))
        return x | QUIET;
    if (is_zero_or_denormal(x))
        return (x & SIGN) | INFINITY_32;
    if (x & SIGN)
        return INDEFINITE_32;
    return x == INFINITY_32 ? 0 : approximate_reciprocal_root(x, ACCURACY);
}

static enum outcome approximate(struct core *core, const struct insn *insn, uint32_t (*fn)(uint32_t), unsigned count)
{
    enum outcome outcome = sse_ready(core);
    union lanes b;

    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome == OUTCOME_NEXT)
        for (unsigned i = 0; i < count; i++)
            core->xmm[insn->op[0].reg].d[i] = fn(b.d[i]);
    return outcome;
}

enum outcome exec_rcpps(struct core *core, const struct insn *insn)
{
    return approximate(core, insn, reciprocal, 4);
}

enum outcome exec_rcpss(struct core *core, const struct insn *insn)
{
    return approximate(core, insn, reciprocal, 1);
}

enum outcome exec_rsqrtps(struct core *core, const struct insn *insn)
{
    return approximate(core, insn, reciprocal_root, 4);
}

enum outcome exec_rsqrtss(struct core *core, const struct insn *insn)
{
    return approximate(core, insn, reciprocal_root, 1);
}
