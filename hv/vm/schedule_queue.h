/* SPDX-License-Identifier: MIT */
/* Between the queue of vCPUs (schedule.c) and the loop of each core (core_loop.c). */
#ifndef HV_VM_SCHEDULE_QUEUE_H
#define HV_VM_SCHEDULE_QUEUE_H

#include "hv/core/percore.h"
#include "hv/vm/exits.h"

/* The vCPU that this core runs next, marked running; NULL: none, and the core is marked idle. */
struct vcpu *schedule_take(struct percore *core);
/* It has left this core. */
void schedule_give_back(struct vcpu *vcpu, enum exit_result result);
/* Asked with interrupts off before each VMRUN: what comes after it ends the VMRUN at once. */
bool schedule_may_go_on(const struct vcpu *vcpu, const struct percore *core);
/* Every guest has ended, or the control domain has: no core runs a vCPU any more. */
bool schedule_is_over(void);

#endif
