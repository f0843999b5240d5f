/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/debug.h"

void debug_record(struct core *core, uint64_t conditions)
{
    core->dr6 = bits_put(core->dr6, DR6_CONDITIONS, 0) | (conditions & DR6_WRITABLE) | DR6_FIXED;
    core->dr7 &= ~DR7_GD;
}
