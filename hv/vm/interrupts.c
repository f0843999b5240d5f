/* SPDX-License-Identifier: MIT */
#include "hv/vm/interrupts.h"

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

/* Every exit may change what is pending, so what the last entry arranged is made anew. */
void interrupts_enter(struct vcpu *vcpu)
{
    struct vlapic *apic = &vcpu->apic;
    int vector = vlapic_pending(apic);
    bool masked = vector != VLAPIC_NONE && vlapic_tpr_masks(apic, vector);

    if (vector != VLAPIC_NONE && !masked && svm_can_take_interrupt(&vcpu->svm)) {
        vlapic_accept(apic, vector);
        svm_inject_interrupt(&vcpu->svm, (uint8_t)vector);
        vector = vlapic_pending(apic);
        masked = vector != VLAPIC_NONE && vlapic_tpr_masks(apic, vector);
    }
    /* Blocked by IF, the shadow or an event before it: an exit when that ends. By TPR: generation 2 alone. */
    if (vector != VLAPIC_NONE && (!masked || generation == CR8_NEVER))
        svm_open_window(&vcpu->svm, (unsigned)vector >> 4, generation != CR8_NEVER);
    else
        svm_close_window(&vcpu->svm);
    if (generation == CR8_WHILE_MASKED) {
        /* By TPR, not by the processor's priority: the EOI of a vector in service is an exit of its own. */
        int requested = vlapic_requested(apic);

        vcpu->cr8_armed = requested != VLAPIC_NONE && (vector == VLAPIC_NONE || masked) &&
                          vlapic_tpr_masks(apic, requested);
    }
    svm_intercept_cr8(&vcpu->svm, generation == CR8_ALWAYS, generation == CR8_ALWAYS || vcpu->cr8_armed);
    svm_set_v_tpr(&vcpu->svm, apic->tpr >> 4);
}

bool interrupts_wake(const struct vcpu *vcpu)
{
    int vector = vlapic_pending(&vcpu->apic);

    return vector != VLAPIC_NONE && !vlapic_tpr_masks(&vcpu->apic, vector) && svm_interrupts_enabled(&vcpu->svm);
}
