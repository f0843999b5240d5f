/* SPDX-License-Identifier: MIT */
/* Performance counters: PERF_CTL0-3 and PERF_CTR0-3, MSRC001_0000 to 0007 (BKDG10 3.14; fact sheet 2.3, 10.3). */
#ifndef FAM10H_CPU_MODEL_PERF_H
#define FAM10H_CPU_MODEL_PERF_H

#include "sim/cpu/core.h"

/* Counter `n` (0..3) now: what RDPMC and RDMSR read. */
uint64_t perf_read(struct core *core, unsigned n);
void perf_write(struct core *core, unsigned n, uint64_t value);
/* PERF_CTL `n` has a new value. An event that the model does not count is noted. */
void perf_select(struct core *core, unsigned n, uint64_t control);
/* Derived state anew, from the control registers. */
void perf_changed(struct core *core);
/* No later than this many cycles from now a counter of cycles interrupts; NEVER if none does. */
uint64_t perf_due(const struct core *core);

#endif
