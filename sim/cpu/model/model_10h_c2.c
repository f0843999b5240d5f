/* SPDX-License-Identifier: MIT */
/* Shanghai, revision RB-C2. */
#include "sim/cpu/model/models.h"

static const struct cpuid_row leaves[] = {
    CPUID_VENDOR(0, 5),
    { 1, 0x00100F42, 0x00000800, 0x00802009, 0x178BFBFF },
    CPUID_MONITOR,
    CPUID_VENDOR(0x80000000, 0x8000001B),
    { 0x80000001, 0x00100F42, 0, 0x000037FF, 0xEFD3FBFF }, /* SKINIT, WDT */
    CPUID_L1,
    { 0x80000006, 0x20800000, 0x42004200, 0x02008140, 0x0030B140 }, /* L3: 6 MB, 48-way (derived) */
    CPUID_POWER,
    { 0x80000008, 0x00003030, 0, 0x00002000, 0 },
    { 0x8000000A, 1, 0x40, 0, 0x0000000F },               /* NRIPS */
    { 0x80000019, 0xF0300000, 0x60100000, 0, 0 },         /* L2: 16 entries for 1G pages, 8-way */
    CPUID_FP128,
    { 0x8000001B, 0x0000001F, 0, 0, 0 },                  /* IBS */
};

const struct cpu_model model_10h_c2 = {
    .name = "10h-c2",
    .brand = "Quad-Core AMD Opteron(tm) Processor 8376",
    .signature = 0x00100F42,
    .max_cores = 4,
    .mhz = 2300,
    .nrip = true,
    .skinit = true,
    .nested_paging = true,
    .lbr_virtual = true,
    .asids = 64,
    .cpuid = leaves,
    .cpuid_count = sizeof(leaves) / sizeof(leaves[0]),
    .mmu = { FAMILY_10H_TLBS, .l2d_1g = WAYS(16, 8) },
    .costs = FAMILY_10H_COSTS,
    .evidence = "BKDG10 CPUID functions, rev C columns; published feature lists of model 4 and 5 parts. 8000_0006 "
                "EDX derived from 6 MB, 48-way. assumed: page-walk cache 24, nested TLB 16, all cycle costs",
};
