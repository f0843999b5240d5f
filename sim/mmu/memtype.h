/* SPDX-License-Identifier: MIT */
/* Memory types: MTRRs, and their combination with PAT and, in a nested guest, gPAT. */
#ifndef FAM10H_MMU_MEMTYPE_H
#define FAM10H_MMU_MEMTYPE_H

#include "sim/mmu/mmu.h"

#define MTRR_VARIABLE 8 /* MTRRcap[7:0] */
#define MTRR_FIXED 11
#define IORRS 2

/* The registers, named as in the BKDG. */
struct memory_types {
    uint64_t variable[MTRR_VARIABLE][2]; /* 0200-020F: base, mask */
    uint64_t fixed[MTRR_FIXED];          /* 0250, 0258, 0259, 0268-026F */
    uint64_t cap;                        /* 00FE */
    uint64_t def;                        /* 02FF */
    uint64_t sys_cfg;                    /* C001_0010 */
    uint64_t iorr[IORRS][2];             /* C001_0016-0019 */
    uint64_t top_mem, top_mem2;          /* C001_001A, C001_001D */
};

#define MTRR_DEF_TYPE 7, 0
#define MTRR_DEF_FIXED_EN 10
#define MTRR_DEF_EN 11
#define MTRR_MASK_VALID 11
#define SYS_CFG_FIX_DRAM_MOD_EN 19
#define SYS_CFG_TOM2_EN 21
#define SYS_CFG_TOM2_FORCE_WB 22

void memory_types_reset(struct memory_types *types);
/* MTRR type of an address (APM2 7.7). */
enum memtype mtrr_type(const struct memory_types *types, spa_t address);
/* Whether one MTRR type covers the whole page of `shift` that holds `address`. */
bool mtrr_is_uniform(const struct memory_types *types, spa_t address, unsigned shift);
/* gPAT and host PAT to one (APM2 table 15-19). */
enum memtype memtype_nested(enum memtype guest, enum memtype host);
/* PAT and MTRR to the effective type (APM2 table 7-11). */
enum memtype memtype_combine(enum memtype pat, enum memtype mtrr);

#endif
