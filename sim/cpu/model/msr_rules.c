/* SPDX-License-Identifier: MIT */
/* Write rules of the core's own MSRs that a mask cannot say. Each gets the value with the row's masks applied. */
#include "sim/cpu/model/msr.h"

#include "sim/cpu/isa/isa.h"
#include "sim/cpu/model/cpuid.h"
#include "sim/cpu/model/ibs.h"
#include "sim/cpu/model/perf.h"

static uint64_t *storage_of(void *ctx, const struct msr_row *row)
{
    return (uint64_t *)((char *)ctx + row->offset);
}

uint64_t msr_read_tsc(void *ctx, const struct msr_row *row)
{
    (void)row;
    core_observe_time(ctx);
    return core_time_stamp(ctx);
}

bool msr_write_tsc(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct core *core = ctx;

    (void)row;
    core->tsc_offset_host = value - core->cycles;
    return true;
}

#define EXT_EDX_FFXSR 25

/* Bits whose feature the model does not have. assumed: LMSLE came with FFXSR, in Family 0Fh revision D. */
static uint64_t efer_reserved(const struct cpu_model *model)
{
    uint64_t reserved = 0;

    if (!bit(cpuid_model_leaf(model, 0x80000001).edx, EXT_EDX_FFXSR))
        reserved |= EFER_FFXSE | EFER_LMSLE;
    return model->absent >> ISA_FEATURE_SVM & 1 ? reserved | EFER_SVME : reserved;
}

/* LMA keeps its value by the row's mask. LME may not change under paging; SVME needs VM_CR[4] = 0. */
bool msr_write_efer(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct core *core = ctx;

    (void)row;
    if (((value ^ core->efer) & EFER_LME) && (core->cr0 & CR0_PG))
        return false;
    if ((value & EFER_SVME) && (core->svm.vm_cr & VM_CR_SVMDIS))
        return false;
    if ((value & ~core->efer) & efer_reserved(core->model))
        return false;
    core->efer = value;
    core_mode_changed(core, true);
    return true;
}

/* Memory types 2 and 3 and the upper bits of each byte are #GP (APM2 7.8.1). The new types must be seen. */
bool msr_write_pat(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct core *core = ctx;

    (void)row;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t type = bits(value, 8 * i + 7, 8 * i);

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    core->pat = value;
    core_mode_changed(core, true);
    mmu_flush_all(core->mmu);
    return true;
}

/* SmmLock is set once; the SMI and RSM special-cycle bits are then read-only (fact sheet 2.4). */
bool msr_write_hwcr(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct core *core = ctx;
    uint64_t locked = HWCR_SMI_SP_CYC_DIS | HWCR_RSM_SP_CYC_DIS;

    (void)row;
    if (core->hwcr & HWCR_SMM_LOCK)
        value = (value & ~locked) | (core->hwcr & locked) | HWCR_SMM_LOCK;
    core->hwcr = value;
    return true;
}

/* SMM_BASE, SMMAddr, SMMMask: read-only once SmmLock is set, but for the two Close bits of SMMMask. */
bool msr_write_smm(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct msr_storage *storage = ctx;
    uint64_t *place = storage_of(ctx, row), open = ~UINT64_C(0);

    if (storage->core->hwcr & HWCR_SMM_LOCK)
        open = place == &storage->smm_mask ? BIT(2) | BIT(3) : 0;
    *place = (*place & ~open) | (value & open);
    smm_changed(storage->core);
    return true;
}

/* What the I/O traps watch, and whether they do. */
bool msr_write_smm_source(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct msr_storage *storage = ctx;

    *storage_of(ctx, row) = value;
    smm_changed(storage->core);
    return true;
}

bool msr_write_bu_cfg2(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct msr_storage *storage = ctx;

    *storage_of(ctx, row) = value;
    mmu_set_smash_1g(storage->core->mmu, bit(value, BU_CFG2_SMASH_1G));
    return true;
}

/* A register whose write starts something that the model does not have. */
bool msr_write_unmodelled(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct msr_storage *storage = ctx;

    (void)value;
    unmodelled_note(storage->core->unmodelled, "WRMSR %s", row->name);
    return true;
}

#define PERF_CTL0 0xC0010000
#define PERF_CTR0 0xC0010004

bool msr_write_perf_ctl(void *ctx, const struct msr_row *row, uint64_t value)
{
    perf_select(((struct msr_storage *)ctx)->core, row->msr - PERF_CTL0, value);
    return true;
}

uint64_t msr_read_perf_ctr(void *ctx, const struct msr_row *row)
{
    return perf_read(((struct msr_storage *)ctx)->core, row->msr - PERF_CTR0);
}

bool msr_write_perf_ctr(void *ctx, const struct msr_row *row, uint64_t value)
{
    perf_write(((struct msr_storage *)ctx)->core, row->msr - PERF_CTR0, value);
    return true;
}

#define IBS_OP_CTL 0xC0011033

uint64_t msr_read_ibs_ctl(void *ctx, const struct msr_row *row)
{
    return ibs_read(((struct msr_storage *)ctx)->core, row->msr == IBS_OP_CTL);
}

bool msr_write_ibs_ctl(void *ctx, const struct msr_row *row, uint64_t value)
{
    ibs_write(((struct msr_storage *)ctx)->core, row->msr == IBS_OP_CTL, value);
    return true;
}

#define INTERRUPT_MESSAGE BIT(25)
#define C1E_ON_CMP_HALT BIT(28)

/* B3, C2 and D0 have no hardware-initiated C1E (fact sheet 1.1): the bit only says that firmware would want it. */
bool msr_write_interrupt_pending(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct msr_storage *storage = ctx;

    if (value & C1E_ON_CMP_HALT)
        unmodelled_note(storage->core->unmodelled, "WRMSR %s with C1eOnCmpHalt", row->name);
    if (value & INTERRUPT_MESSAGE)
        unmodelled_note(storage->core->unmodelled, "WRMSR %s with IntrPndMsg", row->name);
    *storage_of(ctx, row) = value;
    return true;
}

/* Accepted at once; values 5 to 7 are reserved and leave the state as it is (fact sheet 2.3, C001_0062). */
bool msr_write_pstate_control(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct msr_storage *storage = ctx;

    (void)row;
    storage->pstate_control = value;
    if (value <= bits(storage->pstate_limit, 6, 4))
        storage->pstate_status = value;
    return true;
}

/* ---- Family 0Fh --------------------------------------------------------------------------------------- */

#define FIDVID_NEW_FID 5, 0 /* of FIDVID_CTL */
#define FIDVID_NEW_VID 13, 8
#define FIDVID_INIT 16
#define FIDVID_CURRENT_FID 5, 0 /* of FIDVID_STATUS */
#define FIDVID_START_FID 13, 8
#define FIDVID_MAX_FID 21, 16
#define FIDVID_CURRENT_VID 37, 32
#define FIDVID_START_VID 45, 40
#define FIDVID_MAX_VID 53, 48
#define FID_MHZ_0 800 /* frequency of FID 0; one step is 100 MHz (BKDG0F FIDVID tables) */
#define FULL_SPEED_VID 0x08 /* assumed: 1.350 V = 1.550 V - 8 x 25 mV */

uint64_t msr_fidvid_reset(const struct core *core)
{
    uint64_t fid = (core->model->mhz - FID_MHZ_0) / 100, status = 0;

    status = bits_put(status, FIDVID_CURRENT_FID, fid);
    status = bits_put(status, FIDVID_START_FID, fid);
    status = bits_put(status, FIDVID_MAX_FID, fid);
    status = bits_put(status, FIDVID_CURRENT_VID, FULL_SPEED_VID);
    status = bits_put(status, FIDVID_START_VID, FULL_SPEED_VID);
    return bits_put(status, FIDVID_MAX_VID, FULL_SPEED_VID);
}

/*
 * InitFidVid starts a change, which is complete at once: FidVidPending is never seen, InitFidVid reads 0.
 * deviation: the clock keeps its rate, as with Family 10h's P-states. assumed: an FID beyond the maximum is refused.
 */
bool msr_write_fidvid(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct msr_storage *storage = ctx;
    uint64_t status = storage->fidvid_status;

    (void)row;
    storage->fidvid_control = value & ~BIT(FIDVID_INIT);
    if (!bit(value, FIDVID_INIT) || bits(value, FIDVID_NEW_FID) > bits(status, FIDVID_MAX_FID))
        return true;
    status = bits_put(status, FIDVID_CURRENT_FID, bits(value, FIDVID_NEW_FID));
    storage->fidvid_status = bits_put(status, FIDVID_CURRENT_VID, bits(value, FIDVID_NEW_VID));
    return true;
}
