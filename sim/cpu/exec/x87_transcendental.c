/* SPDX-License-Identifier: MIT */
/*
 * FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1 and their special operands (APM5, by mnemonic).
 * assumed: results are the exact values rounded; the manual allows an error of one unit in the last place.
 */
#include "sim/cpu/exec/native_x87.h"
#include "sim/cpu/exec/x87.h"
#include "sim/cpu/exec/x87_functions.h"
#include "sim/cpu/isa/semantics.h"

#define BEFORE_COMPUTATION (X87_IE | X87_DE | X87_ZE)
#define SIGN 0x8000
#define INTEGER_BIT (UINT64_C(1) << 63)

static const struct x87_register plus_one = { INTEGER_BIT, 0x3FFF };

/* ---- Classes ------------------------------------------------------------------------------------------------- */

static bool is_zero(struct x87_register x)
{
    return (x.exponent & 0x7FFF) == 0 && x.significand == 0;
}

static bool is_infinite(struct x87_register x)
{
    return (x.exponent & 0x7FFF) == 0x7FFF && x.significand == INTEGER_BIT;
}

static bool is_denormal(struct x87_register x)
{
    return (x.exponent & 0x7FFF) == 0 && x.significand != 0;
}

/* A NaN, or a number without its integer bit, which no processor since the 387 accepts. */
static bool is_no_number(struct x87_register x)
{
    unsigned exponent = x.exponent & 0x7FFF;

    return exponent != 0 && (!(x.significand & INTEGER_BIT) || (exponent == 0x7FFF && x.significand != INTEGER_BIT));
}

static bool is_negative(struct x87_register x)
{
    return x.exponent & SIGN;
}

static struct x87_register zero(bool negative)
{
    return (struct x87_register){ 0, negative ? SIGN : 0 };
}

static struct x87_register infinity(bool negative)
{
    return (struct x87_register){ INTEGER_BIT, (uint16_t)(0x7FFF | (negative ? SIGN : 0)) };
}

/* ---- Functions: from a = ST(0) and b = ST(1) to a (and b); the status they leave ------------------------- */

typedef uint16_t function(uint16_t control, struct x87_register *a, struct x87_register *b);

static uint16_t invalid(struct x87_register *a)
{
    *a = X87_INDEFINITE;
    return X87_IE;
}

/* The NaN of one or two operands, by the rules of addition. */
static uint16_t propagate(uint16_t control, struct x87_register *a, const struct x87_register *b)
{
    return native_fadd(control | X87_EXCEPTIONS, a, b) & X87_IE;
}

/* Any of sine, cosine and tangent: C2 for |x| >= 2^63. */
static bool out_of_range(struct x87_register x)
{
    return (x.exponent & 0x7FFF) >= 0x3FFF + 63;
}

static uint16_t trigonometric(uint16_t control, struct x87_register *a, struct wide *sine, struct wide *cosine)
{
    struct x87_register x = *a;

    if (is_no_number(x))
        return propagate(control, a, &x);
    if (is_infinite(x))
        return invalid(a);
    if (out_of_range(x))
        return X87_C2;
    function_sine_cosine(wide_from_x87(x), sine, cosine);
    return is_denormal(x) ? X87_DE : 0;
}

static uint16_t sine(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    struct wide s, c;
    uint16_t status;

    (void)b;
    if (is_zero(*a))
        return 0;
    status = trigonometric(control, a, &s, &c);
    return status & (X87_IE | X87_C2) || is_no_number(*a) ? status : status | wide_round(s, true, control, a);
}

static uint16_t cosine(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    struct wide s, c;
    uint16_t status;

    (void)b;
    if (is_zero(*a)) {
        *a = plus_one;
        return 0;
    }
    status = trigonometric(control, a, &s, &c);
    return status & (X87_IE | X87_C2) || is_no_number(*a) ? status : status | wide_round(c, true, control, a);
}

/* b becomes what is pushed. */
static uint16_t sine_cosine(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    uint16_t status;

    *b = *a;
    status = cosine(control, b, NULL);
    return status & X87_C2 ? status : status | sine(control, a, NULL);
}

static uint16_t tangent(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    struct wide s, c;
    uint16_t status;

    *b = plus_one;
    if (is_zero(*a))
        return 0;
    status = trigonometric(control, a, &s, &c);
    if (is_no_number(*a))
        *b = *a;
    if (status & (X87_IE | X87_C2) || is_no_number(*a))
        return status;
    return status | wide_round(wide_divide(s, c), true, control, a);
}

/* Angles that do not depend on the magnitudes: multiples of a quarter of pi. */
static uint16_t angle(uint16_t control, unsigned quarters, bool negative, struct x87_register *a)
{
    struct wide one = { false, 0, (wide_bits)1 << 127 }, quarter = function_arc_tangent(one, one), value;

    if (quarters == 0) {
        *a = zero(negative);
        return 0;
    }
    value = wide_multiply(quarter, wide_make(false, 127, quarters));
    value.negative = negative;
    return wide_round(value, true, control, a);
}

/* arctan(b / a), by quadrant; the result goes to b's place. */
static uint16_t arc_tangent(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    struct x87_register x = *a, y = *b;
    uint16_t denormal = is_denormal(x) || is_denormal(y) ? X87_DE : 0;
    unsigned half = is_negative(x) ? 4 : 0;
    struct wide value;

    if (is_no_number(x) || is_no_number(y))
        return propagate(control, a, b);
    if (is_infinite(y))
        return denormal | angle(control, is_infinite(x) ? (half ? 3 : 1) : 2, is_negative(y), a);
    if (is_infinite(x) || is_zero(y))
        return denormal | angle(control, half, is_negative(y), a);
    if (is_zero(x))
        return denormal | angle(control, 2, is_negative(y), a);
    value = function_arc_tangent(wide_from_x87(y), wide_from_x87(x));
    return denormal | wide_round(value, true, control, a);
}

/* assumed: beyond -1 ... 1, where the result is undefined, the operand stays; infinities have limits. */
static uint16_t power(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    struct x87_register x = *a;

    (void)b;
    if (is_no_number(x))
        return propagate(control, a, &x);
    if (is_infinite(x) && is_negative(x)) {
        *a = plus_one;
        a->exponent |= SIGN;
        return 0;
    }
    if (is_zero(x) || is_infinite(x))
        return 0;
    if ((x.exponent & 0x7FFF) >= 0x3FFF) {
        if (x.exponent == (SIGN | 0x3FFF) && x.significand == INTEGER_BIT)
            a->exponent = SIGN | 0x3FFE; /* 2^-1 - 1 = -1/2 */
        return X87_PE;
    }
    return (is_denormal(x) ? X87_DE : 0) | wide_round(function_power(wide_from_x87(x)), true, control, a);
}

/* The product with a logarithm that is zero, infinite, or of magnitude `log`. */
static uint16_t times_infinity(struct x87_register y, bool negative, struct x87_register *a)
{
    if (is_zero(y))
        return invalid(a);
    *a = infinity(is_negative(y) != negative);
    return is_denormal(y) ? X87_DE : 0;
}

static uint16_t times_zero(struct x87_register y, bool negative, struct x87_register *a)
{
    if (is_infinite(y))
        return invalid(a);
    *a = zero(is_negative(y) != negative);
    return is_denormal(y) ? X87_DE : 0;
}

static bool is_power_of_two(struct x87_register x)
{
    return (x.significand & (x.significand - 1)) == 0;
}

/* assumed: PE is raised for an exact logarithm (of a power of two) too. */
static uint16_t times_logarithm(uint16_t control, struct x87_register y, struct wide log, bool exact,
                                struct x87_register *a)
{
    struct wide product = wide_multiply(wide_from_x87(y), log);

    return X87_PE | wide_round(product, !exact, control, a);
}

/* b * log2(a) */
static uint16_t logarithm(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    struct x87_register x = *a, y = *b;
    uint16_t denormal = is_denormal(x) || is_denormal(y) ? X87_DE : 0;
    struct wide log;

    if (is_no_number(x) || is_no_number(y))
        return propagate(control, a, b);
    if (is_zero(x)) {
        if (is_zero(y))
            return invalid(a);
        *a = infinity(!is_negative(y));
        return is_infinite(y) ? 0 : X87_ZE;
    }
    if (is_negative(x))
        return invalid(a);
    if (is_infinite(x))
        return times_infinity(y, false, a);
    log = function_logarithm(wide_from_x87(x));
    if (log.significand == 0)
        return denormal | times_zero(y, false, a);
    if (is_infinite(y)) {
        *a = infinity(is_negative(y) != log.negative);
        return denormal;
    }
    if (is_zero(y)) {
        *a = zero(is_negative(y) != log.negative);
        return denormal;
    }
    return denormal | times_logarithm(control, y, log, is_power_of_two(x), a);
}

/* b * log2(a + 1). assumed, outside the manual's range: up to -1 a stays, above as inside. */
static uint16_t logarithm_plus_one(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    struct x87_register x = *a, y = *b;
    uint16_t denormal = is_denormal(x) || is_denormal(y) ? X87_DE : 0;
    struct wide log;

    if (is_no_number(x) || is_no_number(y))
        return propagate(control, a, b);
    if (is_zero(x))
        return denormal | times_zero(y, is_negative(x), a);
    if (is_infinite(x))
        return is_negative(x) ? invalid(a) : times_infinity(y, false, a);
    if (is_infinite(y)) {
        *a = infinity(is_negative(y) != is_negative(x));
        return denormal;
    }
    if (is_zero(y)) {
        *a = zero(is_negative(y) != is_negative(x));
        return denormal;
    }
    if (is_negative(x) && (x.exponent & 0x7FFF) >= 0x3FFF)
        return denormal | X87_PE;
    log = function_logarithm_plus_one(wide_from_x87(x));
    return denormal | times_logarithm(control, y, log, false, a);
}

/* ---- Drivers --------------------------------------------------------------------------------------------------- */

static bool stopped(const struct core *core, uint16_t status)
{
    return status & ~core->x87.control & BEFORE_COMPUTATION;
}

/* An invalid operand raises nothing else, and neither does an unmasked denormal or zero-divide exception. */
static uint16_t effective(const struct core *core, uint16_t status)
{
    return stopped(core, status) || (status & X87_IE) ? status & (BEFORE_COMPUTATION | X87_C2) : status;
}

/* ST(0) becomes fn(ST(0)). */
static enum outcome unary(struct core *core, const struct insn *insn, function *fn, uint16_t conditions)
{
    enum outcome outcome = x87_ready(core);
    struct x87_register a, b;
    uint16_t status;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0)) {
        core->x87.status &= (uint16_t)~conditions;
        if (x87_stack_fault(core, false))
            x87_write(core, 0, X87_INDEFINITE);
        return OUTCOME_NEXT;
    }
    a = *x87_st(core, 0);
    status = effective(core, fn(core->x87.control, &a, &b));
    x87_merge(core, status, conditions);
    if (!stopped(core, status) && !(status & X87_C2))
        *x87_st(core, 0) = a;
    return OUTCOME_NEXT;
}

/* The same, and a second result pushed. */
static enum outcome pushing(struct core *core, const struct insn *insn, function *fn)
{
    enum outcome outcome = x87_ready(core);
    struct x87_register a, b;
    uint16_t status;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0) || !x87_is_empty(core, 7)) {
        core->x87.status &= (uint16_t)~X87_C2;
        if (!x87_stack_fault(core, !x87_is_empty(core, 0)))
            return OUTCOME_NEXT;
        a = b = X87_INDEFINITE;
    } else {
        a = *x87_st(core, 0);
        status = effective(core, fn(core->x87.control, &a, &b));
        x87_merge(core, status, X87_C1 | X87_C2);
        if (stopped(core, status) || (status & X87_C2))
            return OUTCOME_NEXT;
        if (status & X87_IE)
            b = a;
    }
    x87_write(core, 0, a);
    x87_push(core, b);
    return OUTCOME_NEXT;
}

/* ST(1) becomes fn(ST(0), ST(1)), and a pop. */
static enum outcome popping(struct core *core, const struct insn *insn, function *fn)
{
    enum outcome outcome = x87_ready(core);
    struct x87_register a, b;
    uint16_t status;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0) || x87_is_empty(core, 1)) {
        if (!x87_stack_fault(core, false))
            return OUTCOME_NEXT;
        a = X87_INDEFINITE;
    } else {
        a = *x87_st(core, 0);
        b = *x87_st(core, 1);
        status = effective(core, fn(core->x87.control, &a, &b));
        x87_merge(core, status, X87_C1);
        if (stopped(core, status))
            return OUTCOME_NEXT;
    }
    x87_write(core, 1, a);
    x87_pop(core);
    return OUTCOME_NEXT;
}

enum outcome exec_fsin(struct core *core, const struct insn *insn)
{
    return unary(core, insn, sine, X87_C1 | X87_C2);
}

enum outcome exec_fcos(struct core *core, const struct insn *insn)
{
    return unary(core, insn, cosine, X87_C1 | X87_C2);
}

enum outcome exec_f2xm1(struct core *core, const struct insn *insn)
{
    return unary(core, insn, power, X87_C1);
}

enum outcome exec_fsincos(struct core *core, const struct insn *insn)
{
    return pushing(core, insn, sine_cosine);
}

enum outcome exec_fptan(struct core *core, const struct insn *insn)
{
    return pushing(core, insn, tangent);
}

enum outcome exec_fpatan(struct core *core, const struct insn *insn)
{
    return popping(core, insn, arc_tangent);
}

enum outcome exec_fyl2x(struct core *core, const struct insn *insn)
{
    return popping(core, insn, logarithm);
}

enum outcome exec_fyl2xp1(struct core *core, const struct insn *insn)
{
    return popping(core, insn, logarithm_plus_one);
}
