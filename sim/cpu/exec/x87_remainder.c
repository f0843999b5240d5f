/* SPDX-License-Identifier: MIT */
/*
 * FPREM and FPREM1 (APM5): exact. In integers, because how far an incomplete reduction goes is the
 * implementation's choice.
 */
#include "sim/cpu/exec/native_x87.h"
#include "sim/cpu/exec/wide.h"
#include "sim/cpu/exec/x87.h"
#include "sim/cpu/isa/semantics.h"

#define INTEGER_BIT (UINT64_C(1) << 63)

static bool is_zero_or_denormal(struct x87_register x)
{
    return (x.exponent & 0x7FFF) == 0;
}

static bool is_special(struct x87_register x)
{
    return (x.exponent & 0x7FFF) != 0 && (!(x.significand & INTEGER_BIT) || (x.exponent & 0x7FFF) == 0x7FFF);
}

static bool is_infinite(struct x87_register x)
{
    return (x.exponent & 0x7FFF) == 0x7FFF && x.significand == INTEGER_BIT;
}

/* NaNs, infinities and zeros. true: done, *a is the result and *status what it raised. */
static bool special(uint16_t control, struct x87_register *a, const struct x87_register *b, uint16_t *status)
{
    bool invalid = (is_infinite(*a) && !is_special(*b)) || (is_infinite(*a) && is_infinite(*b)) ||
                   (b->significand == 0 && is_zero_or_denormal(*b) && !is_special(*a));

    if (invalid) {
        *a = X87_INDEFINITE;
        *status = X87_IE;
        return true;
    }
    if ((is_special(*a) && !is_infinite(*a)) || (is_special(*b) && !is_infinite(*b))) {
        *status = native_fadd(control | X87_EXCEPTIONS, a, b) & X87_IE;
        return true;
    }
    *status = (is_zero_or_denormal(*a) && a->significand) || (is_zero_or_denormal(*b) && b->significand) ? X87_DE : 0;
    return a->significand == 0;
}

static uint16_t quotient_conditions(uint64_t quotient)
{
    return (uint16_t)(((quotient & 1) ? X87_C1 : 0) | ((quotient & 2) ? X87_C3 : 0) | ((quotient & 4) ? X87_C0 : 0));
}

/* `rest` becomes rest * 2^steps mod divisor; returns the low bits of the quotient. */
static uint64_t reduce(wide_bits *rest, uint64_t divisor, int steps)
{
    uint64_t quotient = 0;

    for (int i = 0; i <= steps; i++) {
        if (i > 0)
            *rest <<= 1;
        quotient <<= 1;
        if (*rest >= divisor) {
            *rest -= divisor;
            quotient |= 1;
        }
    }
    return quotient;
}

/* More than half of the divisor, or half and the quotient is odd: one more, and the sign changes. */
static bool nearer_above(wide_bits rest, int exponent_below, uint64_t divisor, uint64_t quotient)
{
    wide_bits twice = rest << 1;

    if (exponent_below > 0)
        return exponent_below == 1 && rest > divisor; /* the operand lies one binade below: rest = 2 * value */
    return twice > divisor || (twice == divisor && (quotient & 1));
}

static uint16_t remainder_of(uint16_t control, struct x87_register *a, const struct x87_register *b, bool nearest)
{
    struct wide x = wide_from_x87(*a), y = wide_from_x87(*b), result;
    int difference = x.exponent - y.exponent, steps = difference;
    wide_bits rest = x.significand >> 64;
    uint64_t divisor = (uint64_t)(y.significand >> 64), quotient = 0;
    uint16_t status = 0;

    if (is_infinite(*b))
        difference = steps = -2;
    if (difference >= 64) {
        steps = (difference & 0x1F) | 0x20; /* assumed: as many bits at a time as other x87 units take */
        status = X87_C2;
    }
    if (difference >= 0)
        quotient = reduce(&rest, divisor, steps);
    result = wide_make(x.negative, difference < 0 ? x.exponent : y.exponent + difference - steps, rest << 64);
    if (status == 0) {
        if (nearest && nearer_above(rest, difference < 0 ? -difference : 0, divisor, quotient)) {
            struct wide minus = { !x.negative, y.exponent, y.significand };

            result = wide_add(result, minus);
            quotient++;
        }
        status = quotient_conditions(quotient);
    }
    if (is_infinite(*b)) /* ST(0) stays, and is no underflow, however small */
        control |= X87_UE;
    return status | (wide_round(result, false, control, a) & (X87_UE | X87_PE));
}

static enum outcome partial_remainder(struct core *core, const struct insn *insn, bool nearest)
{
    enum outcome outcome = x87_ready(core);
    uint16_t status, conditions = X87_C1 | X87_C2;
    struct x87_register a;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0) || x87_is_empty(core, 1)) {
        core->x87.status &= (uint16_t)~X87_C2;
        if (x87_stack_fault(core, false))
            x87_write(core, 0, X87_INDEFINITE);
        return OUTCOME_NEXT;
    }
    a = *x87_st(core, 0);
    if (special(core->x87.control, &a, x87_st(core, 1), &status)) {
        conditions = is_special(a) || (status & ~core->x87.control & X87_DE) ? X87_C1 | X87_C2 : X87_CONDITIONS;
    } else if (!(status & ~core->x87.control & X87_DE)) {
        status |= remainder_of(core->x87.control, &a, x87_st(core, 1), nearest);
        conditions = X87_CONDITIONS;
    }
    x87_merge(core, status, conditions);
    if (!(status & ~core->x87.control & (X87_IE | X87_DE)))
        *x87_st(core, 0) = a;
    return OUTCOME_NEXT;
}

enum outcome exec_fprem(struct core *core, const struct insn *insn)
{
    return partial_remainder(core, insn, false);
}

enum outcome exec_fprem1(struct core *core, const struct insn *insn)
{
    return partial_remainder(core, insn, true);
}
