/* SPDX-License-Identifier: MIT */
/* What the three models share, and their declarations. */
#ifndef FAM10H_CPU_MODEL_MODELS_H
#define FAM10H_CPU_MODEL_MODELS_H

#include "sim/cpu/cpu.h"

extern const struct cpu_model model_10h_b3, model_10h_c2, model_10h_d0;
extern const struct cpu_model model_k8_b, model_k8_c, model_k8_d, model_k8_e, model_k8_f, model_k8_g;

#define FULLY(entries) { (entries), 0 }
#define WAYS(entries, ways) { (entries), (ways) }

/*
 * The TLBs of CPUID 8000_0005, 8000_0006 and 8000_0019 (fact sheet 1.4). One L1 data array of mixed page
 * sizes: assumed, from the identical counts of the three leaves.
 * assumed: 24 page-walk-cache entries, 16 nested-TLB entries (fact sheet 4.5, no AMD source); the cycles
 * of the latency budget, fact sheet 4.6: 5 for an L2 TLB hit; a walk reference is served by the L2 cache
 * at 15, plus one coherent hop (about 40 ns of 2.3 GHz cycles, were it memory) for a remote node's.
 */
#define FAMILY_10H_TLBS                                                                       \
    .l1d = FULLY(48), .l1i_4k = FULLY(32), .l1i_2m = FULLY(16), .l2d_4k = WAYS(512, 4),       \
    .l2d_2m = WAYS(128, 2), .l2i_4k = WAYS(512, 4), .pwc = FULLY(24), .ntlb = FULLY(16),      \
    .cost_l2_hit = 5, .cost_ref = 15, .cost_ref_remote = 15 + 92, .cost_pwc_hit = 1,          \
    .cost_ntlb_hit = 1, .cost_ad_write = 20

/*
 * assumed: VMRUN and #VMEXIT together with the instruction's own 250 cycles make about 1200, inside the
 * 1000 to 1400 of fact sheet 1.5; SMI and RSM move somewhat more to and from memory; delivery through a
 * gate and a task switch in the usual proportions.
 */
#define FAMILY_10H_COSTS { .exception = 80, .interrupt = 90, .task_switch = 300, .vmrun = 450, .vmexit = 500, \
                           .smi = 700, .rsm = 500 }

/* Leaves that are the same in every model. */
#define CPUID_VENDOR(leaf, highest) { leaf, highest, 0x68747541, 0x444D4163, 0x69746E65 } /* "AuthenticAMD" */
#define CPUID_MONITOR { 5, 0x40, 0x40, 3, 0 }
#define CPUID_L1 { 0x80000005, 0xFF30FF10, 0xFF30FF20, 0x40020140, 0x40020140 }
#define CPUID_POWER { 0x80000007, 0, 0, 0, 0x000001F9 }
#define CPUID_FP128 { 0x8000001A, 3, 0, 0, 0 }

#endif
