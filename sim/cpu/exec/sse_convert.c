/* SPDX-License-Identifier: MIT */
/* Conversions between XMM and general or MMX registers (APM4, by mnemonic). */
#include "sim/cpu/exec/sse_float.h"

#include "sim/cpu/isa/semantics.h"

/* ---- General registers ------------------------------------------------------------------------------------- */

static enum outcome from_integer(struct core *core, const struct insn *insn, native_sse_fn *fn)
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

enum outcome exec_cvtsi2ss(struct core *core, const struct insn *insn)
{
    return from_integer(core, insn, insn->op[1].size == 8 ? native_cvtsi2ss_64 : native_cvtsi2ss);
}

enum outcome exec_cvtsi2sd(struct core *core, const struct insn *insn)
{
    return from_integer(core, insn, insn->op[1].size == 8 ? native_cvtsi2sd_64 : native_cvtsi2sd);
}

static enum outcome to_integer(struct core *core, const struct insn *insn, native_sse_fn *fn)
{
    enum outcome outcome = sse_ready(core);
    union lanes a, b;

    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    a = b;
    outcome = sse_run(core, fn, &a, &b);
    return outcome == OUTCOME_NEXT ? operand_write(core, insn, 0, zero_extend(a.q[0], insn->op[0].size)) : outcome;
}

#define TO_INTEGER(name)                                                                          \
    enum outcome exec_##name(struct core *core, const struct insn *insn)                          \
    {                                                                                             \
        return to_integer(core, insn, insn->op[0].size == 8 ? native_##name##_64 : native_##name); \
    }

TO_INTEGER(cvtss2si)
TO_INTEGER(cvtsd2si)
TO_INTEGER(cvttss2si)
TO_INTEGER(cvttsd2si)

/* ---- MMX registers ------------------------------------------------------------------------------------------- */

/*
 * Two integers from an MMX register, or memory: that leaves x87 state alone. The native forms with XMM sources do
 * the same work.
 */
static enum outcome from_mmx(struct core *core, const struct insn *insn, native_sse_fn *fn, bool keep_upper)
{
    union lanes *destination = &core->xmm[insn->op[0].reg], a, b;
    enum outcome outcome = sse_ready(core);

    if (outcome == OUTCOME_NEXT && insn->op[1].kind == OPERAND_MMX)
        outcome = mmx_ready(core);
    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    a = *destination;
    outcome = sse_run(core, fn, &a, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (keep_upper)
        a.q[1] = destination->q[1];
    *destination = a;
    if (insn->op[1].kind == OPERAND_MMX)
        mmx_enter(core);
    return OUTCOME_NEXT;
}

enum outcome exec_cvtpi2ps(struct core *core, const struct insn *insn)
{
    return from_mmx(core, insn, native_cvtdq2ps, true);
}

enum outcome exec_cvtpi2pd(struct core *core, const struct insn *insn)
{
    return from_mmx(core, insn, native_cvtdq2pd, false);
}

/* To an MMX register. The upper lanes of a quadword source are zero and raise nothing. */
static enum outcome to_mmx(struct core *core, const struct insn *insn, native_sse_fn *fn)
{
    enum outcome outcome = media_ready(core, insn);
    union lanes a, b;

    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (insn->op[1].size == 8)
        b.q[1] = 0;
    a = b;
    outcome = sse_run(core, fn, &a, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    mmx_enter(core);
    mmx_write(core, insn->op[0].reg, a.q[0]);
    return OUTCOME_NEXT;
}

enum outcome exec_cvtps2pi(struct core *core, const struct insn *insn)
{
    return to_mmx(core, insn, native_cvtps2dq);
}

enum outcome exec_cvttps2pi(struct core *core, const struct insn *insn)
{
    return to_mmx(core, insn, native_cvttps2dq);
}

enum outcome exec_cvtpd2pi(struct core *core, const struct insn *insn)
{
    return to_mmx(core, insn, native_cvtpd2dq);
}

enum outcome exec_cvttpd2pi(struct core *core, const struct insn *insn)
{
    return to_mmx(core, insn, native_cvttpd2dq);
}
