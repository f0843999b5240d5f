/* SPDX-License-Identifier: MIT */
/* Quick forms of addition, subtraction, comparison and logic (alu.c has their semantics). */
#include "sim/cpu/exec/quick_form.h"
#include "sim/cpu/isa/semantics.h"

/* ---- op[0] = op[0] OP op[1] ------------------------------------------------------------------------------ */

#define BINARY_SIZE(name, operate, size)                                              \
    static const struct quick_op *name##_rr_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint64_t b = gpr_read(core, op->source, size, false);                         \
        uint64_t a = gpr_read(core, op->reg, size, false);                            \
                                                                                      \
        gpr_write(core, op->reg, size, false, operate(core, size, a, b));             \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_ri_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint64_t a = gpr_read(core, op->reg, size, false);                            \
                                                                                      \
        gpr_write(core, op->reg, size, false, operate(core, size, a, op->immediate)); \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_rm_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, false); \
        uint64_t a;                                                                   \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        a = gpr_read(core, op->reg, size, false);                                     \
        gpr_write(core, op->reg, size, false, operate(core, size, a, load_native(native, size))); \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_mr_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, true); \
        uint64_t b;                                                                   \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        b = gpr_read(core, op->source, size, false);                                  \
        store_native(native, size, operate(core, size, load_native(native, size), b)); \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_mi_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, true); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        store_native(native, size, operate(core, size, load_native(native, size), op->immediate)); \
        QUICK_NEXT;                                                                   \
    }

/* ---- Flags of op[0] OP op[1] ----------------------------------------------------------------------------- */

#define COMPARE_SIZE(name, operate, size)                                             \
    static const struct quick_op *name##_rr_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        operate(core, size, gpr_read(core, op->reg, size, false), gpr_read(core, op->source, size, false)); \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_ri_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        operate(core, size, gpr_read(core, op->reg, size, false), op->immediate);     \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_mr_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, false); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        operate(core, size, load_native(native, size), gpr_read(core, op->source, size, false)); \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_mi_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, false); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        operate(core, size, load_native(native, size), op->immediate);                \
        QUICK_NEXT;                                                                   \
    }

/* TEST has no form that loads its second operand. */
#define COMPARE_LOAD_SIZE(name, operate, size)                                        \
    static const struct quick_op *name##_rm_##size(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, false); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        operate(core, size, gpr_read(core, op->reg, size, false), load_native(native, size)); \
        QUICK_NEXT;                                                                   \
    }

/* ---- op[0] = OP op[0] ------------------------------------------------------------------------------------ */

#define UNARY_SIZE(name, operate, size)                                               \
    static const struct quick_op *name##_r_##size(QUICK_PARAMETERS)                   \
    {                                                                                 \
        uint64_t a = gpr_read(core, op->reg, size, false);                            \
                                                                                      \
        gpr_write(core, op->reg, size, false, operate(core, size, a, 0));             \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_m_##size(QUICK_PARAMETERS)                   \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, true); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        store_native(native, size, operate(core, size, load_native(native, size), 0)); \
        QUICK_NEXT;                                                                   \
    }

/* ---- All of them ----------------------------------------------------------------------------------------- */

#define EACH_SIZE(kind, name, operate)                                                \
    kind##_SIZE(name, operate, 1) kind##_SIZE(name, operate, 2)                       \
    kind##_SIZE(name, operate, 4) kind##_SIZE(name, operate, 8)

EACH_SIZE(BINARY, add, alu_add)
EACH_SIZE(BINARY, adc, alu_adc)
EACH_SIZE(BINARY, sub, alu_sub)
EACH_SIZE(BINARY, sbb, alu_sbb)
EACH_SIZE(BINARY, and, alu_and)
EACH_SIZE(BINARY, or, alu_or)
EACH_SIZE(BINARY, xor, alu_xor)
EACH_SIZE(COMPARE, cmp, alu_sub)
EACH_SIZE(COMPARE_LOAD, cmp, alu_sub)
EACH_SIZE(COMPARE, test, alu_and)
EACH_SIZE(UNARY, inc, alu_inc)
EACH_SIZE(UNARY, dec, alu_dec)
EACH_SIZE(UNARY, neg, alu_neg)
EACH_SIZE(UNARY, not, alu_not)

#define TWO_OPERANDS(name, flags)                                                                           \
    { exec_##name, 0, flags,                                                                                \
      { [FORM_RR] = QUICK_SIZES(name##_rr), [FORM_RI] = QUICK_SIZES(name##_ri), [FORM_RM] = QUICK_SIZES(name##_rm), \
        [FORM_MR] = QUICK_SIZES(name##_mr), [FORM_MI] = QUICK_SIZES(name##_mi) } }
#define ONE_OPERAND(name, flags) \
    { exec_##name, 0, flags, { [FORM_R] = QUICK_SIZES(name##_r), [FORM_M] = QUICK_SIZES(name##_m) } }

/* LAZY_SUB promises that no borrow came in: SBB promises nothing. */
const struct quick_family quick_alu[] = {
    TWO_OPERANDS(cmp, LAZY_SUB),
    TWO_OPERANDS(add, LAZY_ADD),
    { exec_test, 0, LAZY_LOGIC,
      { [FORM_RR] = QUICK_SIZES(test_rr), [FORM_RI] = QUICK_SIZES(test_ri), [FORM_MR] = QUICK_SIZES(test_mr),
        [FORM_MI] = QUICK_SIZES(test_mi) } },
    TWO_OPERANDS(sub, LAZY_SUB),
    TWO_OPERANDS(and, LAZY_LOGIC),
    TWO_OPERANDS(or, LAZY_LOGIC),
    TWO_OPERANDS(xor, LAZY_LOGIC),
    TWO_OPERANDS(adc, LAZY_NONE),
    TWO_OPERANDS(sbb, LAZY_NONE),
    ONE_OPERAND(inc, LAZY_INC),
    ONE_OPERAND(dec, LAZY_DEC),
    ONE_OPERAND(neg, LAZY_SUB),
    ONE_OPERAND(not, LAZY_NONE),
    { NULL, 0, 0, { { NULL } } },
};
