/* SPDX-License-Identifier: MIT */
/* The VMCB's side of paging: which of its control registers are the guest's, and which hv's. */
#include "hv/svm/svm.h"

#include "hv/x86/cpu.h"

#define CR0_PG (1ull << 31)
#define CR0_WP (1ull << 16)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_PGE (1ull << 7)
#define EXC_PF 14
#define CONTROL_REGISTERS (1u << 0 | 1u << 3 | 1u << 4)

static uint64_t own_mce(const struct svm_vcpu *vcpu, uint64_t cr4)
{
    if (!svm_takes_machine_checks())
        return cr4;
    return vcpu->mce ? cr4 | CR4_MCE : cr4 & ~(uint64_t)CR4_MCE;
}

struct svm_paging svm_guest_paging(const struct svm_vcpu *vcpu)
{
    const struct vmcb *vmcb = vcpu->vmcb;

    if (vcpu->shadow)
        return vcpu->own;
    return (struct svm_paging){ vmcb->cr0, vmcb->cr3, own_mce(vcpu, vmcb->cr4), vmcb->efer & ~(uint64_t)EFER_SVME };
}

/*
 * A #MC that finds CR4.MCE clear shuts the processor down, guest or not (APM2 9.3.2, 15.12.18), so that hv keeps
 * it set and the guest's own beside it. A guest that has it set may read CR4 itself.
 */
static void keep_mce(struct svm_vcpu *vcpu, uint64_t cr4)
{
    struct vmcb *vmcb = vcpu->vmcb;

    if (!svm_takes_machine_checks())
        return;
    vcpu->mce = cr4 & CR4_MCE;
    vmcb->cr4 |= CR4_MCE;
    vmcb->intercept_cr_write |= 1u << 4;
    if (!vcpu->shadow)
        vmcb->intercept_cr_read = (uint16_t)(vcpu->mce ? vmcb->intercept_cr_read & ~(1u << 4)
                                                       : vmcb->intercept_cr_read | 1u << 4);
}

/*
 * Under shadow paging CR0.WP is set, or the supervisor could write to a protected table; without paging the guest is
 * in legacy mode, so that the processor must not see LME; G in an entry would outlive the CR3 it belongs to.
 */
void svm_set_guest_paging(struct svm_vcpu *vcpu, const struct svm_paging *value)
{
    struct vmcb *vmcb = vcpu->vmcb;
    uint64_t efer = value->efer;

    vmcb->cr0 = value->cr0;
    vmcb->cr4 = value->cr4;
    if (vcpu->shadow) {
        vcpu->own = *value;
        vmcb->cr0 |= CR0_PG | CR0_WP;
        vmcb->cr4 = (value->cr4 | CR4_PAE) & ~(CR4_PSE | CR4_PGE);
        if (!(efer & EFER_LMA))
            efer &= ~(uint64_t)EFER_LME;
    } else {
        vmcb->cr3 = value->cr3;
    }
    keep_mce(vcpu, value->cr4);
    vmcb->efer = efer | EFER_SVME;
}

/* G_PAT is the guest's under nested paging; else only a place to keep it. */
uint64_t svm_guest_pat(const struct svm_vcpu *vcpu)
{
    return vcpu->vmcb->g_pat;
}

void svm_set_guest_pat(struct svm_vcpu *vcpu, uint64_t value)
{
    vcpu->vmcb->g_pat = value;
}

void svm_set_shadow_root(struct svm_vcpu *vcpu, uint64_t cr3)
{
    if (vcpu->vmcb->cr3 == cr3)
        return;
    vcpu->vmcb->cr3 = cr3;
    asid_drop(&vcpu->asid);
}

void svm_use_shadow(struct svm_vcpu *vcpu)
{
    struct svm_paging now = svm_guest_paging(vcpu);
    struct vmcb *vmcb = vcpu->vmcb;

    vcpu->shadow = true;
    vmcb->np_enable = 0;
    vmcb->n_cr3 = 0;
    vmcb->intercept_exceptions |= 1u << EXC_PF;
    vmcb->intercept_cr_read |= CONTROL_REGISTERS;
    vmcb->intercept_cr_write |= CONTROL_REGISTERS;
    vmcb->intercept_1 |= INTERCEPT_INVLPG | INTERCEPT_TASK_SWITCH;
    svm_shadow_msrs(vcpu);
    svm_set_guest_paging(vcpu, &now);
}
