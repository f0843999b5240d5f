/* SPDX-License-Identifier: MIT */
/* Near control transfers. */
#ifndef FAM10H_CPU_EXEC_BRANCH_H
#define FAM10H_CPU_EXEC_BRANCH_H

#include "sim/cpu/core.h"

/*
 * Continue at `target`, an offset in CS that is already cut to the operand size: #GP(0) if it is beyond
 * CS.limit or, in 64-bit mode, not canonical. Commits core->next_rip.
 */
enum outcome branch_near(struct core *core, uint64_t target);
/* The check alone. */
enum outcome branch_check(struct core *core, uint64_t target);

#endif
