/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/branch.h"

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

enum outcome branch_check(struct core *core, uint64_t target)
{
    if (core->mode == MODE_64BIT ? !is_canonical(target) : target > core->seg[SEG_CS].limit)
        return core_fault_code(core, EXC_GP, 0);
    return OUTCOME_NEXT;
}

enum outcome branch_near(struct core *core, uint64_t target)
{
    enum outcome outcome = branch_check(core, target);

    if (outcome == OUTCOME_NEXT)
        core->next_rip = target;
    return outcome;
}

/* AMD honours 66 on near branches in 64-bit mode: rip is cut to 16 bits (APM3 JMP near). */
static uint64_t relative_target(const struct core *core, const struct insn *insn)
{
    return zero_extend(core->next_rip + insn->immediate, insn->operand_size);
}

enum outcome exec_jmp_rel(struct core *core, const struct insn *insn)
{
    return branch_near(core, relative_target(core, insn));
}

enum outcome exec_jcc(struct core *core, const struct insn *insn)
{
    if (!condition_holds(core, insn->opcode & 15))
        return OUTCOME_NEXT;
    return branch_near(core, relative_target(core, insn));
}

enum outcome exec_jmp_near(struct core *core, const struct insn *insn)
{
    enum outcome outcome;
    uint64_t target;

    outcome = operand_read(core, insn, 0, &target);
    return outcome == OUTCOME_NEXT ? branch_near(core, target) : outcome;
}

/* Push the return address and go: the stack's checks come first, then the target's. */
static enum outcome call_near(struct core *core, unsigned size, uint64_t target)
{
    uint64_t next = core->next_rip;
    enum outcome outcome;
    struct mem_ref ref;

    outcome = stack_probe(core, size, size, &ref);
    if (outcome == OUTCOME_NEXT)
        outcome = branch_near(core, target);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_store(core, &ref, next);
    stack_adjust(core, -(int64_t)size);
    return OUTCOME_NEXT;
}

enum outcome exec_call_rel(struct core *core, const struct insn *insn)
{
    return call_near(core, insn->operand_size, relative_target(core, insn));
}

enum outcome exec_call_near(struct core *core, const struct insn *insn)
{
    enum outcome outcome;
    uint64_t target;

    outcome = operand_read(core, insn, 0, &target);
    return outcome == OUTCOME_NEXT ? call_near(core, insn->operand_size, target) : outcome;
}

/* RET, and RET imm16 which drops as many bytes of arguments. */
enum outcome exec_ret_near(struct core *core, const struct insn *insn)
{
    enum outcome outcome;
    uint64_t target;

    outcome = stack_peek(core, 0, insn->operand_size, &target);
    if (outcome == OUTCOME_NEXT)
        outcome = branch_near(core, target);
    if (outcome == OUTCOME_NEXT)
        stack_adjust(core, (int64_t)(insn->operand_size + insn->immediate));
    return outcome;
}

/* rCX of the address size counts; 32-bit counts clear the upper half as any 32-bit result. */
static enum outcome loop_if(struct core *core, const struct insn *insn, bool condition)
{
    unsigned size = insn->address_size;
    uint64_t count = zero_extend(core->gpr[RCX] - 1, size);

    if (count != 0 && condition) {
        enum outcome outcome = branch_near(core, relative_target(core, insn));

        if (outcome != OUTCOME_NEXT)
            return outcome;
    }
    gpr_write(core, RCX, size, false, count);
    return OUTCOME_NEXT;
}

enum outcome exec_loop(struct core *core, const struct insn *insn)
{
    return loop_if(core, insn, true);
}

enum outcome exec_loope(struct core *core, const struct insn *insn)
{
    return loop_if(core, insn, flag_zf(core));
}

enum outcome exec_loopne(struct core *core, const struct insn *insn)
{
    return loop_if(core, insn, !flag_zf(core));
}

enum outcome exec_jcxz(struct core *core, const struct insn *insn)
{
    if (gpr_read(core, RCX, insn->address_size, false) != 0)
        return OUTCOME_NEXT;
    return branch_near(core, relative_target(core, insn));
}
