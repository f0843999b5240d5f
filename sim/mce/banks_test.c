/* SPDX-License-Identifier: MIT */
/* Banks, logging, reporting and thresholding against fact sheet section 5 (BKDG10 2.12, APM2 chapter 9). */
#include "sim/mce/mce.h"
#include "sim/unit_test.h"

#define CE (MCA_ADDRV | MCA_CECC | 0x080813)            /* DRAM ECC, extended code 08 */
#define UE (MCA_UC | MCA_ADDRV | MCA_UECC | 0x080813)
#define CE_BANK2 (MCA_CECC | 0x010A)
#define UE_BANK2 (MCA_UC | MCA_UECC | 0x010A)

struct signalled {
    unsigned count, in_node, argument;
    enum mca_signal signal;
};

struct world {
    uint64_t hwcr;
    struct mca_node node;
    struct mca_core core[2];
    struct signalled last;
};

static void record(void *ctx, unsigned node, unsigned in_node, enum mca_signal signal, unsigned argument)
{
    struct world *w = ctx;

    (void)node;
    w->last = (struct signalled){ w->last.count + 1, in_node, argument, signal };
}

static struct world *world_new(void)
{
    struct world *w = g_new0(struct world, 1);

    mca_node_init(&w->node, 0, false);
    w->node.port = (struct mca_port){ w, record, NULL };
    for (unsigned i = 0; i < 2; i++)
        mca_core_init(&w->core[i], &w->node, i, &w->hwcr);
    return w;
}

static const struct msr_row *row_of(const struct msr_bank *bank, uint32_t msr)
{
    for (size_t i = 0; i < bank->count; i++)
        if (bank->rows[i].msr == msr)
            return &bank->rows[i];
    ck_abort_msg("no MSR %x", msr);
    return NULL;
}

static uint64_t rd(struct world *w, unsigned core, uint32_t msr)
{
    struct msr_bank bank = mca_core_msrs(&w->core[core]);
    const struct msr_row *row = row_of(&bank, msr);

    return row->read ? row->read(bank.ctx, row) : *(uint64_t *)((char *)bank.ctx + row->offset);
}

static bool wr(struct world *w, unsigned core, uint32_t msr, uint64_t value)
{
    struct msr_bank bank = mca_core_msrs(&w->core[core]);
    const struct msr_row *row = row_of(&bank, msr);

    if (row->rule & MSR_IGNORE)
        return true;
    value &= row->writable;
    if (row->write)
        return row->write(bank.ctx, row, value);
    *(uint64_t *)((char *)bank.ctx + row->offset) = value;
    return true;
}

/* Everything on: MCG_CTL and all MCi_CTL all ones. */
static void enable(struct world *w)
{
    for (unsigned core = 0; core < 2; core++) {
        wr(w, core, 0x17B, UINT64_MAX);
        for (uint32_t bank = 0; bank < MCA_BANKS; bank++)
            wr(w, core, 0x400 + 4 * bank, UINT64_MAX);
    }
}

static enum mca_fate node_error(struct world *w, uint64_t status, unsigned ctl, unsigned source)
{
    const struct mca_error error = { .bank = MCA_NB, .ctl = (uint8_t)ctl, .status = status, .addr = 0x1000,
                                     .precise = true };

    return mca_node_error(&w->node, &error, source);
}

static enum mca_fate core_error_of(struct world *w, unsigned bank, uint64_t status, unsigned ctl, unsigned *raised)
{
    const struct mca_error error = { .bank = (uint8_t)bank, .ctl = (uint8_t)ctl, .status = status, .precise = true };
    enum mca_fate fate;

    *raised = mca_core_error(&w->core[0], &error, &fate);
    return fate;
}

/* Fact sheet 5.1, 2.1. */
START_TEST(reset_values_are_the_manuals)
{
    static const uint64_t mask[MCA_BANKS] = { 0x80, 0x80, 0x200, 0, 0, 0 };
    struct world *w = world_new();

    ck_assert_uint_eq(rd(w, 0, 0x179), 0x106);
    ck_assert_uint_eq(rd(w, 0, 0x17A) | rd(w, 0, 0x17B), 0);
    for (uint32_t i = 0; i < MCA_BANKS; i++) {
        ck_assert_uint_eq(rd(w, 0, 0x400 + 4 * i), 0);
        ck_assert_uint_eq(rd(w, 0, 0xC0010044 + i), mask[i]);
    }
    ck_assert_uint_eq(rd(w, 0, 0x413), UINT64_C(0xC000000001000000)); /* Valid, CntP, BlkPtr 1 */
    ck_assert_uint_eq(rd(w, 0, 0xC0000408), UINT64_C(0xC000000000000000));
    ck_assert_uint_eq(rd(w, 0, 0xC0000409), UINT64_C(0xC000000000000000));
    for (uint32_t msr = 0xC000040A; msr <= 0xC000040F; msr++)
        ck_assert_uint_eq(rd(w, 0, msr), 0);
    g_free(w);
}
END_TEST

/* Fact sheet 5.2: the highest bit of each MCi_CTL. */
START_TEST(control_registers_keep_their_implemented_bits)
{
    static const uint64_t ctl[MCA_BANKS] = { 0xFF, 0x2FF, 0xFFF, 3, 0xFFFFFFF, 1 };
    struct world *w = world_new();

    enable(w);
    ck_assert_uint_eq(rd(w, 0, 0x17B), 0x3F);
    for (uint32_t i = 0; i < MCA_BANKS; i++)
        ck_assert_uint_eq(rd(w, 0, 0x400 + 4 * i), ctl[i]);
    g_free(w);
}
END_TEST

START_TEST(status_takes_zero_always_and_anything_else_with_hwcr_18_alone)
{
    struct world *w = world_new();

    for (uint32_t i = 0; i < MCA_BANKS; i++) {
        uint32_t msr = 0x401 + 4 * i;

        w->hwcr = 0;
        ck_assert(!wr(w, 0, msr, 1));
        ck_assert(wr(w, 0, msr, 0));
        w->hwcr = BIT(18);
        ck_assert(wr(w, 0, msr, 0x1234));
        ck_assert_uint_eq(rd(w, 0, msr), 0x1234);
    }
    ck_assert_uint_eq(rd(w, 0, 1), 0x1234); /* MSR 1 is MC3_STATUS, MSR 0 MC3_ADDR */
    wr(w, 0, 0, 77);
    ck_assert_uint_eq(rd(w, 0, 0x40E), 77);
    g_free(w);
}
END_TEST

/* Fact sheet 5.6, the first three rows. */
START_TEST(an_error_is_logged_and_reported_by_its_three_switches)
{
    struct world *w = world_new();
    unsigned raised;

    ck_assert_int_eq(core_error_of(w, MCA_BU, UE_BANK2, 8, &raised), MCA_MASKED); /* MCG_CTL is 0 */
    wr(w, 0, 0x17B, BIT(MCA_BU));
    ck_assert_int_eq(core_error_of(w, MCA_BU, UE_BANK2, 8, &raised), MCA_LOGGED);
    ck_assert_uint_eq(raised, 0);
    ck_assert_uint_eq(rd(w, 0, 0x409), MCA_VAL | UE_BANK2); /* EN is clear: MC2_CTL[8] is */
    wr(w, 0, 0x409, 0);
    wr(w, 0, 0x408, BIT(8));
    ck_assert_int_eq(core_error_of(w, MCA_BU, UE_BANK2, 8, &raised), MCA_LOGGED);
    ck_assert_uint_eq(raised, MCA_RAISE_PENDING | MCA_RAISE_PRECISE);
    ck_assert_uint_eq(rd(w, 0, 0x409), MCA_VAL | MCA_EN | UE_BANK2);
    wr(w, 0, 0x409, 0);
    {   /* somebody's registers are as they are, OVER and EN with them */
        const struct mca_error error = { .bank = MCA_BU, .raw = true, .status = MCA_VAL | MCA_OVER | UE_BANK2 };
        enum mca_fate fate;

        ck_assert_uint_eq(mca_core_error(&w->core[0], &error, &fate), 0);
        ck_assert_uint_eq(rd(w, 0, 0x409), MCA_VAL | MCA_OVER | UE_BANK2);
    }
    wr(w, 0, 0x409, 0);
    wr(w, 0, 0xC0010046, BIT(8)); /* masked: not even detected */
    ck_assert_int_eq(core_error_of(w, MCA_BU, UE_BANK2, 8, &raised), MCA_MASKED);
    ck_assert_uint_eq(rd(w, 0, 0x409), 0);
    g_free(w);
}
END_TEST

START_TEST(a_corrected_error_raises_nothing)
{
    struct world *w = world_new();
    unsigned raised;

    enable(w);
    ck_assert_int_eq(core_error_of(w, MCA_BU, CE_BANK2, 7, &raised), MCA_LOGGED);
    ck_assert_uint_eq(raised, 0);
    ck_assert_int_eq(node_error(w, CE, 0, 1), MCA_LOGGED);
    ck_assert_uint_eq(w->last.count, 0);
    w->node.config |= NB_CORR_MCA_EXC_EN; /* unless F3x44[26] says so */
    node_error(w, CE, 0, 1);
    ck_assert_uint_eq(w->last.count, 1);
    ck_assert_int_eq(w->last.signal, MCA_SIGNAL_MC);
    g_free(w);
}
END_TEST

/* Fact sheet 5.6, overflow: what the older error is, what the newer, and which stays in which bank. */
START_TEST(overwrite_priority_is_the_familys)
{
    enum { DIS_CE, DIS_UE, EN_CE, EN_UE };
    static const bool replaced[2][4][2] = {
        /* a newer CE, a newer UE */
        { { true, true }, { true, true }, { true, true }, { false, false } },   /* MC0, MC4 */
        { { true, true }, { true, true }, { false, true }, { false, false } },  /* MC1, 2, 3, 5 */
    };

    for (unsigned bank = 0; bank < MCA_BANKS; bank++) {
        bool other = bank != MCA_DC && bank != MCA_NB;

        for (unsigned old = 0; old < 4; old++) {
            for (unsigned newer = 0; newer < 2; newer++) {
                struct world *w = world_new();
                struct mca_bank *b = bank == MCA_NB ? &w->node.bank : &w->core[0].bank[bank];
                uint64_t status = newer ? MCA_UC : 0;
                unsigned raised;
                enum mca_fate fate;

                enable(w);
                b->ctl_mask = 0;
                b->status = MCA_VAL | (old == DIS_UE || old == EN_UE ? MCA_UC : 0) | (old >= EN_CE ? MCA_EN : 0) | 0x10;
                fate = bank == MCA_NB ? node_error(w, status | 0x70000, 0, 0)
                                      : core_error_of(w, bank, status, 0, &raised);
                ck_assert_msg((fate == MCA_OVERWROTE) == replaced[other][old][newer], "bank %u old %u newer %u", bank,
                              old, newer);
                ck_assert(fate == MCA_OVERWROTE || fate == MCA_LOST);
                ck_assert(b->status & MCA_OVER);
                ck_assert_int_eq((b->status & 0x10) == 0, fate == MCA_OVERWROTE);
                g_free(w);
            }
        }
    }
}
END_TEST

/* APM2 9.3.1.1: RIPV, EIPV; fact sheet 2.1: PCC clears both; a second one under MCIP is a shutdown. */
START_TEST(mcg_status_tells_whether_the_program_can_go_on)
{
    struct world *w = world_new();
    struct mca_core *mca = &w->core[0];

    mca->raised = MCA_RAISE_PENDING;
    ck_assert(mca_core_begin(mca));
    ck_assert_uint_eq(rd(w, 0, 0x17A), MCG_RIPV | MCG_EIPV | MCG_MCIP);
    mca->raised = MCA_RAISE_PENDING;
    ck_assert(!mca_core_begin(mca));
    wr(w, 0, 0x17A, 0);
    mca->raised = MCA_RAISE_PENDING | MCA_RAISE_IMPRECISE;
    ck_assert(mca_core_begin(mca));
    ck_assert_uint_eq(rd(w, 0, 0x17A), MCG_RIPV | MCG_MCIP);
    wr(w, 0, 0x17A, 0);
    mca->raised = MCA_RAISE_PENDING | MCA_RAISE_PCC;
    ck_assert(mca_core_begin(mca));
    ck_assert_uint_eq(rd(w, 0, 0x17A), MCG_MCIP);
    wr(w, 0, 0x17A, 0);
    mca->raised = MCA_RAISE_PENDING | MCA_RAISE_EVENT_LOST;
    ck_assert(mca_core_begin(mca));
    ck_assert_uint_eq(rd(w, 0, 0x17A), MCG_EIPV | MCG_MCIP);
    ck_assert_uint_eq(mca->count.raised, 4);
    ck_assert_uint_eq(mca->count.shutdowns, 1);
    g_free(w);
}
END_TEST

/* Fact sheet 5.1: F3x40 = 410, F3x48/4C = 411, F3x50/54 = 412, F3x160 = 413[63:32]. */
START_TEST(bank_4_is_one_for_the_node_and_seen_through_function_3)
{
    struct world *w = world_new();
    uint32_t low, high;

    enable(w);
    node_error(w, CE | ecc_status(0xE821), 0, 1);
    ck_assert_uint_eq(rd(w, 0, 0x411), rd(w, 1, 0x411));
    /* 9400_4000_0008_0813, syndrome E821, ErrCpu: bit 33 for core 1 (fact sheet 5.5, 5.3) */
    ck_assert_uint_eq(rd(w, 0, 0x411), UINT64_C(0x9400400000080813) | UINT64_C(0x21) << 47 | UINT64_C(0xE8) << 24 |
                      BIT(33));
    ck_assert(mca_node_read(&w->node, 0x48, &low) && mca_node_read(&w->node, 0x4C, &high));
    ck_assert_uint_eq(low | (uint64_t)high << 32, rd(w, 0, 0x411));
    ck_assert(mca_node_read(&w->node, 0x50, &low));
    ck_assert_uint_eq(low, 0x1000);
    ck_assert(mca_node_write(&w->node, 0x40, 5, UINT32_MAX, false));
    ck_assert_uint_eq(rd(w, 1, 0x410), 5);
    ck_assert(mca_node_read(&w->node, 0x160, &high));
    ck_assert_uint_eq(high, 0xC0000000);
    w->node.config |= NB_MCA_TO_MASTER; /* now the base core's alone */
    ck_assert_uint_eq(rd(w, 1, 0x411), 0);
    wr(w, 1, 0x410, 0);
    ck_assert_uint_eq(rd(w, 0, 0x410), 5);
    g_free(w);
}
END_TEST

START_TEST(northbridge_errors_go_to_who_asked_or_to_the_base_core)
{
    struct world *w = world_new();

    enable(w);
    node_error(w, UE, 1, 1);
    ck_assert_uint_eq(w->last.in_node, 1);
    ck_assert_uint_eq(w->last.argument, MCA_RAISE_PENDING | MCA_RAISE_PRECISE);
    w->node.bank.status = 0;
    node_error(w, UE, 1, MCA_SOURCE_IO);
    ck_assert_uint_eq(w->last.in_node, 0);
    ck_assert_uint_eq(w->last.argument, MCA_RAISE_PENDING | MCA_RAISE_IMPRECISE);
    w->node.bank.status = 0;
    w->node.config |= NB_MCA_TO_MASTER;
    node_error(w, UE | MCA_PCC, 1, 1);
    ck_assert_uint_eq(w->last.in_node, 0);
    ck_assert_uint_eq(w->last.argument, MCA_RAISE_PENDING | MCA_RAISE_IMPRECISE | MCA_RAISE_PCC);
    ck_assert_uint_eq(w->last.count, 3);
    g_free(w);
}
END_TEST

START_TEST(what_f3x44_and_f3x180_name_floods_the_links)
{
    static const struct {
        uint64_t status;
        uint32_t config, extended;
    } cases[] = {
        { UE, BIT(2), 0 }, { MCA_UC | 0x070F0F, BIT(20), 0 }, { MCA_UC | 0x0D0C03, BIT(30), 0 },
        { MCA_UC | 0x0B0C0F, 0, BIT(8) }, { MCA_UC | 0x0C0C0F, 0, BIT(9) }, { MCA_UC | 0x010C0F, BIT(21), 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (unsigned on = 0; on < 2; on++) {
            struct world *w = world_new();

            enable(w);
            w->node.config |= on ? cases[i].config : 0;
            w->node.ext_config |= on ? cases[i].extended : 0;
            node_error(w, cases[i].status, 1, 0);
            ck_assert_int_eq(w->last.signal, on ? MCA_SIGNAL_FLOOD : MCA_SIGNAL_MC);
            g_free(w);
        }
    }
}
END_TEST

/* Fact sheet 5.7: preload FFFh - N; Ovrflw is set on FFEh -> FFFh; then it stands still. */
START_TEST(a_threshold_counter_interrupts_once_at_its_limit)
{
    struct world *w = world_new();

    enable(w);
    /* LvtOffset 1, CntEn, IntType APIC, ErrCnt FFFh - 3 */
    wr(w, 0, 0x413, UINT64_C(1) << 52 | BIT(51) | UINT64_C(1) << 49 | UINT64_C(0xFFC) << 32);
    for (unsigned i = 0; i < 2; i++)
        node_error(w, CE, 0, 0);
    ck_assert_uint_eq(w->last.count, 0);
    ck_assert_uint_eq(bits(rd(w, 0, 0x413), MCA_MISC_ERR_CNT), 0xFFE);
    ck_assert(!(rd(w, 0, 0x413) & MCA_MISC_OVERFLOW));
    node_error(w, CE, 0, 0);
    ck_assert(rd(w, 0, 0x413) & MCA_MISC_OVERFLOW);
    ck_assert_int_eq(w->last.signal, MCA_SIGNAL_LVT);
    ck_assert_uint_eq(w->last.in_node, MCA_ALL_CORES);
    ck_assert_uint_eq(w->last.argument, 1);
    node_error(w, CE, 0, 0);
    ck_assert_uint_eq(bits(rd(w, 0, 0x413), MCA_MISC_ERR_CNT), 0xFFF);
    ck_assert_uint_eq(w->last.count, 1);
    wr(w, 0, 0x413, BIT(51) | UINT64_C(2) << 49 | UINT64_C(0xFFE) << 32);
    node_error(w, CE, 0, 0);
    ck_assert_int_eq(w->last.signal, MCA_SIGNAL_SMI);
    ck_assert_uint_eq(w->last.in_node, 0);
    g_free(w);
}
END_TEST

START_TEST(each_threshold_block_counts_its_own_errors)
{
    static const uint8_t dram[] = { 0x08, 0x0D }, links[] = { 0x04, 0x0A, 0x0B, 0x0E, 0x0F },
                         l3[] = { 0x1C, 0x1D, 0x1E, 0x1F };
    struct world *w = world_new();

    enable(w);
    for (unsigned i = 0; i < MCA_BLOCKS; i++)
        w->node.block[i] |= MCA_MISC_CNT_EN;
    for (uint64_t extended = 0; extended < 0x20; extended++)
        node_error(w, extended << 16 | (extended == 0x0F ? 0x001B : 0x0813), 0, 0);
    ck_assert_uint_eq(w->node.count.counted[0], sizeof(dram));
    ck_assert_uint_eq(w->node.count.counted[1], sizeof(links));
    ck_assert_uint_eq(w->node.count.counted[2], sizeof(l3));
    node_error(w, 0x0F0C03, 0, 0); /* a DEV walk's data error is in no block */
    ck_assert_uint_eq(w->node.count.counted[1], sizeof(links));
    g_free(w);
}
END_TEST

START_TEST(a_locked_block_ignores_writes_until_hwcr_18_unlocks_it)
{
    struct world *w = world_new();
    uint64_t reset = rd(w, 0, 0x413);

    wr(w, 0, 0x413, MCA_MISC_LOCKED); /* the three upper bits are not software's */
    ck_assert_uint_eq(rd(w, 0, 0x413), reset);
    w->hwcr = BIT(18);
    wr(w, 0, 0x413, reset | MCA_MISC_LOCKED);
    w->hwcr = 0;
    wr(w, 0, 0x413, BIT(51));
    ck_assert_uint_eq(rd(w, 0, 0x413), reset | MCA_MISC_LOCKED);
    mca_node_write(&w->node, 0x160, (uint32_t)BIT(19), UINT32_MAX, false);
    ck_assert_uint_eq(rd(w, 0, 0x413), reset | MCA_MISC_LOCKED);
    w->hwcr = BIT(18);
    wr(w, 0, 0x413, reset);
    w->hwcr = 0;
    mca_node_write(&w->node, 0x160, (uint32_t)BIT(51 - 32), UINT32_MAX, false);
    ck_assert_uint_eq(rd(w, 0, 0x413), reset | BIT(51)); /* config writes do not touch Valid and CntP */
    g_free(w);
}
END_TEST

START_TEST(a_warm_reset_keeps_what_the_banks_hold)
{
    struct world *w = world_new();
    unsigned raised;

    enable(w);
    node_error(w, CE, 0, 0);
    core_error_of(w, MCA_BU, CE_BANK2, 7, &raised);
    mca_node_reset(&w->node, true);
    mca_core_reset(&w->core[0], true);
    ck_assert(w->node.bank.status & MCA_VAL);
    ck_assert_uint_eq(w->node.bank.addr, 0x1000);
    ck_assert(w->core[0].bank[MCA_BU].status & MCA_VAL);
    ck_assert_uint_eq(w->node.bank.ctl | w->core[0].bank[MCA_BU].ctl | w->core[0].mcg_ctl, 0);
    mca_core_reset(&w->core[0], false);
    ck_assert_uint_eq(w->core[0].bank[MCA_BU].status, 0);
    g_free(w);
}
END_TEST

UNIT_TESTS("banks", reset_values_are_the_manuals, control_registers_keep_their_implemented_bits,
           status_takes_zero_always_and_anything_else_with_hwcr_18_alone,
           an_error_is_logged_and_reported_by_its_three_switches, a_corrected_error_raises_nothing,
           overwrite_priority_is_the_familys, mcg_status_tells_whether_the_program_can_go_on,
           bank_4_is_one_for_the_node_and_seen_through_function_3,
           northbridge_errors_go_to_who_asked_or_to_the_base_core, what_f3x44_and_f3x180_name_floods_the_links,
           a_threshold_counter_interrupts_once_at_its_limit, each_threshold_block_counts_its_own_errors,
           a_locked_block_ignores_writes_until_hwcr_18_unlocks_it, a_warm_reset_keeps_what_the_banks_hold)
