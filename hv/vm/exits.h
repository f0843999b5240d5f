/* SPDX-License-Identifier: MIT */
/* One handler per reason. Each leaves the vCPU ready for its next VMRUN, or changes its state. */
#ifndef HV_VM_EXITS_H
#define HV_VM_EXITS_H

#include "hv/vm/guest.h"
#include "hv/vm/instruction.h"

enum exit_result {
    EXIT_RESUME,     /* enter the guest again */
    EXIT_YIELD,      /* let others run first */
    EXIT_BLOCK,      /* HLT: wait to be woken */
    EXIT_GUEST_OVER  /* guest_finish was called */
};

enum exit_result exit_handle(struct vcpu *vcpu);

enum exit_result vmexit_cpuid(struct vcpu *vcpu);
enum exit_result vmexit_ioio(struct vcpu *vcpu);
enum exit_result vmexit_msr(struct vcpu *vcpu);
enum exit_result vmexit_vmmcall(struct vcpu *vcpu);
enum exit_result vmexit_npf(struct vcpu *vcpu);
enum exit_result vmexit_cr8(struct vcpu *vcpu);
/* A VMEXIT_NPF on the local APIC's page. */
enum exit_result vmexit_apic_page(struct vcpu *vcpu);
/* Step over the instruction that exited; false: its bytes are another one's by now, #GP is injected. */
bool exit_skip(struct vcpu *vcpu, enum instruction which);
/* Up to 15 bytes at CS:RIP; returns how many can be read. */
unsigned exit_fetch(struct vcpu *vcpu, uint8_t bytes[INSTRUCTION_MAX]);
/* The guest did what hv cannot go on from; one line says what. */
enum exit_result exit_crash(struct vcpu *vcpu, const char *what);
enum exit_result exit_inject_ud(struct vcpu *vcpu);
enum exit_result exit_inject_gp(struct vcpu *vcpu);

#endif
