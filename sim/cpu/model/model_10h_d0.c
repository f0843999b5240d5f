/* SPDX-License-Identifier: MIT */
/* Istanbul, revision HY-D0: up to six cores in a node. */
#include "sim/cpu/model/models.h"

static const struct cpuid_row leaves[] = {
    CPUID_VENDOR(0, 5),
    { 1, 0x00100F80, 0x00000800, 0x00802009, 0x178BFBFF },
    CPUID_MONITOR,
    CPUID_VENDOR(0x80000000, 0x8000001B),
    { 0x80000001, 0x00100F80, 0, 0x000037FF, 0xEFD3FBFF },
    CPUID_L1,
    { 0x80000006, 0x20800000, 0x42004200, 0x02008140, 0x0030B140 },
    CPUID_POWER,
    { 0x80000008, 0x00003030, 0, 0x00003000, 0 },         /* ApicIdCoreIdSize 3: six cores */
    { 0x8000000A, 1, 0x40, 0, 0x0000040F },               /* pause filter */
    { 0x80000019, 0xF0300000, 0x60100000, 0, 0 },
    CPUID_FP128,
    { 0x8000001B, 0x0000001F, 0, 0, 0 },
};

const struct cpu_model model_10h_d0 = {
    .name = "10h-d0",
    .brand = "Six-Core AMD Opteron(tm) Processor 8431",
    .signature = 0x00100F80,
    .max_cores = 6,
    .mhz = 2400,
    .nrip = true,
    .skinit = true,
    .pause_filter = true,
    .node_id_msr = true,
    .smm_host_if = true,
    .nested_paging = true,
    .lbr_virtual = true,
    .asids = 64,
    .cpuid = leaves,
    .cpuid_count = sizeof(leaves) / sizeof(leaves[0]),
    .mmu = { FAMILY_10H_TLBS, .l2d_1g = WAYS(16, 8) },
    .costs = FAMILY_10H_COSTS,
    .evidence = "BKDG10 CPUID functions, rev D columns. 8000_0006 EDX derived from 6 MB, 48-way. assumed: "
                "ApicIdCoreIdSize 3, page-walk cache 24, nested TLB 16, all cycle costs",
};
