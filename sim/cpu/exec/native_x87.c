/* SPDX-License-Identifier: MIT */
/* One assembler statement per operator, see native_x87.h. */
#include "sim/cpu/exec/native_x87.h"

#define ENTER "fnclex\n\tfnstcw %[own]\n\tfldcw %[control]\n\t"
#define LEAVE "fnstsw %[status]\n\tfnclex\n\tfldcw %[own]\n\t"
#define STACK "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

/* ---- Registers ------------------------------------------------------------------------------------------- */

#define BINARY(name, instruction)                                                                 \
    uint16_t native_##name(uint16_t control, struct x87_register *a, const struct x87_register *b) \
    {                                                                                             \
        uint16_t own, status;                                                                     \
                                                                                                  \
        __asm__ volatile("fldt %[b]\n\tfldt %[a]\n\t" ENTER instruction "\n\t" LEAVE              \
                         "fstpt %[a]\n\tfstp %%st(0)"                                             \
                         : [a] "+m"(*a), [own] "=m"(own), [status] "=m"(status)                   \
                         : [b] "m"(*b), [control] "m"(control)                                    \
                         : STACK);                                                                \
        return status;                                                                            \
    }

/* No result: what comes back to a is what was there. */
#define UNARY(name, instruction)                                                                  \
    uint16_t native_##name(uint16_t control, struct x87_register *a, const struct x87_register *b) \
    {                                                                                             \
        uint16_t own, status;                                                                     \
                                                                                                  \
        (void)b;                                                                                  \
        __asm__ volatile("fldt %[a]\n\t" ENTER instruction "\n\t" LEAVE "fstpt %[a]"              \
                         : [a] "+m"(*a), [own] "=m"(own), [status] "=m"(status)                   \
                         : [control] "m"(control)                                                 \
                         : STACK);                                                                \
        return status;                                                                            \
    }

#define CONSTANT(name)                                                                            \
    uint16_t native_##name(uint16_t control, struct x87_register *a, const struct x87_register *b) \
    {                                                                                             \
        uint16_t own, status;                                                                     \
                                                                                                  \
        (void)b;                                                                                  \
        __asm__ volatile(ENTER #name "\n\t" LEAVE "fstpt %[a]"                                    \
                         : [a] "=m"(*a), [own] "=m"(own), [status] "=m"(status)                   \
                         : [control] "m"(control)                                                 \
                         : STACK);                                                                \
        return status;                                                                            \
    }

BINARY(fadd, "fadd %%st(1), %%st")
BINARY(fmul, "fmul %%st(1), %%st")
BINARY(fsub, "fsub %%st(1), %%st")
BINARY(fsubr, "fsubr %%st(1), %%st")
BINARY(fdiv, "fdiv %%st(1), %%st")
BINARY(fdivr, "fdivr %%st(1), %%st")
BINARY(fcom, "fcom %%st(1)")
BINARY(fucom, "fucom %%st(1)")
BINARY(fscale, "fscale")
UNARY(fsqrt, "fsqrt")
UNARY(frndint, "frndint")
UNARY(ftst, "ftst")
CONSTANT(fldl2t)
CONSTANT(fldl2e)
CONSTANT(fldpi)
CONSTANT(fldlg2)
CONSTANT(fldln2)

/* ---- Memory operands ------------------------------------------------------------------------------------- */

#define MEMORY(name, instruction)                                                                 \
    uint16_t native_##name(uint16_t control, struct x87_register *a, const uint64_t *memory)      \
    {                                                                                             \
        uint16_t own, status;                                                                     \
                                                                                                  \
        __asm__ volatile("fldt %[a]\n\t" ENTER instruction " %[memory]\n\t" LEAVE "fstpt %[a]"    \
                         : [a] "+m"(*a), [own] "=m"(own), [status] "=m"(status)                   \
                         : [memory] "m"(*memory), [control] "m"(control)                          \
                         : STACK);                                                                \
        return status;                                                                            \
    }

#define MEMORY_ALL(name)                                                                          \
    MEMORY(f##name##_m32, "f" #name "s")                                                          \
    MEMORY(f##name##_m64, "f" #name "l")                                                          \
    MEMORY(f##name##_i16, "fi" #name "s")                                                         \
    MEMORY(f##name##_i32, "fi" #name "l")

MEMORY_ALL(add)
MEMORY_ALL(mul)
MEMORY_ALL(sub)
MEMORY_ALL(subr)
MEMORY_ALL(div)
MEMORY_ALL(divr)
MEMORY_ALL(com)

/* ---- Loads and stores ------------------------------------------------------------------------------------ */

#define LOAD(name, instruction)                                                                   \
    uint16_t native_##name(uint16_t control, struct x87_register *a, const uint64_t *memory)      \
    {                                                                                             \
        const uint64_t (*operand)[2] = (const uint64_t (*)[2])memory;                             \
        uint16_t own, status;                                                                     \
                                                                                                  \
        __asm__ volatile(ENTER instruction " %[memory]\n\t" LEAVE "fstpt %[a]"                    \
                         : [a] "=m"(*a), [own] "=m"(own), [status] "=m"(status)                   \
                         : [memory] "m"(*operand), [control] "m"(control)                         \
                         : STACK);                                                                \
        return status;                                                                            \
    }

LOAD(fld_m32, "flds")
LOAD(fld_m64, "fldl")
LOAD(fild_i16, "filds")
LOAD(fild_i32, "fildl")
LOAD(fild_i64, "fildq")
LOAD(fbld, "fbld")

#define STORE(name, instruction, drop)                                                            \
    uint16_t native_##name(uint16_t control, const struct x87_register *a, uint64_t memory[2])    \
    {                                                                                             \
        uint64_t (*operand)[2] = (uint64_t (*)[2])memory;                                         \
        uint16_t own, status;                                                                     \
                                                                                                  \
        __asm__ volatile("fldt %[a]\n\t" ENTER instruction " %[memory]\n\t" LEAVE drop            \
                         : [memory] "+m"(*operand), [own] "=m"(own), [status] "=m"(status)        \
                         : [a] "m"(*a), [control] "m"(control)                                    \
                         : STACK);                                                                \
        return status;                                                                            \
    }

STORE(fst_m32, "fsts", "fstp %%st(0)")
STORE(fst_m64, "fstl", "fstp %%st(0)")
STORE(fist_i16, "fists", "fstp %%st(0)")
STORE(fist_i32, "fistl", "fstp %%st(0)")
STORE(fist_i64, "fistpq", "")
STORE(fbstp, "fbstp", "")

uint16_t native_fxtract(uint16_t control, struct x87_register *a, struct x87_register *b)
{
    uint16_t own, status;

    __asm__ volatile("fldt %[a]\n\t" ENTER "fxtract\n\t" LEAVE "fstpt %[a]\n\tfstpt %[b]"
                     : [a] "+m"(*a), [b] "=m"(*b), [own] "=m"(own), [status] "=m"(status)
                     : [control] "m"(control)
                     : STACK);
    return status;
}
