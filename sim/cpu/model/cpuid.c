/* SPDX-License-Identifier: MIT */
#include "sim/cpu/model/cpuid.h"

#include "sim/cpu/model/msr.h"

#define FN1_EDX_APIC BIT(9)
#define FN1_EDX_SSE BIT(25)
#define FN1_EDX_SSE2 BIT(26)
#define FN1_EDX_HTT BIT(28)
#define FN1_ECX_SSE3 BIT(0)
#define FN1_ECX_MONITOR BIT(3)
#define EXT1_ECX_CMP_LEGACY BIT(1)
#define EXT1_ECX_SSE4A BIT(6)
#define EXT1_ECX_MISALIGN_SSE BIT(7)

struct cpuid_values cpuid_model_leaf(const struct cpu_model *model, uint32_t leaf)
{
    for (size_t i = 0; i < model->cpuid_count; i++) {
        const struct cpuid_row *row = &model->cpuid[i];

        if (row->leaf == leaf)
            return (struct cpuid_values){ row->eax, row->ebx, row->ecx, row->edx };
    }
    return (struct cpuid_values){ 0 }; /* reserved functions read 0 (BKDG10 CPUID) */
}

uint64_t cpuid_features(const struct core *core, bool extended)
{
    struct cpuid_values v = cpuid_model_leaf(core->model, extended ? 0x80000001 : 1);

    if (core->cores_in_node <= 1) {
        if (extended)
            v.ecx &= (uint32_t)~EXT1_ECX_CMP_LEGACY;
        else
            v.edx &= (uint32_t)~FN1_EDX_HTT;
    }
    return (uint64_t)v.ecx << 32 | v.edx;
}

/* Fact sheet 1.2, dynamic bits: what the override MSR says, then what hardware state takes away. */
static void feature_leaf(const struct core *core, struct cpuid_values *v, bool extended)
{
    uint64_t features = extended ? core->msr->cpuid_ext_features : core->msr->cpuid_features;
    bool sse = !(core->hwcr & HWCR_SSE_DIS);

    v->ecx = (uint32_t)(features >> 32);
    v->edx = (uint32_t)features & (uint32_t)~FN1_EDX_APIC;
    if (core->apic_page.size) /* APIC_BAR.ApicEn */
        v->edx |= (uint32_t)FN1_EDX_APIC;
    if (extended) {
        if (!sse)
            v->ecx &= (uint32_t)~EXT1_ECX_SSE4A;
        if (core->hwcr & HWCR_MISALIGN_SSE_DIS)
            v->ecx &= (uint32_t)~EXT1_ECX_MISALIGN_SSE;
        return;
    }
    if (!sse) {
        v->ecx &= (uint32_t)~FN1_ECX_SSE3;
        v->edx &= (uint32_t)~(FN1_EDX_SSE | FN1_EDX_SSE2);
    }
    if (core->hwcr & HWCR_MON_MWAIT_DIS)
        v->ecx &= (uint32_t)~FN1_ECX_MONITOR;
    v->ebx |= (uint32_t)core->initial_apic_id << 24 | core->cores_in_node << 16;
}

/* 8000_0002 .. 8000_0004: sixteen characters each from MSRs C001_0030 .. C001_0035. */
static void name_leaf(const struct core *core, struct cpuid_values *v, unsigned n)
{
    const uint64_t *name = &core->msr->name[2 * n];

    v->eax = (uint32_t)name[0];
    v->ebx = (uint32_t)(name[0] >> 32);
    v->ecx = (uint32_t)name[1];
    v->edx = (uint32_t)(name[1] >> 32);
}

struct cpuid_values cpuid_read(const struct core *core, uint32_t leaf)
{
    struct cpuid_values v = cpuid_model_leaf(core->model, leaf);
    bool limited = (core->hwcr & HWCR_LIMIT_CPUID) != 0;

    if (leaf < 0x80000000 && leaf > 1 && limited)
        return (struct cpuid_values){ 0 };
    switch (leaf) {
    case 0:
        if (limited)
            v.eax = 1;
        break;
    case 1:
        feature_leaf(core, &v, false);
        break;
    case 0x80000001:
        feature_leaf(core, &v, true);
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        name_leaf(core, &v, leaf - 0x80000002);
        break;
    case 0x80000008:
        v.ecx |= core->cores_in_node - 1; /* NC */
        break;
    }
    return v;
}
