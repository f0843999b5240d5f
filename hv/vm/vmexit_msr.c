/* SPDX-License-Identifier: MIT */
/* MSRs that hv answers for; the permission map passes the switched ones (svm.c), every other one is #GP. */
#include "hv/vm/exits.h"

#include "hv/vm/hypercall.h"
#include "hv/vm/paging_shadow.h"

#include "hv/x86/cpu.h"

#define MSR_TSC 0x10
#define MSR_EBC_FREQUENCY 0x2A /* an Intel processor's */
#define MSR_PATCH_LEVEL 0x8B
#define MSR_HWCR 0xC0010015
#define MSR_NB_CFG 0xC001001F
#define NB_CFG_EXTENDED_CF8 (1ull << 46) /* EnableCf8ExtCfg: of a port that is not there */
#define MSR_INT_PENDING 0xC0010055
#define APIC_BASE_BSC (1u << 8)
#define APIC_BASE_ENABLE (1u << 11)

/* The page cannot be moved, nor the APIC switched off: other values are #GP. */
static uint64_t apic_base(const struct vcpu *vcpu)
{
    return VLAPIC_BASE | APIC_BASE_ENABLE | (vcpu->id == 0 ? APIC_BASE_BSC : 0);
}

static bool read_msr(const struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_TSC:
        *value = tsc_read() + vcpu->svm.vmcb->tsc_offset;
        return true;
    case MSR_APIC_BASE:
        *value = apic_base(vcpu);
        return true;
    case MSR_EFER:
        *value = svm_guest_paging(&vcpu->svm).efer;
        return true;
    case MSR_HWCR:        /* TscFreqSel tells that the TSC runs at P0's frequency */
    case MSR_PATCH_LEVEL:
        *value = msr_read(msr);
        return true;
    case MSR_NB_CFG:
        *value = vcpu->guest->nb_cfg;
        return true;
    case MSR_HYPERCALL_PAGE: /* reads as 0 under Xen, too */
        *value = 0;
        return vcpu->guest->spec.xen;
    case MSR_EBC_FREQUENCY: /* a guest that began on another vendor's processor goes on, as under Xen */
    case MSR_INT_PENDING:   /* no C1E */
        *value = 0;
        return true;
    case MSR_PAT:
        *value = svm_guest_pat(&vcpu->svm);
        return vcpu->svm.shadow; /* else the permission map passes it */
    default:
        return false;
    }
}

static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
    struct svm_paging now;

    if (!svm_set_guest_efer(&vcpu->svm, value, vcpu->guest->spec.width == 64))
        return false;
    now = svm_guest_paging(&vcpu->svm);
    return !vcpu->svm.shadow || paging_shadow_load(vcpu, &now, false);
}

static bool write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if (msr == MSR_NB_CFG && !(value & ~NB_CFG_EXTENDED_CF8)) {
        vcpu->guest->nb_cfg = value;
        return true;
    }
    if (msr == MSR_HYPERCALL_PAGE)
        return vcpu->guest->spec.xen && hypercall_page_write(vcpu->guest, value);
    if (msr == MSR_EFER)
        return write_efer(vcpu, value);
    if (msr == MSR_PAT && vcpu->svm.shadow)
        return paging_shadow_set_pat(vcpu, value);
    return msr == MSR_APIC_BASE && value == apic_base(vcpu);
}

enum exit_result vmexit_msr(struct vcpu *vcpu)
{
    struct svm_registers *registers = &vcpu->svm.registers;
    uint32_t msr = (uint32_t)registers->rcx;
    uint64_t value;

    if (vcpu->svm.vmcb->exitinfo1 == 0) {
        if (!read_msr(vcpu, msr, &value))
            return exit_inject_gp(vcpu);
        if (!exit_skip(vcpu, INSTRUCTION_RDMSR))
            return EXIT_RESUME;
        svm_set_rax(&vcpu->svm, (uint32_t)value);
        registers->rdx = value >> 32;
    } else {
        value = registers->rdx << 32 | (uint32_t)vcpu->svm.vmcb->rax;
        if (!write_msr(vcpu, msr, value))
            return exit_inject_gp(vcpu);
        exit_skip(vcpu, INSTRUCTION_WRMSR);
    }
    return EXIT_RESUME;
}
