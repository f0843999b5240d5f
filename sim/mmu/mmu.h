/* SPDX-License-Identifier: MIT */
/*
 * Address translation of one core: the walker, the modelled TLBs, the page-walk cache, the nested TLB,
 * memory types. Every counter of these structures is exact in both engines (doc/architecture.md).
 */
#ifndef FAM10H_MMU_H
#define FAM10H_MMU_H

#include "sim/bus.h"

struct counter_set;
struct state;

/* ---- What a walk depends on ----------------------------------------------------------------------- */

/* Architectural inputs of translation. The core gives a copy whenever one of them changes. */
struct paging {
    uint64_t cr0, cr3, cr4, efer; /* of the code that runs (in a guest: the guest's) */
    uint64_t pat;                 /* MSR 0277, in a guest with nested paging gPAT */
    uint64_t pdpte[4];            /* legacy PAE without nested paging: as loaded by MOV CR3 */
    uint16_t asid;                /* 0 = host */
    bool nested;                  /* NP_ENABLE of the running guest */
    uint64_t n_cr3;               /* VMCB 0B0 */
    uint64_t host_cr0, host_cr4, host_efer, host_pat; /* fix the nested format (APM2 15.25.3) */
};

/* Kind of access, or-ed. Implicit supervisor accesses (descriptor tables, TSS) leave MMU_USER out. */
enum mmu_access {
    MMU_READ = 0,
    MMU_WRITE = 1, /* also every read-modify-write */
    MMU_USER = 2,  /* CPL 3 */
    MMU_FETCH = 4, /* instruction side: ITLB */
};

enum mmu_verdict {
    MMU_OK,
    MMU_PAGE_FAULT,   /* #PF: code and address (the gva_t, for CR2) */
    MMU_NESTED_FAULT, /* VMEXIT_NPF: code = EXITINFO1, address = EXITINFO2 (the gpa_t) */
};

/* Result of one translation. */
struct mmu_result {
    spa_t spa;           /* of the accessed byte */
    uint8_t *native;     /* native pointer to that byte, NULL: device, absent, or watched (use spa_*) */
    uint64_t page_bytes; /* size of the TLB entry that serves it: 4K, 2M or 1G */
    uint8_t memtype;     /* enum memtype: the effective one (APM2 7.8, 15.25.8) */
    uint64_t code;       /* a fault's error code or EXITINFO1 */
    uint64_t address;    /* a fault's CR2 or EXITINFO2 */
};

enum memtype { MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WT = 4, MEMTYPE_WP, MEMTYPE_WB, MEMTYPE_UC_MINUS,
               MEMTYPE_CD, MEMTYPE_WC_PLUS };

/* ---- The modelled geometry (a cpu model's data, a scenario may change it) ------------------------- */

struct tlb_shape {
    uint16_t entries; /* 0 = absent */
    uint16_t ways;    /* 0 = fully associative */
};

struct mmu_geometry {
    struct tlb_shape l1d;    /* one array of mixed page sizes; a 4M page takes two entries' worth as 2M */
    struct tlb_shape l1i_4k, l1i_2m;
    struct tlb_shape l2d_4k, l2d_2m, l2d_1g;
    struct tlb_shape l2i_4k;
    struct tlb_shape pwc;    /* page-walk cache: non-leaf entries by system-physical address */
    struct tlb_shape ntlb;   /* nested TLB: gPA of a guest table's page -> sPA */
    bool no_1g;              /* no 1G pages at all (CPUID Page1GB): PDPE.PS is reserved */
    bool smash_1g;           /* BU_CFG2[29]: 1G pages enter the TLB as 2M */
    /* Cycles (assumed: where the model file says so). */
    unsigned cost_l2_hit, cost_ref, cost_ref_remote, cost_pwc_hit, cost_ntlb_hit, cost_ad_write;
};

/* ---- One core's MMU ------------------------------------------------------------------------------- */

struct mmu;

/* cycles: where stalls are added. node: for the cost of remote references. Aborts on no memory only. */
struct mmu *mmu_new(const struct mmu_geometry *geometry, struct spa_space *space, unsigned node,
                    uint64_t *cycles);
void mmu_free(struct mmu *mmu);
/* true: every access goes through the full model (--engine=reference); no native pointers are kept. */
void mmu_set_reference(struct mmu *mmu, bool reference);
void mmu_set_geometry(struct mmu *mmu, const struct mmu_geometry *geometry);
/* NULL: possible. Else the name of the array that is not, and in *right what would be. */
const char *mmu_geometry_error(const struct mmu_geometry *geometry, const char **right);
/* BU_CFG2[29] was written. */
void mmu_set_smash_1g(struct mmu *mmu, bool smash);
/* A page that the core answers itself (local APIC) never gets a native pointer; SPA_LIMIT: no such page. */
void mmu_cover_page(struct mmu *mmu, spa_t page);
/* Names the instance for counters and snapshot: path "node[0].core[1]". */
void mmu_describe(struct mmu *mmu, struct state *state, struct counter_set *counters, const char *path);
/* Hardware reset: everything invalid, MTRRs and PAT as after reset. */
void mmu_reset(struct mmu *mmu);

/* Take new inputs. Flushes no modelled TLB (that is the instruction's business, below). */
void mmu_set_paging(struct mmu *mmu, const struct paging *paging);

/*
 * Translate one byte's address through the modelled structures: counts one lookup, walks on a miss,
 * sets A and D. A multi-byte access that stays inside a page is one call; one that crosses is two.
 */
enum mmu_verdict mmu_translate(struct mmu *mmu, gva_t address, unsigned access, struct mmu_result *result);

/*
 * The same without any trace in the model: no counter, no fill, no A/D. For the debugger, symbols,
 * and for reports. MMU_OK or a fault.
 */
enum mmu_verdict mmu_peek(struct mmu *mmu, gva_t address, unsigned access, struct mmu_result *result);

/* A guest-physical address through the running guest's nested tables, without a trace. false: none runs, or a fault. */
bool mmu_peek_gpa(struct mmu *mmu, gpa_t address, spa_t *spa);

/* Legacy PAE: read and check the four PDPTEs at cr3 (APM2 5.2.3). false: reserved bit, #GP(0). */
bool mmu_load_pdptes(struct mmu *mmu, uint64_t cr3, uint64_t pdpte[4]);

/* Flush rules (APM2 5.5, 15.16). They drop page-walk cache and nested TLB entries as the manual says. */
void mmu_invlpg(struct mmu *mmu, gva_t address);                /* current ASID */
void mmu_invlpga(struct mmu *mmu, gva_t address, uint16_t asid);
void mmu_flush_cr3(struct mmu *mmu);                            /* current ASID, global entries stay */
void mmu_flush_asid(struct mmu *mmu);                           /* current ASID, global entries too */
void mmu_flush_all(struct mmu *mmu);                            /* every ASID: TLB_CONTROL=1, MTRR, SMI */

/* Native pointers to this page are no longer good (flagged, unflagged, newly allocated). */
void mmu_drop_native(struct mmu *mmu, spa_t page);
/* All of them: the address space changed (reset, restore, a moved map). */
void mmu_drop_all_native(struct mmu *mmu);

/* MTRRs (200-20F, 250-26F, 2FF, FE), SYS_CFG, IORRs, TOP_MEM(2) as data. */
struct msr_bank mmu_msr_bank(struct mmu *mmu);

/* ---- The fast path (inline; see sim/mmu/native.h for the invariants) ------------------------------ */

#include "sim/mmu/native.h"

/* ---- Watching walks ------------------------------------------------------------------------------- */

enum walk_source { WALK_MEMORY, WALK_PWC, WALK_NTLB, WALK_PDPTE };

/*
 * One page-table entry that a walk used. A hit in the nested TLB stands for the whole nested walk: n = 1, spa and
 * value are where the guest's entry is found. A PDPTE in a register has spa 0. Only WALK_MEMORY is a reference.
 */
struct walk_ref {
    gva_t gva;       /* what is being translated */
    bool fetch;      /* instruction side */
    uint16_t asid;
    uint8_t g;       /* guest level of the entry (4..1), or of the entry whose gPA is translated; 0 = final gPA */
    uint8_t n;       /* nested level of the entry (4..1); 0 = the guest's own entry */
    bool write;      /* an A/D update, counted apart */
    uint8_t source;  /* enum walk_source */
    spa_t spa;       /* of the entry */
    uint64_t value;  /* as read, or as written */
};

typedef void walk_visit(void *ctx, const struct walk_ref *ref);
/* NULL stops. The visitor must not change the machine. */
void mmu_trace_walks(struct mmu *mmu, walk_visit *visit, void *ctx);

/* What the performance counters count (BKDG10 3.14), over all ASIDs since the counters were cleared. */
enum mmu_event {
    MMU_EVENT_L1_HITS,       /* `sizes` does not apply */
    MMU_EVENT_L2_HITS,       /* L1 misses that L2 served */
    MMU_EVENT_WALKS,         /* both levels missed: completed walks, by size of the translation */
    MMU_EVENT_REFERENCES,    /* table entries that walks read from memory; of both sides */
    MMU_EVENT_GLOBAL_FLUSHES /* of everything, global entries included */
};
/* side: 0 data, 1 instruction. sizes: bit 0 4K, bit 1 2M and 4M, bit 2 1G. */
uint64_t mmu_event_count(struct mmu *mmu, enum mmu_event event, unsigned side, unsigned sizes);

/* Totals that a report's matrix shows; also reachable as counters. side: 0 data, 1 instruction. */
struct walk_totals {
    uint64_t walks;             /* table walks made (both TLB levels missed) */
    uint64_t refs[5][5];        /* [g][n] entry reads that went to memory */
    uint64_t ad_writes;
    uint64_t cycles;
};
void mmu_walk_totals(const struct mmu *mmu, unsigned side, struct walk_totals *totals);

#endif
