/* SPDX-License-Identifier: MIT */
/*
 * What drops which translations (APM2 5.5.2, 15.16). INVLPG, MOV CR3 and every wider flush also drop the upper
 * levels kept in the page-walk cache; the nested TLB goes only with its whole ASID, because gPA to sPA does not
 * depend on what the guest invalidates (assumed: the manual leaves it to the implementation).
 */
#include "sim/mmu/model.h"

struct victim_rule {
    enum flush cause;
    bool every_asid;
    bool keep_global;
    uint16_t asid;
};

static void drop(struct mmu *mmu, unsigned array, unsigned index, enum flush cause)
{
    mmu->count.flushed[cause][array]++;
    if (array_is_l1(array))
        l1_drop(mmu, array, index);
    else
        tlb_drop(&mmu->tlb[array], index);
}

static void flush_array(struct mmu *mmu, unsigned array, const struct victim_rule *rule)
{
    struct tlb *tlb = &mmu->tlb[array];

    for (unsigned i = 0; tlb->live && i < tlb_entries(tlb); i++) {
        const struct tlb_entry *entry = &tlb->entry[i];

        if (!entry->shift || (!rule->every_asid && entry->asid != rule->asid) ||
            (rule->keep_global && (entry->rights & RIGHT_GLOBAL)))
            continue;
        drop(mmu, array, i, rule->cause);
    }
}

static void flush_tlbs(struct mmu *mmu, const struct victim_rule *rule)
{
    mmu->count.flushes[rule->cause]++;
    for (unsigned array = 0; array < TLBS; array++)
        flush_array(mmu, array, rule);
}

void walk_caches_drop_asid(struct mmu *mmu, uint16_t asid)
{
    const struct victim_rule rule = { .cause = FLUSH_RETRY, .asid = asid };

    mmu->count.flushes[FLUSH_RETRY]++;
    flush_array(mmu, PWC, &rule);
    flush_array(mmu, NTLB, &rule);
}

/* ---- One page ------------------------------------------------------------------------------------- */

static void drop_pieces(struct mmu *mmu, unsigned array, gva_t address, uint16_t asid, enum flush cause)
{
    struct tlb *tlb = &mmu->tlb[array];

    for (unsigned i = 0; i < tlb_entries(tlb); i++) {
        const struct tlb_entry *entry = &tlb->entry[i];

        if (entry->shift && entry->asid == asid && (entry->page ^ address) >> entry->guest_shift == 0)
            drop(mmu, array, i, cause);
    }
}

static void drop_page(struct mmu *mmu, unsigned array, gva_t address, uint16_t asid, enum flush cause)
{
    static const uint8_t shifts[] = { 12, 21, 30 };
    struct tlb *tlb = &mmu->tlb[array];

    if (tlb->pieces) {
        drop_pieces(mmu, array, address, asid, cause);
        return;
    }
    for (unsigned i = 0; i < sizeof(shifts); i++) {
        unsigned index = tlb->sized[shifts[i] / 9] ? tlb_find(tlb, asid, address, shifts[i]) : TLB_NONE;

        if (index != TLB_NONE)
            drop(mmu, array, index, cause);
    }
}

/* All pieces of the page, global or not, and every upper-level entry of the ASID (no TCE on Family 10h). */
static void flush_page(struct mmu *mmu, gva_t address, uint16_t asid, enum flush cause)
{
    const struct victim_rule upper = { .cause = cause, .asid = asid };

    mmu->count.flushes[cause]++;
    for (unsigned array = 0; array < TLBS; array++)
        drop_page(mmu, array, address, asid, cause);
    flush_array(mmu, PWC, &upper);
}

void mmu_invlpg(struct mmu *mmu, gva_t address)
{
    flush_page(mmu, address, mmu->paging.asid, FLUSH_INVLPG);
}

void mmu_invlpga(struct mmu *mmu, gva_t address, uint16_t asid)
{
    flush_page(mmu, address, asid, FLUSH_INVLPGA);
}

/* ---- More than a page ----------------------------------------------------------------------------- */

void mmu_flush_cr3(struct mmu *mmu)
{
    const struct victim_rule rule = { .cause = FLUSH_CR3, .asid = mmu->paging.asid, .keep_global = true };

    flush_tlbs(mmu, &rule);
    flush_array(mmu, PWC, &rule);
}

void mmu_flush_asid(struct mmu *mmu)
{
    const struct victim_rule rule = { .cause = FLUSH_ASID, .asid = mmu->paging.asid };

    flush_tlbs(mmu, &rule);
    flush_array(mmu, PWC, &rule);
    flush_array(mmu, NTLB, &rule);
}

static void flush_everything(struct mmu *mmu, enum flush cause)
{
    const struct victim_rule rule = { .cause = cause, .every_asid = true };

    flush_tlbs(mmu, &rule);
    flush_array(mmu, PWC, &rule);
    flush_array(mmu, NTLB, &rule);
}

void mmu_flush_all(struct mmu *mmu)
{
    flush_everything(mmu, FLUSH_ALL);
}

void mmu_flush_types(struct mmu *mmu)
{
    flush_everything(mmu, FLUSH_MTRR);
}
