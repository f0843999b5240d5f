/* SPDX-License-Identifier: MIT */
/*
 * x87 arithmetic on the native unit, under the guest's control word. Unmasked exceptions do not trap: the
 * native unit only remembers them until a waiting instruction, and none follows before they are cleared.
 * `control` is the control word; bits 21:16 are flags that count as raised already, which saves clearing them.
 * Every operator returns the status word. The native unit is left empty, with nothing pending, under the
 * simulator's own control word, that of the ABI.
 */
#ifndef FAM10H_CPU_EXEC_NATIVE_X87_H
#define FAM10H_CPU_EXEC_NATIVE_X87_H

#include "sim/cpu/core.h"

/* a becomes a op b; a keeps its value if an invalid, denormal or zero-divide exception is unmasked. */
typedef uint16_t native_x87_fn(uint32_t control, struct x87_register *a, const struct x87_register *b);
/* a becomes a op memory. */
typedef uint16_t native_x87_memory_fn(uint32_t control, struct x87_register *a, const uint64_t *memory);
/* memory from a; unchanged by what is unmasked and prevents the store. */
typedef uint16_t native_x87_store_fn(uint32_t control, const struct x87_register *a, uint64_t memory[2]);

#define NATIVE_X87_DECLARE(name)                                                                  \
    native_x87_fn native_##name;                                                                  \
    native_x87_memory_fn native_##name##_m32, native_##name##_m64, native_##name##_i16, native_##name##_i32;

NATIVE_X87_DECLARE(fadd)
NATIVE_X87_DECLARE(fmul)
NATIVE_X87_DECLARE(fsub)
NATIVE_X87_DECLARE(fsubr)
NATIVE_X87_DECLARE(fdiv)
NATIVE_X87_DECLARE(fdivr)
NATIVE_X87_DECLARE(fcom)

/* Sets the conditions only. */
native_x87_fn native_fucom;
/* One operand: b is not looked at. */
native_x87_fn native_fsqrt, native_frndint, native_ftst;
/* a scaled by b. */
native_x87_fn native_fscale;

/* Conversions to 80 bits. Call them with all exceptions masked. */
native_x87_memory_fn native_fld_m32, native_fld_m64, native_fbld;
/* Conversions from 80 bits; the integers with all exceptions masked. */
native_x87_store_fn native_fst_m32, native_fst_m64;
native_x87_store_fn native_fist_i16, native_fist_i32, native_fist_i64, native_fbstp;

/* Constants, rounded by the control word. */
native_x87_fn native_fldl2t, native_fldl2e, native_fldpi, native_fldlg2, native_fldln2;

/* a becomes the significand, b the exponent. With all exceptions masked. */
uint16_t native_fxtract(uint32_t control, struct x87_register *a, struct x87_register *b);

#endif
