/* SPDX-License-Identifier: MIT */
/* Logging and reporting: what a bank keeps of an error, and whether a #MC comes of it (fact sheet 5.6). */
#include "sim/mce/mce.h"

const struct mca_bank_row mca_bank_rows[MCA_BANKS] = {
#define BANK(number, name, unit, msr, ctl, mask, misc, keeps) [number] = { #name, unit, msr, ctl, mask, misc, keeps },
#include "sim/mce/banks.def"
#undef BANK
};

const char *const mca_fate_names[MCA_FATES] = { "masked", "logged", "overwrote", "lost" };

/* ---- One bank ---------------------------------------------------------------------------------------- */

/* Whether an error that the bank holds gives way to a newer one. */
static bool gives_way(const struct mca_bank_row *row, uint64_t old, uint64_t new_status)
{
    if (!(old & MCA_EN))
        return true;
    if (old & MCA_UC)
        return false; /* in every bank */
    return !row->keeps_corrected || (new_status & MCA_UC);
}

static enum mca_fate bank_log(struct mca_bank *bank, const struct mca_error *error, bool reported)
{
    uint64_t status = (error->status & ~(MCA_EN | (error->raw ? 0 : MCA_OVER))) | MCA_VAL | (reported ? MCA_EN : 0);
    enum mca_fate fate = MCA_LOGGED;

    if (bank->status & MCA_VAL) {
        if (!gives_way(&mca_bank_rows[error->bank], bank->status, status)) {
            bank->status |= MCA_OVER;
            return MCA_LOST;
        }
        status |= MCA_OVER;
        fate = MCA_OVERWROTE;
    }
    bank->status = status;
    bank->addr = error->status & MCA_ADDRV ? error->addr : 0;
    if (mca_bank_rows[error->bank].misc)
        bank->misc = error->status & MCA_MISCV ? error->misc : bank->misc;
    return fate;
}

static bool is_masked(const struct mca_bank *bank, const struct mca_error *error)
{
    return bit(bank->ctl_mask, error->ctl);
}

static bool is_reported(const struct mca_bank *bank, const struct mca_error *error)
{
    return error->raw ? (error->status & MCA_EN) != 0 : bit(bank->ctl, error->ctl);
}

static bool is_logged(const struct mca_bank *bank, const struct mca_error *error, bool enabled)
{
    return error->raw || (enabled && !is_masked(bank, error));
}

static void tell(const struct mca_port *port, unsigned node, unsigned in_node, const struct mca_error *error,
                 bool reported, enum mca_fate fate)
{
    struct mca_event event = { node, in_node, *error, fate };

    if (!port->event)
        return;
    event.error.status = (error->status & ~(MCA_EN | (error->raw ? 0 : MCA_OVER))) | MCA_VAL | (reported ? MCA_EN : 0) |
                         (fate == MCA_OVERWROTE ? MCA_OVER : 0);
    port->event(port->ctx, &event);
}

static unsigned raise_bits(const struct mca_error *error)
{
    if (error->raw && error->raise)
        return error->raise;
    return MCA_RAISE_PENDING | (error->status & MCA_PCC ? MCA_RAISE_PCC : 0) |
           (error->precise ? MCA_RAISE_PRECISE : MCA_RAISE_IMPRECISE);
}

/* ---- A core's banks ------------------------------------------------------------------------------------ */

static void count_error(uint64_t fates[MCA_FATES], uint64_t *corrected, uint64_t *uncorrected, enum mca_fate fate,
                        uint64_t status)
{
    fates[fate]++;
    if (fate != MCA_MASKED)
        ++*(status & MCA_UC ? uncorrected : corrected);
}

unsigned mca_core_error(struct mca_core *mca, const struct mca_error *error, enum mca_fate *fate)
{
    struct mca_bank *bank = &mca->bank[error->bank];
    bool reported = is_reported(bank, error);

    *fate = MCA_MASKED;
    if (is_logged(bank, error, bit(mca->mcg_ctl, error->bank)))
        *fate = bank_log(bank, error, reported);
    tell(&mca->node->port, mca->node->node, mca->in_node, error, reported, *fate);
    count_error(mca->count.errors[error->bank], &mca->count.corrected[error->bank],
                &mca->count.uncorrected[error->bank], *fate, error->status);
    if (*fate == MCA_MASKED || !reported || !(error->status & MCA_UC))
        return 0;
    return raise_bits(error);
}

bool mca_core_begin(struct mca_core *mca)
{
    unsigned raised = mca->raised;

    mca->raised = 0;
    if (mca->mcg_status & MCG_MCIP) {
        mca->count.shutdowns++;
        return false;
    }
    mca->mcg_status = MCG_MCIP;
    if (!(raised & MCA_RAISE_PCC)) {
        mca->mcg_status |= raised & MCA_RAISE_EVENT_LOST ? 0 : MCG_RIPV;
        mca->mcg_status |= raised & MCA_RAISE_IMPRECISE ? 0 : MCG_EIPV;
    }
    mca->count.raised++;
    return true;
}

/* ---- The node's bank ------------------------------------------------------------------------------------- */

/* Errors on which F3x44 and F3x180 may let all links flood (fact sheet 5.6, 5.11). */
static bool floods(const struct mca_node *mca, uint64_t status)
{
    switch (bits(status, MCA_EXT_CODE)) {
    case 0x08: /* ECC */
        if (mca->config & NB_SYNC_ON_UC_ECC)
            return true;
        break;
    case 0x07: /* watchdog */
        if (mca->config & NB_SYNC_ON_WDT)
            return true;
        break;
    case 0x0D: /* DRAM address or command parity */
        if (mca->config & NB_SYNC_ON_DRAM_PARITY)
            return true;
        break;
    case 0x0B: /* protocol */
        if (mca->ext_config & NB_SYNC_ON_PROTOCOL)
            return true;
        break;
    case 0x0C: /* array parity */
        if (mca->ext_config & NB_SYNC_ON_ARRAY)
            return true;
        break;
    }
    return mca->config & NB_SYNC_ON_ANY;
}

/* ErrCpu: one bit for each core up to revision C, a number with its own valid bit from revision D on. */
static uint64_t error_cpu(const struct mca_node *mca, unsigned source)
{
    if (source >= MCA_SOURCE_REMOTE)
        return 0;
    if (mca->encoded_cpu)
        return MCA_ERR_CPU_VAL | bits_put(0, MCA_ERR_CPU, source & 0xF);
    return source < 4 ? bits_put(0, MCA_ERR_CPU, BIT(source)) : 0;
}

/* Threshold block of an extended error code; MCA_BLOCKS: none (fact sheet 5.7). */
static unsigned block_of(uint64_t status)
{
    switch (bits(status, MCA_EXT_CODE)) {
    case 0x08: case 0x0D: return 0;
    case 0x04: case 0x0A: case 0x0B: case 0x0E: return 1;
    case 0x0F: return bits(status, 15, 4) == 1 ? 1 : MCA_BLOCKS; /* the GART's, not the DEV's */
    case 0x1C: case 0x1D: case 0x1E: case 0x1F: return 2;
    default: return MCA_BLOCKS;
    }
}

static void signal_to(const struct mca_node *mca, unsigned in_node, enum mca_signal signal, unsigned argument)
{
    if (mca->port.signal)
        mca->port.signal(mca->port.ctx, mca->node, in_node, signal, argument);
}

/* FFEh -> FFFh sets Ovrflw and interrupts; FFFh stays. */
static void count_block(struct mca_node *mca, unsigned block)
{
    uint64_t misc = mca->block[block];
    uint64_t count = bits(misc, MCA_MISC_ERR_CNT), type = bits(misc, MCA_MISC_INT_TYPE);

    if (!(misc & MCA_MISC_VALID) || !(misc & MCA_MISC_CNTP) || !(misc & MCA_MISC_CNT_EN) || count == MCA_ERR_CNT_MAX)
        return;
    mca->count.counted[block]++;
    mca->block[block] = bits_put(misc, MCA_MISC_ERR_CNT, ++count);
    if (count != MCA_ERR_CNT_MAX)
        return;
    mca->block[block] |= MCA_MISC_OVERFLOW;
    mca->count.overflows[block]++;
    if (type != 1 && type != 2)
        return;
    mca->count.interrupts[block]++;
    if (type == 1)
        signal_to(mca, MCA_ALL_CORES, MCA_SIGNAL_LVT, (unsigned)bits(misc, MCA_MISC_LVT_OFFSET) & 3);
    else
        signal_to(mca, 0, MCA_SIGNAL_SMI, 0);
}

/* Who gets the #MC: the node's base core with NbMcaToMstCpuEn and for a device's or another node's request. */
static unsigned reported_to(const struct mca_node *mca, unsigned source)
{
    return (mca->config & NB_MCA_TO_MASTER) || source >= MCA_SOURCE_REMOTE ? 0 : source;
}

static bool node_raises(const struct mca_node *mca, const struct mca_error *error)
{
    if (error->status & MCA_UC)
        return true;
    return (mca->config & NB_CORR_MCA_EXC_EN) && bits(error->status, MCA_EXT_CODE) == 0x08;
}

enum mca_fate mca_node_error(struct mca_node *mca, const struct mca_error *error, unsigned source)
{
    struct mca_error own = *error;
    enum mca_fate fate = MCA_MASKED;
    unsigned block = block_of(error->status), target = reported_to(mca, source);
    bool enabled = bit(mca->enabled, target), reported = (enabled || error->raw) && is_reported(&mca->bank, error);

    own.bank = MCA_NB;
    if (!error->raw)
        own.status |= error_cpu(mca, source);
    own.precise = error->precise && target == source;
    if (is_logged(&mca->bank, error, enabled || (mca->config & NB_MCA_LOG_EN)))
        fate = bank_log(&mca->bank, &own, reported);
    tell(&mca->port, mca->node, MCA_ALL_CORES, &own, reported, fate);
    count_error(mca->count.errors, &mca->count.corrected, &mca->count.uncorrected, fate, own.status);
    if (fate == MCA_MASKED)
        return fate;
    if (block < MCA_BLOCKS)
        count_block(mca, block);
    if ((own.status & MCA_UC) && floods(mca, own.status)) {
        mca->count.floods++;
        signal_to(mca, 0, MCA_SIGNAL_FLOOD, 0);
    } else if (reported && node_raises(mca, &own)) {
        signal_to(mca, target, MCA_SIGNAL_MC, raise_bits(&own));
    }
    return fate;
}
