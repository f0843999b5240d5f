/* SPDX-License-Identifier: MIT */
/* What of mcaguest depends on the kind of guest: hvm.c, pv.c. */
#ifndef WORKLOADS_PROGRAMS_MCAGUEST_MCAGUEST_H
#define WORKLOADS_PROGRAMS_MCAGUEST_MCAGUEST_H

#include "workloads/lib/mca.h"

/* The program, and what it does about a trap 18. */
void mcaguest_run(void);
void mcaguest_trap(void);

#define MCAGUEST_PAGES 4u

/* Its n-th page (0: where they lie by themselves), and the one that it goes to. */
volatile uint64_t *mcaguest_page(uint64_t address, uint32_t n);
volatile uint64_t *mcaguest_spare(void);
/* How many pages hv has taken back: 0 or 1. */
uint32_t mcaguest_give_back(volatile uint64_t *page);
/* Tell hv what there is. */
void mcaguest_arm(bool handler, bool driver);

#endif
