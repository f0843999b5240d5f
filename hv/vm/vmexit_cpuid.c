/* SPDX-License-Identifier: MIT */
/* CPUID as guests see it: the processor's, less what hv keeps, plus Xen's leaves. */
#include "hv/vm/exits.h"

#include "hv/vm/hypercall.h"

#include "hv/x86/cpu.h"

#define LEAF_XEN 0x40000000u
#define LEAF_XEN_MAX 0x40000004u
#define XEN_VERSION 0x00040011u /* major 4, minor 17 */
#define HYPERCALL_PAGES 1

#define ECX1_MONITOR (1u << 3)
#define ECX1_HYPERVISOR (1u << 31)
/* In EDX of 1 and 8000_0001: machine check, MTRRs; hv gives its guests none of them. */
#define EDX_ABSENT (1u << 7 | 1u << 12 | 1u << 14)
#define ECX81_LAHF64 (1u << 0)
/* LAHF64, CmpLegacy, AltMovCr8, ABM, SSE4A, MisAlignSse, prefetch; not SVM, ExtApic, OSVW, IBS, SKINIT, WDT, NodeId. */
#define ECX81_PRESENT (ECX81_LAHF64 | 1u << 1 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8)
#define EDX81_SYSCALL (1u << 11)
#define EDX81_LM (1u << 29)
#define EDX81_ABSENT (EDX_ABSENT | 1u << 25 | 1u << 27) /* and FFXSR, RDTSCP */

static struct cpuid_result xen_leaf(const struct vcpu *vcpu, uint32_t leaf)
{
    switch (leaf - LEAF_XEN) {
    case 0: /* "XenVMMXenVMM" */
        return (struct cpuid_result){ LEAF_XEN_MAX, 0x566E6558, 0x65584D4D, 0x4D4D566E };
    case 1:
        return (struct cpuid_result){ XEN_VERSION, 0, 0, 0 };
    case 2:
        return (struct cpuid_result){ HYPERCALL_PAGES, MSR_HYPERCALL_PAGE, 0, 0 };
    case 4: /* EBX is valid as the vCPU number (bit 3) */
        return (struct cpuid_result){ 1u << 3, vcpu->id, 0, 0 };
    default:
        return (struct cpuid_result){ 0, 0, 0, 0 };
    }
}

/* VME, PSE, SEP, PGE are for who owns the processor; 8000_0001 says some of them again, and 1G pages. */
static void adapt_pv(uint32_t leaf, struct cpuid_result *r)
{
    if (leaf == 1)
        r->edx &= ~(1u << 1 | 1u << 3 | 1u << 11 | 1u << 13);
    if (leaf == 0x80000001)
        r->edx &= ~(1u << 1 | 1u << 3 | 1u << 13 | 1u << 26);
}

static void adapt(const struct vcpu *vcpu, uint32_t leaf, struct cpuid_result *r)
{
    switch (leaf) {
    case 1:
        r->ebx = (r->ebx & 0x0000FFFF) | vcpu->guest->spec.vcpus << 16 | vcpu->id << 24;
        r->ecx = (r->ecx & ~ECX1_MONITOR) | ECX1_HYPERVISOR;
        r->edx &= ~EDX_ABSENT;
        break;
    case 0x80000001:
        r->ecx &= ECX81_PRESENT;
        r->edx &= ~EDX81_ABSENT;
        if (vcpu->guest->spec.width == 32) {
            r->ecx &= ~ECX81_LAHF64;
            r->edx &= ~(EDX81_LM | EDX81_SYSCALL);
        }
        break;
    case 0x80000008:
        r->ecx = vcpu->guest->spec.vcpus - 1;
        break;
    case 0x8000000A:
        *r = (struct cpuid_result){ 0 };
        break;
    default:
        break;
    }
    if (vcpu->guest->spec.type == GUEST_PV)
        adapt_pv(leaf, r);
}

void vmexit_cpuid_features(const struct vcpu *vcpu, struct cpu_features *features)
{
    struct cpuid_result one = cpuid(1, 0), extended = cpuid(0x80000001, 0);

    adapt(vcpu, 1, &one);
    adapt(vcpu, 0x80000001, &extended);
    *features = (struct cpu_features){ one.ecx, one.edx, extended.ecx, extended.edx };
}

/* What it has seen first, wherever that was, and no more. */
static void keep_features(const struct vcpu *vcpu, uint32_t leaf, struct cpuid_result *r)
{
    const struct cpu_features *features = &vcpu->guest->features;

    if (leaf == 1) {
        r->ecx &= features->ecx1;
        r->edx &= features->edx1;
    } else if (leaf == 0x80000001) {
        r->ecx &= features->ecx81;
        r->edx &= features->edx81;
    }
}

struct cpuid_result exit_cpuid(const struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result r;

    if (leaf >= LEAF_XEN && leaf <= LEAF_XEN_MAX)
        return vcpu->guest->spec.xen ? xen_leaf(vcpu, leaf) : (struct cpuid_result){ 0 };
    r = cpuid(leaf, subleaf);
    adapt(vcpu, leaf, &r);
    keep_features(vcpu, leaf, &r);
    return r;
}

enum exit_result vmexit_cpuid(struct vcpu *vcpu)
{
    uint32_t leaf = (uint32_t)vcpu->svm.vmcb->rax;
    struct cpuid_result r;

    if (!exit_skip(vcpu, INSTRUCTION_CPUID))
        return EXIT_RESUME;
    r = exit_cpuid(vcpu, leaf, (uint32_t)vcpu->svm.registers.rcx);
    svm_set_rax(&vcpu->svm, r.eax);
    vcpu->svm.registers.rbx = r.ebx;
    vcpu->svm.registers.rcx = r.ecx;
    vcpu->svm.registers.rdx = r.edx;
    return EXIT_RESUME;
}
