/* SPDX-License-Identifier: MIT */
/* What far calls and event delivery read from the current TSS (APM2 12.2). */
#ifndef FAM10H_CPU_EXEC_TSS_H
#define FAM10H_CPU_EXEC_TSS_H

#include "sim/cpu/core.h"

/* Offsets of the 64-bit TSS (APM2 12.2.5). */
#define TSS64_RSP(cpl) (0x04 + 8 * (cpl))
#define TSS64_IST(n) (0x24 + 8 * ((n) - 1))

/* The stack for `cpl` in a 16- or 32-bit TSS; *ss is checked for `cpl`, faults are #TS (APM2 8.7.3). */
enum outcome tss_inner_stack(struct core *core, unsigned cpl, unsigned ext, struct segment *ss, uint64_t *sp);
/* RSPn or ISTn of the 64-bit TSS. Not canonical: #SS. */
enum outcome tss_long_stack(struct core *core, unsigned offset, unsigned ext, uint64_t *rsp);

/* A field of the TSS as an implicit supervisor access; beyond its limit: #TS with TR's selector. */
enum outcome tss_read(struct core *core, unsigned offset, unsigned size, unsigned ext, uint64_t *value);

/* Whether TR holds a 32-bit (or 64-bit) TSS. */
bool tss_is_wide(const struct core *core);

#endif
