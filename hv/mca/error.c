/* SPDX-License-Identifier: MIT */
#include "hv/mca/error.h"

const char *const mca_via_names[MCA_VIA_COUNT] = { "mc", "exit", "poll", "threshold" };

/* TLB error: 0000 0000 0001 TTLL; memory: 0000 0001 RRRR TTLL; bus: 0000 1PPT RRRR IILL. */
#define IS_MEMORY(code) (((code) & 0xFF00) == 0x0100)
#define IS_BUS(code) (((code) & 0xF800) == 0x0800)
#define LEVEL(code) ((code) & 3)
#define OPERATION(code) ((code) >> 4 & 0xF)
#define LEVEL_2 2
#define PARTICIPATION(code) ((code) >> 9 & 3)
#define PARTICIPATION_RES 1
#define OPERATION_SCRUB 0
#define OPERATION_SNOOP 8

/* Extended codes of bank 4 whose ADDR is a system-physical address. */
static bool nb_has_frame(uint64_t status)
{
    switch (MCA_EXT_CODE(status)) {
    case 0x08: /* ECC */
    case 0x09: /* DEV */
    case 0x0A: /* link data */
        return true;
    case 0x1C: /* L3 data: of a scrub an index */
    case 0x1D: /* L3 tag */
        return OPERATION(MCA_CODE(status)) != OPERATION_SCRUB;
    default:
        return false;
    }
}

bool mca_has_frame(unsigned bank, uint64_t status)
{
    unsigned code = MCA_CODE(status);

    if (!(status & MCA_ADDRV))
        return false;
    switch (bank) {
    case 0: /* DC: a line fill from L2; an error of L1 itself gives an index and parts */
        return IS_MEMORY(code) && LEVEL(code) == LEVEL_2;
    case 1: /* IC: line fill and tag snoop; a load's is linear */
        return IS_MEMORY(code) && (LEVEL(code) == LEVEL_2 || OPERATION(code) == OPERATION_SNOOP);
    case 2: /* BU: system reads; L2's own tell way and index */
    case 3: /* LS */
        return IS_BUS(code);
    case MCA_BANK_NB:
        return nb_has_frame(status);
    default: /* FR: linear */
        return false;
    }
}

bool mca_may_concern(uint64_t status, unsigned place)
{
    unsigned cpu = status >> 32 & 0xF;

    if (status & MCA_ERR_CPU_VAL)
        return cpu == place;
    return !cpu || cpu >> place & 1;
}

bool mca_is_remote(const struct mca_bank *bank)
{
    unsigned code = MCA_CODE(bank->status);

    return bank->number == MCA_BANK_NB && IS_BUS(code) && PARTICIPATION(code) == PARTICIPATION_RES &&
           bank->status & MCA_UC && bank->status & MCA_PCC && !(bank->status & MCA_SCRUB);
}

bool mca_is_all_remote(const struct mca_error *error)
{
    for (unsigned i = 0; i < error->count; i++)
        if (!mca_is_remote(&error->bank[i]))
            return false;
    return error->count;
}

bool mca_is_final(const struct mca_error *error)
{
    for (unsigned i = 0; i < error->count; i++)
        if (error->bank[i].status & MCA_PCC && !mca_is_remote(&error->bank[i]))
            return true;
    return mca_interrupted(error) && !mca_is_all_remote(error) && !(error->mcg_status & MCG_RIPV);
}

bool mca_interrupted(const struct mca_error *error)
{
    return error->via == MCA_VIA_MC || error->via == MCA_VIA_EXIT;
}
