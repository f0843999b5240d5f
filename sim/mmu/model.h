/* SPDX-License-Identifier: MIT */
/*
 * One core's MMU, as the files of this folder see it.
 *   lookup.c   mmu_translate: L1, L2, walk, fill          tlb.c        one array of translations
 *   nested.c   a translation's walks, 2-D by composition  walk.c       the one walker
 *   native.c   native slots and exact recency             walkcache.c  page-walk cache, nested TLB
 *   flush.c    what each event drops                      memtype.c    MTRR x PAT, msr.c their registers
 *   mmu.c      life, geometry, inputs                     count.c      counters, describe.c state
 */
#ifndef FAM10H_MMU_MODEL_H
#define FAM10H_MMU_MODEL_H

#include "sim/counters.h"
#include "sim/mmu/control.h"
#include "sim/mmu/memtype.h"
#include "sim/mmu/tlb.h"
#include "sim/mmu/walk.h"
#include "sim/state.h"

enum side { SIDE_DATA, SIDE_CODE, SIDES };

/* Order of the snapshot and of counters. */
enum tlb_name { L1D, L1I_4K, L1I_2M, L2D_4K, L2D_2M, L2D_1G, L2I_4K, TLBS, PWC = TLBS, NTLB, ARRAYS };

/* Page sizes as counters name them. */
enum page_size { SIZE_NONE, SIZE_4K, SIZE_2M, SIZE_4M, SIZE_1G, SIZES };

enum page_size page_size_of(unsigned shift);

/* ---- Native slots (native.c) ---------------------------------------------------------------------- */

#define DATA_SLOTS (2 * NATIVE_SLOTS)
#define CODE_SLOTS (2 * FETCH_SLOTS)
#define CODE_SINK CODE_SLOTS            /* stands for a slot where none is kept: takes mmu_fetch_again */
#define SLOTS_MAX (DATA_SLOTS + 1)
#define OWNER_UNPAGED (2 * TLB_MAX)     /* translations with paging off belong to no L1 entry */
#define OWNERS (2 * TLB_MAX + 1)        /* instruction side: L1I_2M's entries follow L1I_4K's */

struct slot_link {
    uint16_t owner, next, previous;
};

/* Slots of one side: each L1 entry's chain. */
struct slot_chains {
    uint16_t first[OWNERS];
    struct slot_link link[SLOTS_MAX];
};

/* Where a page of tables lies, so that a reference asks the address space but once (nested.c). */
#define TABLE_PAGES 64

struct table_page {
    spa_t tag; /* page address | 1, or 0 */
    const uint8_t *bytes;
    bool remote;
};

/* ---- Counters (count.c) --------------------------------------------------------------------------- */

#define COUNTED_ASIDS 64 /* CPUID 8000_000A EBX */

enum walk_cause { CAUSE_MISS, CAUSE_DIRTY, CAUSE_RIGHTS, CAUSE_RETRY, WALK_CAUSES };
enum splinter { SPLINTER_NESTED, SPLINTER_MTRR, SPLINTER_SMASH, SPLINTER_ARRAY, SPLINTERS };
enum flush { FLUSH_INVLPG, FLUSH_INVLPGA, FLUSH_CR3, FLUSH_ASID, FLUSH_ALL, FLUSH_MTRR, FLUSH_RETRY, FLUSHES };

struct mmu_counters {
    uint64_t lookups[COUNTED_ASIDS][SIDES];
    uint64_t unpaged[SIDES];
    uint64_t l1_misses[COUNTED_ASIDS][SIDES];
    uint64_t l2_hits[COUNTED_ASIDS][SIDES][SIZES];
    uint64_t fills[TLBS][SIZES];
    uint64_t evictions[TLBS][SIZES];
    uint64_t splinters[SIDES][SPLINTERS];
    uint64_t flushes[FLUSHES];
    uint64_t flushed[FLUSHES][ARRAYS];
    uint64_t walks[COUNTED_ASIDS][SIDES];
    uint64_t causes[SIDES][WALK_CAUSES];
    uint64_t refs[COUNTED_ASIDS][SIDES][5][5];
    uint64_t remote[COUNTED_ASIDS][SIDES];
    uint64_t ad_writes[COUNTED_ASIDS][SIDES];
    uint64_t cycles[COUNTED_ASIDS][SIDES];
    uint64_t pairs[COUNTED_ASIDS][SIDES][SIZES][SIZES];
    uint64_t page_faults[COUNTED_ASIDS][SIDES];
    uint64_t nested_faults[COUNTED_ASIDS][SIDES];
    uint64_t pwc_hits[SIDES], pwc_misses[SIDES];
    uint64_t ntlb_hits[SIDES], ntlb_misses[SIDES];
    uint64_t l2_cycles[SIDES];
};

extern const struct counter_row mmu_counter_rows[];
extern const size_t mmu_counter_row_count;

#define MMU_STATE_FIELDS 128

/* ---- The MMU -------------------------------------------------------------------------------------- */

struct mmu {
    struct native_map map; /* first: native.h finds it there */

    /* inputs */
    struct paging paging;
    struct spa_space *space;
    uint64_t *cycles;
    unsigned node;
    struct mmu_geometry geometry;
    struct memory_types types;
    spa_t covered; /* page that the core keeps to itself (local APIC), or NEVER_COVERED */
    bool reference;

    /* derived from paging by mmu_derive */
    bool unpaged; /* no paging and no nested paging: addresses are system-physical */
    bool wp;
    unsigned count_asid;
    struct walk guest;  /* or native: the tables that CR3 names; format NULL: paging off */
    struct walk nested; /* the tables that N_CR3 names; format NULL: no nested paging */

    /* state */
    struct tlb tlb[ARRAYS];
    uint64_t cache_clock; /* stamps of PWC and NTLB: accesses to them so far */
    uint64_t lookups_counted[SIDES]; /* map.accesses, map.fetches already attributed to an ASID */
    struct mmu_counters count;

    struct slot_chains chains[SIDES];
    struct fetch_slot sink; /* CODE_SINK */
    struct table_page tables[TABLE_PAGES];
    walk_visit *visit;
    void *visit_ctx;

    struct state_field fields[MMU_STATE_FIELDS]; /* with the geometry's array sizes */
    struct state_part part;
};

#define NEVER_COVERED SPA_LIMIT

/* One translation under way: the ctx of its walks. */
struct translation {
    struct mmu *mmu;
    gva_t address;
    unsigned access;
    unsigned side;
    unsigned g;        /* guest level whose table address the nested walk translates; 0 = final gPA */
    bool quiet;        /* mmu_peek: no trace in the model */
    bool cached;       /* PWC or NTLB served an entry */
    uint64_t cycles;
    uint64_t code;     /* of a fault */
    uint64_t where;    /* its address */
    /* result */
    spa_t spa;
    uint8_t rights;    /* enum right, guest and nested together */
    uint8_t guest_shift, nested_shift; /* 0: no such walk */
    uint8_t pat, nested_pat; /* memory types (enum memtype) that the entries select */
};

/* nested.c */
void mmu_derive(struct mmu *mmu);
enum mmu_verdict translation_walk(struct translation *t);
/* Native pointers into tables are no longer good. */
void tables_forget(struct mmu *mmu);
void tables_forget_page(struct mmu *mmu, spa_t page); /* its flags changed */

/* walkcache.c */
bool walk_cache_find(struct translation *t, struct walk_entry *entry);
void walk_cache_keep(struct translation *t, const struct walk_entry *entry);
bool nested_tlb_find(struct translation *t, gpa_t address, spa_t *spa);
void nested_tlb_keep(struct translation *t, gpa_t address, spa_t spa);
/* Both, of one ASID. */
void walk_caches_drop_asid(struct mmu *mmu, uint16_t asid);

/* native.c */
/* Every slot invalid, nothing folded back: after creation and after a restore. */
void native_init(struct mmu *mmu);
/* The L1 entry (array, index) goes: its slots with it. */
void native_release(struct mmu *mmu, unsigned array, unsigned index);
/* Every slot invalid, its recency folded back. */
void native_drop_all(struct mmu *mmu);
/* Entry stamps exact. */
void native_fold(struct mmu *mmu);
/* The least recently used entry (or an invalid one) of an L1 set, exact. */
unsigned native_oldest(struct mmu *mmu, unsigned array, unsigned first);
/* Keep slots for a translation that is served by L1 entry (array, index), or by none (unpaged). */
void native_keep_data(struct mmu *mmu, unsigned owner, unsigned rights, const struct mmu_result *result, gva_t address,
                      unsigned access);
void native_keep_fetch(struct mmu *mmu, unsigned owner, const struct mmu_result *result, gva_t address,
                       unsigned access);
unsigned native_owner(unsigned array, unsigned index);

/* lookup.c */
void l1_drop(struct mmu *mmu, unsigned array, unsigned index);

/* count.c */
/* Attribute the lookups since the last call to the current ASID: counters exact. */
void mmu_count_lookups(struct mmu *mmu);

/* describe.c */
void mmu_state_sizes(struct mmu *mmu);

/* flush.c */
void mmu_flush_types(struct mmu *mmu);

static inline uint64_t *side_clock(struct mmu *mmu, unsigned side)
{
    return side == SIDE_DATA ? &mmu->map.accesses : &mmu->map.fetches;
}

static inline unsigned array_side(unsigned array)
{
    return (array == L1I_4K || array == L1I_2M || array == L2I_4K) ? SIDE_CODE : SIDE_DATA;
}

static inline bool array_is_l1(unsigned array)
{
    return array <= L1I_2M;
}

#endif
