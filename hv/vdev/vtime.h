/* SPDX-License-Identifier: MIT */
/*
 * Time as a guest's devices see it: nanoseconds since the guest was made.
 * Nothing counts; each device computes what it shows from the time.
 */
#ifndef HV_VDEV_VTIME_H
#define HV_VDEV_VTIME_H

#include <stdint.h>

#define VTIME_NEVER UINT64_MAX
#define VTIME_SECOND 1000000000ull

/* Whole ticks of a clock of `hz` (below 2^32) up to `ns`. */
static inline uint64_t vtime_ticks(uint64_t ns, uint32_t hz)
{
    return ns / VTIME_SECOND * hz + ns % VTIME_SECOND * hz / VTIME_SECOND;
}

/* The first nanosecond of a tick. */
static inline uint64_t vtime_of_tick(uint64_t tick, uint32_t hz)
{
    return tick / hz * VTIME_SECOND + (tick % hz * VTIME_SECOND + hz - 1) / hz;
}

#endif
