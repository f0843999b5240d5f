/* SPDX-License-Identifier: MIT */
/* A vCPU's single-shot timer, which ends in VIRQ_TIMER, and the time limit of SCHEDOP_POLL. */
#ifndef HV_VM_VCPU_TIMER_H
#define HV_VM_VCPU_TIMER_H

#include "hv/vm/guest.h"

void vcpu_timer_begin(struct vcpu *vcpu);
/* At the vCPU's end, which is on no core then. */
void vcpu_timer_end(struct vcpu *vcpu);
/* At this system time of the guest's, on the core that calls. */
void vcpu_timer_set(struct vcpu *vcpu, uint64_t at);
void vcpu_timer_stop(struct vcpu *vcpu);
/* Wake the vCPU then, if it still waits. */
void vcpu_timer_poll(struct vcpu *vcpu, uint64_t at);
/* The guest, paused, moves: no event of its timer's comes until it has been thawed, here or at the other end. */
void vcpu_timer_freeze(struct vcpu *vcpu);
void vcpu_timer_thaw(struct vcpu *vcpu);

#endif
