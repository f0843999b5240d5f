/* SPDX-License-Identifier: MIT */
/*
 * From a vCPU's virtual local APIC into the guest, and CR8 in three generations (cr8=):
 *   0  every CR8 read and write is intercepted;
 *   1  only writes, and only while a requested vector is masked by TPR (Xen from 2007-09-10);
 *   2  never: the processor compares V_TPR with the vector's class itself (Xen 3.2).
 */
#ifndef HV_VM_INTERRUPTS_H
#define HV_VM_INTERRUPTS_H

#include "hv/vm/guest.h"

enum cr8_generation { CR8_ALWAYS, CR8_WHILE_MASKED, CR8_NEVER, CR8_GENERATIONS };

/* For all guests, before any runs. */
void interrupts_init(enum cr8_generation generation);
/* Before each VMRUN: inject what can be taken, else arrange for an exit when it can. */
void interrupts_enter(struct vcpu *vcpu);
/* After each #VMEXIT: an event whose delivery was cut short goes again; TPR is what the guest made it. */
void interrupts_leave(struct vcpu *vcpu);
/* VMEXIT_IRET: the NMI's handler ends. */
void interrupts_iret(struct vcpu *vcpu);
/* Whether a halted vCPU would go on at once. */
bool interrupts_wake(struct vcpu *vcpu);
/* The guest wrote TPR by an access that hv carries out. */
void interrupts_set_tpr(struct vcpu *vcpu, uint8_t tpr);

#endif
