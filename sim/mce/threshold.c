/* SPDX-License-Identifier: MIT */
/* The threshold blocks' registers (fact sheet 5.7). Counting is report.c's. */
#include "sim/mce/mce.h"

/* What software may change: LvtOffset, CntEn, IntType, Ovrflw, ErrCnt. */
#define SOFTWARE (BITS(55, 48) | BITS(43, 32))
#define OWNER (MCA_MISC_VALID | MCA_MISC_CNTP | MCA_MISC_LOCKED)

/*
 * BKDG10 F3x160: once Locked is set, what software could change ignores writes. With McStatusWrEn the three bits that
 * say whose the block is can be written, so that what locked it can unlock it.
 */
void mca_block_write(struct mca_node *mca, unsigned block, uint64_t value, uint64_t hwcr)
{
    uint64_t open = mca->block[block] & MCA_MISC_LOCKED ? 0 : SOFTWARE;

    if (hwcr & HWCR_MC_STATUS_WR_EN)
        open |= OWNER;
    mca->block[block] = (mca->block[block] & ~open) | (value & open);
}
