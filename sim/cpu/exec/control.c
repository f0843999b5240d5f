/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/control.h"

#define CR0_IMPLEMENTED \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR4_FLUSHING (CR4_PSE | CR4_PAE | CR4_PGE)

enum outcome pdptes_load(struct core *core, uint64_t cr0, uint64_t cr3, uint64_t cr4)
{
    uint64_t pdpte[4];

    if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || (core->efer & EFER_LME) || core->svm.np_enable)
        return OUTCOME_NEXT;
    if (!mmu_load_pdptes(core->mmu, cr3, pdpte))
        return core_fault_code(core, EXC_GP, 0);
    for (unsigned i = 0; i < 4; i++)
        core->pdpte[i] = pdpte[i];
    return OUTCOME_NEXT;
}

/* ---- CR0 ----------------------------------------------------------------------------------------- */

uint64_t cr0_effective(uint64_t value)
{
    return (value & CR0_IMPLEMENTED) | CR0_ET;
}

bool cr0_is_legal(const struct core *core, uint64_t value)
{
    bool code64 = bit(core->seg[SEG_CS].attr, ATTR_L);

    if (value >> 32 != 0)
        return false;
    if ((value & CR0_PG) && !(value & CR0_PE))
        return false;
    if ((value & CR0_NW) && !(value & CR0_CD))
        return false;
    /* Entering long mode needs PAE and must not start in what would be 64-bit code; nor may 64-bit code leave it. */
    if ((value & CR0_PG) && !(core->cr0 & CR0_PG) && (core->efer & EFER_LME))
        return (core->cr4 & CR4_PAE) && !code64;
    if (!(value & CR0_PG) && (core->cr0 & CR0_PG) && core_in_long_mode(core))
        return !code64;
    return true;
}

enum outcome cr0_write(struct core *core, uint64_t value)
{
    bool paging_changes = (value ^ core->cr0) & CR0_PG;
    enum outcome outcome = paging_changes ? pdptes_load(core, value, core->cr3, core->cr4) : OUTCOME_NEXT;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->cr0 = cr0_effective(value);
    if (paging_changes) {
        if ((value & CR0_PG) && (core->efer & EFER_LME))
            core->efer |= EFER_LMA;
        else
            core->efer &= ~EFER_LMA;
    }
    core_mode_changed(core, true);
    if (paging_changes)
        mmu_flush_asid(core->mmu);
    return OUTCOME_NEXT;
}

/* ---- CR3 ----------------------------------------------------------------------------------------- */

bool cr3_is_legal(const struct core *core, uint64_t value)
{
    (void)core;
    return value < SPA_LIMIT; /* the bits above are reserved (APM2 3.1.2); outside 64-bit mode there are none */
}

enum outcome cr3_write(struct core *core, uint64_t value)
{
    enum outcome outcome = pdptes_load(core, core->cr0, value, core->cr4);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->cr3 = value;
    core_mode_changed(core, true);
    mmu_flush_cr3(core->mmu);
    return OUTCOME_NEXT;
}

/* ---- CR4 ----------------------------------------------------------------------------------------- */

bool cr4_is_legal(const struct core *core, uint64_t value)
{
    if (value & ~CR4_IMPLEMENTED)
        return false;
    return (value & CR4_PAE) || !core_in_long_mode(core);
}

enum outcome cr4_write(struct core *core, uint64_t value)
{
    bool flushes = (value ^ core->cr4) & CR4_FLUSHING;
    enum outcome outcome = flushes ? pdptes_load(core, core->cr0, core->cr3, value) : OUTCOME_NEXT;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->cr4 = value;
    core_mode_changed(core, true);
    if (flushes)
        mmu_flush_asid(core->mmu);
    return OUTCOME_NEXT;
}
