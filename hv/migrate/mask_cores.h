/* SPDX-License-Identifier: MIT */
/*
 * A CPUID mask on the machine's cores. MSRC001_1004 and MSRC001_1005 hold what CPUID 0000_0001 and 8000_0001 report in
 * ECX (high half) and EDX, to user code too; they can turn bits on, so that hv writes the mask AND what there is.
 */
#ifndef HV_MIGRATE_MASK_CORES_H
#define HV_MIGRATE_MASK_CORES_H

#include "hv/core/percore.h"
#include "hv/migrate/features.h"

/* On the boot core, before any mask: what the processor has. NULL, or why this processor takes no masks. */
const char *mask_cores_init(void);
/* What the processor has, and what it reports at present. */
struct cpu_features mask_cores_hardware(void);
struct cpu_features mask_cores_reported(void);
/* From now on all cores are to report mask AND hardware; each does so in mask_cores_follow. */
void mask_cores_set(const struct cpu_features *mask);
/* On each core, before it runs a guest: take over what was set since. */
void mask_cores_follow(struct percore *core);
/* Whether all cores have. */
bool mask_cores_settled(void);

#endif
