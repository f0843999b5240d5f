/* SPDX-License-Identifier: MIT */
/* Instructions whose whole effect is to retire. */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/isa/semantics.h"

enum outcome exec_nop(struct core *core, const struct insn *insn)
{
    (void)core;
    (void)insn;
    return OUTCOME_NEXT;
}
