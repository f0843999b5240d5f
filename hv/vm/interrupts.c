/* SPDX-License-Identifier: MIT */
#include "hv/vm/interrupts.h"

#include "hv/core/lapic.h"
#include "hv/core/traps.h"
#include "hv/vm/event_channel.h"

#define EXC_MC 18

static enum cr8_generation generation = CR8_NEVER;

void interrupts_init(enum cr8_generation chosen)
{
    generation = chosen;
}

/* Guest CR8 is V_TPR (V_INTR_MASKING is always set), so both are kept the same. */
void interrupts_set_tpr(struct vcpu *vcpu, uint8_t tpr)
{
    vcpu->apic.tpr = tpr;
    svm_set_v_tpr(&vcpu->svm, tpr >> 4);
}

void interrupts_leave(struct vcpu *vcpu)
{
    svm_requeue_event(&vcpu->svm);
    /* Under generation 0, and while armed, no write got past hv. Else TPR[3:0] reads 0 from here on. */
    if (generation != CR8_ALWAYS && !vcpu->cr8_armed)
        vcpu->apic.tpr = (uint8_t)(svm_v_tpr(&vcpu->svm) << 4);
}

/* ---- NMI and the 8259s ------------------------------------------------------------------------------------ */

/*
 * deviation: NMIs are let in again at the handler's IRET, not behind it: another one may come one instruction early,
 * on the frame that the IRET was about to leave.
 */
static void enter_nmi(struct vcpu *vcpu)
{
    if (!vcpu->nmi_pending || vcpu->nmi_blocked || vcpu->machine_check_active || svm_has_event(&vcpu->svm))
        return;
    vcpu->nmi_pending = false;
    vcpu->nmi_blocked = true;
    svm_inject_nmi(&vcpu->svm);
    svm_intercept_iret(&vcpu->svm, true);
}

/*
 * Machine check over NMI, never itself (priorities none < NMI < MCE): it may come in an NMI's handler, whose IRET then
 * is the second one. An event that waits in EVENTINJ goes first; the interrupt that hv sends itself ends the guest's
 * run behind it.
 */
static void enter_machine_check(struct vcpu *vcpu)
{
    if (!vcpu->machine_check_pending || vcpu->machine_check_active)
        return;
    if (svm_has_event(&vcpu->svm)) {
        lapic_send_self(VECTOR_FLUSH);
        return;
    }
    __atomic_store_n(&vcpu->machine_check_pending, false, __ATOMIC_RELEASE);
    vcpu->machine_check_active = true;
    svm_inject_exception(&vcpu->svm, EXC_MC, false, 0);
    svm_intercept_iret(&vcpu->svm, true);
}

void interrupts_iret(struct vcpu *vcpu)
{
    if (vcpu->machine_check_active) {
        vcpu->machine_check_active = false;
        svm_intercept_iret(&vcpu->svm, vcpu->nmi_blocked);
        return;
    }
    vcpu->nmi_blocked = false;
    svm_intercept_iret(&vcpu->svm, false);
}

/* INTR of the 8259s comes in at vCPU 0's LINT0 and asks no TPR (APM2 16.4.2). */
static bool has_extint(const struct vcpu *vcpu)
{
    return vcpu->id == 0 && __atomic_load_n(&vcpu->guest->vdev.pic_intr, __ATOMIC_ACQUIRE) &&
           vlapic_takes_extint(&vcpu->apic);
}

static void inject_extint(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    uint8_t vector;

    lock_acquire(&guest->vdev_lock);
    vector = vdev_acknowledge(&guest->vdev);
    lock_release(&guest->vdev_lock);
    svm_inject_interrupt(&vcpu->svm, vector);
}

/* Events come by a vector of their own, which no APIC sees: before all others, whatever TPR says. */
static bool is_called(struct vcpu *vcpu)
{
    return vcpu->guest->callback_vector && event_is_due(vcpu);
}

/* ---- Before each VMRUN ------------------------------------------------------------------------------------ */

/* The next vector above what is in service; whether TPR masks it. */
static int next_vector(const struct vlapic *apic, bool *masked)
{
    int vector = vlapic_pending(apic);

    *masked = vector != VLAPIC_NONE && vlapic_tpr_masks(apic, vector);
    return vector;
}

static void arm_cr8(struct vcpu *vcpu, bool vector_masked_or_none)
{
    /* By TPR, not by the processor's priority: the EOI of a vector in service is an exit of its own. */
    int requested = vlapic_requested(&vcpu->apic);

    vcpu->cr8_armed = requested != VLAPIC_NONE && vector_masked_or_none && vlapic_tpr_masks(&vcpu->apic, requested);
}

/* Every exit may change what is pending, so what the last entry arranged is made anew. */
void interrupts_enter(struct vcpu *vcpu)
{
    struct vlapic *apic = &vcpu->apic;
    bool masked, extint = has_extint(vcpu), called = is_called(vcpu), can_take;
    int vector = next_vector(apic, &masked);

    enter_machine_check(vcpu);
    enter_nmi(vcpu);
    can_take = svm_can_take_interrupt(&vcpu->svm);
    if (can_take && called) {
        svm_inject_interrupt(&vcpu->svm, vcpu->guest->callback_vector);
        called = false;
    } else if (can_take && vector != VLAPIC_NONE && !masked) {
        vlapic_accept(apic, vector);
        svm_inject_interrupt(&vcpu->svm, (uint8_t)vector);
        vector = next_vector(apic, &masked);
    } else if (can_take && extint) {
        inject_extint(vcpu);
        extint = has_extint(vcpu);
    }
    /* Blocked by IF, the shadow or an event before it: an exit when that ends. By TPR: generation 2 alone. */
    if (extint || called)
        svm_open_window(&vcpu->svm, 0, true);
    else if (vector != VLAPIC_NONE && (!masked || generation == CR8_NEVER))
        svm_open_window(&vcpu->svm, (unsigned)vector >> 4, generation != CR8_NEVER);
    else
        svm_close_window(&vcpu->svm);
    if (generation == CR8_WHILE_MASKED)
        arm_cr8(vcpu, vector == VLAPIC_NONE || masked);
    svm_intercept_cr8(&vcpu->svm, generation == CR8_ALWAYS, generation == CR8_ALWAYS || vcpu->cr8_armed);
    svm_set_v_tpr(&vcpu->svm, apic->tpr >> 4);
}

bool interrupts_wake(struct vcpu *vcpu)
{
    bool masked;
    int vector = next_vector(&vcpu->apic, &masked);

    if (vcpu->pv) /* events are the caller's to look for */
        return pv_priority_due(vcpu->pv) != PV_PRIORITY_NONE;
    if (vcpu->machine_check_pending && !vcpu->machine_check_active)
        return true;
    if (vcpu->nmi_pending && !vcpu->nmi_blocked)
        return true;
    return svm_interrupts_enabled(&vcpu->svm) && ((vector != VLAPIC_NONE && !masked) || has_extint(vcpu) ||
                                                  is_called(vcpu));
}
