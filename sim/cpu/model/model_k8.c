/* SPDX-License-Identifier: MIT */
/*
 * Family 0Fh (K8), revisions B to G: the migration partners of Family 10h from C on. Feature words are those of the
 * revision masks fam_0f_rev_c .. rev_g. The northbridge is platform's (northbridge_0f.c). deviation: physical addresses
 * have 48 bits in page tables although CPUID says 40; the L1 data TLB's eight entries for large pages are not apart.
 */
#include "sim/cpu/isa/isa.h"
#include "sim/cpu/model/models.h"

#define LACKS(feature) (UINT32_C(1) << ISA_FEATURE_##feature)
#define LACKS_AS_G (LACKS(MONITOR) | LACKS(POPCNT) | LACKS(ABM) | LACKS(SSE4A) | LACKS(SKINIT))
#define LACKS_AS_E (LACKS_AS_G | LACKS(CX16) | LACKS(SVM) | LACKS(RDTSCP))
#define LACKS_AS_D (LACKS_AS_E | LACKS(SSE3))
#define LACKS_AS_C (LACKS_AS_D | LACKS(LAHF64))

/*
 * Fact sheet 4.4, K8 column. No 1G pages, no nested paging. assumed: the same page-walk cache of 24 entries and
 * the same cycles as in Family 10h.
 */
#define FAMILY_0FH_TLBS                                                                       \
    .l1d = FULLY(32), .l1i_4k = FULLY(32), .l1i_2m = FULLY(8), .l2d_4k = WAYS(512, 4),        \
    .l2i_4k = WAYS(512, 4), .pwc = FULLY(24), .no_1g = true,                                  \
    .cost_l2_hit = 5, .cost_ref = 15, .cost_ref_remote = 15 + 92, .cost_pwc_hit = 1,          \
    .cost_ntlb_hit = 1, .cost_ad_write = 20

/* 32 and 8 entries of L1 and 512 of L2; 64 KB L1 caches, 1 MB 16-way L2; 40-bit physical addresses. */
#define K8_LEAVES(signature, ecx1, edx1, ext_ecx, ext_edx, power)                             \
    CPUID_VENDOR(0, 1),                                                                       \
    { 1, signature, 0x00000800, ecx1, edx1 },                                                 \
    CPUID_VENDOR(0x80000000, 0x80000018),                                                     \
    { 0x80000001, signature, 0, ext_ecx, ext_edx },                                           \
    { 0x80000005, 0xFF08FF08, 0xFF20FF20, 0x40020140, 0x40020140 },                           \
    { 0x80000006, 0, 0x42004200, 0x04008140, 0 },                                             \
    { 0x80000007, 0, 0, 0, power },                                                           \
    { 0x80000008, 0x00003028, 0, 0, 0 }
#define K8_SVM { 0x8000000A, 1, 0x40, 0, 0 } /* revision 1, 64 ASIDs, no features */

static const struct cpuid_row leaves_b[] = { K8_LEAVES(0x00000F51, 0, 0x078BFBFF, 0, 0xE1D3FBFF, 0x0F) };
static const struct cpuid_row leaves_c[] = { K8_LEAVES(0x00000F5A, 0, 0x078BFBFF, 0, 0xE1D3FBFF, 0x0F) };
static const struct cpuid_row leaves_d[] = { K8_LEAVES(0x00010F50, 0, 0x078BFBFF, 1, 0xE3D3FBFF, 0x0F) };
static const struct cpuid_row leaves_e[] = { K8_LEAVES(0x00020F12, 1, 0x178BFBFF, 3, 0xE3D3FBFF, 0x0F) };
static const struct cpuid_row leaves_f[] = { K8_LEAVES(0x00040F13, 0x2001, 0x178BFBFF, 0x1F, 0xEBD3FBFF, 0x3F),
                                             K8_SVM };
static const struct cpuid_row leaves_g[] = { K8_LEAVES(0x00060FB1, 0x2001, 0x178BFBFF, 0x11F, 0xEBD3FBFF, 0x7F),
                                             K8_SVM };

#define K8_MODEL(letter, brand_, signature_, cores, mhz_, lacks)                              \
    .name = "k8-" letter, .brand = brand_, .signature = signature_, .max_cores = cores,       \
    .mhz = mhz_, .family_0f = true, .absent = lacks, .asids = 64, .mmu = { FAMILY_0FH_TLBS }, \
    .costs = FAMILY_10H_COSTS
#define LEAVES(rows) .cpuid = rows, .cpuid_count = sizeof(rows) / sizeof((rows)[0])
#define EVIDENCE                                                                              \
    "feature words: public CPUID masks of Family 0Fh revisions; signatures: published lists of K8 parts; TLBs: "  \
    "CPUID 8000_0005 and 8000_0006 of such parts. assumed: brand, clock, power leaf, page-walk cache, all cycles"

/* Before the override MSRs. assumed: the feature words of revision C. */
const struct cpu_model model_k8_b = { K8_MODEL("b", "AMD Opteron(tm) Processor 844", 0x00000F51, 1, 1800, LACKS_AS_C),
                                      LEAVES(leaves_b), .no_cpuid_override = true, .evidence = EVIDENCE };
const struct cpu_model model_k8_c = { K8_MODEL("c", "AMD Opteron(tm) Processor 848", 0x00000F5A, 1, 2200, LACKS_AS_C),
                                      LEAVES(leaves_c), .evidence = EVIDENCE };
const struct cpu_model model_k8_d = { K8_MODEL("d", "AMD Opteron(tm) Processor 850", 0x00010F50, 1, 2400, LACKS_AS_D),
                                      LEAVES(leaves_d), .evidence = EVIDENCE };
const struct cpu_model model_k8_e = { K8_MODEL("e", "Dual Core AMD Opteron(tm) Processor 880", 0x00020F12, 2, 2400,
                                               LACKS_AS_E), LEAVES(leaves_e), .evidence = EVIDENCE };
const struct cpu_model model_k8_f = { K8_MODEL("f", "Dual-Core AMD Opteron(tm) Processor 8220", 0x00040F13, 2, 2800,
                                               LACKS_AS_G), LEAVES(leaves_f), .evidence = EVIDENCE };
const struct cpu_model model_k8_g = { K8_MODEL("g", "AMD Athlon(tm) 64 X2 Dual Core Processor 5000+", 0x00060FB1, 2,
                                               2600, LACKS_AS_G), LEAVES(leaves_g), .evidence = EVIDENCE };
