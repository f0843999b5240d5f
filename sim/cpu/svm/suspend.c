/* SPDX-License-Identifier: MIT */
/* An SMI that is not intercepted leaves guest mode, RSM returns to it (APM2 15.22.2, 15.22.3). No #VMEXIT, no VMRUN. */
#include "sim/cpu/exec/memory.h"
#include "sim/cpu/svm/world.h"

static uint64_t pack_v_intr(const struct svm_core *svm)
{
    uint64_t value = bits_put(0, V_INTR_TPR, svm->v_tpr);

    value = bit_put(value, V_INTR_IRQ, svm->v_irq);
    value = bits_put(value, V_INTR_PRIO, svm->v_intr_prio);
    value = bit_put(value, V_INTR_IGN_TPR, svm->v_ign_tpr);
    value = bit_put(value, V_INTR_MASKING, svm->v_intr_masking);
    return bits_put(value, V_INTR_VECTOR, svm->v_intr_vector);
}

static void unpack_v_intr(struct svm_core *svm, uint64_t value)
{
    svm->v_tpr = (uint8_t)bits(value, V_INTR_TPR);
    svm->v_irq = bit(value, V_INTR_IRQ);
    svm->v_intr_prio = (uint8_t)bits(value, V_INTR_PRIO);
    svm->v_ign_tpr = bit(value, V_INTR_IGN_TPR);
    svm->v_intr_masking = bit(value, V_INTR_MASKING);
    svm->v_intr_vector = (uint8_t)bits(value, V_INTR_VECTOR);
}

/* As a #VMEXIT would, but GIF stays as it is. */
static void leave_guest_mode(struct svm_core *svm)
{
    memset(svm->intercept, 0, sizeof(svm->intercept));
    svm->guest = false;
    svm->asid = 0;
    svm->np_enable = false;
    svm->n_cr3 = 0;
    svm->tsc_offset = 0;
    svm->v_irq = false;
    svm->v_intr_masking = false;
}

void svm_suspend(struct core *core, struct svm_suspended *suspended)
{
    struct svm_core *svm = &core->svm;

    *suspended = (struct svm_suspended){ .pat = core->pat };
    if (!svm->guest)
        return;
    suspended->state = bit_put(BIT(SVM_STATE_GUEST), SVM_STATE_NESTED, svm->np_enable);
    if (core->model->smm_host_if)
        suspended->state = bit_put(suspended->state, SVM_STATE_HOST_IF, svm->host_if);
    suspended->vmcb = svm->vmcb;
    suspended->v_intr = pack_v_intr(svm);
    if (svm->np_enable) {
        struct vmcb hsave = vmcb_at(core, svm->vm_hsave_pa);

        suspended->host_efer = svm->host_efer;
        suspended->host_cr4 = svm->host_cr4;
        suspended->host_cr3 = vmcb_read(&hsave, VMCB_CR3, 8);
        suspended->host_cr0 = svm->host_cr0;
        core->pat = svm->host_pat;
    }
    leave_guest_mode(svm);
}

void svm_resume(struct core *core, const struct svm_suspended *suspended)
{
    struct svm_core *svm = &core->svm;
    struct vmcb vmcb;
    struct vmrun_input in;

    if (!bit(suspended->state, SVM_STATE_GUEST))
        return;
    svm->vmcb = suspended->vmcb & ~PAGE_MASK & (SPA_LIMIT - 1);
    memory_meet_late(core, svm->vmcb, VMCB_USED, MEMORY_READ);
    vmcb = vmcb_at(core, svm->vmcb);
    vmrun_read(&vmcb, &in);
    memcpy(svm->intercept, in.intercept, sizeof(svm->intercept));
    svm->iopm = in.iopm & (SPA_LIMIT - 1);
    svm->msrpm = in.msrpm & (SPA_LIMIT - 1);
    svm->tsc_offset = in.tsc_offset;
    svm->asid = (uint16_t)in.asid;
    svm->n_cr3 = in.n_cr3;
    unpack_v_intr(svm, suspended->v_intr);
    svm->np_enable = bit(suspended->state, SVM_STATE_NESTED);
    if (core->model->smm_host_if) /* else the processor remembers it */
        svm->host_if = bit(suspended->state, SVM_STATE_HOST_IF);
    if (svm->np_enable) {
        svm->host_efer = suspended->host_efer;
        svm->host_cr4 = suspended->host_cr4;
        svm->host_cr0 = suspended->host_cr0;
        svm->host_pat = core->pat;
        if (pat_is_legal(suspended->pat))
            core->pat = suspended->pat;
    }
    svm->guest = true;
    svm->delivering_valid = svm->inject_valid = false;
}
