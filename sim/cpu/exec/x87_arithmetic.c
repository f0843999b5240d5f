/* SPDX-License-Identifier: MIT */
/* x87 arithmetic and comparison (APM5, by mnemonic). */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/native_x87.h"
#include "sim/cpu/exec/x87.h"
#include "sim/cpu/isa/semantics.h"

#define BEFORE_COMPUTATION (X87_IE | X87_DE | X87_ZE)

/* An unmasked exception that leaves the operands alone: no result, no pop. */
static bool stopped(const struct core *core, uint16_t status)
{
    return status & ~core->x87.control & BEFORE_COMPUTATION;
}

/* ---- Two registers ------------------------------------------------------------------------------------------- */

/* Each caller gets its own copy with a direct call to its native operator. */
#define DRIVER static inline __attribute__((always_inline)) enum outcome

/*
 * ST(to) becomes ST(to) fn ST(from), in place: what an unmasked exception stops leaves ST(to) as it is. The stack
 * moves no register, so that the pointers stay good.
 */
DRIVER registers(struct core *core, const struct insn *insn, native_x87_fn *fn, unsigned pops)
{
    unsigned to = insn->op[0].reg, from = insn->op[1].reg;
    enum outcome outcome = x87_ready(core);
    uint16_t status;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, to) || x87_is_empty(core, from)) {
        if (!x87_stack_fault(core, false))
            return OUTCOME_NEXT;
        x87_write(core, to, X87_INDEFINITE);
    } else {
        status = fn(x87_native_control(core), x87_st(core, to), x87_st(core, from));
        x87_merge(core, status, X87_C1);
        if (stopped(core, status))
            return OUTCOME_NEXT;
    }
    if (pops)
        x87_pop(core);
    return OUTCOME_NEXT;
}

/* ---- Register and memory -------------------------------------------------------------------------------------- */

DRIVER with_memory(struct core *core, const struct insn *insn, native_x87_memory_fn *fn)
{
    enum outcome outcome = x87_ready(core);
    uint64_t memory;
    uint16_t status;

    if (outcome == OUTCOME_NEXT)
        outcome = operand_read(core, insn, 0, &memory);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0)) {
        if (x87_stack_fault(core, false))
            x87_write(core, 0, X87_INDEFINITE);
        return OUTCOME_NEXT;
    }
    status = fn(x87_native_control(core), x87_st(core, 0), &memory);
    x87_merge(core, status, X87_C1);
    return OUTCOME_NEXT;
}

/* FADD and FADDP by operands; FIADD is of its own name. */
#define ARITHMETIC(name, integer)                                                                 \
    enum outcome exec_##name(struct core *core, const struct insn *insn)                          \
    {                                                                                             \
        if (insn->op[0].kind == OPERAND_ST)                                                       \
            return registers(core, insn, native_##name, 0);                                       \
        return with_memory(core, insn, insn->op[0].size == 4 ? native_##name##_m32 : native_##name##_m64); \
    }                                                                                             \
    enum outcome exec_##name##p(struct core *core, const struct insn *insn)                       \
    {                                                                                             \
        return registers(core, insn, native_##name, 1);                                           \
    }                                                                                             \
    enum outcome exec_##integer(struct core *core, const struct insn *insn)                       \
    {                                                                                             \
        return with_memory(core, insn, insn->op[0].size == 2 ? native_##name##_i16 : native_##name##_i32); \
    }

ARITHMETIC(fadd, fiadd)
ARITHMETIC(fmul, fimul)
ARITHMETIC(fsub, fisub)
ARITHMETIC(fsubr, fisubr)
ARITHMETIC(fdiv, fidiv)
ARITHMETIC(fdivr, fidivr)

/* ---- One register --------------------------------------------------------------------------------------------- */

/* ST(0) becomes fn of itself (and of ST(1), if it counts). */
static enum outcome top(struct core *core, const struct insn *insn, native_x87_fn *fn, bool second)
{
    enum outcome outcome = x87_ready(core);
    struct x87_register a;
    uint16_t status;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0) || (second && x87_is_empty(core, 1))) {
        if (x87_stack_fault(core, false))
            x87_write(core, 0, X87_INDEFINITE);
        return OUTCOME_NEXT;
    }
    a = *x87_st(core, 0);
    status = fn(x87_native_control(core), &a, x87_st(core, 1));
    x87_merge(core, status, X87_C1);
    if (!stopped(core, status))
        *x87_st(core, 0) = a;
    return OUTCOME_NEXT;
}

enum outcome exec_fsqrt(struct core *core, const struct insn *insn)
{
    return top(core, insn, native_fsqrt, false);
}

enum outcome exec_frndint(struct core *core, const struct insn *insn)
{
    return top(core, insn, native_frndint, false);
}

enum outcome exec_fscale(struct core *core, const struct insn *insn)
{
    return top(core, insn, native_fscale, true);
}

/* FCHS and FABS know no exception but the stack's, and change NaNs like numbers. */
static enum outcome change_sign(struct core *core, const struct insn *insn, uint16_t keep, uint16_t flip)
{
    enum outcome outcome = x87_ready(core);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0)) {
        if (x87_stack_fault(core, false))
            x87_write(core, 0, X87_INDEFINITE);
        return OUTCOME_NEXT;
    }
    core->x87.status &= (uint16_t)~X87_C1;
    x87_st(core, 0)->exponent = (uint16_t)((x87_st(core, 0)->exponent & keep) ^ flip);
    return OUTCOME_NEXT;
}

enum outcome exec_fchs(struct core *core, const struct insn *insn)
{
    return change_sign(core, insn, 0xFFFF, 0x8000);
}

enum outcome exec_fabs(struct core *core, const struct insn *insn)
{
    return change_sign(core, insn, 0x7FFF, 0);
}

/* ST(0) becomes its exponent, its significand is pushed. */
enum outcome exec_fxtract(struct core *core, const struct insn *insn)
{
    enum outcome outcome = x87_ready(core);
    struct x87_register significand, exponent;
    uint16_t status;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0) || !x87_is_empty(core, 7)) {
        if (!x87_stack_fault(core, !x87_is_empty(core, 0)))
            return OUTCOME_NEXT;
        significand = exponent = X87_INDEFINITE;
    } else {
        significand = *x87_st(core, 0);
        status = native_fxtract(x87_native_control(core) | X87_EXCEPTIONS, &significand, &exponent);
        x87_merge(core, status, X87_C1);
        if (stopped(core, status))
            return OUTCOME_NEXT;
    }
    x87_write(core, 0, exponent);
    x87_push(core, significand);
    return OUTCOME_NEXT;
}

/* ---- Comparison ----------------------------------------------------------------------------------------------- */

#define UNORDERED (X87_C0 | X87_C2 | X87_C3)

/* Unordered, masked or not. false: unmasked stack underflow. */
static bool compare_underflow(struct core *core)
{
    core->x87.status |= UNORDERED;
    return x87_stack_fault(core, false);
}

static enum outcome compare(struct core *core, const struct insn *insn, native_x87_fn *fn, unsigned with, unsigned pops)
{
    enum outcome outcome = x87_ready(core);
    struct x87_register a;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0) || x87_is_empty(core, with)) {
        if (!compare_underflow(core))
            return OUTCOME_NEXT;
    } else {
        uint16_t status;

        a = *x87_st(core, 0);
        status = fn(x87_native_control(core) | X87_EXCEPTIONS, &a, x87_st(core, with));
        x87_merge(core, status, X87_CONDITIONS);
        if (stopped(core, status))
            return OUTCOME_NEXT;
    }
    while (pops-- > 0)
        x87_pop(core);
    return OUTCOME_NEXT;
}

static enum outcome compare_memory(struct core *core, const struct insn *insn, native_x87_memory_fn *fn, unsigned pops)
{
    enum outcome outcome = x87_ready(core);
    struct x87_register a;
    uint64_t memory;

    if (outcome == OUTCOME_NEXT)
        outcome = operand_read(core, insn, 0, &memory);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0)) {
        if (!compare_underflow(core))
            return OUTCOME_NEXT;
    } else {
        uint16_t status;

        a = *x87_st(core, 0);
        status = fn(x87_native_control(core) | X87_EXCEPTIONS, &a, &memory);
        x87_merge(core, status, X87_CONDITIONS);
        if (stopped(core, status))
            return OUTCOME_NEXT;
    }
    if (pops)
        x87_pop(core);
    return OUTCOME_NEXT;
}

static enum outcome compare_any(struct core *core, const struct insn *insn, unsigned pops)
{
    if (insn->op[0].kind == OPERAND_ST)
        return compare(core, insn, native_fcom, insn->op[1].reg, pops);
    return compare_memory(core, insn, insn->op[0].size == 4 ? native_fcom_m32 : native_fcom_m64, pops);
}

enum outcome exec_fcom(struct core *core, const struct insn *insn)
{
    return compare_any(core, insn, 0);
}

enum outcome exec_fcomp(struct core *core, const struct insn *insn)
{
    return compare_any(core, insn, 1);
}

enum outcome exec_fcompp(struct core *core, const struct insn *insn)
{
    return compare(core, insn, native_fcom, 1, 2);
}

enum outcome exec_ficom(struct core *core, const struct insn *insn)
{
    return compare_memory(core, insn, insn->op[0].size == 2 ? native_fcom_i16 : native_fcom_i32, 0);
}

enum outcome exec_ficomp(struct core *core, const struct insn *insn)
{
    return compare_memory(core, insn, insn->op[0].size == 2 ? native_fcom_i16 : native_fcom_i32, 1);
}

enum outcome exec_fucom(struct core *core, const struct insn *insn)
{
    return compare(core, insn, native_fucom, insn->op[1].reg, 0);
}

enum outcome exec_fucomp(struct core *core, const struct insn *insn)
{
    return compare(core, insn, native_fucom, insn->op[1].reg, 1);
}

enum outcome exec_fucompp(struct core *core, const struct insn *insn)
{
    return compare(core, insn, native_fucom, 1, 2);
}

enum outcome exec_ftst(struct core *core, const struct insn *insn)
{
    return compare(core, insn, native_ftst, 0, 0);
}

/* ---- Comparison to RFLAGS ------------------------------------------------------------------------------------- */

/*
 * C3 C2 C0 become ZF PF CF; OF, SF and AF become 0, whether or not an exception is unmasked. The conditions
 * stay; only a stack underflow clears C1.
 */
static enum outcome compare_flags(struct core *core, const struct insn *insn, native_x87_fn *fn, unsigned pops)
{
    enum outcome outcome = x87_ready(core);
    unsigned with = insn->op[1].reg;
    uint16_t status = UNORDERED;
    struct x87_register a;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    x87_note_instruction(core, insn);
    if (x87_is_empty(core, 0) || x87_is_empty(core, with)) {
        pops = x87_stack_fault(core, false) ? pops : 0;
    } else {
        a = *x87_st(core, 0);
        status = fn(x87_native_control(core) | X87_EXCEPTIONS, &a, x87_st(core, with));
        x87_merge(core, status, 0);
        pops = stopped(core, status) ? 0 : pops;
    }
    rflags_put(core, RFLAGS_ARITH, ((status & X87_C3) ? RFLAGS_ZF : 0) | ((status & X87_C2) ? RFLAGS_PF : 0) |
                                       ((status & X87_C0) ? RFLAGS_CF : 0));
    if (pops)
        x87_pop(core);
    return OUTCOME_NEXT;
}

enum outcome exec_fcomi(struct core *core, const struct insn *insn)
{
    return compare_flags(core, insn, native_fcom, 0);
}

enum outcome exec_fcomip(struct core *core, const struct insn *insn)
{
    return compare_flags(core, insn, native_fcom, 1);
}

enum outcome exec_fucomi(struct core *core, const struct insn *insn)
{
    return compare_flags(core, insn, native_fucom, 0);
}

enum outcome exec_fucomip(struct core *core, const struct insn *insn)
{
    return compare_flags(core, insn, native_fucom, 1);
}
