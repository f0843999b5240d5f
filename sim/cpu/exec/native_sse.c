/* SPDX-License-Identifier: MIT */
/*
 * One assembler statement per operator. MXCSR is loaded only when it has to change: guests seldom leave the
 * default control bits, and the flags stay where they are from one operator to the next.
 */
#include "sim/cpu/exec/native_sse.h"

#define FLAGS 0x3F

static inline uint32_t mxcsr_read(void)
{
    uint32_t value;

    __asm__ volatile("stmxcsr %0" : "=m"(value));
    return value;
}

static inline void mxcsr_write(uint32_t value)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(value));
}

/* Returns the simulator's own value. */
static inline uint32_t enter(uint32_t mxcsr)
{
    uint32_t own = mxcsr_read();

    if (own != mxcsr)
        mxcsr_write(mxcsr);
    return own;
}

/* The flags; the simulator's own control bits are back. */
static inline uint32_t leave(uint32_t own, uint32_t mxcsr)
{
    uint32_t flags = mxcsr_read() & FLAGS;

    if ((own ^ mxcsr) & ~(uint32_t)FLAGS)
        mxcsr_write(own);
    return flags;
}

/* Vector result. */
#define OPERATOR(name, instruction)                                                               \
    uint32_t native_##name(uint32_t mxcsr, union lanes *a, const union lanes *b)                  \
    {                                                                                             \
        uint32_t own = enter(mxcsr);                                                              \
                                                                                                  \
        __asm__ volatile("movups %[a], %%xmm0\n\tmovups %[b], %%xmm1\n\t" instruction "\n\t"      \
                         "movups %%xmm0, %[a]"                                                    \
                         : [a] "+m"(*a)                                                           \
                         : [b] "m"(*b)                                                            \
                         : "xmm0", "xmm1");                                                       \
        return leave(own, mxcsr);                                                                 \
    }

#define BINARY(name) OPERATOR(name, #name " %%xmm1, %%xmm0")
#define ARITHMETIC(name) BINARY(name##ps) BINARY(name##pd) BINARY(name##ss) BINARY(name##sd)

ARITHMETIC(add)
ARITHMETIC(sub)
ARITHMETIC(mul)
ARITHMETIC(div)
ARITHMETIC(min)
ARITHMETIC(max)
ARITHMETIC(sqrt)
BINARY(cvtps2pd)
BINARY(cvtpd2ps)
BINARY(cvtss2sd)
BINARY(cvtsd2ss)
BINARY(cvtdq2ps)
BINARY(cvtps2dq)
BINARY(cvttps2dq)
BINARY(cvtdq2pd)
BINARY(cvtpd2dq)
BINARY(cvttpd2dq)

/* SSE3: every x86-64 processor since 2005. */
BINARY(haddps)
BINARY(haddpd)
BINARY(hsubps)
BINARY(hsubpd)
BINARY(addsubps)
BINARY(addsubpd)

/* ---- Comparisons ----------------------------------------------------------------------------------------- */

#define PREDICATES(type)                                                                          \
    static OPERATOR(cmp##type##_0, "cmp" #type " $0, %%xmm1, %%xmm0")                             \
    static OPERATOR(cmp##type##_1, "cmp" #type " $1, %%xmm1, %%xmm0")                             \
    static OPERATOR(cmp##type##_2, "cmp" #type " $2, %%xmm1, %%xmm0")                             \
    static OPERATOR(cmp##type##_3, "cmp" #type " $3, %%xmm1, %%xmm0")                             \
    static OPERATOR(cmp##type##_4, "cmp" #type " $4, %%xmm1, %%xmm0")                             \
    static OPERATOR(cmp##type##_5, "cmp" #type " $5, %%xmm1, %%xmm0")                             \
    static OPERATOR(cmp##type##_6, "cmp" #type " $6, %%xmm1, %%xmm0")                             \
    static OPERATOR(cmp##type##_7, "cmp" #type " $7, %%xmm1, %%xmm0")                             \
    native_sse_fn *const native_cmp##type[8] = {                                                  \
        native_cmp##type##_0, native_cmp##type##_1, native_cmp##type##_2, native_cmp##type##_3,   \
        native_cmp##type##_4, native_cmp##type##_5, native_cmp##type##_6, native_cmp##type##_7,   \
    };

PREDICATES(ps)
PREDICATES(pd)
PREDICATES(ss)
PREDICATES(sd)

/* ---- To and from general registers ------------------------------------------------------------------------ */

/* The flags as LAHF puts them: SF ZF - AF - PF - CF; OF is 0. */
#define FLAGS_RESULT(name)                                                                        \
    uint32_t native_##name(uint32_t mxcsr, union lanes *a, const union lanes *b)                  \
    {                                                                                             \
        uint64_t flags;                                                                           \
        uint32_t own = enter(mxcsr);                                                              \
                                                                                                  \
        __asm__ volatile("movups %[a], %%xmm0\n\tmovups %[b], %%xmm1\n\t" #name " %%xmm1, %%xmm0\n\t" \
                         "lahf\n\tmovzbl %%ah, %%eax"                                             \
                         : [flags] "=&a"(flags)                                                   \
                         : [a] "m"(*a), [b] "m"(*b)                                               \
                         : "xmm0", "xmm1", "cc");                                                 \
        a->q[0] = flags;                                                                          \
        return leave(own, mxcsr);                                                                 \
    }

FLAGS_RESULT(ucomiss)
FLAGS_RESULT(ucomisd)
FLAGS_RESULT(comiss)
FLAGS_RESULT(comisd)

#define FROM_INTEGER(name, instruction, operand)                                                  \
    uint32_t native_##name(uint32_t mxcsr, union lanes *a, const union lanes *b)                  \
    {                                                                                             \
        uint32_t own = enter(mxcsr);                                                              \
                                                                                                  \
        __asm__ volatile("movups %[a], %%xmm0\n\t" instruction " %" operand "[b], %%xmm0\n\t"     \
                         "movups %%xmm0, %[a]"                                                    \
                         : [a] "+m"(*a)                                                           \
                         : [b] "r"(b->q[0])                                                       \
                         : "xmm0");                                                               \
        return leave(own, mxcsr);                                                                 \
    }

FROM_INTEGER(cvtsi2ss, "cvtsi2ssl", "k")
FROM_INTEGER(cvtsi2sd, "cvtsi2sdl", "k")
FROM_INTEGER(cvtsi2ss_64, "cvtsi2ssq", "q")
FROM_INTEGER(cvtsi2sd_64, "cvtsi2sdq", "q")

#define TO_INTEGER(name, instruction, operand)                                                    \
    uint32_t native_##name(uint32_t mxcsr, union lanes *a, const union lanes *b)                  \
    {                                                                                             \
        uint64_t value;                                                                           \
        uint32_t own = enter(mxcsr);                                                              \
                                                                                                  \
        __asm__ volatile("movups %[b], %%xmm0\n\t" instruction " %%xmm0, %" operand "[value]"     \
                         : [value] "=&r"(value)                                                   \
                         : [b] "m"(*b)                                                            \
                         : "xmm0");                                                               \
        a->q[0] = value;                                                                          \
        return leave(own, mxcsr);                                                                 \
    }

TO_INTEGER(cvtss2si, "cvtss2si", "k")
TO_INTEGER(cvtsd2si, "cvtsd2si", "k")
TO_INTEGER(cvttss2si, "cvttss2si", "k")
TO_INTEGER(cvttsd2si, "cvttsd2si", "k")
TO_INTEGER(cvtss2si_64, "cvtss2si", "q")
TO_INTEGER(cvtsd2si_64, "cvtsd2si", "q")
TO_INTEGER(cvttss2si_64, "cvttss2si", "q")
TO_INTEGER(cvttsd2si_64, "cvttsd2si", "q")
