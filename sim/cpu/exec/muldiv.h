/* SPDX-License-Identifier: MIT */
/* Signed products and the flags of multiplications: pure operators. */
#ifndef FAM10H_CPU_EXEC_MULDIV_H
#define FAM10H_CPU_EXEC_MULDIV_H

#include "sim/cpu/exec/flags.h"

/* CF and OF: the low half is not the whole product. */
static inline void set_multiply_flags(struct core *core, unsigned size, uint64_t low, bool overflow)
{
    lazy_set_result(core, size, low, overflow ? RFLAGS_CF | RFLAGS_OF : 0);
}

/* Low half of the signed product of two values of `size` bytes; whether it is the whole is in *overflow. */
static inline uint64_t signed_product(uint64_t a, uint64_t b, unsigned size, bool *overflow)
{
    int64_t product;

    *overflow = __builtin_mul_overflow((int64_t)sign_extend(a, size), (int64_t)sign_extend(b, size), &product);
    if (size < 8)
        *overflow = (uint64_t)product != sign_extend((uint64_t)product, size);
    return (uint64_t)product;
}

/* The low half, cut to `size`; the flags are left in the core. */
static inline uint64_t multiply_signed(struct core *core, unsigned size, uint64_t a, uint64_t b)
{
    bool overflow;
    uint64_t result = zero_extend(signed_product(a, b, size, &overflow), size);

    set_multiply_flags(core, size, result, overflow);
    return result;
}

#endif
