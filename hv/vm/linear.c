/* SPDX-License-Identifier: MIT */
#include "hv/vm/linear.h"

#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define EFER_LMA (1ull << 10)
#define PTE_P 1u
#define PTE_PS 0x80u
#define ADDRESS_8 0x000FFFFFFFFFF000ull
#define ADDRESS_4 0xFFFFF000ull

/* One paging format: address bits that each level selects with, top level first. */
struct format {
    unsigned entry_bytes, levels;
    uint8_t shift[4], bits[4];
    uint64_t root_mask;
};

static const struct format format_long = { 8, 4, { 39, 30, 21, 12 }, { 9, 9, 9, 9 }, ADDRESS_8 };
static const struct format format_pae = { 8, 3, { 30, 21, 12 }, { 2, 9, 9 }, 0xFFFFFFE0ull };
static const struct format format_legacy = { 4, 2, { 22, 12 }, { 10, 10 }, ADDRESS_4 };

static bool may_be_large(const struct format *format, const struct linear_paging *paging, unsigned level)
{
    if (format == &format_legacy)
        return paging->cr4 & CR4_PSE;
    return format->shift[level] == 21 || (format == &format_long && format->shift[level] == 30);
}

/* PSE-36: bits 20:13 of a 4 MiB entry are address bits 39:32 (APM2 5.2.2). */
static uint64_t large_base(const struct format *format, uint64_t entry, uint64_t mask)
{
    if (format == &format_legacy)
        return (entry & 0xFFC00000) | (entry >> 13 & 0xFF) << 32;
    return entry & ADDRESS_8 & ~mask;
}

bool linear_to_gpa(const struct linear_paging *paging, linear_read *read, void *ctx, uint64_t linear, uint64_t *gpa)
{
    const struct format *format = paging->efer & EFER_LMA ? &format_long
                                  : paging->cr4 & CR4_PAE ? &format_pae
                                                          : &format_legacy;
    uint64_t table = paging->cr3 & format->root_mask;

    *gpa = linear;
    if (!(paging->cr0 & CR0_PG))
        return true;
    for (unsigned level = 0; level < format->levels; level++) {
        uint64_t index = linear >> format->shift[level] & ((1u << format->bits[level]) - 1);
        uint64_t entry = 0, mask = (1ull << format->shift[level]) - 1;

        if (!read(ctx, table + index * format->entry_bytes, &entry, format->entry_bytes) || !(entry & PTE_P))
            return false;
        if (entry & PTE_PS && may_be_large(format, paging, level)) {
            *gpa = large_base(format, entry, mask) | (linear & mask);
            return true;
        }
        table = entry & (format->entry_bytes == 8 ? ADDRESS_8 : ADDRESS_4);
    }
    *gpa = table | (linear & 0xFFF);
    return true;
}
