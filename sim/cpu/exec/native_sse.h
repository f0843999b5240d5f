/* SPDX-License-Identifier: MIT */
/*
 * SSE arithmetic on the native units. Each operator runs under `mxcsr` (rounding, DAZ, FZ; every exception
 * masked) and returns the exception flags that it raised together with those set in `mxcsr`. The simulator's
 * own control bits are as before; its flags mean nothing to it.
 */
#ifndef FAM10H_CPU_EXEC_NATIVE_SSE_H
#define FAM10H_CPU_EXEC_NATIVE_SSE_H

#include "sim/cpu/core.h"

/* a becomes a op b. Integer results, and flags of comparisons (as LAHF gives them), are in a->q[0]. */
typedef uint32_t native_sse_fn(uint32_t mxcsr, union lanes *a, const union lanes *b);

#define NATIVE_SSE_DECLARE(name)                                                                  \
    native_sse_fn native_##name##ps, native_##name##pd, native_##name##ss, native_##name##sd;

NATIVE_SSE_DECLARE(add)
NATIVE_SSE_DECLARE(sub)
NATIVE_SSE_DECLARE(mul)
NATIVE_SSE_DECLARE(div)
NATIVE_SSE_DECLARE(min)
NATIVE_SSE_DECLARE(max)
NATIVE_SSE_DECLARE(sqrt)

/* Comparison predicates 0-7 of CMPPS ... */
extern native_sse_fn *const native_cmpps[8], *const native_cmppd[8], *const native_cmpss[8], *const native_cmpsd[8];

native_sse_fn native_haddps, native_haddpd, native_hsubps, native_hsubpd, native_addsubps, native_addsubpd;
native_sse_fn native_cvtps2pd, native_cvtpd2ps, native_cvtss2sd, native_cvtsd2ss;
native_sse_fn native_cvtdq2ps, native_cvtps2dq, native_cvttps2dq, native_cvtdq2pd, native_cvtpd2dq, native_cvttpd2dq;
native_sse_fn native_cvtsi2ss, native_cvtsi2sd, native_cvtsi2ss_64, native_cvtsi2sd_64;
native_sse_fn native_cvtss2si, native_cvtsd2si, native_cvttss2si, native_cvttsd2si;
native_sse_fn native_cvtss2si_64, native_cvtsd2si_64, native_cvttss2si_64, native_cvttsd2si_64;
native_sse_fn native_ucomiss, native_ucomisd, native_comiss, native_comisd;

#endif
