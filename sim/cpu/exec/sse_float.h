/* SPDX-License-Identifier: MIT */
/* Running a native SSE operator under the guest's MXCSR, with the guest's exceptions. */
#ifndef FAM10H_CPU_EXEC_SSE_FLOAT_H
#define FAM10H_CPU_EXEC_SSE_FLOAT_H

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/media.h"
#include "sim/cpu/exec/native_sse.h"

/* a becomes a `fn` b. #XF, or #UD without CR4.OSXMMEXCPT, for unmasked exceptions: then a is not to be used. */
enum outcome sse_run(struct core *core, native_sse_fn *fn, union lanes *a, const union lanes *b);

#endif
