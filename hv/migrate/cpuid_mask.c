/* SPDX-License-Identifier: MIT */
#include "hv/migrate/cpuid_mask.h"

#include "hv/core/options.h"
#include "hv/core/text.h"

/*
 * As computed from Xen's definitions (2c9b12c9e4). fam_10_rev_b is built on fam_0f_rev_f: it hides 3DNowPrefetch,
 * although the silicon has it.
 */
const struct cpuid_mask cpuid_masks[CPUID_MASKS] = {
    { "fam_0f_rev_c", { 0x00000000, 0x078BFBFF, 0x00000000, 0xE1D3FBFF } },
    { "fam_0f_rev_d", { 0x00000000, 0x078BFBFF, 0x00000001, 0xE3D3FBFF } },
    { "fam_0f_rev_e", { 0x00000001, 0x178BFBFF, 0x00000003, 0xE3D3FBFF } },
    { "fam_0f_rev_f", { 0x00002001, 0x178BFBFF, 0x0000001F, 0xEBD3FBFF } },
    { "fam_0f_rev_g", { 0x00002001, 0x178BFBFF, 0x0000011F, 0xEBD3FBFF } },
    { "fam_10_rev_b", { 0x00802009, 0x178BFBFF, 0x000006FF, 0xEFD3FBFF } },
    { "fam_10_rev_c", { 0x00802009, 0x178BFBFF, 0x000036FF, 0xEFD3FBFF } },
    { "fam_11_rev_b", { 0x00002001, 0x178BFBFF, 0x0000111F, 0xEBD3FBFF } },
};

const struct cpuid_mask *cpuid_mask_find(const char *name)
{
    for (unsigned i = 0; i < CPUID_MASKS; i++)
        if (text_equal(cpuid_masks[i].name, name))
            return &cpuid_masks[i];
    return NULL;
}

static uint32_t word(const char *options, const char *name, bool *bad)
{
    uint64_t value = option_size(options, name, 0, bad);

    *bad = *bad || value > UINT32_MAX;
    return (uint32_t)value;
}

static uint32_t or_ones(uint32_t value)
{
    return value ? value : UINT32_MAX;
}

enum cpuid_mask_choice cpuid_mask_choose(const char *options, struct cpuid_mask *chosen)
{
    const struct cpuid_mask *named;
    bool bad = false;
    struct cpu_features fine = { word(options, "cpuid_mask_ecx", &bad), word(options, "cpuid_mask_edx", &bad),
                                 word(options, "cpuid_mask_ext_ecx", &bad), word(options, "cpuid_mask_ext_edx", &bad) };

    *chosen = (struct cpuid_mask){ .name = "" };
    if (bad)
        return CPUID_MASK_BAD;
    if (fine.ecx1 | fine.edx1 | fine.ecx81 | fine.edx81) {
        chosen->features = (struct cpu_features){ or_ones(fine.ecx1), or_ones(fine.edx1), or_ones(fine.ecx81),
                                                  or_ones(fine.edx81) };
        return CPUID_MASK_CHOSEN;
    }
    if (!option_text(options, "cpuid_mask_cpu", chosen->name, sizeof(chosen->name)) &&
        !option_text(options, "amd_cpu", chosen->name, sizeof(chosen->name)))
        return option_is_given(options, "cpuid_mask_cpu") || option_is_given(options, "amd_cpu") ? CPUID_MASK_UNKNOWN
                                                                                                 : CPUID_MASK_NONE;
    named = cpuid_mask_find(chosen->name);
    if (!named)
        return CPUID_MASK_UNKNOWN;
    *chosen = *named;
    return CPUID_MASK_CHOSEN;
}

#define FAMILY_0F 0x0F
#define MODELS_BEFORE_D 0x10u /* extended model 0: revisions up to CG */
#define STEPPING_REVISION_C 8u

const char *cpuid_mask_refused(uint32_t signature)
{
    unsigned family = (signature >> 8 & 0xF) + (signature >> 20 & 0xFF);
    unsigned model = (signature >> 4 & 0xF) | (signature >> 12 & 0xF0);

    if (family < FAMILY_0F ||
        (family == FAMILY_0F && model < MODELS_BEFORE_D && (signature & 0xF) < STEPPING_REVISION_C))
        return "this processor's CPUID cannot be masked (0Fh revision C and later can)";
    return NULL;
}
