/* SPDX-License-Identifier: MIT */
/* CPUID: a model's leaves as data, and what follows MSRs, the APIC and the number of cores (BKDG10 2.16). */
#ifndef FAM10H_CPU_MODEL_CPUID_H
#define FAM10H_CPU_MODEL_CPUID_H

#include "sim/cpu/core.h"

struct cpuid_values {
    uint32_t eax, ebx, ecx, edx;
};

/* The leaf as the model's table has it; zero where it has none. */
struct cpuid_values cpuid_model_leaf(const struct cpu_model *model, uint32_t leaf);
/* What CPUID of `leaf` (EAX; no leaf of Family 10h has subleaves) returns on this core now. */
struct cpuid_values cpuid_read(const struct core *core, uint32_t leaf);
/* Reset values of MSR C001_1004 and C001_1005: ECX in the high half, EDX in the low one. */
uint64_t cpuid_features(const struct core *core, bool extended);

#endif
