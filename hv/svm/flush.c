/* SPDX-License-Identifier: MIT */
/* A vCPU's translations forgotten from another core: the next VMRUN takes a new ASID, and a guest that runs leaves. */
#include "hv/svm/svm.h"

#include "hv/core/lapic.h"
#include "hv/core/percore.h"
#include "hv/core/traps.h"
#include "hv/x86/cpu.h"

/*
 * The order counts: svm_run says that it is in the guest, then looks for the wish; here the wish is there before we
 * look whether it is in the guest. GIF is clear in between, so that the interrupt ends the guest's run at once.
 */
void svm_flush_enter(struct svm_vcpu *vcpu)
{
    vcpu->apic_id = percore_self()->apic_id;
    __atomic_store_n(&vcpu->in_guest, true, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&vcpu->flush_wanted, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&vcpu->flush_wanted, false, __ATOMIC_SEQ_CST);
        asid_drop(&vcpu->asid);
    }
}

void svm_flush_leave(struct svm_vcpu *vcpu)
{
    __atomic_store_n(&vcpu->in_guest, false, __ATOMIC_RELEASE);
}

void svm_flush(struct svm_vcpu *vcpu)
{
    __atomic_store_n(&vcpu->flush_wanted, true, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&vcpu->in_guest, __ATOMIC_SEQ_CST))
        return;
    lapic_send_fixed(vcpu->apic_id, VECTOR_FLUSH);
    while (__atomic_load_n(&vcpu->in_guest, __ATOMIC_ACQUIRE) &&
           __atomic_load_n(&vcpu->flush_wanted, __ATOMIC_ACQUIRE))
        cpu_pause();
}
