/* SPDX-License-Identifier: MIT */
/* One handler per reason. Each leaves the vCPU ready for its next VMRUN, or changes its state. */
#ifndef HV_VM_EXITS_H
#define HV_VM_EXITS_H

#include "hv/vm/guest.h"

enum exit_result {
    EXIT_RESUME,     /* enter the guest again */
    EXIT_BLOCK,      /* HLT: wait to be woken */
    EXIT_GUEST_OVER  /* guest_finish was called */
};

enum exit_result exit_handle(struct vcpu *vcpu);

enum exit_result vmexit_cpuid(struct vcpu *vcpu);
enum exit_result vmexit_ioio(struct vcpu *vcpu);
enum exit_result vmexit_msr(struct vcpu *vcpu);
enum exit_result vmexit_vmmcall(struct vcpu *vcpu);
enum exit_result vmexit_npf(struct vcpu *vcpu);
/* The guest did what hv cannot go on from; one line says what. */
enum exit_result exit_crash(struct vcpu *vcpu, const char *what);
enum exit_result exit_inject_ud(struct vcpu *vcpu);
enum exit_result exit_inject_gp(struct vcpu *vcpu);

#endif
