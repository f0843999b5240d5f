/* SPDX-License-Identifier: MIT */
/*
 * CPUID masks for pools of unlike machines ("extended migration"): what all machines of a pool have, by the name of the
 * oldest one. Options, as Xen spells them: cpuid_mask_cpu= or amd_cpu= a name; or the words one by one, cpuid_mask_ecx=
 * cpuid_mask_edx= cpuid_mask_ext_ecx= cpuid_mask_ext_edx=: if one of them is not 0 the name does not count, and the
 * others are all ones. Pure.
 */
#ifndef HV_MIGRATE_CPUID_MASK_H
#define HV_MIGRATE_CPUID_MASK_H

#include "hv/migrate/features.h"

#define CPUID_MASK_NAME_MAX 16

struct cpuid_mask {
    char name[CPUID_MASK_NAME_MAX];
    struct cpu_features features;
};

/* The eight names there are (hypervisor-features.md F). */
#define CPUID_MASKS 8
extern const struct cpuid_mask cpuid_masks[CPUID_MASKS];

/* Whether a processor of this CPUID 1 EAX has the override MSRs. NULL: it has, or why not, one line. */
const char *cpuid_mask_refused(uint32_t signature);

/* NULL: no such name. */
const struct cpuid_mask *cpuid_mask_find(const char *name);

enum cpuid_mask_choice { CPUID_MASK_NONE, CPUID_MASK_CHOSEN, CPUID_MASK_UNKNOWN, CPUID_MASK_BAD };
/* What the options say; unknown: a name that is none, bad: a word that is no number. */
enum cpuid_mask_choice cpuid_mask_choose(const char *options, struct cpuid_mask *chosen);

#endif
