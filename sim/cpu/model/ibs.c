/* SPDX-License-Identifier: MIT */
#include "sim/cpu/model/ibs.h"

/* ---- Counting -------------------------------------------------------------------------------------------------- */

static bool ibs_fetch_counts(const struct msr_storage *msr)
{
    uint64_t control = msr->ibs_fetch_ctl;

    return bit(control, IBS_FETCH_EN) && !bit(control, IBS_FETCH_VAL) && bits(control, IBS_FETCH_MAX);
}

bool ibs_op_counts(const struct msr_storage *msr)
{
    uint64_t control = msr->ibs_op_ctl;

    return bit(control, IBS_OP_EN) && !bit(control, IBS_OP_VAL) && bits(control, IBS_OP_MAX);
}

/* Its clock stands still in HLT, as that of a performance counter of cycles does. */
static uint64_t op_clock(const struct core *core)
{
    bool ops = ibs_revision_c(core) && bit(core->msr->ibs_op_ctl, IBS_OP_COUNT_OPS);

    return ops ? core->instructions : core->cycles - core->svm.halted_cycles;
}

static void sync(struct core *core)
{
    struct ibs_core *ibs = &core->ibs;

    if (ibs_fetch_counts(core->msr))
        ibs->fetch_count += core->instructions - ibs->fetch_last;
    if (ibs_op_counts(core->msr))
        ibs->op_count += op_clock(core) - ibs->op_last;
    ibs->fetch_last = core->instructions;
    ibs->op_last = op_clock(core);
}

void ibs_changed(struct core *core)
{
    core->ibs.counting = ibs_fetch_counts(core->msr) || ibs_op_counts(core->msr);
}

bool ibs_fetch_due(const struct core *core)
{
    return ibs_fetch_counts(core->msr) && core->ibs.fetch_count >= bits(core->msr->ibs_fetch_ctl, IBS_FETCH_MAX) << 4;
}

bool ibs_op_due(const struct core *core)
{
    return ibs_op_counts(core->msr) && core->ibs.op_count >= bits(core->msr->ibs_op_ctl, IBS_OP_MAX) << 4;
}

bool ibs_due(struct core *core)
{
    sync(core);
    return ibs_fetch_due(core) || ibs_op_due(core);
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

uint64_t ibs_read(struct core *core, bool op)
{
    struct msr_storage *msr = core->msr;

    sync(core);
    if (!op)
        return bits_put(msr->ibs_fetch_ctl, IBS_FETCH_COUNT, core->ibs.fetch_count >> 4);
    return ibs_revision_c(core) ? bits_put(msr->ibs_op_ctl, IBS_OP_COUNT, core->ibs.op_count) : msr->ibs_op_ctl;
}

/* assumed: revision B, which shows no count, begins a new one with every write. */
void ibs_write(struct core *core, bool op, uint64_t value)
{
    struct msr_storage *msr = core->msr;
    bool enabled = bit(value, op ? IBS_OP_EN : IBS_FETCH_EN);

    sync(core);
    if (enabled && !bits(value, IBS_OP_MAX))
        unmodelled_note(core->unmodelled, "WRMSR %s with a maximum of 0", op ? "IBS_OP_CTL" : "IBS_FETCH_CTL");
    if (op) {
        msr->ibs_op_ctl = value;
        core->ibs.op_count = ibs_revision_c(core) ? bits(value, IBS_OP_COUNT) : 0;
    } else {
        msr->ibs_fetch_ctl = value;
        core->ibs.fetch_count = bits(value, IBS_FETCH_COUNT) << 4;
    }
    core->ibs.fetch_last = core->instructions;
    core->ibs.op_last = op_clock(core);
    ibs_changed(core);
    core_attention(core);
}
