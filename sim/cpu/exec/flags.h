/* SPDX-License-Identifier: MIT */
/* RFLAGS with lazily computed arithmetic flags. */
#ifndef FAM10H_CPU_EXEC_FLAGS_H
#define FAM10H_CPU_EXEC_FLAGS_H

#include "sim/cpu/core.h"

/* The architectural value (bit 1 set, arithmetic flags computed). Leaves the core exact. */
uint64_t rflags_read(struct core *core);
/* Replace the whole register; reserved bits are forced. Does not recompute the mode (RFLAGS.VM). */
void rflags_write(struct core *core, uint64_t value);

#endif
