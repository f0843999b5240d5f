/* SPDX-License-Identifier: MIT */
/* Quick forms of shifts and rotates by an immediate or CL (shift.c has their semantics). */
#include "sim/cpu/exec/quick_form.h"
#include "sim/cpu/exec/shift.h"
#include "sim/cpu/isa/semantics.h"

/* A masked count of 0 changes no flag; the register is written all the same. */
#define SHIFTED(operate, size, value, count) ((count) == 0 ? (value) : operate(core, size, value, count))
#define MASKED(size, count) ((unsigned)(count) & ((size) == 8 ? 63 : 31))

#define SHIFT_SIZE(name, operate, size)                                               \
    static const struct quick_op *name##_ri_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        unsigned count = MASKED(size, op->immediate);                                 \
        uint64_t value = gpr_read(core, op->reg, size, false);                        \
                                                                                      \
        gpr_write(core, op->reg, size, false, SHIFTED(operate, size, value, count));  \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_rr_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        unsigned count = MASKED(size, core->gpr[RCX]);                                \
        uint64_t value = gpr_read(core, op->reg, size, false);                        \
                                                                                      \
        gpr_write(core, op->reg, size, false, SHIFTED(operate, size, value, count));  \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_mi_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, true); \
        unsigned count = MASKED(size, op->immediate);                                 \
        uint64_t value;                                                               \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        value = load_native(native, size);                                            \
        store_native(native, size, SHIFTED(operate, size, value, count));             \
        QUICK_NEXT;                                                                   \
    }

#define EACH_SIZE(name, operate) \
    SHIFT_SIZE(name, operate, 1) SHIFT_SIZE(name, operate, 2) SHIFT_SIZE(name, operate, 4) SHIFT_SIZE(name, operate, 8)

EACH_SIZE(shl, shift_left)
EACH_SIZE(shr, shift_right)
EACH_SIZE(sar, shift_arithmetic)
EACH_SIZE(rol, rotate_left)
EACH_SIZE(ror, rotate_right)

/* The only register that counts is CL: register-register forms are those. */
#define SHIFT(name)                                                                                         \
    { exec_##name, 0, LAZY_NONE,                                                                            \
      { [FORM_RR] = QUICK_SIZES(name##_rr), [FORM_RI] = QUICK_SIZES(name##_ri), [FORM_MI] = QUICK_SIZES(name##_mi) } }

const struct quick_family quick_shifts[] = {
    SHIFT(shl), SHIFT(shr), SHIFT(sar), SHIFT(rol), SHIFT(ror), { NULL, 0, 0, { { NULL } } },
};
