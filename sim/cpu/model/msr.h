/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers of a core (fact sheet section 2): lookup over all banks, and the core's own
 * registers as two tables, one over struct core (registers with a meaning for execution) and one over
 * struct msr_storage (registers that software writes and reads back).
 */
#ifndef FAM10H_CPU_MODEL_MSR_H
#define FAM10H_CPU_MODEL_MSR_H

#include "sim/cpu/core.h"

/* HWCR, MSRC001_0015. */
#define HWCR_SMM_LOCK BIT(0)
#define HWCR_INVD_WBINVD BIT(4)
#define HWCR_MON_MWAIT_DIS BIT(9)
#define HWCR_MON_MWAIT_USER_EN BIT(10)
#define HWCR_LIMIT_CPUID BIT(11)
#define HWCR_SMI_SP_CYC_DIS BIT(13)
#define HWCR_RSM_SP_CYC_DIS BIT(14)
#define HWCR_SSE_DIS BIT(15)
#define HWCR_WRAP32_DIS BIT(17)
#define HWCR_IO_CFG_GP_FAULT BIT(20)
#define HWCR_MISALIGN_SSE_DIS BIT(21)
#define HWCR_TSC_FREQ_SEL BIT(24)

#define BU_CFG2_SMASH_1G 29 /* MSRC001_102A: 1G pages enter the TLB as 2M */

#define VM_CR_R_INIT BIT(1) /* MSRC001_0114; its rules are svm's */
#define VM_CR_LOCK BIT(3)
#define VM_CR_SVMDIS BIT(4)

#define DEBUG_CTL_LBR BIT(0)
#define DEBUG_CTL_BTF BIT(1)

/* MSRC001_0074 */
#define CPU_WATCHDOG_ENABLE BIT(0)
#define CPU_WATCHDOG_BASE 2, 1
#define CPU_WATCHDOG_COUNT 6, 3

struct msr_storage {
    struct core *core;
    uint64_t name[6];            /* C001_0030 .. 0035: CPUID's name string */
    uint64_t cpuid_features;     /* C001_1004: what CPUID 1 ECX:EDX report */
    uint64_t cpuid_ext_features; /* C001_1005: 8000_0001 ECX:EDX */
    uint64_t debug_ctl;          /* 01D9 */
    uint64_t br_from, br_to, last_exc_from, last_exc_to;
    uint64_t patch_level;        /* 008B */
    uint64_t ebl_cr_poweron;
    uint64_t perf_ctl[4], perf_ctr[4];
    uint64_t io_trap[4], io_trap_control, interrupt_pending, smi_trigger;
    uint64_t pstate_limit, pstate_control, pstate_status, pstate[5], cofvid_control, cofvid_status;
    uint64_t cpu_watchdog; /* CPU_WATCHDOG_ fields */
    uint64_t fidvid_control, fidvid_status; /* Family 0Fh */
    uint64_t smm_base, smm_addr, smm_mask, ignne, local_smi_status;
    uint64_t osvw_length, osvw_status;
    uint64_t node_id;
    uint64_t ls_cfg, ic_cfg, dc_cfg, bu_cfg, de_cfg, bu_cfg2;
    uint64_t ibs_fetch_ctl, ibs_fetch_linear, ibs_fetch_physical, ibs_op_ctl, ibs_op_rip, ibs_op_data[3],
        ibs_dc_linear, ibs_dc_physical;
    uint64_t none;               /* registers that read 0 */
};

/* Allocates the storage and attaches the core's own banks, before any other. */
struct msr_storage *msr_storage_new(struct core *core);
void msr_storage_free(struct msr_storage *storage);
void msr_reset(struct core *core);
/* What firmware leaves in the registers of this part (fact sheet 11.4). */
void msr_enter(struct core *core);

/* Family 0Fh: RDMSR and WRMSR of the CPUID override MSRs are #GP(0) unless EDI holds this. */
#define MSR_PASSWORD UINT32_C(0x9C5A203A)
bool msr_needs_password(const struct core *core, uint32_t msr);
/* RDMSR and WRMSR without their privilege and intercept checks. false: #GP(0). */
bool msr_read(struct core *core, uint32_t msr, uint64_t *value);
bool msr_write(struct core *core, uint32_t msr, uint64_t value);

/* The TSC as the running code sees it: in a guest RDTSC and RDMSR 10h are offset (fact sheet 3.2, 050h). */
static inline uint64_t core_time_stamp(const struct core *core)
{
    return core->cycles + core->tsc_offset_host + (core->svm.guest ? core->svm.tsc_offset : 0);
}

extern const struct msr_row msr_core_rows[], msr_storage_rows[], msr_revision_d_rows[], msr_family_0f_rows[];
extern const size_t msr_core_row_count, msr_storage_row_count, msr_revision_d_row_count, msr_family_0f_row_count;
/* FIDVID_STATUS of a Family 0Fh core at full speed. */
uint64_t msr_fidvid_reset(const struct core *core);

/* Rules that are code (msr_rules.c), named by the rows. */
uint64_t msr_read_tsc(void *core, const struct msr_row *row);
bool msr_write_tsc(void *core, const struct msr_row *row, uint64_t value);
bool msr_write_efer(void *core, const struct msr_row *row, uint64_t value);
bool msr_write_pat(void *core, const struct msr_row *row, uint64_t value);
bool msr_write_hwcr(void *core, const struct msr_row *row, uint64_t value);
bool msr_write_smm(void *storage, const struct msr_row *row, uint64_t value);
bool msr_write_smm_source(void *storage, const struct msr_row *row, uint64_t value);
bool msr_write_bu_cfg2(void *storage, const struct msr_row *row, uint64_t value);
bool msr_write_unmodelled(void *storage, const struct msr_row *row, uint64_t value);
bool msr_write_perf_ctl(void *storage, const struct msr_row *row, uint64_t value);
uint64_t msr_read_perf_ctr(void *storage, const struct msr_row *row);
bool msr_write_perf_ctr(void *storage, const struct msr_row *row, uint64_t value);
uint64_t msr_read_ibs_ctl(void *storage, const struct msr_row *row);
bool msr_write_ibs_ctl(void *storage, const struct msr_row *row, uint64_t value);
bool msr_write_fidvid(void *storage, const struct msr_row *row, uint64_t value);
bool msr_write_interrupt_pending(void *storage, const struct msr_row *row, uint64_t value);
bool msr_write_pstate_control(void *storage, const struct msr_row *row, uint64_t value);

#endif
