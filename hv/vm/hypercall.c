/* SPDX-License-Identifier: MIT */
/* VMMCALL: scenario marks, and hypercalls by Xen's public numbers. */
#include "hv/vm/exits.h"

#define LENGTH_VMMCALL 3

/* Scenario marks, in EAX; the simulator watches for them, hv only answers the last. */
#define MARK_BEGIN 0x46310001u
#define MARK_END 0x46310002u
#define MARK_DONE 0x46310003u /* RBX: the guest's result */

#define XEN_ENOSYS 38

static void return_value(struct vcpu *vcpu, int64_t value)
{
    svm_set_rax(&vcpu->svm, (uint64_t)value);
}

enum exit_result vmexit_vmmcall(struct vcpu *vcpu)
{
    uint32_t number = (uint32_t)vcpu->svm.vmcb->rax;

    if (vcpu->svm.vmcb->cpl != 0)
        return exit_inject_ud(vcpu);
    svm_skip(&vcpu->svm, LENGTH_VMMCALL);
    switch (number) {
    case MARK_BEGIN:
    case MARK_END:
        return EXIT_RESUME;
    case MARK_DONE:
        guest_finish(vcpu->guest, GUEST_FINISHED, vcpu->svm.registers.rbx);
        return EXIT_GUEST_OVER;
    default:
        return_value(vcpu, -XEN_ENOSYS);
        return EXIT_RESUME;
    }
}
