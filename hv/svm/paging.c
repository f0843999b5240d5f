/* SPDX-License-Identifier: MIT */
/* The VMCB's side of paging: which of its control registers are the guest's, and which hv's. */
#include "hv/svm/svm.h"

#include "hv/x86/cpu.h"

struct svm_paging svm_guest_paging(const struct svm_vcpu *vcpu)
{
    const struct vmcb *vmcb = vcpu->vmcb;

    return (struct svm_paging){ vmcb->cr0, vmcb->cr3, vmcb->cr4, vmcb->efer & ~(uint64_t)EFER_SVME };
}
