/* SPDX-License-Identifier: MIT */
/* Time since hv started, from the TSC, which runs at the same rate on all cores (Family 10h: TscInvariant). */
#ifndef HV_CORE_CLOCK_H
#define HV_CORE_CLOCK_H

#include <stdint.h>

#define CLOCK_MS 1000000ull /* ns */

/* pvclock's rule: ns = ((cycles << shift) * mul) >> 32, shift negative: to the right. */
struct clock_scale {
    uint32_t mul;
    int8_t shift;
};

/* khz as P-state 0 says, else what calibration measured. Now is 0. */
void clock_init(uint32_t measured_khz);
uint32_t clock_khz(void);
/* ns since clock_init. */
uint64_t clock_now(void);
/* TSC at time 0, and the scale that clock_now uses. */
uint64_t clock_epoch(void);
struct clock_scale clock_scale(void);

/* ---- Pure ---------------------------------------------------------------------------------------------- */

struct clock_scale clock_scale_of(uint32_t khz);
uint64_t clock_scaled(uint64_t cycles, struct clock_scale scale);
/* Frequency that a P-state register of Family 10h stands for (BKDG10 MSRC001_00[68:64]). */
uint32_t clock_pstate_khz(uint64_t pstate);

#endif
