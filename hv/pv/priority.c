/* SPDX-License-Identifier: MIT */
/* NMI and machine check for a paravirtual kernel: who may interrupt whom. */
#include "hv/pv/pv.h"

enum pv_priority pv_priority_due(const struct pv_vcpu *vcpu)
{
    if (__atomic_load_n(&vcpu->mce_pending, __ATOMIC_ACQUIRE) && vcpu->priority < PV_PRIORITY_MCE)
        return PV_PRIORITY_MCE;
    if (__atomic_load_n(&vcpu->nmi_pending, __ATOMIC_ACQUIRE) && vcpu->priority < PV_PRIORITY_NMI)
        return PV_PRIORITY_NMI;
    return PV_PRIORITY_NONE;
}

void pv_priority_begin(struct pv_vcpu *vcpu, enum pv_priority rank)
{
    __atomic_store_n(rank == PV_PRIORITY_MCE ? &vcpu->mce_pending : &vcpu->nmi_pending, false, __ATOMIC_RELEASE);
    vcpu->saved[rank] = vcpu->priority;
    vcpu->priority = rank;
}

/* Any iret restores, as in Xen: a handler that traps and returns from that has given its rank away. */
void pv_priority_end(struct pv_vcpu *vcpu)
{
    if (vcpu->priority != PV_PRIORITY_NONE)
        vcpu->priority = vcpu->saved[vcpu->priority];
}
