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
struct cpuid_result;
/* What the guest sees of a leaf. */
struct cpuid_result exit_cpuid(const struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf);
/* What the guest sees of the processor at present. */
void vmexit_cpuid_features(const struct vcpu *vcpu, struct cpu_features *features);
enum exit_result vmexit_ioio(struct vcpu *vcpu);
enum exit_result vmexit_ioio_string(struct vcpu *vcpu);
enum exit_result vmexit_msr(struct vcpu *vcpu);
enum exit_result vmexit_vmmcall(struct vcpu *vcpu);
enum exit_result vmexit_npf(struct vcpu *vcpu);
enum exit_result vmexit_cr8(struct vcpu *vcpu);
enum exit_result vmexit_control_read(struct vcpu *vcpu);
enum exit_result vmexit_control_write(struct vcpu *vcpu);
enum exit_result vmexit_invlpg(struct vcpu *vcpu);
enum exit_result vmexit_task_switch(struct vcpu *vcpu);
/* Whether a guest-physical address is for devices: no RAM is there. */
bool exit_is_device(uint64_t gpa);
/* Carry out the access to it that the instruction at CS:RIP makes. */
enum exit_result exit_device(struct vcpu *vcpu, uint64_t gpa);
/* Whether a vCPU in HLT stays there: nothing has come that ends it. Sets vcpu->halted. */
bool exit_halts(struct vcpu *vcpu);
/* Where the guest's page tables lead; false: nowhere. */
bool exit_linear(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa);
/* Step over the instruction that exited; false: its bytes are another one's by now, #GP is injected. */
bool exit_skip(struct vcpu *vcpu, enum instruction which);
/* Up to 15 bytes at CS:RIP; returns how many can be read. */
unsigned exit_fetch(struct vcpu *vcpu, uint8_t bytes[INSTRUCTION_MAX]);
/* The guest did what hv cannot go on from; one line says what. */
enum exit_result exit_crash(struct vcpu *vcpu, const char *what);
enum exit_result exit_inject_ud(struct vcpu *vcpu);
enum exit_result exit_inject_pf(struct vcpu *vcpu, uint64_t linear, uint32_t code);
/* A #PF that the guest's own tables ask for; it may have come up while an event was delivered. */
enum exit_result exit_reflect_pf(struct vcpu *vcpu, uint64_t linear, uint32_t code);
enum exit_result exit_inject_gp(struct vcpu *vcpu);
/*
 * A fault with an error code that may have come up while an event was delivered: itself, #DF, or the guest's end. CR2
 * of a #PF is set already.
 */
enum exit_result exit_raise(struct vcpu *vcpu, unsigned vector, uint32_t code);

#endif
