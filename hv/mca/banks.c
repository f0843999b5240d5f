/* SPDX-License-Identifier: MIT */
#include "hv/mca/banks.h"

#include "hv/core/pci_config.h"
#include "hv/core/percore.h"
#include "hv/mca/poll.h"
#include "hv/x86/cpu.h"

#define CPUID_EDX_MCE (1u << 7) /* 0000_0001 */
#define CPUID_EDX_MCA (1u << 14)
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17A
#define MSR_MCG_CTL 0x17B
#define MSR_HWCR 0xC0010015
#define HWCR_MC_STATUS_WR_EN (1ull << 18)
#define MCG_CAP_COUNT 0xFFu
#define MCG_CAP_CTL_P (1u << 8)
#define MSR_MC_CTL(bank) (0x400u + 4 * (bank))
#define MSR_MC_STATUS(bank) (0x401u + 4 * (bank))
#define MSR_MC_ADDR(bank) (0x402u + 4 * (bank))
#define MSR_MC_MISC(bank) (0x403u + 4 * (bank))
#define MSR_MC4_MISC1 0xC0000408u
/* All ones but the bits that Xen 3.3 left off at the northbridge, sync flooding among them. */
#define NB_CTL 0x02C3C008FFFFFFFFull

#define NB_CONFIG 0x44 /* F3x44 */
#define NB_MCA_TO_MASTER (1u << 27)

static unsigned block_threshold;
static struct mca_interposed interposed[CORES_MAX]; /* each core's own */

static bool is_family_10h(void)
{
    uint32_t eax = cpuid(1, 0).eax;

    return (eax >> 8 & 0xF) + (eax >> 20 & 0xFF) == 0x10;
}

static unsigned bank_count(void)
{
    unsigned count = msr_read(MSR_MCG_CAP) & MCG_CAP_COUNT;

    return count < MCA_BANKS ? count : MCA_BANKS;
}

/*
 * The northbridge's errors go to the core that asked, not to the node's first one, which may be in the middle of
 * anything:
 * whom they concern is who consumed them.
 */
static void report_to_source(unsigned node)
{
    uint32_t config = pci_config_read(PCI_NORTHBRIDGE(node), 3, NB_CONFIG);

    if (config & NB_MCA_TO_MASTER)
        pci_config_write(PCI_NORTHBRIDGE(node), 3, NB_CONFIG, config & ~NB_MCA_TO_MASTER);
}

/* Whether this core is the first of its node, and its number there. */
static unsigned place_in_node(void)
{
    const struct percore *self = percore_self();
    unsigned place = 0;

    for (unsigned i = 0; i < CORES_MAX && percores[i].self; i++)
        place += percores[i].node == self->node && percores[i].apic_id < self->apic_id;
    return place;
}

bool mca_banks_begin(unsigned threshold)
{
    uint32_t features = cpuid(1, 0).edx;

    __atomic_store_n(&block_threshold, threshold, __ATOMIC_RELEASE); /* the same on every core, whoever polls first */
    if (!(features & CPUID_EDX_MCE) || !(features & CPUID_EDX_MCA))
        return false;
    if (msr_read(MSR_MCG_CAP) & MCG_CAP_CTL_P)
        msr_write(MSR_MCG_CTL, ~0ull);
    for (unsigned bank = 0; bank < bank_count(); bank++) {
        msr_write(MSR_MC_CTL(bank), bank == MCA_BANK_NB ? NB_CTL : ~0ull);
        msr_write(MSR_MC_STATUS(bank), 0);
    }
    if (bank_count() > MCA_BANK_NB && is_family_10h())
        report_to_source(percore_self()->node);
    if (bank_count() > MCA_BANK_NB)
        msr_write(MSR_MC_MISC(MCA_BANK_NB), mca_block_restart(msr_read(MSR_MC_MISC(MCA_BANK_NB)), threshold));
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

/*
 * All cores of a node see its bank 4: a poll asks it on the first one, a #MC leaves alone what another core's #MC
 * is about.
 * An uncorrected error is never a poll's, unless it raises no #MC.
 */
static bool is_ours(unsigned bank, uint64_t status, bool poll)
{
    if (poll && bank == MCA_BANK_NB && place_in_node() != 0)
        return false;
    if (poll)
        return !(status & MCA_UC && status & MCA_EN);
    return bank != MCA_BANK_NB || mca_may_concern(status, place_in_node());
}

void mca_banks_collect(struct mca_error *error, bool corrected)
{
    unsigned count = bank_count();

    error->mcg_status = read(MSR_MCG_STATUS);
    error->tsc = tsc_read();
    error->count = 0;
    for (unsigned bank = 0; bank < count; bank++) {
        uint64_t status = read(MSR_MC_STATUS(bank));

        if (status & MCA_VAL && is_ours(bank, status, corrected))
            collect_bank(error, bank, status);
    }
    if (error->count) /* it has been seen */
        interposed[percore_self()->index].count = 0;
}

void mca_banks_end(void)
{
    msr_write(MSR_MCG_STATUS, 0);
}

unsigned mca_banks_counted(void)
{
    uint64_t misc;
    unsigned counted, threshold;

    if (bank_count() <= MCA_BANK_NB || place_in_node() != 0)
        return 0;
    misc = msr_read(MSR_MC_MISC(MCA_BANK_NB));
    threshold = __atomic_load_n(&block_threshold, __ATOMIC_ACQUIRE);
    counted = mca_block_count(misc, threshold);
    if (counted)
        msr_write(MSR_MC_MISC(MCA_BANK_NB), mca_block_restart(misc, threshold));
    return counted;
}

/* ---- Injection --------------------------------------------------------------------------------------------- */

bool mca_banks_is_register(uint32_t msr)
{
    return msr == MSR_MCG_STATUS || (msr > MSR_MC_CTL(0) && msr < MSR_MC_CTL(MCA_BANKS) && msr % 4 != 0);
}

void mca_banks_write(uint32_t msr, uint64_t value)
{
    uint64_t hwcr = msr_read(MSR_HWCR);

    msr_write(MSR_HWCR, hwcr | HWCR_MC_STATUS_WR_EN);
    msr_write(msr, value);
    msr_write(MSR_HWCR, hwcr);
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
