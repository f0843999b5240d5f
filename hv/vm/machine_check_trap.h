/* SPDX-License-Identifier: MIT */
/* Trap 18 for a vCPU: who can take it, and giving it. */
#ifndef HV_VM_MACHINE_CHECK_TRAP_H
#define HV_VM_MACHINE_CHECK_TRAP_H

#include "hv/mca/decide.h"
#include "hv/vm/guest.h"

/*
 * Whether the vCPU has a handler of vector 18: in a paravirtual guest's trap table; an HVM guest has said so
 * (hvm_register), and has CR4.MCE set.
 */
bool machine_check_can_trap(const struct vcpu *vcpu);
/* Whether the vCPU is held, or a trap 18 of its is pending or in its handler: it cannot move to another domain now. */
bool machine_check_is_under_way(const struct vcpu *vcpu);
enum mca_domu machine_check_domu_kind(const struct vcpu *vcpu);
/*
 * Make it pending and call the vCPU to `core`, which reported the error: there alone it runs until its handler's IRET.
 * False: one was pending already.
 */
bool machine_check_send(struct vcpu *vcpu, unsigned core, uint32_t record, const char *step);

#endif
