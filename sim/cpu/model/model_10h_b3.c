/* SPDX-License-Identifier: MIT */
/* Barcelona, revision DR-B3: the default. */
#include "sim/cpu/model/models.h"

static const struct cpuid_row leaves[] = {
    CPUID_VENDOR(0, 5),
    { 1, 0x00100F23, 0x00000800, 0x00802009, 0x178BFBFF },
    CPUID_MONITOR,
    CPUID_VENDOR(0x80000000, 0x8000001A),
    { 0x80000001, 0x00100F23, 0, 0x000007FF, 0xEFD3FBFF }, /* PkgType 0: socket F */
    CPUID_L1,
    { 0x80000006, 0x20800000, 0x42004200, 0x02008140, 0x0010A140 }, /* L3: 2 MB, 32-way */
    CPUID_POWER,
    { 0x80000008, 0x00003030, 0, 0x00002000, 0 },         /* ApicIdCoreIdSize 2 */
    { 0x8000000A, 1, 0x40, 0, 0x00000007 },               /* NP, LbrVirt, SVML; no NRIPS */
    { 0x80000019, 0xF0300000, 0, 0, 0 },                  /* no L2 entries for 1G pages */
    CPUID_FP128,
};

const struct cpu_model model_10h_b3 = {
    .name = "10h-b3",
    .brand = "Quad-Core AMD Opteron(tm) Processor 8356",
    .signature = 0x00100F23,
    .max_cores = 4,
    .mhz = 2300,
    .nested_paging = true,
    .lbr_virtual = true,
    .asids = 64,
    .cpuid = leaves,
    .cpuid_count = sizeof(leaves) / sizeof(leaves[0]),
    /* Firmware sets BU_CFG2[29] on all Bx parts (fact sheet 1.4): 1G pages enter the TLB as 2M. */
    .mmu = { FAMILY_10H_TLBS, .smash_1g = true },
    .costs = FAMILY_10H_COSTS,
    .evidence = "BKDG10 CPUID functions; CPUID dump of a DR-B3 part (Bochs cpudb, Phenom 8650) with the core "
                "count of a quad; TLB geometry from leaves 8000_0005, 8000_0006, 8000_0019. assumed: page-walk "
                "cache 24, nested TLB 16, all cycle costs",
};
