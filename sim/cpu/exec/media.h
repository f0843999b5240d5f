/* SPDX-License-Identifier: MIT */
/* What MMX, 3DNow! and SSE instructions share: availability, registers, operands, MXCSR exceptions. */
#ifndef FAM10H_CPU_EXEC_MEDIA_H
#define FAM10H_CPU_EXEC_MEDIA_H

#include "sim/cpu/exec/operand.h"

#define MXCSR_FLAGS bits_mask(5, 0) /* IE DE ZE OE UE PE: as in the x87 status word */
#define MXCSR_IE BIT(0)
#define MXCSR_DE BIT(1)
#define MXCSR_ZE BIT(2)
#define MXCSR_OE BIT(3)
#define MXCSR_UE BIT(4)
#define MXCSR_PE BIT(5)
#define MXCSR_DAZ BIT(6)
#define MXCSR_MASKS bits_mask(12, 7)
#define MXCSR_UM BIT(11)
#define MXCSR_RC 14, 13
#define MXCSR_FZ BIT(15)
#define MXCSR_MM BIT(17) /* misaligned SSE mode */

/* Family 0Fh has neither SSE4a nor misaligned SSE mode. */
static inline uint32_t mxcsr_implemented(const struct core *core)
{
    return core->model->absent >> ISA_FEATURE_SSE4A & 1 ? 0xFFFF : 0x2FFFF;
}

/* ---- Availability (APM2 table 8-8, APM4 1.2, APM5 1.2) ---------------------------------------------- */

/* Slow halves: the fault, or OUTCOME_NEXT. */
enum outcome sse_refusal(struct core *core);
enum outcome mmx_refusal(struct core *core);

/* CR0.EM or not CR4.OSFXSR: #UD. CR0.TS: #NM. */
static inline enum outcome sse_ready(struct core *core)
{
    if ((core->cr0 & (CR0_EM | CR0_TS)) == 0 && (core->cr4 & CR4_OSFXSR))
        return OUTCOME_NEXT;
    return sse_refusal(core);
}

/* CR0.EM: #UD. CR0.TS: #NM. A pending x87 exception: #MF. */
enum outcome mmx_ready(struct core *core);

/* By the registers that the instruction names. */
static inline enum outcome media_ready(struct core *core, const struct insn *insn)
{
    enum outcome outcome = OUTCOME_NEXT;

    if (insn->row->feature == ISA_FEATURE_MMX || insn->op[0].kind == OPERAND_MMX || insn->op[1].kind == OPERAND_MMX) {
        if (insn->op[0].kind == OPERAND_XMM || insn->op[1].kind == OPERAND_XMM)
            outcome = sse_ready(core);
        return outcome == OUTCOME_NEXT ? mmx_ready(core) : outcome;
    }
    return sse_ready(core);
}

/* ---- Registers ------------------------------------------------------------------------------------------ */

static inline uint64_t mmx_read(const struct core *core, unsigned reg)
{
    return core->x87.reg[reg].significand;
}

/* APM5 1.7: every MMX instruction leaves TOP 0 and, but for EMMS, no register empty. */
static inline void mmx_enter(struct core *core)
{
    core->x87.status &= (uint16_t)~bits_mask(13, 11);
    core->x87.full = 0xFF;
}

/* A written register gets sign and exponent of all ones. */
static inline void mmx_write(struct core *core, unsigned reg, uint64_t value)
{
    core->x87.reg[reg] = (struct x87_register){ value, 0xFFFF };
}

/* ---- Operands ------------------------------------------------------------------------------------------- */

/* The memory operand, up to 16 bytes, upper bytes zero. 16 bytes: #GP by A_ALIGNED, A_UNALIGNED and MXCSR.MM. */
enum outcome vector_load(struct core *core, const struct insn *insn, unsigned size, union lanes *value);
enum outcome vector_store(struct core *core, const struct insn *insn, unsigned size, const union lanes *value);

/* Any source: MMX or XMM register (whole), memory, general register, immediate. */
static inline enum outcome vector_read(struct core *core, const struct insn *insn, unsigned n, union lanes *value)
{
    const struct operand *operand = &insn->op[n];

    switch (operand->kind) {
    case OPERAND_XMM:
        *value = core->xmm[operand->reg];
        return OUTCOME_NEXT;
    case OPERAND_MMX:
        *value = (union lanes){ .q = { mmx_read(core, operand->reg), 0 } };
        return OUTCOME_NEXT;
    case OPERAND_MEMORY:
        return vector_load(core, insn, operand->size, value);
    default:
        value->q[1] = 0;
        return operand_read(core, insn, n, &value->q[0]);
    }
}

/* To a whole register of either kind. */
static inline void vector_write(struct core *core, const struct insn *insn, unsigned n, const union lanes *value)
{
    if (insn->op[n].kind == OPERAND_XMM) {
        core->xmm[insn->op[n].reg] = *value;
        return;
    }
    mmx_write(core, insn->op[n].reg, value->q[0]);
}

/* Bytes of operand n's register. */
static inline unsigned vector_bytes(const struct insn *insn, unsigned n)
{
    return insn->op[n].kind == OPERAND_MMX ? 8 : 16;
}

/* A pure operator on vectors of `bytes` (8 or 16): a becomes a op b. It may read and write all 16. */
typedef void vector_fn(union lanes *a, const union lanes *b, unsigned bytes);

/* op0 becomes op0 `fn` op1, with guards, MMX or XMM. */
enum outcome vector_operation(struct core *core, const struct insn *insn, vector_fn *fn);

/* Semantics exec_NAME by the operator operate_NAME. */
#define VECTOR_OPERATION(name)                                                                    \
    enum outcome exec_##name(struct core *core, const struct insn *insn)                          \
    {                                                                                             \
        return vector_operation(core, insn, operate_##name);                                      \
    }

#endif
