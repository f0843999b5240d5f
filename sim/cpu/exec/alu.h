/* SPDX-License-Identifier: MIT */
/*
 * Pure operators: operands zero-extended from `size` bytes to a result of the same form; the flags become
 * the core's lazy flags. They touch neither memory nor registers.
 */
#ifndef FAM10H_CPU_EXEC_ALU_H
#define FAM10H_CPU_EXEC_ALU_H

#include "sim/cpu/exec/flags.h"

static inline uint64_t alu_add(struct core *core, unsigned size, uint64_t a, uint64_t b)
{
    uint64_t result = zero_extend(a + b, size);

    lazy_set(core, LAZY_ADD, size, result, a, b);
    return result;
}

static inline uint64_t alu_adc(struct core *core, unsigned size, uint64_t a, uint64_t b)
{
    uint64_t result = zero_extend(a + b + flag_cf(core), size);

    lazy_set(core, LAZY_ADD, size, result, a, b);
    return result;
}

static inline uint64_t alu_sub(struct core *core, unsigned size, uint64_t a, uint64_t b)
{
    uint64_t result = zero_extend(a - b, size);

    lazy_set(core, LAZY_SUB, size, result, a, b);
    return result;
}

static inline uint64_t alu_sbb(struct core *core, unsigned size, uint64_t a, uint64_t b)
{
    uint64_t result = zero_extend(a - b - flag_cf(core), size);

    lazy_set(core, LAZY_SUB, size, result, a, b);
    return result;
}

static inline uint64_t alu_logic(struct core *core, unsigned size, uint64_t result)
{
    lazy_set(core, LAZY_LOGIC, size, result, 0, 0);
    return result;
}

static inline uint64_t alu_and(struct core *core, unsigned size, uint64_t a, uint64_t b)
{
    return alu_logic(core, size, a & b);
}

static inline uint64_t alu_or(struct core *core, unsigned size, uint64_t a, uint64_t b)
{
    return alu_logic(core, size, a | b);
}

static inline uint64_t alu_xor(struct core *core, unsigned size, uint64_t a, uint64_t b)
{
    return alu_logic(core, size, a ^ b);
}

/* INC and DEC leave CF alone: it moves to core->rflags. */
static inline void keep_carry(struct core *core)
{
    core->rflags = (core->rflags & ~RFLAGS_CF) | flag_cf(core);
}

static inline uint64_t alu_inc(struct core *core, unsigned size, uint64_t a, uint64_t unused)
{
    uint64_t result = zero_extend(a + 1, size);

    (void)unused;
    keep_carry(core);
    lazy_set(core, LAZY_INC, size, result, a, 0);
    return result;
}

static inline uint64_t alu_dec(struct core *core, unsigned size, uint64_t a, uint64_t unused)
{
    uint64_t result = zero_extend(a - 1, size);

    (void)unused;
    keep_carry(core);
    lazy_set(core, LAZY_DEC, size, result, a, 0);
    return result;
}

static inline uint64_t alu_neg(struct core *core, unsigned size, uint64_t a, uint64_t unused)
{
    (void)unused;
    return alu_sub(core, size, 0, a);
}

static inline uint64_t alu_not(struct core *core, unsigned size, uint64_t a, uint64_t unused)
{
    (void)core;
    (void)unused;
    return zero_extend(~a, size);
}

#endif
