/* SPDX-License-Identifier: MIT */
/*
 * Shifts and rotates as pure operators. value: of `size` bytes; count: masked, not 0. They return the result and leave
 * the flags in the core.
 */
#ifndef FAM10H_CPU_EXEC_SHIFT_H
#define FAM10H_CPU_EXEC_SHIFT_H

#include "sim/cpu/exec/flags.h"

static inline uint64_t top_bit(uint64_t value, unsigned size)
{
    return value >> (8 * size - 1) & 1;
}

static inline uint64_t cf_of(uint64_t cf, uint64_t of)
{
    return (cf ? RFLAGS_CF : 0) | (of ? RFLAGS_OF : 0);
}

static inline uint64_t shift_left(struct core *core, unsigned size, uint64_t value, unsigned count)
{
    uint64_t result = zero_extend(value << count, size);

    lazy_set(core, LAZY_SHL, size, result, value, count);
    return result;
}

static inline uint64_t shift_right(struct core *core, unsigned size, uint64_t value, unsigned count)
{
    uint64_t result = value >> count;

    lazy_set(core, LAZY_SHR, size, result, value, count);
    return result;
}

static inline uint64_t shift_arithmetic(struct core *core, unsigned size, uint64_t value, unsigned count)
{
    int64_t extended = (int64_t)sign_extend(value, size);
    uint64_t result = zero_extend((uint64_t)(extended >> count), size);

    lazy_set_result(core, size, result, cf_of((uint64_t)(extended >> (count - 1)) & 1, 0));
    return result;
}

/* Rotates set CF and OF only. */
static inline uint64_t rotated(struct core *core, uint64_t result, uint64_t cf, uint64_t of)
{
    rflags_put(core, RFLAGS_CF | RFLAGS_OF, cf_of(cf, of));
    return result;
}

static inline uint64_t rotate(uint64_t value, unsigned size, unsigned left)
{
    unsigned width = 8 * size;

    left %= width;
    return left == 0 ? value : zero_extend(value << left | value >> (width - left), size);
}

static inline uint64_t rotate_left(struct core *core, unsigned size, uint64_t value, unsigned count)
{
    uint64_t result = rotate(value, size, count);

    return rotated(core, result, result & 1, (result & 1) ^ top_bit(result, size));
}

static inline uint64_t rotate_right(struct core *core, unsigned size, uint64_t value, unsigned count)
{
    uint64_t result = rotate(value, size, 8 * size - count % (8 * size));

    return rotated(core, result, top_bit(result, size),
                   top_bit(result, size) ^ top_bit(zero_extend(result << 1, size), size));
}

#endif
