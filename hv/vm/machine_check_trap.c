/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_trap.h"

#include "hv/abi/mca.h"
#include "hv/vm/machine_check.h"
#include "hv/vm/machine_check_log.h"
#include "hv/vm/schedule.h"

bool machine_check_can_trap(const struct vcpu *vcpu)
{
    if (vcpu->pv)
        return pv_has_trap_handler(vcpu->pv, MCA_TRAP);
    return vcpu->guest->mca_ready && svm_guest_paging(&vcpu->svm).cr4 & CR4_MCE;
}

enum mca_domu machine_check_domu_kind(const struct vcpu *vcpu)
{
    if (vcpu->pv)
        return machine_check_can_trap(vcpu) ? MCA_DOMU_PV_HANDLER : MCA_DOMU_PV;
    if (!vcpu->guest->mca_driver)
        return MCA_DOMU_HVM;
    return machine_check_can_trap(vcpu) ? MCA_DOMU_HVM_HANDLER : MCA_DOMU_HVM_DRIVER;
}

static bool *pending_of(struct vcpu *vcpu)
{
    return vcpu->pv ? &vcpu->pv->mce_pending : &vcpu->machine_check_pending;
}

/* From its delivery to the handler's IRET, or the iret hypercall. */
static bool is_in_handler(const struct vcpu *vcpu)
{
    return vcpu->pv ? vcpu->pv->priority == PV_PRIORITY_MCE : vcpu->machine_check_active;
}

bool machine_check_is_under_way(const struct vcpu *vcpu)
{
    const bool *pending = vcpu->pv ? &vcpu->pv->mce_pending : &vcpu->machine_check_pending;

    return vcpu->held || __atomic_load_n(pending, __ATOMIC_ACQUIRE) || is_in_handler(vcpu);
}

static void move(struct vcpu *vcpu, unsigned core, uint32_t record, const char *step)
{
    if (vcpu->core == core || vcpu->affinity_before)
        return;
    vcpu->affinity_before = vcpu->affinity;
    schedule_set_affinity(vcpu, 1ull << core);
    machine_check_say(record, step, "affinity", "vcpu=dom%u.%u core=%u", vcpu->guest->domid, vcpu->id, core);
}

bool machine_check_send(struct vcpu *vcpu, unsigned core, uint32_t record, const char *step)
{
    if (__atomic_exchange_n(pending_of(vcpu), true, __ATOMIC_ACQ_REL))
        return false;
    vcpu->machine_check_record = record;
    move(vcpu, core, record, step);
    schedule_wake(vcpu);
    return true;
}

void machine_check_iret(struct vcpu *vcpu)
{
    uint64_t before = vcpu->affinity_before;

    if (!before || is_in_handler(vcpu) || __atomic_load_n(pending_of(vcpu), __ATOMIC_ACQUIRE))
        return;
    vcpu->affinity_before = 0;
    schedule_set_affinity(vcpu, before);
    machine_check_say(vcpu->machine_check_record, "1", "affinity", "vcpu=dom%u.%u core=restored", vcpu->guest->domid,
                      vcpu->id);
}
