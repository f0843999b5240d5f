/* SPDX-License-Identifier: MIT */
/* A vCPU's registers as the guest sees them, out of and into a VMCB of either paging mode. */
#include "hv/svm/svm.h"

#include "hv/core/text.h"
#include "hv/x86/cpu.h"

#define FXSAVE_MXCSR 24
#define MXCSR_DEFINED 0x2FFFFu /* Family 10h: with DAZ and MM */

void svm_save_state(const struct svm_vcpu *vcpu, struct svm_state *to)
{
    const struct vmcb *vmcb = vcpu->vmcb;

    *to = (struct svm_state){
        .registers = vcpu->registers, .rax = vmcb->rax, .rsp = vmcb->rsp, .rip = vmcb->rip, .rflags = vmcb->rflags,
        .paging = svm_guest_paging(vcpu), .cr2 = vmcb->cr2, .dr6 = vmcb->dr6, .dr7 = vmcb->dr7,
        .es = vmcb->es, .cs = vmcb->cs, .ss = vmcb->ss, .ds = vmcb->ds, .fs = vmcb->fs, .gs = vmcb->gs,
        .gdtr = vmcb->gdtr, .ldtr = vmcb->ldtr, .idtr = vmcb->idtr, .tr = vmcb->tr, .cpl = vmcb->cpl,
        .star = vmcb->star, .lstar = vmcb->lstar, .cstar = vmcb->cstar, .sfmask = vmcb->sfmask,
        .kernel_gs_base = vmcb->kernel_gs_base, .sysenter_cs = vmcb->sysenter_cs,
        .sysenter_esp = vmcb->sysenter_esp, .sysenter_eip = vmcb->sysenter_eip, .pat = svm_guest_pat(vcpu),
        .interrupt_shadow = vmcb->interrupt_shadow & INTERRUPT_SHADOW,
        .event = vmcb->eventinj, .tsc = tsc_read() + vmcb->tsc_offset, .fpu_used = true,
    };
    memcpy(to->breakpoints, vcpu->breakpoints, sizeof(to->breakpoints));
    memcpy(to->fpu, vcpu->fpu, sizeof(to->fpu));
}

/* What VMRUN would refuse, or would let a guest reach hv by (APM2 15.5.1). */
const char *svm_state_wrong(const struct svm_state *from, bool long_mode_allowed)
{
    const struct svm_paging *p = &from->paging;
    uint32_t mxcsr;

    if (p->efer & ~(uint64_t)(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
        return "EFER has bits that no guest has";
    if (p->efer & (EFER_LME | EFER_LMA) && !long_mode_allowed)
        return "EFER says long mode, which this guest does not have";
    if (!(p->efer & EFER_LMA) != !(p->efer & EFER_LME && p->cr0 & 1ull << 31))
        return "EFER.LMA is not what LME and CR0.PG say";
    if ((p->cr0 | p->cr4 | from->dr6 | from->dr7) >> 32)
        return "CR0, CR4, DR6 or DR7 has high bits set";
    memcpy(&mxcsr, from->fpu + FXSAVE_MXCSR, sizeof(mxcsr));
    if (from->fpu_used && mxcsr & ~MXCSR_DEFINED)
        return "MXCSR has reserved bits set";
    if (from->cpl > 3)
        return "CPL is above 3";
    return NULL;
}

void svm_load_state(struct svm_vcpu *vcpu, const struct svm_state *from)
{
    struct vmcb *vmcb = vcpu->vmcb;

    vcpu->registers = from->registers;
    vmcb->rax = from->rax;
    vmcb->rsp = from->rsp;
    vmcb->rip = from->rip;
    vmcb->rflags = from->rflags | RFLAGS_FIXED;
    vmcb->cr2 = from->cr2;
    vmcb->dr6 = from->dr6;
    vmcb->dr7 = from->dr7;
    vmcb->es = from->es;
    vmcb->cs = from->cs;
    vmcb->ss = from->ss;
    vmcb->ds = from->ds;
    vmcb->fs = from->fs;
    vmcb->gs = from->gs;
    vmcb->gdtr = from->gdtr;
    vmcb->ldtr = from->ldtr;
    vmcb->idtr = from->idtr;
    vmcb->tr = from->tr;
    vmcb->cpl = from->cpl;
    vmcb->star = from->star;
    vmcb->lstar = from->lstar;
    vmcb->cstar = from->cstar;
    vmcb->sfmask = from->sfmask;
    vmcb->kernel_gs_base = from->kernel_gs_base;
    vmcb->sysenter_cs = from->sysenter_cs;
    vmcb->sysenter_esp = from->sysenter_esp;
    vmcb->sysenter_eip = from->sysenter_eip;
    svm_set_guest_pat(vcpu, from->pat);
    vmcb->interrupt_shadow = from->interrupt_shadow & INTERRUPT_SHADOW;
    vmcb->eventinj = from->event;
    vmcb->tsc_offset = from->tsc - tsc_read();
    memcpy(vcpu->breakpoints, from->breakpoints, sizeof(from->breakpoints));
    if (from->fpu_used)
        memcpy(vcpu->fpu, from->fpu, sizeof(from->fpu));
    svm_set_guest_paging(vcpu, &from->paging);
    vcpu->context_new = true;
    asid_drop(&vcpu->asid);
}

void svm_save_task(const struct svm_vcpu *vcpu, struct svm_task *to)
{
    const struct vmcb *vmcb = vcpu->vmcb;

    *to = (struct svm_task){
        .eip = (uint32_t)vmcb->rip, .eflags = (uint32_t)vmcb->rflags,
        .segment = { vmcb->es, vmcb->cs, vmcb->ss, vmcb->ds, vmcb->fs, vmcb->gs },
        .ldtr = vmcb->ldtr, .tr = vmcb->tr, .gdtr = vmcb->gdtr, .cpl = vmcb->cpl, .dr6 = vmcb->dr6, .dr7 = vmcb->dr7,
    };
    for (unsigned i = 0; i < 8; i++)
        to->gpr[i] = (uint32_t)svm_gpr(vcpu, i);
}

void svm_load_task(struct svm_vcpu *vcpu, const struct svm_task *from)
{
    struct vmcb *vmcb = vcpu->vmcb;

    for (unsigned i = 0; i < 8; i++)
        svm_set_gpr(vcpu, i, from->gpr[i]);
    vmcb->es = from->segment[SVM_ES];
    vmcb->cs = from->segment[SVM_CS];
    vmcb->ss = from->segment[SVM_SS];
    vmcb->ds = from->segment[SVM_DS];
    vmcb->fs = from->segment[SVM_FS];
    vmcb->gs = from->segment[SVM_GS];
    vmcb->ldtr = from->ldtr;
    vmcb->tr = from->tr;
    vmcb->cpl = from->cpl;
    vmcb->dr6 = from->dr6;
    vmcb->dr7 = from->dr7;
    vmcb->rflags = from->eflags | RFLAGS_FIXED;
    svm_set_rip(vcpu, from->eip);
}
