/* SPDX-License-Identifier: MIT */
/* SSE, SSE2 and SSE3 floating-point arithmetic (APM4, by mnemonic). */
#include "sim/cpu/exec/sse_float.h"

#include <glib.h>

#include "sim/cpu/isa/semantics.h"

#define BEFORE_COMPUTATION (MXCSR_IE | MXCSR_DE | MXCSR_ZE)

/* ---- Exceptions ------------------------------------------------------------------------------------------- */

/* `value` with its exponent made that of 1; zeros (`daz`: denormals too), infinities and NaNs stay. Exact. */
static uint64_t unit_exponent(uint64_t value, unsigned exponent_bits, unsigned fraction_bits, bool daz)
{
    uint64_t fraction = value & bits_mask(fraction_bits - 1, 0), most = BIT(exponent_bits) - 1;
    uint64_t exponent = value >> fraction_bits & most, sign = value & BIT(exponent_bits + fraction_bits);

    if (exponent == most || (exponent == 0 && (daz || fraction == 0)))
        return value;
    while (exponent == 0 && !(fraction & BIT(fraction_bits)))
        fraction <<= 1;
    return sign | (most >> 1) << fraction_bits | (fraction & bits_mask(fraction_bits - 1, 0));
}

static void unit_exponents(union lanes *value, bool doubles, bool daz)
{
    for (unsigned i = 0; doubles && i < 2; i++)
        value->q[i] = unit_exponent(value->q[i], 11, 52, daz);
    for (unsigned i = 0; !doubles && i < 4; i++)
        value->d[i] = (uint32_t)unit_exponent(value->d[i], 8, 23, daz);
}

/* Both operands of a sum a little smaller, so that it does not overflow: as exact as before. */
static uint64_t quarter(uint64_t value, unsigned exponent_bits, unsigned fraction_bits)
{
    uint64_t most = BIT(exponent_bits) - 1, exponent = value >> fraction_bits & most;

    return exponent <= 2 || exponent == most ? value : value - (UINT64_C(2) << fraction_bits);
}

static void quarters(union lanes *value, bool doubles)
{
    for (unsigned i = 0; doubles && i < 2; i++)
        value->q[i] = quarter(value->q[i], 11, 52);
    for (unsigned i = 0; !doubles && i < 4; i++)
        value->d[i] = (uint32_t)quarter(value->d[i], 8, 23);
}

enum kind_of_result { RESULT_PRODUCT, RESULT_SUM };

struct scaled_operator {
    native_sse_fn *fn;
    uint8_t kind;
    bool doubles;
};

/*
 * PE beside an unmasked UE or OE: whether the result is inexact with any exponent allowed (APM4 1.3, IEEE 754
 * 7.4, 7.5). Of products, quotients and conversions the significands alone decide. `flags`: of the real run.
 */
static uint32_t unbounded_inexact(native_sse_fn *fn, uint32_t control, const union lanes *a, const union lanes *b,
                                  uint32_t flags)
{
    static const struct scaled_operator operators[] = {
        { native_mulps, RESULT_PRODUCT, false }, { native_mulss, RESULT_PRODUCT, false },
        { native_divps, RESULT_PRODUCT, false }, { native_divss, RESULT_PRODUCT, false },
        { native_mulpd, RESULT_PRODUCT, true }, { native_mulsd, RESULT_PRODUCT, true },
        { native_divpd, RESULT_PRODUCT, true }, { native_divsd, RESULT_PRODUCT, true },
        { native_cvtpd2ps, RESULT_PRODUCT, true }, { native_cvtsd2ss, RESULT_PRODUCT, true },
        { native_addps, RESULT_SUM, false }, { native_addss, RESULT_SUM, false },
        { native_subps, RESULT_SUM, false }, { native_subss, RESULT_SUM, false },
        { native_haddps, RESULT_SUM, false }, { native_hsubps, RESULT_SUM, false },
        { native_addsubps, RESULT_SUM, false }, { native_addpd, RESULT_SUM, true },
        { native_addsd, RESULT_SUM, true }, { native_subpd, RESULT_SUM, true },
        { native_subsd, RESULT_SUM, true }, { native_haddpd, RESULT_SUM, true },
        { native_hsubpd, RESULT_SUM, true }, { native_addsubpd, RESULT_SUM, true },
    };
    union lanes x = *a, y = *b;
    unsigned n = 0;

    while (n < G_N_ELEMENTS(operators) && operators[n].fn != fn)
        n++;
    if (n == G_N_ELEMENTS(operators) || (operators[n].kind == RESULT_SUM && !(flags & MXCSR_OE)))
        return flags & MXCSR_PE; /* tiny sums are exact */
    if (operators[n].kind == RESULT_SUM) {
        quarters(&x, operators[n].doubles);
        quarters(&y, operators[n].doubles);
    } else {
        unit_exponents(&x, operators[n].doubles, control & MXCSR_DAZ);
        unit_exponents(&y, operators[n].doubles, control & MXCSR_DAZ);
    }
    return fn(control, &x, &y) & MXCSR_PE;
}

/*
 * Some exception is unmasked. IE, DE and ZE of all lanes come before computation: one of them unmasked hides
 * OE, UE and PE (APM4 1.3 simultaneous SIMD exceptions). An unmasked UE needs no inexact result: FZ makes the
 * native unit report tininess alone.
 */
static enum outcome run_unmasked(struct core *core, native_sse_fn *fn, union lanes *a, const union lanes *b)
{
    uint32_t unmasked = ~(core->mxcsr & MXCSR_MASKS) >> 7 & MXCSR_FLAGS;
    uint32_t control = (core->mxcsr & 0xFFC0) | MXCSR_MASKS, flags;
    union lanes tiny = *a, before = *a;

    if (unmasked & MXCSR_UE) {
        control &= ~(uint32_t)MXCSR_FZ; /* counts only with UE masked */
        flags = fn(control | MXCSR_FZ, &tiny, b) & MXCSR_UE;
        flags |= fn(control, a, b);
    } else {
        flags = fn(control, a, b);
    }
    /* A masked one of the two in another lane means PE anyway. */
    if ((flags & unmasked & (MXCSR_UE | MXCSR_OE)) && !(flags & ~unmasked & (MXCSR_UE | MXCSR_OE)))
        flags = (flags & ~(uint32_t)MXCSR_PE) | unbounded_inexact(fn, control, &before, b, flags);
    if (flags & unmasked & BEFORE_COMPUTATION)
        flags &= BEFORE_COMPUTATION;
    core->mxcsr |= flags;
    if (!(flags & unmasked))
        return OUTCOME_NEXT;
    return core_fault(core, (core->cr4 & CR4_OSXMMEXCPT) ? EXC_XF : EXC_UD);
}

enum outcome sse_run(struct core *core, native_sse_fn *fn, union lanes *a, const union lanes *b)
{
    if ((core->mxcsr & MXCSR_MASKS) != MXCSR_MASKS)
        return run_unmasked(core, fn, a, b);
    core->mxcsr |= fn(core->mxcsr & 0xFFFF, a, b);
    return OUTCOME_NEXT;
}

/* ---- Arithmetic ------------------------------------------------------------------------------------------- */

/* Each caller gets its own copy with a direct call. With everything masked nothing can fault: in place. */
static inline __attribute__((always_inline)) enum outcome operation(struct core *core, const struct insn *insn,
                                                                    native_sse_fn *fn)
{
    union lanes *destination = &core->xmm[insn->op[0].reg], a, b;
    const union lanes *source = &b;
    enum outcome outcome = sse_ready(core);

    if (insn->op[1].kind == OPERAND_XMM)
        source = &core->xmm[insn->op[1].reg];
    else if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if ((core->mxcsr & MXCSR_MASKS) == MXCSR_MASKS) {
        core->mxcsr |= fn(core->mxcsr & 0xFFFF, destination, source);
        return OUTCOME_NEXT;
    }
    a = *destination;
    outcome = run_unmasked(core, fn, &a, source);
    if (outcome == OUTCOME_NEXT)
        *destination = a;
    return outcome;
}

#define FLOAT(name)                                                                               \
    enum outcome exec_##name(struct core *core, const struct insn *insn)                          \
    {                                                                                             \
        return operation(core, insn, native_##name);                                              \
    }

#define FLOAT_ALL(name) FLOAT(name##ps) FLOAT(name##pd) FLOAT(name##ss) FLOAT(name##sd)

FLOAT_ALL(add)
FLOAT_ALL(sub)
FLOAT_ALL(mul)
FLOAT_ALL(div)
FLOAT_ALL(min)
FLOAT_ALL(max)
FLOAT_ALL(sqrt)
FLOAT(haddps)
FLOAT(haddpd)
FLOAT(hsubps)
FLOAT(hsubpd)
FLOAT(addsubps)
FLOAT(addsubpd)
FLOAT(cvtps2pd)
FLOAT(cvtpd2ps)
FLOAT(cvtss2sd)
FLOAT(cvtsd2ss)
FLOAT(cvtdq2ps)
FLOAT(cvtps2dq)
FLOAT(cvttps2dq)
FLOAT(cvtdq2pd)
FLOAT(cvtpd2dq)
FLOAT(cvttpd2dq)

/* ---- Comparison ------------------------------------------------------------------------------------------- */

/* The predicate is in the immediate's low three bits; assumed: the others are ignored. */
#define COMPARE(type)                                                                             \
    enum outcome exec_cmp##type##_xmm(struct core *core, const struct insn *insn)                 \
    {                                                                                             \
        return operation(core, insn, native_cmp##type[insn->immediate & 7]);                      \
    }

COMPARE(ps)
COMPARE(pd)
COMPARE(ss)
COMPARE(sd)

/* OF, SF and AF become 0. */
static enum outcome compare_flags(struct core *core, const struct insn *insn, native_sse_fn *fn)
{
    enum outcome outcome = sse_ready(core);
    union lanes a, b;

    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    a = core->xmm[insn->op[0].reg];
    outcome = sse_run(core, fn, &a, &b);
    if (outcome == OUTCOME_NEXT)
        rflags_put(core, RFLAGS_ARITH, a.q[0] & (RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF));
    return outcome;
}

#define COMPARE_FLAGS(name)                                                                       \
    enum outcome exec_##name(struct core *core, const struct insn *insn)                          \
    {                                                                                             \
        return compare_flags(core, insn, native_##name);                                          \
    }

COMPARE_FLAGS(ucomiss)
COMPARE_FLAGS(ucomisd)
COMPARE_FLAGS(comiss)
COMPARE_FLAGS(comisd)
