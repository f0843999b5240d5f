/* SPDX-License-Identifier: MIT */
/* Moves of MMX and SSE registers (APM4 and APM5, by mnemonic). */
#include "sim/cpu/exec/media.h"
#include "sim/cpu/isa/semantics.h"

/* ---- Drivers ------------------------------------------------------------------------------------------- */

static enum outcome read_source(struct core *core, const struct insn *insn, union lanes *value)
{
    enum outcome outcome = media_ready(core, insn);

    return outcome == OUTCOME_NEXT ? vector_read(core, insn, 1, value) : outcome;
}

/* Whole register or all of the memory operand; the rest of a register destination becomes zero. */
static enum outcome move_whole(struct core *core, const struct insn *insn)
{
    union lanes value;
    enum outcome outcome = read_source(core, insn, &value);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (insn->op[0].kind == OPERAND_MEMORY) {
        outcome = vector_store(core, insn, insn->op[0].size, &value);
        if (outcome == OUTCOME_NEXT && insn->op[1].kind == OPERAND_MMX)
            mmx_enter(core);
        return outcome;
    }
    if (insn->op[0].kind == OPERAND_MMX || insn->op[1].kind == OPERAND_MMX)
        mmx_enter(core);
    vector_write(core, insn, 0, &value);
    return OUTCOME_NEXT;
}

/* 16 bytes, by far the most frequent. */
enum outcome exec_movaps(struct core *core, const struct insn *insn)
{
    enum outcome outcome = sse_ready(core);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (insn->op[0].kind == OPERAND_XMM)
        return vector_read(core, insn, 1, &core->xmm[insn->op[0].reg]);
    return vector_store(core, insn, 16, &core->xmm[insn->op[1].reg]);
}

/* MMX MOVQ, MOVNTx: all of the source. */
enum outcome exec_movq_mmx(struct core *core, const struct insn *insn)
{
    return move_whole(core, insn);
}

enum outcome exec_movnt(struct core *core, const struct insn *insn)
{
    return move_whole(core, insn);
}

/* ---- Scalars --------------------------------------------------------------------------------------------- */

/* Between registers the upper part is kept, from memory it becomes zero. */
static enum outcome move_scalar(struct core *core, const struct insn *insn, unsigned size)
{
    union lanes value;
    enum outcome outcome = read_source(core, insn, &value);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (insn->op[0].kind == OPERAND_MEMORY)
        return vector_store(core, insn, size, &value);
    if (insn->op[1].kind == OPERAND_MEMORY)
        core->xmm[insn->op[0].reg] = value;
    else if (size == 4)
        core->xmm[insn->op[0].reg].d[0] = value.d[0];
    else
        core->xmm[insn->op[0].reg].q[0] = value.q[0];
    return OUTCOME_NEXT;
}

enum outcome exec_movss(struct core *core, const struct insn *insn)
{
    return move_scalar(core, insn, 4);
}

enum outcome exec_movsd_xmm(struct core *core, const struct insn *insn)
{
    return move_scalar(core, insn, 8);
}

/* ---- Quadwords ------------------------------------------------------------------------------------------- */

/* XMM MOVQ: the low quadword; a register destination's upper half becomes zero. */
enum outcome exec_movq(struct core *core, const struct insn *insn)
{
    union lanes value;
    enum outcome outcome = read_source(core, insn, &value);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (insn->op[0].kind == OPERAND_MEMORY)
        return vector_store(core, insn, 8, &value);
    value.q[1] = 0;
    core->xmm[insn->op[0].reg] = value;
    return OUTCOME_NEXT;
}

/* Between a register of 4 or 8 bytes, or memory, and MMX or XMM. */
enum outcome exec_movd(struct core *core, const struct insn *insn)
{
    union lanes value;
    enum outcome outcome = media_ready(core, insn);

    if (outcome == OUTCOME_NEXT)
        outcome = vector_read(core, insn, 1, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (insn->op[0].kind == OPERAND_XMM || insn->op[0].kind == OPERAND_MMX)
        vector_write(core, insn, 0, &value);
    else
        outcome = operand_write(core, insn, 0, zero_extend(value.q[0], insn->op[0].size));
    if (outcome == OUTCOME_NEXT && (insn->op[0].kind == OPERAND_MMX || insn->op[1].kind == OPERAND_MMX))
        mmx_enter(core);
    return outcome;
}

/* One half of a register from or to memory, or from a half of another register. */
static enum outcome move_half(struct core *core, const struct insn *insn, unsigned to, unsigned from)
{
    union lanes value;
    enum outcome outcome = read_source(core, insn, &value);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (insn->op[0].kind == OPERAND_MEMORY)
        return vector_store(core, insn, 8, &(union lanes){ .q = { value.q[from], 0 } });
    core->xmm[insn->op[0].reg].q[to] = value.q[from];
    return OUTCOME_NEXT;
}

enum outcome exec_movlps(struct core *core, const struct insn *insn)
{
    return move_half(core, insn, 0, 0);
}

/* Memory to the high half, or the high half to memory. */
enum outcome exec_movhps(struct core *core, const struct insn *insn)
{
    return insn->op[0].kind == OPERAND_MEMORY ? move_half(core, insn, 0, 1) : move_half(core, insn, 1, 0);
}

enum outcome exec_movhlps(struct core *core, const struct insn *insn)
{
    return move_half(core, insn, 0, 1);
}

enum outcome exec_movlhps(struct core *core, const struct insn *insn)
{
    return move_half(core, insn, 1, 0);
}

enum outcome exec_movq2dq(struct core *core, const struct insn *insn)
{
    return move_whole(core, insn);
}

enum outcome exec_movdq2q(struct core *core, const struct insn *insn)
{
    return move_whole(core, insn);
}

/* ---- SSE3: duplicates ------------------------------------------------------------------------------------- */

static enum outcome move_duplicate(struct core *core, const struct insn *insn, const uint8_t lane[4])
{
    union lanes value;
    enum outcome outcome = read_source(core, insn, &value);

    if (outcome == OUTCOME_NEXT)
        for (unsigned i = 0; i < 4; i++)
            core->xmm[insn->op[0].reg].d[i] = value.d[lane[i]];
    return outcome;
}

enum outcome exec_movddup(struct core *core, const struct insn *insn)
{
    static const uint8_t lanes[4] = { 0, 1, 0, 1 };

    return move_duplicate(core, insn, lanes);
}

enum outcome exec_movsldup(struct core *core, const struct insn *insn)
{
    static const uint8_t lanes[4] = { 0, 0, 2, 2 };

    return move_duplicate(core, insn, lanes);
}

enum outcome exec_movshdup(struct core *core, const struct insn *insn)
{
    static const uint8_t lanes[4] = { 1, 1, 3, 3 };

    return move_duplicate(core, insn, lanes);
}

/* ---- Bytes by mask, to DS:rDI ------------------------------------------------------------------------------ */

/*
 * Bytes whose mask byte has its sign set. assumed: the whole operand is checked and translated for writing,
 * a mask of zeros too, as APM4 MASKMOVDQU allows.
 */
static enum outcome mask_move(struct core *core, const struct insn *insn, unsigned size)
{
    union lanes value, mask, memory;
    enum outcome outcome = media_ready(core, insn);
    struct mem_ref ref;

    if (outcome == OUTCOME_NEXT)
        outcome = memory_probe_bytes(core, insn->segment, zero_extend(core->gpr[RDI], insn->address_size), size, 1,
                                     MMU_WRITE, &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    vector_read(core, insn, 0, &value);
    vector_read(core, insn, 1, &mask);
    ref_load_bytes(core, &ref, &memory);
    for (unsigned i = 0; i < size; i++)
        if (mask.b[i] & 0x80)
            memory.b[i] = value.b[i];
    ref_store_bytes(core, &ref, &memory);
    if (size == 8)
        mmx_enter(core);
    return OUTCOME_NEXT;
}

enum outcome exec_maskmovdqu(struct core *core, const struct insn *insn)
{
    return mask_move(core, insn, 16);
}

enum outcome exec_maskmovq(struct core *core, const struct insn *insn)
{
    return mask_move(core, insn, 8);
}
