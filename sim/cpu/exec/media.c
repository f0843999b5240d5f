/* SPDX-License-Identifier: MIT */
/* Availability and operands of MMX, 3DNow! and SSE instructions. */
#include "sim/cpu/exec/media.h"

#include "sim/cpu/exec/x87.h"
#include "sim/cpu/isa/semantics.h"

/* ---- Availability ------------------------------------------------------------------------------------- */

enum outcome sse_refusal(struct core *core)
{
    if ((core->cr0 & CR0_EM) || !(core->cr4 & CR4_OSFXSR))
        return core_fault(core, EXC_UD);
    return (core->cr0 & CR0_TS) ? core_fault(core, EXC_NM) : OUTCOME_NEXT;
}

enum outcome mmx_refusal(struct core *core)
{
    if (core->cr0 & CR0_EM)
        return core_fault(core, EXC_UD);
    if (core->cr0 & CR0_TS)
        return core_fault(core, EXC_NM);
    return x87_pending(core);
}

enum outcome mmx_ready(struct core *core)
{
    if ((core->cr0 & (CR0_EM | CR0_TS)) == 0 && !(core->x87.status & X87_ES))
        return OUTCOME_NEXT;
    return mmx_refusal(core);
}

/* ---- Operands ------------------------------------------------------------------------------------------- */

static bool must_be_aligned(const struct core *core, const struct insn *insn)
{
    if (insn->row->attributes & A_UNALIGNED)
        return false;
    return (insn->row->attributes & A_ALIGNED) || !(core->mxcsr & MXCSR_MM);
}

enum outcome vector_load(struct core *core, const struct insn *insn, unsigned size, union lanes *value)
{
    uint64_t offset = operand_offset(core, insn);

    if (size == 16)
        return memory_read_wide(core, insn->segment, offset, must_be_aligned(core, insn), value);
    value->q[1] = 0;
    return memory_read(core, insn->segment, offset, size, &value->q[0]);
}

enum outcome vector_store(struct core *core, const struct insn *insn, unsigned size, const union lanes *value)
{
    uint64_t offset = operand_offset(core, insn);

    if (size == 16)
        return memory_write_wide(core, insn->segment, offset, must_be_aligned(core, insn), value);
    return memory_write(core, insn->segment, offset, size, zero_extend(value->q[0], size));
}

enum outcome vector_operation(struct core *core, const struct insn *insn, vector_fn *fn)
{
    enum outcome outcome = media_ready(core, insn);
    union lanes a, b;

    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (insn->op[0].kind == OPERAND_XMM) {
        fn(&core->xmm[insn->op[0].reg], &b, 16);
        return OUTCOME_NEXT;
    }
    a = (union lanes){ .q = { mmx_read(core, insn->op[0].reg), 0 } };
    fn(&a, &b, 8);
    mmx_enter(core);
    mmx_write(core, insn->op[0].reg, a.q[0]);
    return OUTCOME_NEXT;
}

enum outcome exec_emms(struct core *core, const struct insn *insn)
{
    enum outcome outcome = mmx_ready(core);

    (void)insn;
    if (outcome != OUTCOME_NEXT)
        return outcome;
    mmx_enter(core);
    core->x87.full = 0;
    return OUTCOME_NEXT;
}
