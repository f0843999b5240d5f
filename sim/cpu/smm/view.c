/* SPDX-License-Identifier: MIT */
/*
 * Physical memory as one core sees it (BKDG10 2.4.6): ASeg and TSeg are DRAM in SMM and MMIO outside it, and for
 * data in SMM while they are closed. Everything else is the machine's map. DMA goes past this, as it does in hardware.
 * deviation: with SMMMask[AValid] = 0 the VGA window is MMIO in SMM too, because the fixed MTRRs' RdDram and WrDram
 * route nothing.
 */
#include "sim/cpu/model/msr.h"
#include "sim/cpu/smm/smm.h"

#define ASEG UINT64_C(0xA0000)
#define ASEG_MASK (~UINT64_C(0x1FFFF))

/* SMMMask, MSRC001_0113. */
#define SMM_MASK_AVALID 0
#define SMM_MASK_TVALID 1
#define SMM_MASK_ACLOSE 2
#define SMM_MASK_TCLOSE 3
#define SMM_MASK_TSEG BITS(47, 17)

enum route { ROUTE_MAP, ROUTE_SMRAM, ROUTE_MMIO };

static bool open_to(const struct core *core, unsigned close_bit)
{
    return core->smm.active && (core->smm.fetching || !bit(core->msr->smm_mask, close_bit));
}

static enum route route(const struct core *core, spa_t spa)
{
    uint64_t mask, tseg;

    if (!core->smm.windows)
        return ROUTE_MAP;
    mask = core->msr->smm_mask;
    if (bit(mask, SMM_MASK_AVALID) && (spa & ASEG_MASK) == ASEG)
        return open_to(core, SMM_MASK_ACLOSE) ? ROUTE_SMRAM : ROUTE_MMIO;
    tseg = mask & SMM_MASK_TSEG;
    if (bit(mask, SMM_MASK_TVALID) && (spa & tseg) == (core->msr->smm_addr & tseg))
        return open_to(core, SMM_MASK_TCLOSE) ? ROUTE_MAP : ROUTE_MMIO;
    return ROUTE_MAP;
}

bool smm_hides(const struct core *core, spa_t spa)
{
    return route(core, spa) != ROUTE_MAP;
}

/* ---- struct spa_space --------------------------------------------------------------------------------------- */

static uint8_t *view_dram(void *ctx, spa_t address, bool allocate)
{
    struct core *core = ctx;
    struct spa_space *memory = core->smm.memory;
    uint8_t *page = NULL;

    switch (route(core, address)) {
    case ROUTE_MAP:
        page = memory->dram(memory->ctx, address, allocate);
        break;
    case ROUTE_SMRAM:
        page = memory->smram ? memory->smram(memory->ctx, address, allocate) : NULL;
        break;
    default:
        break;
    }
    core->smm.view.exhausted = memory->exhausted;
    return page;
}

static bool view_is_dram(void *ctx, spa_t address)
{
    struct core *core = ctx;
    struct spa_space *memory = core->smm.memory;

    switch (route(core, address)) {
    case ROUTE_MAP:
        return memory->is_dram(memory->ctx, address);
    case ROUTE_SMRAM:
        return memory->smram != NULL;
    default:
        return false;
    }
}

static uint8_t *view_page_flags(void *ctx, spa_t address)
{
    struct core *core = ctx;
    struct spa_space *memory = core->smm.memory;

    switch (route(core, address)) {
    case ROUTE_MAP:
        return memory->page_flags(memory->ctx, address);
    case ROUTE_SMRAM:
        return view_dram(core, address, false) ? &core->smm.no_flags : NULL;
    default:
        return NULL;
    }
}

static void view_flag_page(void *ctx, spa_t address, enum dram_page_flag flag)
{
    struct core *core = ctx;

    if (!smm_hides(core, address))
        core->smm.memory->flag_page(core->smm.memory->ctx, address, flag);
}

static void view_unflag_page(void *ctx, spa_t address, enum dram_page_flag flag)
{
    struct core *core = ctx;

    if (!smm_hides(core, address))
        core->smm.memory->unflag_page(core->smm.memory->ctx, address, flag);
}

static void view_stored(void *ctx, spa_t address, unsigned size)
{
    struct core *core = ctx;

    if (!smm_hides(core, address))
        core->smm.memory->stored(core->smm.memory->ctx, address, size);
}

static uint64_t view_mmio_read(void *ctx, spa_t address, unsigned size)
{
    struct core *core = ctx;

    return core->smm.memory->mmio_read(core->smm.memory->ctx, address, size);
}

static void view_mmio_write(void *ctx, spa_t address, unsigned size, uint64_t value)
{
    struct core *core = ctx;

    core->smm.memory->mmio_write(core->smm.memory->ctx, address, size, value);
}

static unsigned view_home_node(void *ctx, spa_t address)
{
    struct core *core = ctx;

    return core->smm.memory->home_node(core->smm.memory->ctx, address);
}

/* In a core's name: what its unit logs raises the #MC on this core. */
static bool view_meet(void *ctx, spa_t address, unsigned size, enum memory_access kind, unsigned index,
                      struct mca_error *own)
{
    struct core *core = ctx;
    struct spa_space *memory = core->smm.memory;
    struct mca_error error;

    (void)index;
    (void)own;
    if (smm_hides(core, address) || !memory->meet)
        return false;
    core_touch_clock(core);
    if (!memory->meet(memory->ctx, address, size, kind, core->index, &error))
        return false;
    core_error(core, &error);
    return true;
}

void smm_view_init(struct core *core, struct spa_space *memory)
{
    core->smm.memory = memory;
    core->smm.view = (struct spa_space){
        .ctx = core, .dram = view_dram, .is_dram = view_is_dram, .page_flags = view_page_flags,
        .flag_page = view_flag_page, .unflag_page = view_unflag_page, .stored = view_stored,
        .mmio_read = view_mmio_read, .mmio_write = view_mmio_write, .home_node = view_home_node,
        .meet = view_meet, .bad_words = memory->bad_words, .armed = memory->armed,
    };
    core->space = &core->smm.view;
}
