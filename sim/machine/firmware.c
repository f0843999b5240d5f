/* SPDX-License-Identifier: MIT */
/*
 * What firmware leaves in the registers of every core before it starts an image (fact sheet section 11.4):
 * memory map registers, MTRRs that cover DRAM, SVM left enabled. Images at the reset vector start raw.
 */
#include "sim/bits.h"
#include "sim/machine/machine_private.h"

#define MSR_MTRR_PHYS_BASE0 0x200
#define MSR_MTRR_FIX_64K 0x250
#define MSR_MTRR_FIX_16K_8 0x258
#define MSR_MTRR_FIX_16K_A 0x259
#define MSR_MTRR_FIX_4K_C 0x268
#define MSR_MTRR_FIX_4K_F8 0x26F
#define MSR_MTRR_DEF_TYPE 0x2FF
#define MSR_SYS_CFG 0xC0010010
#define MSR_TOP_MEM 0xC001001A
#define MSR_TOM2 0xC001001D

#define ALL_WB UINT64_C(0x0606060606060606)
#define ALL_UC UINT64_C(0)
#define PHYS_MASK_VALID BIT(11)
#define MTRR_PAIRS 8

#define SYS_CFG_AFTER_FIRMWARE (BIT(9) | BIT(10) | BIT(18) | BIT(20) | BIT(21) | BIT(22)) /* BKDG10 C001_0010 */
#define FIXED_DRAM 0x18 /* RdDram, WrDram: extra bits of a fixed MTRR's byte */

/* Highest DRAM address + 1 below 4 GiB, and above (0 if there is none). */
static void memory_tops(struct machine *machine, uint64_t *below, uint64_t *above)
{
    size_t count;
    const struct memory_range *range = platform_memory(machine->platform, &count);

    *below = *above = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t end = range[i].base + range[i].size;

        if (range[i].base >= UINT64_C(0x100000000))
            *above = MAX(*above, end);
        else if (end <= UINT64_C(0xE0000000)) /* what lies higher is ROM and devices */
            *below = MAX(*below, end);
    }
}

/* Variable ranges of type WB over 0..top, largest power of two first; type 6 in the base register. */
static void cover_with_mtrrs(struct core *core, uint64_t top)
{
    uint64_t base = 0;

    for (unsigned pair = 0; pair < MTRR_PAIRS; pair++) {
        uint64_t size = 0, mask = 0;

        if (base < top) {
            size = BIT(63 - __builtin_clzll(top - base));
            mask = ((SPA_LIMIT - 1) & ~(size - 1)) | PHYS_MASK_VALID;
        }
        core_set_msr(core, MSR_MTRR_PHYS_BASE0 + 2 * pair, size ? base | MEMTYPE_WB : 0);
        core_set_msr(core, MSR_MTRR_PHYS_BASE0 + 2 * pair + 1, mask);
        base += size;
    }
}

static void hand_over_core(struct core *core, const struct machine_config *config, uint64_t below, uint64_t above)
{
    core_firmware(core, config->svm_lock);
    core_set_msr(core, MSR_SYS_CFG, SYS_CFG_AFTER_FIRMWARE | BIT(19)); /* the extra bits are visible with ModEn only */
    core_set_msr(core, MSR_MTRR_FIX_64K, ALL_WB | UINT64_C(0x0101010101010101) * FIXED_DRAM);
    core_set_msr(core, MSR_MTRR_FIX_16K_8, ALL_WB | UINT64_C(0x0101010101010101) * FIXED_DRAM);
    core_set_msr(core, MSR_MTRR_FIX_16K_A, ALL_UC);
    for (uint32_t msr = MSR_MTRR_FIX_4K_C; msr <= MSR_MTRR_FIX_4K_F8; msr++)
        core_set_msr(core, msr, ALL_WB | UINT64_C(0x0101010101010101) * FIXED_DRAM);
    core_set_msr(core, MSR_SYS_CFG, SYS_CFG_AFTER_FIRMWARE);
    core_set_msr(core, MSR_TOP_MEM, below);
    core_set_msr(core, MSR_TOM2, above);
    cover_with_mtrrs(core, below);
    core_set_msr(core, MSR_MTRR_DEF_TYPE, BIT(11) | BIT(10) | MEMTYPE_UC);
}

void firmware_hand_over(struct machine *machine)
{
    uint64_t below, above;

    memory_tops(machine, &below, &above);
    for (unsigned i = 0; i < machine->core_count; i++)
        hand_over_core(machine->core[i], &machine->config, below, above);
}
