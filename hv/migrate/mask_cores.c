/* SPDX-License-Identifier: MIT */
#include "hv/migrate/mask_cores.h"

#include <stddef.h>

#include "hv/migrate/cpuid_mask.h"
#include "hv/x86/cpu.h"

#define MSR_CPUID_FEATURES 0xC0011004
#define MSR_CPUID_EXT_FEATURES 0xC0011005

static struct cpu_features hardware;
static uint64_t wanted_1, wanted_81; /* what the MSRs are to hold */
static unsigned generation;          /* atomic; 0: nothing was set yet */

/* Behind a password in EDI, which later families ignore. */
const char *mask_cores_init(void)
{
    const char *refused = cpuid_mask_refused(cpuid(1, 0).eax);
    uint64_t one, extended;

    hardware = mask_cores_reported();
    if (refused)
        return refused;
    one = msr_read_keyed(MSR_CPUID_FEATURES);
    extended = msr_read_keyed(MSR_CPUID_EXT_FEATURES);
    hardware = (struct cpu_features){ (uint32_t)(one >> 32), (uint32_t)one, (uint32_t)(extended >> 32),
                                      (uint32_t)extended };
    return NULL;
}

struct cpu_features mask_cores_hardware(void)
{
    return hardware;
}

struct cpu_features mask_cores_reported(void)
{
    struct cpuid_result one = cpuid(1, 0), extended = cpuid(0x80000001, 0);

    return (struct cpu_features){ one.ecx, one.edx, extended.ecx, extended.edx };
}

void mask_cores_set(const struct cpu_features *mask)
{
    struct cpu_features both = features_common(mask, &hardware);

    wanted_1 = (uint64_t)both.ecx1 << 32 | both.edx1;
    wanted_81 = (uint64_t)both.ecx81 << 32 | both.edx81;
    __atomic_add_fetch(&generation, 1, __ATOMIC_RELEASE);
}

void mask_cores_follow(struct percore *core)
{
    unsigned now = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);

    if (core->mask_generation == now)
        return;
    msr_write_keyed(MSR_CPUID_FEATURES, wanted_1);
    msr_write_keyed(MSR_CPUID_EXT_FEATURES, wanted_81);
    __atomic_store_n(&core->mask_generation, now, __ATOMIC_RELEASE);
}

bool mask_cores_settled(void)
{
    unsigned now = __atomic_load_n(&generation, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < percore_count; i++)
        if (__atomic_load_n(&percores[i].mask_generation, __ATOMIC_ACQUIRE) != now)
            return false;
    return true;
}
