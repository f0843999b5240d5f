/* SPDX-License-Identifier: MIT */
/* vCPUs of all guests, time-sliced over all cores. */
#ifndef HV_VM_SCHEDULE_H
#define HV_VM_SCHEDULE_H

#include "hv/vm/guest.h"

/* Each core's main loop, entered after all guests are created; the core that runs the last guest's end stops the machine. */
void schedule_loop(bool use_asids, uint32_t slice_ticks) __attribute__((noreturn));

#endif
