/* SPDX-License-Identifier: MIT */
#include "hv/mca/banks.h"

#include "hv/core/percore.h"
#include "hv/mca/poll.h"
#include "hv/x86/cpu.h"

#define CPUID_EDX_MCE (1u << 7) /* 0000_0001 */
#define CPUID_EDX_MCA (1u << 14)
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17A
#define MSR_MCG_CTL 0x17B
#define MCG_CAP_COUNT 0xFFu
#define MCG_CAP_CTL_P (1u << 8)
#define MSR_MC_CTL(bank) (0x400u + 4 * (bank))
#define MSR_MC_STATUS(bank) (0x401u + 4 * (bank))
#define MSR_MC_ADDR(bank) (0x402u + 4 * (bank))
#define MSR_MC_MISC(bank) (0x403u + 4 * (bank))
#define MSR_MC4_MISC1 0xC0000408u
/* All ones but the bits that Xen 3.3 left off at the northbridge, sync flooding among them. */
#define NB_CTL 0x02C3C008FFFFFFFFull

static struct mca_interposed interposed[CORES_MAX]; /* each core's own */

static unsigned bank_count(void)
{
    unsigned count = msr_read(MSR_MCG_CAP) & MCG_CAP_COUNT;

    return count < MCA_BANKS ? count : MCA_BANKS;
}

bool mca_banks_begin(void)
{
    uint32_t features = cpuid(1, 0).edx;

    if (!(features & CPUID_EDX_MCE) || !(features & CPUID_EDX_MCA))
        return false;
    if (msr_read(MSR_MCG_CAP) & MCG_CAP_CTL_P)
        msr_write(MSR_MCG_CTL, ~0ull);
    for (unsigned bank = 0; bank < bank_count(); bank++) {
        msr_write(MSR_MC_CTL(bank), bank == MCA_BANK_NB ? NB_CTL : ~0ull);
        msr_write(MSR_MC_STATUS(bank), 0);
    }
    if (bank_count() > MCA_BANK_NB)
        msr_write(MSR_MC_MISC(MCA_BANK_NB), mca_block_restart(msr_read(MSR_MC_MISC(MCA_BANK_NB))));
    cr4_write(cr4_read() | CR4_MCE);
    return true;
}

/* ---- Reading ----------------------------------------------------------------------------------------------- */

static uint64_t read(uint32_t msr)
{
    const struct mca_interposed *fake = &interposed[percore_self()->index];

    for (unsigned i = 0; i < fake->count; i++)
        if (fake->entry[i].msr == msr)
            return fake->entry[i].value;
    return msr_read(msr);
}

static void collect_bank(struct mca_error *error, unsigned number, uint64_t status)
{
    struct mca_bank *bank = &error->bank[error->count++];

    *bank = (struct mca_bank){ .number = (uint8_t)number, .status = status,
                               .addr = status & MCA_ADDRV ? read(MSR_MC_ADDR(number)) : 0,
                               .misc = status & MCA_MISCV ? read(MSR_MC_MISC(number)) : 0 };
    msr_write(MSR_MC_STATUS(number), 0);
    if (number != MCA_BANK_NB || !(status & MCA_MISCV))
        return;
    error->has_extra = true;
    for (unsigned i = 0; i < MCA_EXTRA; i++)
        error->extra[i] = msr_read(MSR_MC4_MISC1 + i);
}

void mca_banks_collect(struct mca_error *error, bool corrected)
{
    unsigned count = bank_count();

    error->mcg_status = read(MSR_MCG_STATUS);
    error->tsc = tsc_read();
    error->count = 0;
    for (unsigned bank = 0; bank < count; bank++) {
        uint64_t status = read(MSR_MC_STATUS(bank));

        if (status & MCA_VAL && !(corrected && status & MCA_UC && status & MCA_EN))
            collect_bank(error, bank, status);
    }
    if (!corrected)
        interposed[percore_self()->index].count = 0;
}

void mca_banks_end(void)
{
    msr_write(MSR_MCG_STATUS, 0);
}

unsigned mca_banks_counted(void)
{
    uint64_t misc;
    unsigned counted;

    if (bank_count() <= MCA_BANK_NB)
        return 0;
    misc = msr_read(MSR_MC_MISC(MCA_BANK_NB));
    counted = mca_block_count(misc);
    if (counted)
        msr_write(MSR_MC_MISC(MCA_BANK_NB), mca_block_restart(misc));
    return counted;
}

/* ---- Injection --------------------------------------------------------------------------------------------- */

bool mca_banks_is_register(uint32_t msr)
{
    return msr == MSR_MCG_STATUS || (msr > MSR_MC_CTL(0) && msr < MSR_MC_CTL(MCA_BANKS) && msr % 4 != 0);
}

bool mca_banks_interpose(unsigned core, uint32_t msr, uint64_t value)
{
    struct mca_interposed *fake = &interposed[core];

    if (fake->count == MCA_INTERPOSED)
        return false;
    fake->entry[fake->count].msr = msr;
    fake->entry[fake->count++].value = value;
    return true;
}
