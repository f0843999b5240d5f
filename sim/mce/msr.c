/* SPDX-License-Identifier: MIT */
/* The MSRs of machine check as data (fact sheet 2.1-2.3, 5.1). Bank 4 and its threshold blocks are the node's. */
#include "sim/mce/mce.h"

#define ALL UINT64_MAX
#define MSR_MISC0 0x413
#define MSR_MISC1 0xC0000408
#define MSR_CTL_MASK0 0xC0010044

/* With NbMcaToMstCpuEn only the base core of a node sees bank 4: others read 0, what they write is dropped. */
static bool sees_node(const struct mca_core *mca)
{
    return mca->in_node == 0 || !(mca->node->config & NB_MCA_TO_MASTER);
}

static struct mca_bank *bank_of(struct mca_core *mca, unsigned number)
{
    if (number != MCA_NB)
        return &mca->bank[number];
    return sees_node(mca) ? &mca->node->bank : NULL;
}

static uint64_t *register_of(struct mca_bank *bank, unsigned which)
{
    uint64_t *const registers[] = { &bank->ctl, &bank->status, &bank->addr, &bank->misc };

    return registers[which];
}

/* ---- Banks ------------------------------------------------------------------------------------------- */

/* MSRs 0 and 1 are MC3_ADDR and MC3_STATUS. */
static unsigned bank_msr(const struct msr_row *row)
{
    return row->msr < 2 ? 0x40E - row->msr : row->msr;
}

static uint64_t bank_read(void *ctx, const struct msr_row *row)
{
    unsigned msr = bank_msr(row) - 0x400;
    struct mca_bank *bank = bank_of(ctx, msr / 4);

    return bank ? *register_of(bank, msr % 4) : 0;
}

static bool bank_write(void *ctx, const struct msr_row *row, uint64_t value)
{
    unsigned msr = bank_msr(row) - 0x400;
    struct mca_bank *bank = bank_of(ctx, msr / 4);

    if (bank)
        *register_of(bank, msr % 4) = value;
    return true;
}

/* Zero always; anything else with HWCR[18] alone (fact sheet 5.3). */
static bool status_write(void *ctx, const struct msr_row *row, uint64_t value)
{
    const struct mca_core *mca = ctx;

    if (value && !(*mca->hwcr & HWCR_MC_STATUS_WR_EN))
        return false;
    return bank_write(ctx, row, value);
}

static uint64_t mask_read(void *ctx, const struct msr_row *row)
{
    const struct mca_bank *bank = bank_of(ctx, row->msr - MSR_CTL_MASK0);

    return bank ? bank->ctl_mask : 0;
}

static bool mask_write(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct mca_bank *bank = bank_of(ctx, row->msr - MSR_CTL_MASK0);

    if (bank)
        bank->ctl_mask = value;
    return true;
}

static bool mcg_ctl_write(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct mca_core *mca = ctx;

    (void)row;
    mca->mcg_ctl = value;
    mca->node->enabled = (uint32_t)bit_put(mca->node->enabled, mca->in_node, bit(value, MCA_NB));
    return true;
}

/* ---- Threshold blocks ---------------------------------------------------------------------------------- */

static unsigned block_number(const struct msr_row *row)
{
    return row->msr == MSR_MISC0 ? 0 : row->msr - MSR_MISC1 + 1;
}

static uint64_t block_read(void *ctx, const struct msr_row *row)
{
    const struct mca_core *mca = ctx;

    return sees_node(mca) ? mca->node->block[block_number(row)] : 0;
}

static bool block_write(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct mca_core *mca = ctx;

    if (sees_node(mca))
        mca_block_write(mca->node, block_number(row), value, *mca->hwcr);
    return true;
}

static uint64_t read_zero(void *ctx, const struct msr_row *row)
{
    (void)ctx;
    (void)row;
    return 0;
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */

#define C(member) .offset = offsetof(struct mca_core, member)
#define BANK_ROW(msr, name, writable, write, cite) { msr, name, 0, writable, 0, 0, 0, bank_read, write, cite }
#define MASK_ROW(n) { MSR_CTL_MASK0 + n, "MC" #n "_CTL_MASK", 0, ALL, 0, 0, 0, mask_read, mask_write, "MSRC001_0044" }
#define BLOCK_ROW(msr, name, cite) { msr, name, 0, ALL, 0, 0, 0, block_read, block_write, cite }
#define ZERO_ROW(msr, name, cite) { msr, name, 0, 0, 0, MSR_IGNORE, 0, read_zero, NULL, cite }

static const struct msr_row rows[] = {
    BANK_ROW(0x000, "MC3_ADDR", ALL, bank_write, "MSR0000_0000"),
    BANK_ROW(0x001, "MC3_STATUS", ALL, status_write, "MSR0000_0001"),
    { 0x179, "MCG_CAP", 0x106, 0, 0, MSR_READ_ONLY, C(mcg_cap), NULL, NULL, "MSR0000_0179" },
    { 0x17A, "MCG_STAT", 0, BITS(2, 0), 0, 0, C(mcg_status), NULL, NULL, "MSR0000_017A" },
    { 0x17B, "MCG_CTL", 0, BITS(5, 0), 0, 0, C(mcg_ctl), NULL, mcg_ctl_write, "MSR0000_017B" },
#define BANK(number, name, unit, msr, ctl, mask, misc, keeps)                        \
    BANK_ROW(msr, "MC" #number "_CTL", ctl, bank_write, "BKDG10 MSR0000_0400"),      \
    BANK_ROW(msr + 1, "MC" #number "_STATUS", ALL, status_write, "BKDG10 5.3"),      \
    BANK_ROW(msr + 2, "MC" #number "_ADDR", ALL, bank_write, "BKDG10 MSR0000_0402"),
#include "sim/mce/banks.def"
#undef BANK
    ZERO_ROW(0x403, "MC0_MISC", "BKDG10 MSR0000_0403"),
    ZERO_ROW(0x407, "MC1_MISC", "BKDG10 MSR0000_0407"),
    ZERO_ROW(0x40B, "MC2_MISC", "BKDG10 MSR0000_040B"),
    ZERO_ROW(0x40F, "MC3_MISC", "BKDG10 MSR0000_040F"),
    BLOCK_ROW(MSR_MISC0, "MC4_MISC0", "BKDG10 MSR0000_0413"),
    BANK_ROW(0x417, "MC5_MISC", ALL, bank_write, "BKDG10 MSR0000_0417"),
    BLOCK_ROW(MSR_MISC1, "MC4_MISC1", "MSRC000_0408"),
    BLOCK_ROW(MSR_MISC1 + 1, "MC4_MISC2", "MSRC000_0409"),
    ZERO_ROW(MSR_MISC1 + 2, "MC4_MISC3", "MSRC000_040A"),
    ZERO_ROW(MSR_MISC1 + 3, "MC4_RESERVED", "MSRC000_040B"),
    ZERO_ROW(MSR_MISC1 + 4, "MC4_RESERVED", "MSRC000_040C"),
    ZERO_ROW(MSR_MISC1 + 5, "MC4_RESERVED", "MSRC000_040D"),
    ZERO_ROW(MSR_MISC1 + 6, "MC4_RESERVED", "MSRC000_040E"),
    ZERO_ROW(MSR_MISC1 + 7, "MC4_RESERVED", "MSRC000_040F"),
    { 0xC0010022, "MCE_REDIRECTION", 0, BITS(9, 0), 0, 0, C(redirection), NULL, NULL, "MSRC001_0022" },
    MASK_ROW(0), MASK_ROW(1), MASK_ROW(2), MASK_ROW(3), MASK_ROW(4), MASK_ROW(5),
};

struct msr_bank mca_core_msrs(struct mca_core *mca)
{
    return (struct msr_bank){ rows, G_N_ELEMENTS(rows), mca };
}
