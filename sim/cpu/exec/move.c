/* SPDX-License-Identifier: MIT */
/* Data movement that changes no flag. */
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

enum outcome exec_mov(struct core *core, const struct insn *insn)
{
    enum outcome outcome;
    uint64_t value;

    outcome = operand_read(core, insn, 1, &value);
    return outcome == OUTCOME_NEXT ? operand_write(core, insn, 0, value) : outcome;
}

/* Sources are zero-extended by operand_read. */
enum outcome exec_movzx(struct core *core, const struct insn *insn)
{
    return exec_mov(core, insn);
}

enum outcome exec_movsx(struct core *core, const struct insn *insn)
{
    enum outcome outcome;
    uint64_t value;

    outcome = operand_read(core, insn, 1, &value);
    return outcome == OUTCOME_NEXT ? operand_write(core, insn, 0, sign_extend(value, insn->op[1].size)) : outcome;
}

/* MOVSXD without REX.W is a plain move of 16 or 32 bits (APM3 MOVSXD). */
enum outcome exec_movsxd(struct core *core, const struct insn *insn)
{
    return exec_movsx(core, insn);
}

enum outcome exec_lea(struct core *core, const struct insn *insn)
{
    return operand_write(core, insn, 0, operand_offset(core, insn));
}

enum outcome exec_xchg(struct core *core, const struct insn *insn)
{
    const struct operand *other = &insn->op[1];
    struct operand_ref ref;
    enum outcome outcome;
    uint64_t a, b;

    operand_read(core, insn, 1, &b);
    outcome = operand_modify(core, insn, 0, &ref, &a);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    gpr_write(core, other->reg, other->size, other->high_byte, a);
    operand_commit(core, insn, 0, &ref, b);
    return OUTCOME_NEXT;
}

/* assumed: the 16-bit form, undefined in the manual, clears the register's low half. */
enum outcome exec_bswap(struct core *core, const struct insn *insn)
{
    uint64_t value;

    operand_read(core, insn, 0, &value);
    switch (insn->op[0].size) {
    case 8: value = __builtin_bswap64(value); break;
    case 4: value = __builtin_bswap32((uint32_t)value); break;
    default: value = 0; break;
    }
    return operand_write(core, insn, 0, value);
}

/* CBW, CWDE, CDQE: rAX from its lower half. */
enum outcome exec_cbw(struct core *core, const struct insn *insn)
{
    unsigned size = insn->operand_size;

    gpr_write(core, RAX, size, false, sign_extend(core->gpr[RAX], size / 2));
    return OUTCOME_NEXT;
}

/* CWD, CDQ, CQO: rDX becomes rAX's sign. */
enum outcome exec_cwd(struct core *core, const struct insn *insn)
{
    unsigned size = insn->operand_size;

    gpr_write(core, RDX, size, false, bit(core->gpr[RAX], 8 * size - 1) ? ~UINT64_C(0) : 0);
    return OUTCOME_NEXT;
}

enum outcome exec_xlat(struct core *core, const struct insn *insn)
{
    uint64_t offset = zero_extend(core->gpr[RBX] + (uint8_t)core->gpr[RAX], insn->address_size), value;
    enum outcome outcome = memory_read(core, insn->segment, offset, 1, &value);

    if (outcome == OUTCOME_NEXT)
        gpr_write(core, RAX, 1, false, value);
    return outcome;
}
