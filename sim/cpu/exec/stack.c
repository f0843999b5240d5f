/* SPDX-License-Identifier: MIT */
/* PUSH, POP and their families, procedure frames. */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

/* Immediates and registers; PUSH rSP pushes the old value. */
enum outcome exec_push(struct core *core, const struct insn *insn)
{
    enum outcome outcome;
    uint64_t value;

    outcome = operand_read(core, insn, 0, &value);
    return outcome == OUTCOME_NEXT ? stack_push(core, insn->operand_size, value) : outcome;
}

/*
 * The pop comes first: POP rSP ends with the value read, and a memory operand based on rSP is addressed
 * with the incremented register (APM3 POP). A fault of the store takes the increment back.
 */
enum outcome exec_pop(struct core *core, const struct insn *insn)
{
    uint64_t old = core->gpr[RSP], value;
    enum outcome outcome;

    outcome = stack_peek(core, 0, insn->operand_size, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    stack_adjust(core, insn->operand_size);
    outcome = operand_write(core, insn, 0, value);
    if (outcome != OUTCOME_NEXT)
        core->gpr[RSP] = old;
    return outcome;
}

/* Every one of the eight stores is checked before the first is made. */
enum outcome exec_pusha(struct core *core, const struct insn *insn)
{
    unsigned size = insn->operand_size;
    struct mem_ref ref[8];

    for (unsigned n = 0; n < 8; n++) {
        enum outcome outcome = stack_probe(core, (n + 1) * size, size, &ref[n]);

        if (outcome != OUTCOME_NEXT)
            return outcome;
    }
    for (unsigned n = 0; n < 8; n++)
        ref_store(core, &ref[n], gpr_read(core, n, size, false));
    stack_adjust(core, -(int64_t)(8 * size));
    return OUTCOME_NEXT;
}

/* The slot of rSP is read by nobody: it is skipped (APM3 POPA), so that seven loads are made. */
enum outcome exec_popa(struct core *core, const struct insn *insn)
{
    unsigned size = insn->operand_size;
    uint64_t value[8];

    for (unsigned n = 0; n < 8; n++) {
        enum outcome outcome = n == 3 ? OUTCOME_NEXT : stack_peek(core, n * size, size, &value[7 - n]);

        if (outcome != OUTCOME_NEXT)
            return outcome;
    }
    for (unsigned n = 0; n < 8; n++)
        if (n != RSP)
            gpr_write(core, n, size, false, value[n]);
    stack_adjust(core, 8 * size);
    return OUTCOME_NEXT;
}

/* ---- RFLAGS (APM3 PUSHF, POPF; virtual interrupts APM2 8.10) ------------------------------------------ */

static unsigned iopl(const struct core *core)
{
    return (unsigned)bits(core->rflags, 13, 12);
}

/* Virtual-8086 code below IOPL 3: only with CR4.VME and 16-bit operands, and then IF means VIF. */
static bool uses_vif(const struct core *core)
{
    return core->mode == MODE_VIRTUAL_8086 && iopl(core) < 3;
}

static bool vif_is_refused(const struct core *core, const struct insn *insn)
{
    return uses_vif(core) && (!(core->cr4 & CR4_VME) || insn->operand_size != 2);
}

enum outcome exec_pushf(struct core *core, const struct insn *insn)
{
    uint64_t flags = rflags_read(core) & ~(RFLAGS_RF | RFLAGS_VM);

    if (vif_is_refused(core, insn))
        return core_fault_code(core, EXC_GP, 0);
    if (uses_vif(core)) {
        flags = (flags & ~RFLAGS_IF) | RFLAGS_IOPL;
        flags |= core->rflags & RFLAGS_VIF ? RFLAGS_IF : 0;
    }
    return stack_push(core, insn->operand_size, flags);
}

/* What POPF changes at any privilege level; RF ends clear whatever was popped. VM, VIF, VIP stay. */
#define POPF_ALWAYS (RFLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF)

static enum outcome popf_virtual(struct core *core, uint64_t value)
{
    if ((value & RFLAGS_TF) || ((value & RFLAGS_IF) && (core->rflags & RFLAGS_VIP)))
        return core_fault_code(core, EXC_GP, 0);
    value = (value & RFLAGS_IF ? value | RFLAGS_VIF : value & ~RFLAGS_VIF) & ~RFLAGS_RF;
    rflags_write(core, (rflags_read(core) & ~(POPF_ALWAYS | RFLAGS_VIF)) | (value & (POPF_ALWAYS | RFLAGS_VIF)));
    stack_adjust(core, 2);
    return OUTCOME_NEXT;
}

enum outcome exec_popf(struct core *core, const struct insn *insn)
{
    uint64_t changes = POPF_ALWAYS, value;
    enum outcome outcome;

    if (vif_is_refused(core, insn))
        return core_fault_code(core, EXC_GP, 0);
    outcome = stack_peek(core, 0, insn->operand_size, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (uses_vif(core))
        return popf_virtual(core, value);
    if (core->cpl == 0)
        changes |= RFLAGS_IOPL;
    if (core->cpl <= iopl(core))
        changes |= RFLAGS_IF;
    if (insn->operand_size > 2)
        changes |= RFLAGS_AC | RFLAGS_ID;
    value &= ~RFLAGS_RF;
    rflags_write(core, (rflags_read(core) & ~changes) | (value & changes));
    stack_adjust(core, insn->operand_size);
    return OUTCOME_NEXT;
}

/* ---- Frames ------------------------------------------------------------------------------------------- */

enum outcome exec_leave(struct core *core, const struct insn *insn)
{
    uint64_t offset = zero_extend(core->gpr[RBP], core->stack_size), value;
    enum outcome outcome = memory_read(core, SEG_SS, offset, insn->operand_size, &value);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->gpr[RSP] = core->stack_size == 2 ? bits_put(core->gpr[RSP], 15, 0, offset) : offset;
    stack_adjust(core, insn->operand_size);
    gpr_write(core, RBP, insn->operand_size, false, value);
    return OUTCOME_NEXT;
}

/* The stores of ENTER: refs of what is pushed, and of the frame pointers that are copied. */
struct enter_refs {
    struct mem_ref push[33], copy[32];
};

/* Each step's checks in the order of the steps (APM3 ENTER); last a write at the final rSP. */
static enum outcome enter_probe(struct core *core, unsigned size, unsigned level, unsigned room,
                                struct enter_refs *refs)
{
    enum outcome outcome = stack_probe(core, size, size, &refs->push[0]);
    struct mem_ref top;

    for (unsigned n = 1; n <= level && outcome == OUTCOME_NEXT; n++) {
        uint64_t offset = zero_extend(core->gpr[RBP] - (uint64_t)n * size, core->stack_size);

        if (n < level)
            outcome = memory_probe(core, SEG_SS, offset, size, MMU_READ, &refs->copy[n]);
        if (outcome == OUTCOME_NEXT)
            outcome = stack_probe(core, (n + 1) * size, size, &refs->push[n]);
    }
    return outcome == OUTCOME_NEXT ? stack_probe(core, (level + 1) * size + room, size, &top) : outcome;
}

/*
 * ENTER frame, level (APM3 ENTER): push rBP, copy level - 1 frame pointers, push the new one, make room.
 * Everything is checked before the first store; then the steps go in order, as frames may overlap.
 */
enum outcome exec_enter(struct core *core, const struct insn *insn)
{
    unsigned size = insn->operand_size, level = insn->immediate2 & 31;
    uint64_t frame = stack_offset(core, -(int64_t)size);
    struct enter_refs refs;
    enum outcome outcome = enter_probe(core, size, level, (unsigned)insn->immediate, &refs);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_store(core, &refs.push[0], gpr_read(core, RBP, size, false));
    for (unsigned n = 1; n < level; n++)
        ref_store(core, &refs.push[n], ref_load(core, &refs.copy[n]));
    if (level > 0)
        ref_store(core, &refs.push[level], frame);
    stack_adjust(core, -(int64_t)((level + 1) * size + insn->immediate));
    gpr_write(core, RBP, size, false, frame);
    return OUTCOME_NEXT;
}

/* assumed: the lower bound is compared before the upper one is read, as native processors do. */
enum outcome exec_bound(struct core *core, const struct insn *insn)
{
    unsigned size = insn->operand_size;
    int64_t index, limit;

    index = (int64_t)sign_extend(gpr_read(core, insn->op[0].reg, size, false), size);
    for (unsigned n = 0; n < 2; n++) {
        uint64_t offset = zero_extend(operand_offset(core, insn) + n * size, insn->address_size), bound;
        enum outcome outcome = memory_read(core, insn->segment, offset, size, &bound);

        if (outcome != OUTCOME_NEXT)
            return outcome;
        limit = (int64_t)sign_extend(bound, size);
        if (n == 0 ? index < limit : index > limit)
            return core_fault(core, EXC_BR);
    }
    return OUTCOME_NEXT;
}
