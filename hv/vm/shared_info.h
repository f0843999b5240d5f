/* SPDX-License-Identifier: MIT */
/* The page that a guest shares with hv: events, clocks. hv's own memory, mapped where the guest asks for it. */
#ifndef HV_VM_SHARED_INFO_H
#define HV_VM_SHARED_INFO_H

#include "hv/abi/xen.h"
#include "hv/vm/guest.h"

/* At creation, vCPUs being there; false: no memory. */
bool shared_info_begin(struct guest *guest);
void shared_info_end(struct guest *guest);
/* Map it at a frame of the guest, whose own memory there is lost. False: no memory for the tables. */
bool shared_info_map(struct guest *guest, uint64_t gpa);
/* What the vCPU registered, else its place in the page; NULL: none (number above 31, registered memory is gone). */
void *shared_info_vcpu(struct vcpu *vcpu);
/* From now on the vCPU's record lies at this guest address (64 bytes within a page), with what was pending. */
bool shared_info_register(struct vcpu *vcpu, uint64_t gpa);
/* Write the vCPU's clock: where its TSC stands, how fast it runs. After whatever changes its TSC. */
void shared_info_stamp(struct vcpu *vcpu);

#endif
