/* SPDX-License-Identifier: MIT */
/* Addition, subtraction, comparison and logic. */
#include "sim/cpu/exec/alu.h"

#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

typedef uint64_t alu_operator(struct core *core, unsigned size, uint64_t a, uint64_t b);

#define INLINE static inline __attribute__((always_inline))

/* op[0] = op[0] OP op[1] */
INLINE enum outcome modify_binary(struct core *core, const struct insn *insn, alu_operator *operate)
{
    struct operand_ref ref;
    enum outcome outcome;
    uint64_t a, b;

    outcome = operand_read(core, insn, 1, &b);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    outcome = operand_modify(core, insn, 0, &ref, &a);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    operand_commit(core, insn, 0, &ref, operate(core, insn->op[0].size, a, b));
    return OUTCOME_NEXT;
}

/* op[0] = OP op[0] */
INLINE enum outcome modify_unary(struct core *core, const struct insn *insn, alu_operator *operate)
{
    struct operand_ref ref;
    enum outcome outcome;
    uint64_t a;

    outcome = operand_modify(core, insn, 0, &ref, &a);
    if (outcome == OUTCOME_NEXT)
        operand_commit(core, insn, 0, &ref, operate(core, insn->op[0].size, a, 0));
    return outcome;
}

/* Flags of op[0] OP op[1] only. */
INLINE enum outcome compare(struct core *core, const struct insn *insn, alu_operator *operate)
{
    enum outcome outcome;
    uint64_t a, b;

    outcome = operand_read(core, insn, 0, &a);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    outcome = operand_read(core, insn, 1, &b);
    if (outcome == OUTCOME_NEXT)
        operate(core, insn->op[0].size, a, b);
    return outcome;
}

enum outcome exec_add(struct core *core, const struct insn *insn)
{
    return modify_binary(core, insn, alu_add);
}

enum outcome exec_adc(struct core *core, const struct insn *insn)
{
    return modify_binary(core, insn, alu_adc);
}

enum outcome exec_sub(struct core *core, const struct insn *insn)
{
    return modify_binary(core, insn, alu_sub);
}

enum outcome exec_sbb(struct core *core, const struct insn *insn)
{
    return modify_binary(core, insn, alu_sbb);
}

enum outcome exec_and(struct core *core, const struct insn *insn)
{
    return modify_binary(core, insn, alu_and);
}

enum outcome exec_or(struct core *core, const struct insn *insn)
{
    return modify_binary(core, insn, alu_or);
}

enum outcome exec_xor(struct core *core, const struct insn *insn)
{
    return modify_binary(core, insn, alu_xor);
}

enum outcome exec_cmp(struct core *core, const struct insn *insn)
{
    return compare(core, insn, alu_sub);
}

enum outcome exec_test(struct core *core, const struct insn *insn)
{
    return compare(core, insn, alu_and);
}

enum outcome exec_inc(struct core *core, const struct insn *insn)
{
    return modify_unary(core, insn, alu_inc);
}

enum outcome exec_dec(struct core *core, const struct insn *insn)
{
    return modify_unary(core, insn, alu_dec);
}

enum outcome exec_neg(struct core *core, const struct insn *insn)
{
    return modify_unary(core, insn, alu_neg);
}

enum outcome exec_not(struct core *core, const struct insn *insn)
{
    return modify_unary(core, insn, alu_not);
}

/* XADD: the sum to op[0], its old value to op[1]. One register twice ends with the sum (APM3 XADD). */
enum outcome exec_xadd(struct core *core, const struct insn *insn)
{
    const struct operand *source = &insn->op[1];
    struct operand_ref ref;
    enum outcome outcome;
    uint64_t a, b;

    operand_read(core, insn, 1, &b);
    outcome = operand_modify(core, insn, 0, &ref, &a);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    gpr_write(core, source->reg, source->size, source->high_byte, a);
    operand_commit(core, insn, 0, &ref, alu_add(core, source->size, a, b));
    return OUTCOME_NEXT;
}
