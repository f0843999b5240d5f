/* SPDX-License-Identifier: MIT */
/* The VMCB's side of virtual interrupts: injection, the window, V_TPR (APM2 15.20, 15.21). */
#include "hv/svm/svm.h"

#define RFLAGS_IF (1u << 9)
#define CR8_BIT (1u << 8)
#define EVENT_TYPE_SHIFT 8
#define EVENT_TYPE_MASK 7u
#define EVENT_TYPE_SOFTWARE 4u
#define VECTOR_NMI 2u
#define EXC_BP 3u
#define EXC_OF 4u

/* INT n, INT3 and INTO: RIP is still at the instruction. */
static bool repeats_itself(uint64_t event)
{
    unsigned type = event >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK, vector = event & 0xFF;

    return type == EVENT_TYPE_SOFTWARE || (type == EVENT_TYPE_EXCEPTION && (vector == EXC_BP || vector == EXC_OF));
}

void svm_requeue_event(struct svm_vcpu *vcpu)
{
    uint64_t event = vcpu->vmcb->exitintinfo;

    if (event & EVENT_V && !repeats_itself(event))
        vcpu->vmcb->eventinj = event;
}

unsigned svm_event_under_delivery(const struct svm_vcpu *vcpu)
{
    uint64_t event = vcpu->vmcb->exitintinfo;

    if (!(event & EVENT_V) || (event >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK) != EVENT_TYPE_EXCEPTION)
        return SVM_NO_EXCEPTION;
    return event & 0xFF;
}

bool svm_interrupts_enabled(const struct svm_vcpu *vcpu)
{
    return vcpu->vmcb->rflags & RFLAGS_IF;
}

bool svm_can_take_interrupt(const struct svm_vcpu *vcpu)
{
    return svm_interrupts_enabled(vcpu) && !(vcpu->vmcb->interrupt_shadow & INTERRUPT_SHADOW) &&
           !(vcpu->vmcb->eventinj & EVENT_V);
}

void svm_inject_interrupt(struct svm_vcpu *vcpu, uint8_t vector)
{
    vcpu->vmcb->eventinj = EVENT_V | EVENT_TYPE_INTR << EVENT_TYPE_SHIFT | vector;
}

void svm_inject_exception(struct svm_vcpu *vcpu, unsigned vector, bool has_code, uint32_t code)
{
    vcpu->vmcb->eventinj = EVENT_V | (has_code ? EVENT_EV | (uint64_t)code << 32 : 0) | EVENT_TYPE_EXCEPTION << 8 |
                           vector;
}

bool svm_has_event(const struct svm_vcpu *vcpu)
{
    return vcpu->vmcb->eventinj & EVENT_V;
}

void svm_drop_event(struct svm_vcpu *vcpu)
{
    vcpu->vmcb->eventinj = 0;
}

bool svm_event_is_software(const struct svm_vcpu *vcpu)
{
    return vcpu->vmcb->exitintinfo & EVENT_V && repeats_itself(vcpu->vmcb->exitintinfo);
}

void svm_inject_nmi(struct svm_vcpu *vcpu)
{
    vcpu->vmcb->eventinj = EVENT_V | EVENT_TYPE_NMI << EVENT_TYPE_SHIFT | VECTOR_NMI;
}

void svm_intercept_iret(struct svm_vcpu *vcpu, bool on)
{
    vcpu->vmcb->intercept_1 = on ? vcpu->vmcb->intercept_1 | INTERCEPT_IRET : vcpu->vmcb->intercept_1 & ~INTERCEPT_IRET;
}

void svm_open_window(struct svm_vcpu *vcpu, unsigned priority, bool ignore_tpr)
{
    uint64_t v_intr = vcpu->vmcb->v_intr & ~(V_INTR_PRIO | V_IGN_TPR);

    v_intr |= V_IRQ | (uint64_t)priority << V_INTR_PRIO_SHIFT;
    vcpu->vmcb->v_intr = ignore_tpr ? v_intr | V_IGN_TPR : v_intr;
    vcpu->vmcb->intercept_1 |= INTERCEPT_VINTR;
}

void svm_close_window(struct svm_vcpu *vcpu)
{
    vcpu->vmcb->v_intr &= ~V_IRQ;
    vcpu->vmcb->intercept_1 &= ~INTERCEPT_VINTR;
}

unsigned svm_v_tpr(const struct svm_vcpu *vcpu)
{
    return vcpu->vmcb->v_intr & 0xF;
}

void svm_set_v_tpr(struct svm_vcpu *vcpu, unsigned value)
{
    vcpu->vmcb->v_intr = (vcpu->vmcb->v_intr & ~V_TPR) | (value & 0xF);
}

static uint16_t with_cr8(uint16_t word, bool on)
{
    return (uint16_t)(on ? word | CR8_BIT : word & ~CR8_BIT);
}

void svm_intercept_cr8(struct svm_vcpu *vcpu, bool reads, bool writes)
{
    vcpu->vmcb->intercept_cr_read = with_cr8(vcpu->vmcb->intercept_cr_read, reads);
    vcpu->vmcb->intercept_cr_write = with_cr8(vcpu->vmcb->intercept_cr_write, writes);
}
