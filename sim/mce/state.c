/* SPDX-License-Identifier: MIT */
/* Life of the banks: reset, the northbridge's view of bank 4, state and counters as data. */
#include "sim/counters.h"
#include "sim/mce/mce.h"
#include "sim/state.h"

/* ---- Reset (fact sheet 5.1, 5.7) ------------------------------------------------------------------------ */

/* A cold reset leaves STATUS, ADDR and the counts undefined: here they are 0. */
static void bank_reset(struct mca_bank *bank, unsigned number, bool warm)
{
    if (!warm)
        *bank = (struct mca_bank){ 0 };
    bank->ctl = 0;
    bank->ctl_mask = mca_bank_rows[number].mask_reset;
}

void mca_node_reset(struct mca_node *mca, bool warm)
{
    uint64_t kept = warm ? MCA_MISC_OVERFLOW | BITS(43, 32) : 0;

    bank_reset(&mca->bank, MCA_NB, warm);
    for (unsigned i = 0; i < MCA_BLOCKS; i++)
        mca->block[i] = (mca->block[i] & kept) | MCA_MISC_VALID | MCA_MISC_CNTP | (i == 0 ? MCA_MISC_BLK_PTR : 0);
    mca->config = UINT32_C(0x00800000);
    mca->ext_config = 0;
    mca->enabled = 0;
}

void mca_core_reset(struct mca_core *mca, bool warm)
{
    for (unsigned i = 0; i < MCA_BANKS; i++)
        bank_reset(&mca->bank[i], i, warm);
    mca->mcg_cap = 0x100 | MCA_BANKS; /* MCG_CTL_P */
    mca->mcg_status = mca->mcg_ctl = mca->redirection = 0;
    mca->raised = 0;
    if (mca->node == &mca->own_node)
        mca_node_reset(mca->node, warm);
    mca->node->enabled &= ~(uint32_t)BIT(mca->in_node);
}

void mca_node_init(struct mca_node *mca, unsigned node, bool encoded_cpu)
{
    mca->node = node;
    mca->encoded_cpu = encoded_cpu;
    mca_node_reset(mca, false);
}

void mca_core_init(struct mca_core *mca, struct mca_node *node, unsigned in_node, const uint64_t *hwcr)
{
    mca_node_init(&mca->own_node, 0, false);
    mca->node = node ? node : &mca->own_node;
    mca->in_node = (uint8_t)in_node;
    mca->hwcr = hwcr;
    mca_core_reset(mca, false);
}

/* ---- Function 3 of the northbridge ------------------------------------------------------------------------ */

/* A 32-bit half of one of the node's 64-bit registers; `writable` by configuration writes. */
struct alias {
    uint16_t offset;
    uint8_t shift;
    uint32_t writable;
    size_t member;
};

#define N(m) offsetof(struct mca_node, m)
#define BLOCK_WRITABLE ((uint32_t)(BITS(55 - 32, 48 - 32) | BITS(11, 0)))

static const struct alias aliases[] = {
    { 0x040, 0, (uint32_t)BITS(27, 0), N(bank.ctl) },
    { 0x048, 0, UINT32_MAX, N(bank.status) },
    { 0x04C, 32, UINT32_MAX, N(bank.status) },
    { 0x050, 0, UINT32_MAX, N(bank.addr) },
    { 0x054, 32, UINT32_MAX, N(bank.addr) },
    { 0x160, 32, BLOCK_WRITABLE, N(block[0]) },
    { 0x168, 32, BLOCK_WRITABLE, N(block[1]) },
    { 0x170, 32, BLOCK_WRITABLE, N(block[2]) },
};

static const struct alias *alias_find(unsigned offset)
{
    for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++)
        if (aliases[i].offset == offset)
            return &aliases[i];
    return NULL;
}

static uint32_t *configuration(struct mca_node *mca, unsigned offset, uint32_t *writable)
{
    *writable = offset == 0x44 ? UINT32_C(0xff7fffff) : UINT32_C(0x077003ff); /* ChipKillEccCap is read-only */
    return offset == 0x44 ? &mca->config : offset == 0x180 ? &mca->ext_config : NULL;
}

bool mca_node_read(const struct mca_node *mca, unsigned offset, uint32_t *value)
{
    const struct alias *alias = alias_find(offset);

    if (alias)
        *value = (uint32_t)(*(const uint64_t *)((const char *)mca + alias->member) >> alias->shift);
    else if (offset == 0x44 || offset == 0x180)
        *value = offset == 0x44 ? mca->config : mca->ext_config;
    else
        return false;
    return true;
}

bool mca_node_write(struct mca_node *mca, unsigned offset, uint32_t value, uint32_t lanes, bool hardware)
{
    const struct alias *alias = alias_find(offset);
    uint32_t writable, *plain = configuration(mca, offset, &writable);
    uint64_t *wide, old, mask;

    if (plain) {
        mask = hardware ? lanes : lanes & writable;
        *plain = (uint32_t)((*plain & ~mask) | (value & mask));
        return true;
    }
    if (!alias)
        return false;
    wide = (uint64_t *)((char *)mca + alias->member);
    old = *wide;
    mask = (uint64_t)(hardware ? lanes : lanes & alias->writable) << alias->shift;
    if (!hardware && alias->offset >= 0x160 && (old & MCA_MISC_LOCKED))
        mask = 0;
    *wide = (old & ~mask) | ((uint64_t)value << alias->shift & mask);
    return true;
}

/* ---- State ------------------------------------------------------------------------------------------------- */

#define CV(member) STATE_VALUE(struct mca_core, member)
#define CE(member) STATE_EACH(struct mca_core, bank, member)
#define NV(member) STATE_VALUE(struct mca_node, member)

static const struct state_field core_fields[] = {
    CV(mcg_cap), CV(mcg_status), CV(mcg_ctl), CE(ctl), CE(status), CE(addr), CE(misc), CE(ctl_mask), CV(redirection),
    CV(raised),
};

static const struct state_field node_fields[] = {
    NV(bank.ctl), NV(bank.status), NV(bank.addr), NV(bank.misc), NV(bank.ctl_mask),
    STATE_ARRAY(struct mca_node, block), NV(config), NV(ext_config), NV(enabled),
};

static const struct state_part core_part = { .name = "mca", .fields = core_fields, .count = G_N_ELEMENTS(core_fields) };
static const struct state_part node_part = { .name = "mca", .fields = node_fields, .count = G_N_ELEMENTS(node_fields) };

/* ---- Counters ------------------------------------------------------------------------------------------------ */

static const char *const bank_names[MCA_BANKS] = {
#define BANK(number, name, ...) [number] = #name,
#include "sim/mce/banks.def"
#undef BANK
};
static const char *const block_names[MCA_BLOCKS] = { "DRAM", "link", "L3" };

#define CORE(name, unit, meaning, member) { name, unit, meaning, offsetof(struct mca_core, count.member), { { 0 } } }
#define NODE(name, unit, meaning, member) { name, unit, meaning, offsetof(struct mca_node, count.member), { { 0 } } }

static const struct counter_row core_rows[] = {
    { "mca.errors", "errors", "errors that a core's units found, and what its bank did with them",
      offsetof(struct mca_core, count.errors),
      { { "bank", MCA_BANKS, bank_names }, { "fate", MCA_FATES, mca_fate_names } } },
    { "mca.corrected", "errors", "of them: not masked and corrected", offsetof(struct mca_core, count.corrected),
      { { "bank", MCA_BANKS, bank_names } } },
    { "mca.uncorrected", "errors", "of them: not masked and uncorrected",
      offsetof(struct mca_core, count.uncorrected), { { "bank", MCA_BANKS, bank_names } } },
    CORE("mca.raised", "events", "machine-check exceptions delivered or intercepted", raised),
    CORE("mca.shutdowns", "events", "machine checks that shut the processor down: MCIP set, or CR4.MCE clear",
         shutdowns),
    CORE("mca.redirected", "events", "machine checks that became an interrupt or an SMI (MSRC001_0022)", redirected),
};

static const struct counter_row node_rows[] = {
    { "mca.errors", "errors", "errors that the northbridge found, and what bank 4 did with them",
      offsetof(struct mca_node, count.errors), { { "fate", MCA_FATES, mca_fate_names } } },
    NODE("mca.corrected", "errors", "of them: not masked and corrected", corrected),
    NODE("mca.uncorrected", "errors", "of them: not masked and uncorrected", uncorrected),
    { "threshold.counted", "errors", "errors that MC4_MISC0-2 counted", offsetof(struct mca_node, count.counted),
      { { "block", MCA_BLOCKS, block_names } } },
    { "threshold.overflows", "events", "times that a threshold counter reached FFFh",
      offsetof(struct mca_node, count.overflows), { { "block", MCA_BLOCKS, block_names } } },
    { "threshold.interrupts", "events", "of them: asked for an APIC interrupt or an SMI",
      offsetof(struct mca_node, count.interrupts), { { "block", MCA_BLOCKS, block_names } } },
    NODE("mca.floods", "events", "sync floods", floods),
};

void mca_core_describe(struct mca_core *mca, struct state *state, struct counter_set *counters, const char *path)
{
    g_autofree char *name = g_strdup_printf("%s.mca", path);

    state_add(state, name, &core_part, mca);
    counters_attach(counters, path, core_rows, G_N_ELEMENTS(core_rows), mca);
}

void mca_node_describe(struct mca_node *mca, struct state *state, struct counter_set *counters, const char *path)
{
    g_autofree char *name = g_strdup_printf("%s.mca", path);

    state_add(state, name, &node_part, mca);
    counters_attach(counters, path, node_rows, G_N_ELEMENTS(node_rows), mca);
}
