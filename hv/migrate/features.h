/* SPDX-License-Identifier: MIT */
/*
 * Processor features by the four words of CPUID that carry them, and what a guest would miss on another machine.
 * Pure.
 */
#ifndef HV_MIGRATE_FEATURES_H
#define HV_MIGRATE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu_features {
    uint32_t ecx1, edx1;   /* CPUID 0000_0001 */
    uint32_t ecx81, edx81; /* CPUID 8000_0001 */
};

/* a AND b. */
struct cpu_features features_common(const struct cpu_features *a, const struct cpu_features *b);
/*
 * What `guest` has and `host` has not, by name, with blanks between; what does not fit ends in "...". False: nothing.
 * Bit 31 of ecx1 is the hypervisor's own and does not count.
 */
bool features_missing(const struct cpu_features *guest, const struct cpu_features *host, char *text, size_t size);

#endif
