/* SPDX-License-Identifier: MIT */
/* MOV, PUSH and POP of segment registers; LDS, LES, LFS, LGS, LSS (APM3). */
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/exec/segment.h"
#include "sim/cpu/isa/semantics.h"

/* After MOV SS and POP SS the next instruction is not interrupted, so that rSP can follow (APM2 8.5). */
static void shadow_after_stack_load(struct core *core, unsigned which)
{
    if (which == SEG_SS)
        core->interrupt_shadow = core->shadow_blocks_debug = true;
}

enum outcome exec_mov_from_segment(struct core *core, const struct insn *insn)
{
    return operand_write(core, insn, 0, core->seg[insn->op[1].reg].selector);
}

enum outcome exec_mov_to_segment(struct core *core, const struct insn *insn)
{
    unsigned which = insn->op[0].reg;
    uint64_t selector;
    enum outcome outcome = operand_read(core, insn, 1, &selector);

    if (outcome == OUTCOME_NEXT)
        outcome = segment_load(core, which, (uint16_t)selector);
    if (outcome == OUTCOME_NEXT)
        shadow_after_stack_load(core, which);
    return outcome;
}

enum outcome exec_push_segment(struct core *core, const struct insn *insn)
{
    return stack_push(core, insn->operand_size, core->seg[insn->op[0].reg].selector);
}

enum outcome exec_pop_segment(struct core *core, const struct insn *insn)
{
    unsigned which = insn->op[0].reg;
    uint64_t selector, rsp = core->gpr[RSP];
    enum outcome outcome = stack_peek(core, 0, insn->operand_size, &selector);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    stack_adjust(core, insn->operand_size); /* by the old SS's width, before a new one takes over */
    outcome = segment_load(core, which, (uint16_t)selector);
    if (outcome == OUTCOME_NEXT)
        shadow_after_stack_load(core, which);
    else
        core->gpr[RSP] = rsp;
    return outcome;
}

/* The far pointer's offset goes to the register when the selector has been accepted. */
static enum outcome load_pointer(struct core *core, const struct insn *insn, unsigned which)
{
    unsigned size = insn->operand_size == 2 ? 2 : 4;
    uint64_t at = operand_offset(core, insn), offset, selector;
    enum outcome outcome = memory_read(core, insn->segment, at, size, &offset);

    if (outcome == OUTCOME_NEXT)
        outcome = memory_read(core, insn->segment, zero_extend(at + size, insn->address_size), 2, &selector);
    if (outcome == OUTCOME_NEXT)
        outcome = segment_load(core, which, (uint16_t)selector);
    if (outcome == OUTCOME_NEXT)
        gpr_write(core, insn->op[0].reg, size, false, offset);
    return outcome;
}

enum outcome exec_lds(struct core *core, const struct insn *insn)
{
    return load_pointer(core, insn, SEG_DS);
}

enum outcome exec_les(struct core *core, const struct insn *insn)
{
    return load_pointer(core, insn, SEG_ES);
}

enum outcome exec_lfs(struct core *core, const struct insn *insn)
{
    return load_pointer(core, insn, SEG_FS);
}

enum outcome exec_lgs(struct core *core, const struct insn *insn)
{
    return load_pointer(core, insn, SEG_GS);
}

enum outcome exec_lss(struct core *core, const struct insn *insn)
{
    return load_pointer(core, insn, SEG_SS);
}
