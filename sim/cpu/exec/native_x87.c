/* SPDX-License-Identifier: MIT */
/* One assembler statement per operator, see native_x87.h. */
#include "sim/cpu/exec/native_x87.h"

#define OWN_CONTROL 0x037F /* System V ABI */
#define FLAGS 0x3F

/* Behind the operator: its status, and nothing left pending that the next waiting instruction would raise. */
#define STATUS "\n\tfnstsw %[status]\n\ttestb $0x80, %b[status]\n\tjz 1f\n\tfnclex\n1:\t"

static inline void enter(uint32_t control)
{
    uint16_t status, word = (uint16_t)control;

    __asm__ volatile("fnstsw %0" : "=a"(status));
    if (status & FLAGS & ~(control >> 16))
        __asm__ volatile("fnclex");
    if (word != OWN_CONTROL)
        __asm__ volatile("fldcw %0" : : "m"(word));
}

static inline uint16_t leave(uint32_t control, uint16_t status)
{
    uint16_t word = OWN_CONTROL;

    if ((uint16_t)control != OWN_CONTROL)
        __asm__ volatile("fldcw %0" : : "m"(word));
    return status;
}

#define STACK "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

/* ---- Registers ------------------------------------------------------------------------------------------- */

#define BINARY(name, instruction)                                                                 \
    uint16_t native_##name(uint32_t control, struct x87_register *a, const struct x87_register *b) \
    {                                                                                             \
        uint16_t status;                                                                          \
                                                                                                  \
        enter(control);                                                                           \
        __asm__ volatile("fldt %[b]\n\tfldt %[a]\n\t" instruction STATUS                          \
                         "fstpt %[a]\n\tfstp %%st(0)"                                             \
                         : [a] "+m"(*a), [status] "=a"(status)                                    \
                         : [b] "m"(*b)                                                            \
                         : STACK);                                                                \
        return leave(control, status);                                                            \
    }

/* No result: what comes back to a is what was there. */
#define UNARY(name, instruction)                                                                  \
    uint16_t native_##name(uint32_t control, struct x87_register *a, const struct x87_register *b) \
    {                                                                                             \
        uint16_t status;                                                                          \
                                                                                                  \
        (void)b;                                                                                  \
        enter(control);                                                                           \
        __asm__ volatile("fldt %[a]\n\t" instruction STATUS "fstpt %[a]"                          \
                         : [a] "+m"(*a), [status] "=a"(status)                                    \
                         :                                                                        \
                         : STACK);                                                                \
        return leave(control, status);                                                            \
    }

#define CONSTANT(name)                                                                            \
    uint16_t native_##name(uint32_t control, struct x87_register *a, const struct x87_register *b) \
    {                                                                                             \
        uint16_t status;                                                                          \
                                                                                                  \
        (void)b;                                                                                  \
        enter(control);                                                                           \
        __asm__ volatile(#name STATUS "fstpt %[a]"                                                \
                         : [a] "=m"(*a), [status] "=a"(status)                                    \
                         :                                                                        \
                         : STACK);                                                                \
        return leave(control, status);                                                            \
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
    uint16_t native_##name(uint32_t control, struct x87_register *a, const uint64_t *memory)      \
    {                                                                                             \
        uint16_t status;                                                                          \
                                                                                                  \
        enter(control);                                                                           \
        __asm__ volatile("fldt %[a]\n\t" instruction " %[memory]" STATUS "fstpt %[a]"             \
                         : [a] "+m"(*a), [status] "=a"(status)                                    \
                         : [memory] "m"(*memory)                                                  \
                         : STACK);                                                                \
        return leave(control, status);                                                            \
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
    uint16_t native_##name(uint32_t control, struct x87_register *a, const uint64_t *memory)      \
    {                                                                                             \
        const uint64_t (*operand)[2] = (const uint64_t (*)[2])memory;                             \
        uint16_t status;                                                                          \
                                                                                                  \
        enter(control);                                                                           \
        __asm__ volatile(instruction " %[memory]" STATUS "fstpt %[a]"                             \
                         : [a] "=m"(*a), [status] "=a"(status)                                    \
                         : [memory] "m"(*operand)                                                 \
                         : STACK);                                                                \
        return leave(control, status);                                                            \
    }

LOAD(fld_m32, "flds")
LOAD(fld_m64, "fldl")
LOAD(fbld, "fbld")

#define STORE(name, instruction, drop)                                                            \
    uint16_t native_##name(uint32_t control, const struct x87_register *a, uint64_t memory[2])    \
    {                                                                                             \
        uint64_t (*operand)[2] = (uint64_t (*)[2])memory;                                         \
        uint16_t status;                                                                          \
                                                                                                  \
        enter(control);                                                                           \
        __asm__ volatile("fldt %[a]\n\t" instruction " %[memory]" STATUS drop                     \
                         : [memory] "+m"(*operand), [status] "=a"(status)                         \
                         : [a] "m"(*a)                                                            \
                         : STACK);                                                                \
        return leave(control, status);                                                            \
    }

STORE(fst_m32, "fsts", "fstp %%st(0)")
STORE(fst_m64, "fstl", "fstp %%st(0)")
STORE(fist_i16, "fists", "fstp %%st(0)")
STORE(fist_i32, "fistl", "fstp %%st(0)")
STORE(fist_i64, "fistpq", "")
STORE(fbstp, "fbstp", "")

uint16_t native_fxtract(uint32_t control, struct x87_register *a, struct x87_register *b)
{
    uint16_t status;

    enter(control);
    __asm__ volatile("fldt %[a]\n\tfxtract" STATUS "fstpt %[a]\n\tfstpt %[b]"
                     : [a] "+m"(*a), [b] "=m"(*b), [status] "=a"(status)
                     :
                     : STACK);
    return leave(control, status);
}
