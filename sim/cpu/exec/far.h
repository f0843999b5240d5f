/* SPDX-License-Identifier: MIT */
/* Far transfers (APM2 4.11): what JMP, CALL, RET and IRET share. */
#ifndef FAM10H_CPU_EXEC_FAR_H
#define FAM10H_CPU_EXEC_FAR_H

#include "sim/cpu/exec/segment.h"

/*
 * The CS that a far RET or IRET goes back to, its RPL the new CPL. Not null, no inner level, code, DPL by
 * conformance, present; the accessed bit is set. In long mode not L and D together.
 */
enum outcome far_return_code(struct core *core, uint16_t selector, struct segment *cs);
/* The SS that comes with it, for code at cs's RPL; null is allowed below CPL 3 of 64-bit code. */
enum outcome far_return_stack(struct core *core, uint16_t selector, const struct segment *cs, struct segment *ss);

/* Whether CS as given is that of 64-bit code. */
static inline bool code_is_64bit(const struct core *core, const struct segment *cs)
{
    return core_in_long_mode(core) && bit(cs->attr, ATTR_L);
}

/* rIP in this CS: beyond the limit or not canonical is #GP(0). */
enum outcome far_check_target(struct core *core, const struct segment *cs, uint64_t rip);

/* rSP popped from an inner stack, in the new stack's width: a 16-bit stack takes SP alone. */
void stack_replace(struct core *core, uint64_t rsp);

#endif
