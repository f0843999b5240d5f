/* SPDX-License-Identifier: MIT */
#include "hv/vm/control_registers.h"

#include "hv/x86/cpu.h"

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR0_IMPLEMENTED \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_PGE (1ull << 7)
#define CR4_IMPLEMENTED 0x7FFull
#define PHYSICAL_LIMIT (1ull << 48)

static bool cr0_is_legal(const struct svm_paging *now, uint64_t value, bool code64)
{
    if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)))
        return false;
    /* Entering long mode needs PAE and must not start in what would be 64-bit code; nor may 64-bit code leave it. */
    if (value & CR0_PG && !(now->cr0 & CR0_PG) && now->efer & EFER_LME)
        return now->cr4 & CR4_PAE && !code64;
    if (!(value & CR0_PG) && now->efer & EFER_LMA)
        return !code64;
    return true;
}

static bool cr0_write(struct svm_paging *now, uint64_t value, bool code64, bool *load_pdptes)
{
    if (!cr0_is_legal(now, value, code64))
        return false;
    *load_pdptes = (value ^ now->cr0) & CR0_PG;
    now->cr0 = (value & CR0_IMPLEMENTED) | CR0_ET;
    now->efer &= ~(uint64_t)EFER_LMA;
    if (value & CR0_PG && now->efer & EFER_LME)
        now->efer |= EFER_LMA;
    return true;
}

bool control_register_write(struct svm_paging *now, unsigned reg, uint64_t value, bool code64, bool *load_pdptes)
{
    switch (reg) {
    case 0:
        return cr0_write(now, value, code64, load_pdptes);
    case 3:
        if (value >= PHYSICAL_LIMIT)
            return false;
        now->cr3 = value;
        *load_pdptes = true;
        return true;
    default:
        if (value & ~CR4_IMPLEMENTED || (!(value & CR4_PAE) && now->efer & EFER_LMA))
            return false;
        *load_pdptes = (value ^ now->cr4) & (CR4_PSE | CR4_PAE | CR4_PGE);
        now->cr4 = value;
        return true;
    }
}
