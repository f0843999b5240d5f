/* SPDX-License-Identifier: MIT */
/* Control registers (APM2 3.1): the rules of their values, apart from the instructions that write them. */
#ifndef FAM10H_CPU_EXEC_CONTROL_H
#define FAM10H_CPU_EXEC_CONTROL_H

#include "sim/cpu/core.h"

/* The value that CR0 takes when `value` is written: ET reads as 1, reserved bits as 0. */
uint64_t cr0_effective(uint64_t value);
/* Whether this change of CR0 is legal without looking at memory (APM2 3.1.1, 14.6.2). */
bool cr0_is_legal(const struct core *core, uint64_t value);
/* Do it: PDPTEs are loaded first and may raise #GP(0); then EFER.LMA, mode and TLB follow. */
enum outcome cr0_write(struct core *core, uint64_t value);

bool cr3_is_legal(const struct core *core, uint64_t value);
enum outcome cr3_write(struct core *core, uint64_t value);

bool cr4_is_legal(const struct core *core, uint64_t value);
enum outcome cr4_write(struct core *core, uint64_t value);

/*
 * With legacy PAE paging the four PDPTEs at `cr3` are read and checked (APM2 5.2.3); #GP(0) and nothing
 * changed if one is bad. With nested paging they are read by each walk instead (APM2 15.25.10).
 */
enum outcome pdptes_load(struct core *core, uint64_t cr0, uint64_t cr3, uint64_t cr4);

#endif
