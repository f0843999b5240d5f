/* SPDX-License-Identifier: MIT */
/* SSE, SSE2 and SSE3 floating-point arithmetic (APM4, by mnemonic). */
#include "sim/cpu/exec/sse_float.h"

#include "sim/cpu/isa/semantics.h"

#define BEFORE_COMPUTATION (MXCSR_IE | MXCSR_DE | MXCSR_ZE)

/* ---- Exceptions ------------------------------------------------------------------------------------------- */

/*
 * Some exception is unmasked. IE, DE and ZE of all lanes come before computation: one of them unmasked hides
 * OE, UE and PE (APM4 1.3 simultaneous SIMD exceptions). An unmasked UE needs no inexact result: FZ makes the
 * native unit report tininess alone.
 */
static enum outcome run_unmasked(struct core *core, native_sse_fn *fn, union lanes *a, const union lanes *b)
{
    uint32_t unmasked = ~(core->mxcsr & MXCSR_MASKS) >> 7 & MXCSR_FLAGS;
    uint32_t control = (core->mxcsr & 0xFFC0) | MXCSR_MASKS, flags;
    union lanes tiny = *a;

    if (unmasked & MXCSR_UE) {
        control &= ~(uint32_t)MXCSR_FZ; /* counts only with UE masked */
        flags = fn(control | MXCSR_FZ, &tiny, b) & MXCSR_UE;
        flags |= fn(control, a, b);
    } else {
        flags = fn(control, a, b);
    }
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
    core->mxcsr |= fn(core->mxcsr & 0xFFC0, a, b);
    return OUTCOME_NEXT;
}

/* ---- Arithmetic ------------------------------------------------------------------------------------------- */

static enum outcome operation(struct core *core, const struct insn *insn, native_sse_fn *fn)
{
    union lanes *destination = &core->xmm[insn->op[0].reg], a, b;
    enum outcome outcome = sse_ready(core);

    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    a = *destination;
    outcome = sse_run(core, fn, &a, &b);
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
