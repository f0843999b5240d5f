/* SPDX-License-Identifier: MIT */
/* Life of an MMU: geometry, inputs, reset, state. */
#include "sim/mmu/mmu.h"

#include <string.h>

#include "sim/mmu/model.h"
#include "sim/spa.h"

/* ---- Geometry ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t offset;
} shapes[ARRAYS] = {
#define SHAPE(index, member) [index] = { #member, offsetof(struct mmu_geometry, member) }
    SHAPE(L1D, l1d), SHAPE(L1I_4K, l1i_4k), SHAPE(L1I_2M, l1i_2m), SHAPE(L2D_4K, l2d_4k), SHAPE(L2D_2M, l2d_2m),
    SHAPE(L2D_1G, l2d_1g), SHAPE(L2I_4K, l2i_4k), SHAPE(PWC, pwc), SHAPE(NTLB, ntlb),
};

static struct tlb_shape shape_of(const struct mmu_geometry *geometry, unsigned array)
{
    struct tlb_shape shape;

    memcpy(&shape, (const char *)geometry + shapes[array].offset, sizeof(shape));
    return shape;
}

/* What is wrong with a shape; NULL: nothing. */
static const char *shape_error(struct tlb_shape shape, bool required)
{
    unsigned sets;

    if (shape.entries > TLB_MAX)
        return "at most 4096 entries";
    if (!shape.entries)
        return required ? "at least 1 entry" : NULL;
    if (!shape.ways)
        return NULL;
    sets = shape.entries / shape.ways;
    if (shape.entries % shape.ways || (sets & (sets - 1)))
        return "entries = ways x a power of two";
    return NULL;
}

const char *mmu_geometry_error(const struct mmu_geometry *geometry, const char **right)
{
    for (unsigned array = 0; array < ARRAYS; array++) {
        *right = shape_error(shape_of(geometry, array), array == L1D || array == L1I_4K);
        if (*right)
            return shapes[array].name;
    }
    return NULL;
}

void mmu_set_geometry(struct mmu *mmu, const struct mmu_geometry *geometry)
{
    native_drop_all(mmu);
    mmu->geometry = *geometry;
    for (unsigned array = 0; array < ARRAYS; array++)
        tlb_init(&mmu->tlb[array], shape_of(geometry, array));
    mmu_state_sizes(mmu);
    mmu_derive(mmu);
}

void mmu_set_smash_1g(struct mmu *mmu, bool smash)
{
    mmu->geometry.smash_1g = smash;
}

/* ---- Life ----------------------------------------------------------------------------------------- */

struct mmu *mmu_new(const struct mmu_geometry *geometry, struct spa_space *space, unsigned node, uint64_t *cycles)
{
    struct mmu *mmu = g_new0(struct mmu, 1);

    mmu->space = space;
    mmu->node = node;
    mmu->cycles = cycles;
    mmu->covered = NEVER_COVERED;
    native_init(mmu);
    memory_types_reset(&mmu->types);
    mmu_derive(mmu);
    mmu_set_geometry(mmu, geometry);
    return mmu;
}

void mmu_free(struct mmu *mmu)
{
    g_free(mmu);
}

void mmu_set_reference(struct mmu *mmu, bool reference)
{
    native_drop_all(mmu);
    mmu->reference = reference;
}

void mmu_reset(struct mmu *mmu)
{
    mmu_drop_all_native(mmu);
    for (unsigned array = 0; array < ARRAYS; array++)
        tlb_init(&mmu->tlb[array], shape_of(&mmu->geometry, array));
    memory_types_reset(&mmu->types);
}

/* ---- Inputs --------------------------------------------------------------------------------------- */

/*
 * Slots belong to an ASID and to the bits that rights depend on. They survive a new CR3 (their entries do, until
 * the instruction flushes them), so that global pages stay fast across it.
 */
static bool slots_survive(const struct paging *a, const struct paging *b)
{
    return a->asid == b->asid && a->nested == b->nested && !((a->cr0 ^ b->cr0) & (CR0_PG | CR0_WP)) &&
           a->efer == b->efer && a->cr4 == b->cr4;
}

void mmu_set_paging(struct mmu *mmu, const struct paging *paging)
{
    mmu_count_lookups(mmu);
    if (!slots_survive(&mmu->paging, paging))
        native_drop_all(mmu);
    mmu->paging = *paging;
    mmu_derive(mmu);
}

void mmu_cover_page(struct mmu *mmu, spa_t page)
{
    mmu->covered = page;
    if (page < SPA_LIMIT)
        mmu_drop_native(mmu, page);
}

bool mmu_load_pdptes(struct mmu *mmu, uint64_t cr3, uint64_t pdpte[4])
{
    uint64_t loaded[4];

    for (unsigned i = 0; i < 4; i++) {
        loaded[i] = spa_read(mmu->space, (cr3 & bits_mask(31, 5)) + 8 * i, 8);
        if ((loaded[i] & PTE_P) && (loaded[i] & PDPTE_RESERVED))
            return false;
    }
    memcpy(pdpte, loaded, sizeof(loaded));
    return true;
}

void mmu_trace_walks(struct mmu *mmu, walk_visit *visit, void *ctx)
{
    mmu->visit = visit;
    mmu->visit_ctx = ctx;
}
