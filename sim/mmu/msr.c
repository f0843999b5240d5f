/* SPDX-License-Identifier: MIT */
/*
 * MTRRs, SYS_CFG, IORRs and TOP_MEM as data. Every write drops all translations of all ASIDs (APM2 7.7.4).
 * deviation: whether an access goes to DRAM or to a device (BKDG10 2.4.6) follows the northbridge's map; RdDram and
 * WrDram, the IORRs and TOP_MEM are kept but route nothing.
 */
#include "sim/mmu/model.h"

#define TYPE_IS_VALID(type) ((BIT(type) & (BIT(MEMTYPE_UC) | BIT(MEMTYPE_WC) | BIT(MEMTYPE_WT) | BIT(MEMTYPE_WP) | \
                                           BIT(MEMTYPE_WB))) != 0)
#define FIXED_DRAM UINT64_C(0x1818181818181818) /* RdDram 4, WrDram 3 of each byte */

static uint64_t *row_value(struct mmu *mmu, const struct msr_row *row)
{
    return (uint64_t *)(void *)((char *)mmu + row->offset);
}

static bool store(struct mmu *mmu, const struct msr_row *row, uint64_t value)
{
    *row_value(mmu, row) = value;
    mmu_flush_types(mmu);
    return true;
}

static bool write_plain(void *ctx, const struct msr_row *row, uint64_t value)
{
    return store(ctx, row, value);
}

static bool write_typed(void *ctx, const struct msr_row *row, uint64_t value)
{
    uint64_t type = bits(value, MTRR_DEF_TYPE);

    return type < 8 && TYPE_IS_VALID(type) && store(ctx, row, value);
}

static bool drams_are_visible(const struct mmu *mmu)
{
    return bit(mmu->types.sys_cfg, SYS_CFG_FIX_DRAM_MOD_EN);
}

static uint64_t read_fixed(void *ctx, const struct msr_row *row)
{
    struct mmu *mmu = ctx;
    uint64_t value = *row_value(mmu, row);

    return drams_are_visible(mmu) ? value : value & ~FIXED_DRAM;
}

static bool write_fixed(void *ctx, const struct msr_row *row, uint64_t value)
{
    struct mmu *mmu = ctx;
    uint64_t types = value & ~FIXED_DRAM;
    uint64_t dram = (drams_are_visible(mmu) ? value : *row_value(mmu, row)) & FIXED_DRAM;

    for (unsigned byte = 0; byte < 8; byte++) {
        uint64_t type = bits(types, 8 * byte + 7, 8 * byte);

        if (type > 7 || !TYPE_IS_VALID(type))
            return false;
    }
    return store(mmu, row, types | dram);
}

#define AT(member) offsetof(struct mmu, types.member)
#define BASE_BITS (BITS(47, 12) | BITS(7, 0))
#define MASK_BITS BITS(47, 11)
#define VARIABLE(n)                                                                                         \
    { .msr = 0x200 + 2 * n, .name = "MTRRphysBase" #n, .writable = BASE_BITS, .mbz = ~BASE_BITS,            \
      .offset = AT(variable[n][0]), .write = write_typed, .cite = "BKDG10 MSR0000_020x" },                  \
    { .msr = 0x201 + 2 * n, .name = "MTRRphysMask" #n, .writable = MASK_BITS, .mbz = ~MASK_BITS,            \
      .offset = AT(variable[n][1]), .write = write_plain, .cite = "BKDG10 MSR0000_020x" }
#define FIXED(number, index, range)                                                                         \
    { .msr = number, .name = "MTRRfix" range, .writable = ~UINT64_C(0), .offset = AT(fixed[index]),         \
      .read = read_fixed, .write = write_fixed, .cite = "BKDG10 MSR0000_0250" }
#define IORR(n)                                                                                             \
    { .msr = 0xc0010016 + 2 * n, .name = "IORR_BASE" #n, .writable = BITS(47, 12) | BITS(4, 3),   \
      .offset = AT(iorr[n][0]), .write = write_plain, .cite = "BKDG10 MSRC001_0016" },                      \
    { .msr = 0xc0010017 + 2 * n, .name = "IORR_MASK" #n, .writable = BITS(47, 11),                     \
      .offset = AT(iorr[n][1]), .write = write_plain, .cite = "BKDG10 MSRC001_0017" }

static const struct msr_row rows[] = {
    { .msr = 0xfe, .name = "MTRRcap", .reset = 0x508, .rule = MSR_READ_ONLY, .offset = AT(cap),
      .cite = "BKDG10 MSR0000_00FE" },
    VARIABLE(0), VARIABLE(1), VARIABLE(2), VARIABLE(3), VARIABLE(4), VARIABLE(5), VARIABLE(6), VARIABLE(7),
    FIXED(0x250, 0, "64K_00000"), FIXED(0x258, 1, "16K_80000"), FIXED(0x259, 2, "16K_A0000"),
    FIXED(0x268, 3, "4K_C0000"), FIXED(0x269, 4, "4K_C8000"), FIXED(0x26a, 5, "4K_D0000"),
    FIXED(0x26b, 6, "4K_D8000"), FIXED(0x26c, 7, "4K_E0000"), FIXED(0x26d, 8, "4K_E8000"),
    FIXED(0x26e, 9, "4K_F0000"), FIXED(0x26f, 10, "4K_F8000"),
    { .msr = 0x2ff, .name = "MTRRdefType", .writable = BITS(11, 10) | BITS(7, 0),
      .mbz = BITS(63, 12) | BITS(9, 8), .offset = AT(def), .write = write_typed,
      .cite = "BKDG10 MSR0000_02FF" },
    { .msr = 0xc0010010, .name = "SYS_CFG", .reset = 0x20600, .writable = BITS(22, 16) | BITS(10, 8),
      .offset = AT(sys_cfg), .write = write_plain, .cite = "BKDG10 MSRC001_0010" },
    IORR(0), IORR(1),
    { .msr = 0xc001001a, .name = "TOP_MEM", .writable = BITS(47, 23), .offset = AT(top_mem),
      .write = write_plain, .cite = "BKDG10 MSRC001_001A" },
    { .msr = 0xc001001d, .name = "TOM2", .writable = BITS(47, 23), .offset = AT(top_mem2),
      .write = write_plain, .cite = "BKDG10 MSRC001_001D" },
};

struct msr_bank mmu_msr_bank(struct mmu *mmu)
{
    return (struct msr_bank){ .rows = rows, .count = sizeof(rows) / sizeof(rows[0]), .ctx = mmu };
}
