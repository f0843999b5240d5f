/* SPDX-License-Identifier: MIT */
/* Lookup over the banks and the rules that every row shares. */
#include "sim/cpu/model/msr.h"

#include <string.h>

#include "sim/cpu/isa/isa.h"
#include "sim/cpu/model/cpuid.h"
#include "sim/cpu/model/perf.h"

/* ---- Lookup -------------------------------------------------------------------------------------- */

static const struct msr_row *find_in(const struct msr_bank *bank, uint32_t msr)
{
    for (size_t i = 0; i < bank->count; i++)
        if (bank->rows[i].msr == msr)
            return &bank->rows[i];
    return NULL;
}

/* What Family 0Fh does not have of Family 10h's list. A feature: only where the model lacks it too. */
static const struct {
    uint32_t first, last;
    uint8_t feature; /* enum isa_feature; BASE: none */
} not_in_0fh[] = {
    { 0xC0000103, 0xC0000103, ISA_FEATURE_RDTSCP }, /* TSC_AUX */
    { 0xC0000408, 0xC000040F, ISA_FEATURE_BASE },   /* MC4_MISC1 .. */
    { 0xC001003E, 0xC001003E, ISA_FEATURE_SVM },    /* thermal control: revision F */
    { 0xC0010058, 0xC0010058, ISA_FEATURE_BASE },   /* MMIO configuration base */
    { 0xC0010061, 0xC0010071, ISA_FEATURE_BASE },   /* P-states */
    { 0xC0010114, 0xC0010117, ISA_FEATURE_SVM },    /* VM_CR, IGNNE, SMM_CTL, VM_HSAVE_PA */
    { 0xC0010118, 0xC0010118, ISA_FEATURE_BASE },   /* SVM_KEY: came with SVML */
    { 0xC001011A, 0xC001011A, ISA_FEATURE_SVM },
    { 0xC0010140, 0xC0010141, ISA_FEATURE_BASE },   /* OSVW */
    { 0xC001100C, 0xC001100C, ISA_FEATURE_BASE },   /* node id */
    { 0xC001102A, 0xC001102A, ISA_FEATURE_BASE },   /* BU_CFG2 */
    { 0xC0011030, 0xC001103A, ISA_FEATURE_BASE },   /* IBS */
};

static bool is_cpuid_override(uint32_t msr)
{
    return msr == 0xC0011004 || msr == 0xC0011005;
}

static bool is_absent(const struct cpu_model *model, uint32_t msr)
{
    if (!model->family_0f)
        return false;
    if (model->no_cpuid_override && is_cpuid_override(msr))
        return true;
    for (size_t i = 0; i < sizeof(not_in_0fh) / sizeof(not_in_0fh[0]); i++) {
        unsigned feature = not_in_0fh[i].feature;

        if (msr >= not_in_0fh[i].first && msr <= not_in_0fh[i].last)
            return feature == ISA_FEATURE_BASE || (model->absent >> feature & 1);
    }
    return false;
}

bool msr_needs_password(const struct core *core, uint32_t msr)
{
    return core->model->family_0f && is_cpuid_override(msr);
}

/* A later bank does not hide an earlier one. */
static const struct msr_row *find(const struct core *core, uint32_t msr, void **ctx)
{
    if (is_absent(core->model, msr))
        return NULL;
    for (size_t i = 0; i < core->bank_count; i++) {
        const struct msr_row *row = find_in(&core->banks[i], msr);

        if (row) {
            *ctx = core->banks[i].ctx;
            return row;
        }
    }
    return NULL;
}

static uint64_t *stored(void *ctx, const struct msr_row *row)
{
    return (uint64_t *)((char *)ctx + row->offset);
}

static uint64_t current(void *ctx, const struct msr_row *row)
{
    return row->read ? row->read(ctx, row) : *stored(ctx, row);
}

/* ---- Reading and writing -------------------------------------------------------------------------- */

bool msr_read(struct core *core, uint32_t msr, uint64_t *value)
{
    void *ctx;
    const struct msr_row *row = find(core, msr, &ctx);

    if (!row || (row->rule & MSR_WRITE_ONLY))
        return false;
    *value = current(ctx, row);
    return true;
}

static bool put(void *ctx, const struct msr_row *row, uint64_t value)
{
    uint64_t merged;

    if ((value & row->mbz) || ((row->rule & MSR_CANONICAL) && !is_canonical(value)))
        return false;
    if (row->rule & MSR_IGNORE)
        return true;
    merged = value & row->writable;
    if (!(row->rule & MSR_WRITE_ONLY))
        merged |= current(ctx, row) & ~row->writable;
    if (row->write)
        return row->write(ctx, row, merged);
    *stored(ctx, row) = merged;
    return true;
}

bool msr_write(struct core *core, uint32_t msr, uint64_t value)
{
    void *ctx;
    const struct msr_row *row = find(core, msr, &ctx);

    if (!row || (row->rule & MSR_READ_ONLY) || !put(ctx, row, value))
        return false;
    core_attention(core);
    return true;
}

/* ---- For debuggers, scenarios and firmware --------------------------------------------------------- */

bool core_msr(struct core *core, uint32_t msr, uint64_t *value)
{
    void *ctx;
    const struct msr_row *row = find(core, msr, &ctx);

    if (!row)
        return false;
    *value = (row->rule & MSR_WRITE_ONLY) ? 0 : current(ctx, row);
    return true;
}

/* As WRMSR, except that a read-only register is simply set. */
bool core_set_msr(struct core *core, uint32_t msr, uint64_t value)
{
    void *ctx;
    const struct msr_row *row = find(core, msr, &ctx);

    if (!row)
        return false;
    if (row->rule & MSR_READ_ONLY) {
        if (row->read)
            return false;
        *stored(ctx, row) = value;
        return true;
    }
    return msr_write(core, msr, value);
}

/* ---- Life ------------------------------------------------------------------------------------------ */

struct msr_storage *msr_storage_new(struct core *core)
{
    struct msr_storage *storage = g_new0(struct msr_storage, 1);

    storage->core = core;
    core_attach_msrs(core, (struct msr_bank){ msr_core_rows, msr_core_row_count, core });
    core_attach_msrs(core, (struct msr_bank){ msr_storage_rows, msr_storage_row_count, storage });
    if (core->model->node_id_msr)
        core_attach_msrs(core, (struct msr_bank){ msr_revision_d_rows, msr_revision_d_row_count, storage });
    if (core->model->family_0f)
        core_attach_msrs(core, (struct msr_bank){ msr_family_0f_rows, msr_family_0f_row_count, storage });
    return storage;
}

void msr_storage_free(struct msr_storage *storage)
{
    g_free(storage);
}

static void reset_rows(const struct msr_row *rows, size_t count, void *ctx)
{
    for (size_t i = 0; i < count; i++)
        if (!rows[i].read && !(rows[i].rule & MSR_WRITE_ONLY))
            *stored(ctx, &rows[i]) = rows[i].reset;
}

void msr_reset(struct core *core)
{
    struct msr_storage *storage = core->msr;

    core->perf.enabled = 0;
    reset_rows(msr_core_rows, msr_core_row_count, core);
    reset_rows(msr_storage_rows, msr_storage_row_count, storage);
    memset(storage->perf_ctr, 0, sizeof(storage->perf_ctr)); /* the rows read by code are not stored to above */
    core->perf.overflowed = false;
    perf_changed(core);
    storage->ibs_fetch_ctl = storage->ibs_op_ctl = 0; /* these too */
    core->ibs = (struct ibs_core){ .counting = false };
    storage->cpuid_features = cpuid_features(core, false);
    storage->cpuid_ext_features = cpuid_features(core, true);
    storage->node_id = core->node;
    storage->fidvid_status = core->model->family_0f ? msr_fidvid_reset(core) : 0;
    storage->fidvid_control = 0;
    if (core->model->node_id_msr) /* fact sheet 2.6: revision D, C, B */
        storage->bu_cfg2 = UINT64_C(0x5001008040);
    else if (core->model->nrip)
        storage->bu_cfg2 = UINT64_C(0x40010080C0);
    mmu_set_smash_1g(core->mmu, bit(storage->bu_cfg2, BU_CFG2_SMASH_1G));
}

/* Fact sheet 11.4; SVM enabled and locked with key 0 is svm's, the memory map is the machine's. */
void msr_enter(struct core *core)
{
    struct msr_storage *storage = core->msr;

    core->hwcr = HWCR_TSC_FREQ_SEL | HWCR_INVD_WBINVD;
    memset(storage->name, 0, sizeof(storage->name));
    memcpy(storage->name, core->model->brand, strnlen(core->model->brand, sizeof(storage->name)));
    if (core->model->family_0f) {
        core->hwcr = HWCR_INVD_WBINVD;
        return;
    }
    core->mca.node->bank.ctl_mask = 0x00780400;                            /* GART walk, HT retries */
    storage->dc_cfg = bits_put(storage->dc_cfg, 35, 34, 1) | BIT(24);      /* REQ_CTR, #261 */
    storage->osvw_length = 4;
    storage->osvw_status = core->model->nrip ? 0x0C : 0;                   /* C and D, multi-link */
    if (core->smash_1g)
        storage->bu_cfg2 |= BIT(BU_CFG2_SMASH_1G);
    mmu_set_smash_1g(core->mmu, core->smash_1g);
}
