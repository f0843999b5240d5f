/* SPDX-License-Identifier: MIT */
#include "sim/platform/northbridge.h"

#include "sim/bits.h"
#include "sim/platform/dram_controller.h"
#include "sim/platform/dram_errors.h"
#include "sim/unmodelled.h"

#define PCI_HEADER_END 0x40

#define F2_PHY_INDEX 0x98    /* and 198: DCT additional control registers, data at +4 */
#define F2_PHY_DONE BIT(31)
#define F2_MEMORY_SELECT 0x110
#define F2_CLEAR_MEMORY BIT(3)
#define F2_MEMORY_CLEARED BIT(10)
#define F1_EXTENDED_DATA 0x114
#define F3_GART_FLUSH 0x9c
#define F3_NB_CFG_LOW 0x88
#define F3_NB_CFG_HIGH 0x8c
#define F3_HTC 0x64
#define F3_IBS 0x1cc
#define NB_CFG_EXTENDED_CONFIG 46
#define F3_SCRUB_RATE 0x58
#define CACHE_SCRUBBERS (BITS(12, 8) | BITS(20, 16) | BITS(28, 24)) /* L2, data cache, L3 */
#define F3_ARRAY_ADDRESS 0xb8
#define F3_ARRAY_DATA 0xbc
#define ARRAY_SELECT 31, 28
#define ARRAY_DRAM_ECC 8
#define GENERATE_CRC_ERROR (BIT(17) | BIT(16)) /* F3x44 */
#define LINK_SELECT 15, 14
#define CRC_ERROR_CTL 2 /* MC4_CTL bits of links 0 to 2 */
#define CRC_ERROR_3_CTL 23

static bool nb_is_dev(unsigned function, unsigned offset)
{
    return function == 3 && offset >= DEV_FIRST && offset < DEV_END;
}

static unsigned nb_slot(const struct northbridge *nb, unsigned function, unsigned offset)
{
    return nb->slot[function][offset / 4];
}

/* Function 3 is mce's first, but for what Family 0Fh has not. */
static bool nb_is_mca(const struct northbridge *nb, unsigned function, unsigned offset)
{
    return function == 3 && northbridge_has(nb, function, offset & ~3u);
}

uint32_t nb_get(const struct northbridge *nb, unsigned function, unsigned offset)
{
    unsigned slot = nb_slot(nb, function, offset);
    uint32_t value;

    if (nb_is_mca(nb, function, offset) && mca_node_read(&nb->mca, offset & ~3u, &value))
        return value;
    if (nb_is_dev(function, offset))
        return dev_read(&nb->dev, offset & ~3u);
    return slot ? nb->value[slot - 1] : 0;
}

void nb_set(struct northbridge *nb, unsigned function, unsigned offset, uint32_t value)
{
    unsigned slot = nb_slot(nb, function, offset);

    if (nb_is_mca(nb, function, offset) && mca_node_write(&nb->mca, offset, value, UINT32_MAX, true))
        return;
    if (!slot && !northbridge_has(nb, function, offset))
        return;
    g_assert(slot); /* only for offsets that the table has */
    nb->value[slot - 1] = value;
}

/* ---- Configuration space ------------------------------------------------------------------------------------- */

/* Registers behind which stand arrays that the model does not have. */
static bool nb_is_window(unsigned function, unsigned offset)
{
    return (function == 1 && offset == F1_EXTENDED_DATA) ||
           (function == 2 && (offset & ~0x100u) == F2_PHY_INDEX + 4);
}

/* The DRAM decode stays as firmware left it: F1x40-7C, F1xF0, F1x140-17C. */
static bool nb_is_dram_map(unsigned function, unsigned offset)
{
    return function == 1 &&
           ((offset >= 0x40 && offset < 0x80) || offset == 0xf0 || (offset >= 0x140 && offset < 0x180));
}

/* The value after a write of `written` to the bytes of `lanes`. */
static uint32_t nb_merge(const struct nb_register *row, uint32_t old, uint32_t written, uint32_t lanes)
{
    uint32_t writable = row->writable & lanes;
    uint32_t cleared = row->write_1_clear & lanes & written;

    return ((old & ~writable) | (written & writable)) & ~cleared;
}

/* What a write does beyond storing. */
static uint32_t nb_side_effect(struct northbridge *nb, unsigned function, unsigned offset, uint32_t value)
{
    if (nb_is_window(function, offset))
        unmodelled_note(nb->wiring->unmodelled, "write of F%ux%X (registers behind an index)", function, offset);
    if (nb_is_dram_map(function, offset) && value != nb_get(nb, function, offset))
        unmodelled_note(nb->wiring->unmodelled, "change of F%ux%X (the DRAM map is fixed)", function, offset);
    if (function == 2 && (offset & ~0x100u) == F2_PHY_INDEX)
        return value | (uint32_t)F2_PHY_DONE; /* the access is complete at once */
    if (function == 2 && offset == F2_MEMORY_SELECT && (value & F2_CLEAR_MEMORY)) {
        unmodelled_note(nb->wiring->unmodelled, "F2x110[3] MemClrInit");
        return (value & ~(uint32_t)F2_CLEAR_MEMORY) | (uint32_t)F2_MEMORY_CLEARED;
    }
    if (function == 3 && offset == F3_SCRUB_RATE && (value & CACHE_SCRUBBERS))
        unmodelled_note(nb->wiring->unmodelled,
                        "F3x58 scrubbing of caches (none is modelled: there is nothing to find)");
    if (function == 3 && offset == F3_GART_FLUSH)
        return value & ~UINT32_C(1); /* InvGart: done at once, reads 0 */
    return value;
}

static uint32_t nb_read(void *ctx, unsigned reg, unsigned size)
{
    const struct nb_function *function = ctx;
    uint32_t value;

    (void)size; /* pci cuts to the size */
    value = nb_get(function->nb, function->function, reg);
    if (function->function == 3)
        value = dram_controller_read(function->nb, reg & ~3u, value);
    return value >> (8 * (reg & 3));
}

/* F3x44[17:16] GenCrcErrByte: a CRC error on the link that LdtLinkSel names, at once; the bits are done with it. */
static void nb_force_link_error(struct northbridge *nb)
{
    struct mca_error error = { .bank = MCA_NB, .ctl = CRC_ERROR_CTL, .status = MCA_UC | MCA_PCC | UINT64_C(0x010C0F) };
    unsigned link = (unsigned)bits(nb->mca.config, LINK_SELECT);

    if (!(nb->mca.config & GENERATE_CRC_ERROR))
        return;
    nb->mca.config &= ~(uint32_t)GENERATE_CRC_ERROR;
    error.ctl = (uint8_t)(link < 3 ? CRC_ERROR_CTL + link : CRC_ERROR_3_CTL);
    error.status = bits_put(error.status, MCA_LINK, BIT(link));
    mca_node_error(&nb->mca, &error, MCA_SOURCE_IO);
}

/* The arrays behind F3xB8: DRAM ECC is an error to inject (dram_errors.c); no other one is modelled. */
static void nb_array_written(struct northbridge *nb, unsigned offset)
{
    if (offset == F3_ARRAY_DATA && bits(nb_get(nb, 3, F3_ARRAY_ADDRESS), ARRAY_SELECT) != ARRAY_DRAM_ECC)
        unmodelled_note(nb->wiring->unmodelled, "F3xBC of an array other than DRAM ECC");
    dram_errors_arm(nb->errors, nb->node);
}

static void nb_write(void *ctx, unsigned reg, unsigned size, uint32_t value)
{
    const struct nb_function *function = ctx;
    struct northbridge *nb = function->nb;
    unsigned slot = nb_slot(nb, function->function, reg);
    unsigned shift = 8 * (reg & 3);
    uint32_t lanes = (uint32_t)(bits_mask(8 * size - 1, 0) << shift);
    uint32_t merged;

    if (nb_is_mca(nb, function->function, reg) && mca_node_write(&nb->mca, reg & ~3u, value << shift, lanes, false)) {
        nb_force_link_error(nb);
        return;
    }
    if (nb_is_dev(function->function, reg)) {
        dev_write(&nb->dev, reg & ~3u, value << shift, lanes);
        return;
    }
    if (!slot && reg < PCI_HEADER_END)
        return; /* as PCI 3.0 6.1 has it for what a function does not implement: reads 0, writes are dropped */
    if (!slot) {
        unmodelled_note(nb->wiring->unmodelled, "write of F%ux%X", function->function, reg & ~3u);
        return;
    }
    merged = nb_merge(nb->row[slot - 1], nb->value[slot - 1], value << shift, lanes);
    if (function->function == 3)
        merged = dram_controller_written(nb, reg & ~3u, nb->value[slot - 1], merged);
    nb->value[slot - 1] = nb_side_effect(nb, function->function, reg & ~3u, merged);
    if (function->function == 3 && ((reg & ~3u) == F3_ARRAY_ADDRESS || (reg & ~3u) == F3_ARRAY_DATA))
        nb_array_written(nb, reg & ~3u);
}

/* ---- MSRs ------------------------------------------------------------------------------------------------------ */

static uint64_t nb_cfg_read(void *ctx, const struct msr_row *row)
{
    const struct northbridge *nb = ctx;

    (void)row;
    return nb_get(nb, 3, F3_NB_CFG_LOW) | (uint64_t)nb_get(nb, 3, F3_NB_CFG_HIGH) << 32;
}

static bool nb_cfg_write(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct northbridge *nb = ctx;

    (void)row;
    nb_set(nb, 3, F3_NB_CFG_LOW, (uint32_t)value);
    nb_set(nb, 3, F3_NB_CFG_HIGH, (uint32_t)(value >> 32));
    return true;
}

static uint64_t htc_read(void *ctx, const struct msr_row *row)
{
    (void)row;
    return nb_get(ctx, 3, F3_HTC);
}

static bool htc_write(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct northbridge *nb = ctx;
    unsigned slot = nb_slot(nb, 3, F3_HTC);

    (void)row;
    if (slot) /* revisions C to E of Family 0Fh have none */
        nb_set(nb, 3, F3_HTC, nb_merge(nb->row[slot - 1], nb_get(nb, 3, F3_HTC), (uint32_t)value, UINT32_MAX));
    return true;
}

static uint64_t ibs_read(void *ctx, const struct msr_row *row)
{
    (void)row;
    return nb_get(ctx, 3, F3_IBS);
}

static uint64_t window_read(void *ctx, const struct msr_row *row)
{
    const struct northbridge *nb = ctx;

    (void)row;
    return nb->pci->window;
}

static bool window_write(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct northbridge *nb = ctx;

    (void)row;
    if (!pci_set_window(nb->pci, value))
        unmodelled_note(nb->wiring->unmodelled, "MSRC001_0058 window over DRAM");
    return true;
}

static const struct msr_row nb_msrs[] = {
    { 0xc001001f, "NB_CFG", 8, ~UINT64_C(0), 0, MSR_RW, 0, nb_cfg_read, nb_cfg_write, "MSRC001_001F = BKDG10 F3x88" },
    { 0xc001003e, "HTC", 0, UINT32_MAX, 0, MSR_RW, 0, htc_read, htc_write, "MSRC001_003E = BKDG10 F3x64" },
    { 0xc0010058, "MMIO_CFG_BASE", 0, UINT64_C(0x0000fffffff0003d), 0, MSR_RW, 0, window_read, window_write,
      "MSRC001_0058" },
    { 0xc001103a, "IbsCtl", 0, 0, 0, MSR_READ_ONLY, 0, ibs_read, NULL, "MSRC001_103A = BKDG10 F3x1CC" },
};

struct msr_bank northbridge_msrs(struct northbridge *nb)
{
    return (struct msr_bank){ nb_msrs, G_N_ELEMENTS(nb_msrs), nb };
}

bool northbridge_extended_config(const struct northbridge *nb)
{
    return bit(nb_get(nb, 3, F3_NB_CFG_HIGH), NB_CFG_EXTENDED_CONFIG - 32);
}

/* ---- Building --------------------------------------------------------------------------------------------------- */

static void nb_index(struct northbridge *nb)
{
    unsigned slots = 0;

    for (size_t i = 0; i < nb_register_count; i++) {
        const struct nb_register *row = &nb_registers[i];

        for (unsigned k = 0; k < row->count; k++) {
            g_assert(slots < NB_SLOTS); /* the table is constant: a unit test reaches this, a guest cannot */
            if (!northbridge_has(nb, row->function, row->offset + k * row->stride))
                continue;
            nb->row[slots] = row;
            nb->slot[row->function][(row->offset + k * row->stride) / 4] = (uint16_t)++slots;
        }
    }
}

void northbridge_init(struct northbridge *nb, unsigned node, const struct platform_config *config,
                      const struct platform_wiring *wiring, struct pci *pci)
{
    static const char *const names[NB_FUNCTIONS] = {
        "northbridge.F0", "northbridge.F1", "northbridge.F2", "northbridge.F3", "northbridge.F4",
    };

    nb->node = node;
    nb->config = config;
    nb->wiring = wiring;
    nb->pci = pci;
    nb_index(nb);
    mca_node_init(&nb->mca, node, bits(config->cpu_signature, 7, 4) >= 8); /* revision D: models 8 and 9 */
    for (unsigned i = 0; i < NB_FUNCTIONS; i++) {
        const struct pci_function function = {
            names[i], 0, (uint8_t)(NB_DEVICE + node), (uint8_t)i, &nb->function[i], nb_read, nb_write
        };

        nb->function[i] = (struct nb_function){ nb, i };
        if (northbridge_has(nb, i, 0))
            pci_attach(pci, &function);
    }
}

/* The device exclusion vector came with SVM, revision F of Family 0Fh, and went with revision D of Family 10h. */
static bool nb_has_dev(const struct northbridge *nb)
{
    bool family_0fh = bits(nb->config->cpu_signature, 27, 20) == 0;

    return family_0fh ? northbridge_is_0f_revision_f(nb) : bits(nb->config->cpu_signature, 7, 4) < 8;
}

void northbridge_reset(struct northbridge *nb, const struct fabric *fabric, const struct map *map, bool warm)
{
    for (unsigned slot = 0; slot < NB_SLOTS && nb->row[slot]; slot++)
        nb->value[slot] = nb->row[slot]->reset;
    mca_node_reset(&nb->mca, warm);
    dev_init(&nb->dev, nb_has_dev(nb), nb->wiring->unmodelled);
    dram_controller_reset(nb);
    northbridge_program(nb, fabric, map);
}

static void northbridge_restored(void *object)
{
    struct northbridge *nb = object;

    dram_errors_arm(nb->errors, nb->node);
}

static const struct state_field northbridge_fields[] = {
    STATE_ARRAY(struct northbridge, value), STATE_VALUE(struct northbridge, scrub_line),
    STATE_VALUE(struct northbridge, scrub_since_ps), DEV_STATE(struct northbridge, dev),
    { "ecc_count", offsetof(struct northbridge, ecc_count), 1, 16, 1, 15 },
};

const struct state_part northbridge_state = {
    .name = "northbridge", .fields = northbridge_fields, .count = G_N_ELEMENTS(northbridge_fields),
    .after = northbridge_restored,
};
