/* SPDX-License-Identifier: MIT */
/*
 * Multiplication and division. Undefined flags: after a multiplication SF ZF PF follow the low half and AF
 * is cleared; division keeps all flags.
 */
#include "sim/cpu/exec/muldiv.h"

#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

typedef unsigned __int128 uint128;

/* The double-width accumulator: AX for bytes, else rDX:rAX. */
static uint128 wide_read(const struct core *core, unsigned size)
{
    if (size == 1)
        return core->gpr[RAX] & 0xFFFF;
    return (uint128)gpr_read(core, RDX, size, false) << 8 * size | gpr_read(core, RAX, size, false);
}

static void wide_write(struct core *core, unsigned size, uint64_t low, uint64_t high)
{
    gpr_write(core, RAX, size, false, low);
    if (size == 1)
        gpr_write(core, RAX, 1, true, high);
    else
        gpr_write(core, RDX, size, false, high);
}

enum outcome exec_mul(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    enum outcome outcome;
    uint64_t factor, low, high;
    uint128 product;

    outcome = operand_read(core, insn, 0, &factor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    product = (uint128)gpr_read(core, RAX, size, false) * factor;
    low = zero_extend((uint64_t)product, size);
    high = zero_extend((uint64_t)(product >> 8 * size), size);
    wide_write(core, size, low, high);
    set_multiply_flags(core, size, low, high != 0);
    return OUTCOME_NEXT;
}

/* One operand: rDX:rAX = rAX * op[0]. */
enum outcome exec_imul_wide(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    uint64_t accumulator = gpr_read(core, RAX, size, false), factor, low;
    enum outcome outcome;
    __int128 product;
    bool overflow;

    outcome = operand_read(core, insn, 0, &factor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    low = zero_extend(signed_product(accumulator, factor, size, &overflow), size);
    product = (__int128)(int64_t)sign_extend(accumulator, size) * (int64_t)sign_extend(factor, size);
    wide_write(core, size, low, (uint64_t)((uint128)product >> 8 * size));
    set_multiply_flags(core, size, low, overflow);
    return OUTCOME_NEXT;
}

/* Two and three operands: op[0] = op[0] * op[1], or op[1] * op[2]. */
enum outcome exec_imul(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size, other = insn->op[2].kind == OPERAND_NONE ? 0 : 2;
    enum outcome outcome;
    uint64_t a, b;

    outcome = operand_read(core, insn, 1, &a);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    operand_read(core, insn, other, &b);
    gpr_write(core, insn->op[0].reg, size, false, multiply_signed(core, size, a, b));
    return OUTCOME_NEXT;
}

enum outcome exec_div(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    uint128 dividend = wide_read(core, size), quotient;
    enum outcome outcome;
    uint64_t divisor;

    outcome = operand_read(core, insn, 0, &divisor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (divisor == 0 || dividend >> 8 * size >= divisor) /* the quotient would not fit */
        return core_fault(core, EXC_DE);
    quotient = dividend / divisor;
    wide_write(core, size, (uint64_t)quotient, (uint64_t)(dividend % divisor));
    return OUTCOME_NEXT;
}

static uint128 negated_if(uint128 value, bool negative)
{
    return negative ? -value : value;
}

/* By magnitudes, so that no intermediate value overflows; the remainder has the dividend's sign. */
enum outcome exec_idiv(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size, width = 8 * size;
    uint128 dividend = wide_read(core, size), quotient, remainder, largest;
    bool negative_dividend, negative_quotient;
    enum outcome outcome;
    uint64_t divisor;

    outcome = operand_read(core, insn, 0, &divisor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (divisor == 0)
        return core_fault(core, EXC_DE);
    negative_dividend = dividend >> (2 * width - 1) & 1;
    if (negative_dividend)
        dividend = width == 64 ? -dividend : ((uint128)1 << 2 * width) - dividend;
    negative_quotient = negative_dividend != (divisor >> (width - 1) & 1);
    if (divisor >> (width - 1) & 1)
        divisor = zero_extend(-divisor, size);
    quotient = dividend / divisor;
    remainder = dividend % divisor;
    largest = ((uint128)1 << (width - 1)) - !negative_quotient;
    if (quotient > largest)
        return core_fault(core, EXC_DE);
    wide_write(core, size, (uint64_t)negated_if(quotient, negative_quotient),
               (uint64_t)negated_if(remainder, negative_dividend));
    return OUTCOME_NEXT;
}
