/* SPDX-License-Identifier: MIT */
/*
 * Shifts and rotates. A masked count of 0 changes no flag. Undefined flags: AF cleared by shifts; OF for
 * counts above 1 by the same formula as for 1 (what AMD and Intel processors do).
 */
#include "sim/cpu/exec/shift.h"

#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

/* value: op[0]; count: masked, not 0. Returns the result and leaves the flags in the core. */
typedef uint64_t shift_operator(struct core *core, unsigned size, uint64_t value, unsigned count);

/* Through carry: a rotate of 8 * size + 1 bits. */
static unsigned __int128 with_carry(const struct core *core, unsigned size, uint64_t value)
{
    return (unsigned __int128)flag_cf(core) << 8 * size | value;
}

static unsigned __int128 rotate_wide(unsigned __int128 value, unsigned width, unsigned left)
{
    return (value << left | value >> (width - left)) & (((unsigned __int128)1 << width) - 1);
}

static uint64_t rotate_carry_left(struct core *core, unsigned size, uint64_t value, unsigned count)
{
    unsigned width = 8 * size + 1;
    unsigned __int128 wide = with_carry(core, size, value);
    uint64_t result;

    count %= width;
    if (count != 0)
        wide = rotate_wide(wide, width, count);
    result = zero_extend((uint64_t)wide, size);
    return rotated(core, result, (uint64_t)(wide >> 8 * size), (uint64_t)(wide >> 8 * size) ^ top_bit(result, size));
}

static uint64_t rotate_carry_right(struct core *core, unsigned size, uint64_t value, unsigned count)
{
    unsigned width = 8 * size + 1;
    unsigned __int128 wide = with_carry(core, size, value);
    uint64_t result;

    count %= width;
    if (count != 0)
        wide = rotate_wide(wide, width, width - count);
    result = zero_extend((uint64_t)wide, size);
    return rotated(core, result, (uint64_t)(wide >> 8 * size),
                   top_bit(result, size) ^ top_bit(zero_extend(result << 1, size), size));
}

static inline __attribute__((always_inline)) enum outcome shift(struct core *core, const struct insn *insn,
                                                                shift_operator *operate)
{
    unsigned size = insn->op[0].size;
    struct operand_ref ref;
    enum outcome outcome;
    uint64_t value, count;

    operand_read(core, insn, 1, &count); /* CL or an immediate */
    count &= size == 8 ? 63 : 31;
    outcome = operand_modify(core, insn, 0, &ref, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (count != 0)
        value = operate(core, size, value, (unsigned)count);
    operand_commit(core, insn, 0, &ref, value);
    return OUTCOME_NEXT;
}

enum outcome exec_shl(struct core *core, const struct insn *insn)
{
    return shift(core, insn, shift_left);
}

enum outcome exec_shr(struct core *core, const struct insn *insn)
{
    return shift(core, insn, shift_right);
}

enum outcome exec_sar(struct core *core, const struct insn *insn)
{
    return shift(core, insn, shift_arithmetic);
}

enum outcome exec_rol(struct core *core, const struct insn *insn)
{
    return shift(core, insn, rotate_left);
}

enum outcome exec_ror(struct core *core, const struct insn *insn)
{
    return shift(core, insn, rotate_right);
}

enum outcome exec_rcl(struct core *core, const struct insn *insn)
{
    return shift(core, insn, rotate_carry_left);
}

enum outcome exec_rcr(struct core *core, const struct insn *insn)
{
    return shift(core, insn, rotate_carry_right);
}

/* ---- Double shifts ---------------------------------------------------------------------------------- */

/*
 * value:fill shifted left. A 16-bit count above 16 has an undefined result in the manual; here, as in
 * processors, the window slides over value:fill:value.
 */
static uint64_t double_left(struct core *core, unsigned size, uint64_t value, uint64_t fill, unsigned count)
{
    unsigned width = 8 * size;
    unsigned __int128 pair = (unsigned __int128)value << width | fill;
    uint64_t result, cf;

    if (size == 2) {
        uint64_t triple = value << 32 | fill << 16 | value;

        result = triple >> (32 - count) & 0xFFFF;
        cf = triple >> (48 - count) & 1;
    } else {
        result = zero_extend((uint64_t)(pair >> (width - count)), size);
        cf = value >> (width - count) & 1;
    }
    lazy_set_result(core, size, result, cf_of(cf, top_bit(value, size) ^ top_bit(result, size)));
    return result;
}

static uint64_t double_right(struct core *core, unsigned size, uint64_t value, uint64_t fill, unsigned count)
{
    unsigned __int128 pair = (unsigned __int128)fill << 8 * size | value;
    uint64_t result, cf;

    if (size == 2)
        pair |= (unsigned __int128)value << 32;
    result = zero_extend((uint64_t)(pair >> count), size);
    cf = (uint64_t)(pair >> (count - 1)) & 1;
    lazy_set_result(core, size, result,
                    cf_of(cf, top_bit(result, size) ^ top_bit(zero_extend(result << 1, size), size)));
    return result;
}

static enum outcome shift_double(struct core *core, const struct insn *insn, bool left)
{
    unsigned size = insn->op[0].size;
    struct operand_ref ref;
    enum outcome outcome;
    uint64_t value, fill, count;

    operand_read(core, insn, 1, &fill);
    operand_read(core, insn, 2, &count);
    count &= size == 8 ? 63 : 31;
    outcome = operand_modify(core, insn, 0, &ref, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (count != 0 && left)
        value = double_left(core, size, value, fill, (unsigned)count);
    else if (count != 0)
        value = double_right(core, size, value, fill, (unsigned)count);
    operand_commit(core, insn, 0, &ref, value);
    return OUTCOME_NEXT;
}

enum outcome exec_shld(struct core *core, const struct insn *insn)
{
    return shift_double(core, insn, true);
}

enum outcome exec_shrd(struct core *core, const struct insn *insn)
{
    return shift_double(core, insn, false);
}
