/* SPDX-License-Identifier: MIT */
/* What of mcaguest depends on the kind of guest: hvm.c, pv.c. */
#ifndef WORKLOADS_PROGRAMS_MCAGUEST_MCAGUEST_H
#define WORKLOADS_PROGRAMS_MCAGUEST_MCAGUEST_H

#include "workloads/lib/mca.h"

/* The program, and what it does about a trap 18. */
void mcaguest_run(void);
void mcaguest_trap(void);

/* Its page (0: where it lies by itself), and the one that it goes to. */
volatile uint64_t *mcaguest_page(uint64_t address);
volatile uint64_t *mcaguest_spare(void);
/* Tell hv what there is. */
void mcaguest_arm(bool handler, bool driver);

#endif
