/* SPDX-License-Identifier: MIT */
/*
 * The one page-table walker. Native, guest, nested (and I/O) walks differ only in what is in struct walk:
 * nothing leaks in from the live core. The guest walk's entry source is "nested walk, then memory", so that
 * two-dimensional paging is composition (nested.c).
 */
#ifndef FAM10H_MMU_WALK_H
#define FAM10H_MMU_WALK_H

#include "sim/bits.h"
#include "sim/mmu/mmu.h"

/* What a page may be used for. */
enum right {
    RIGHT_WRITE = 1,
    RIGHT_USER = 2,
    RIGHT_EXECUTE = 4,
    RIGHT_GLOBAL = 8,
    RIGHT_DIRTY = 16,        /* D is set: a write needs no walk */
    RIGHT_NESTED_WRITE = 32, /* the nested page is writable; guest CR0.WP has no say in that */
};

/* Page-table entry bits (APM2 5.3-5.4). */
#define PTE_P BIT(0)
#define PTE_RW BIT(1)
#define PTE_US BIT(2)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_PS BIT(7)
#define PTE_G BIT(8)
#define PTE_NX BIT(63)

/* #PF error code (APM2 8.4.2); a nested fault's low bits are the same. */
#define FAULT_P BIT(0)
#define FAULT_W BIT(1)
#define FAULT_U BIT(2)
#define FAULT_RSVD BIT(3)
#define FAULT_ID BIT(4)
/* EXITINFO1 of VMEXIT_NPF (APM2 15.25.6). */
#define NPF_FINAL BIT(32) /* of the final guest-physical address */
#define NPF_TABLE BIT(33) /* while a guest page-table entry was accessed */

#define WALK_LEVELS 4

/* One level of a table format. */
struct walk_level {
    uint8_t shift;          /* lowest address bit that the index takes; a leaf here maps 1 << shift bytes */
    uint8_t bits;           /* of the index */
    bool large;             /* PS may make the entry a leaf */
    bool plain;             /* a legacy PDPTE: no R/W, U/S, A, NX */
    uint64_t reserved;      /* must be zero */
    uint64_t reserved_leaf; /* must also be zero when PS makes it a leaf */
};

struct walk_format {
    const char *name;
    uint8_t levels;
    uint8_t entry_bytes;
    uint8_t address_bits; /* translated */
    struct walk_level level[WALK_LEVELS + 1]; /* by level number, 1 = page table */
};

extern const struct walk_format walk_legacy;     /* 4K pages only: CR4.PSE = 0 */
extern const struct walk_format walk_legacy_pse; /* 4K, 4M */
extern const struct walk_format walk_pae;        /* 4K, 2M */
extern const struct walk_format walk_long;       /* 4K, 2M, 1G */
extern const struct walk_format walk_long_no_1g; /* 4K, 2M: before Page1GB */

struct walk_entry {
    spa_t spa;
    uint64_t value;
    bool cached; /* from the page-walk cache, which holds it already */
};

/*
 * Where a walk gets its entries. `address` is in the space that the walk's tables live in.
 * read: false when the entry itself cannot be reached (a nested fault, kept in ctx).
 * use: the entry passed its checks; `set` are the A/D bits to add (0: none); table: it is no leaf.
 */
struct entry_source {
    bool (*read)(void *ctx, uint64_t address, unsigned level, struct walk_entry *entry);
    void (*use)(void *ctx, const struct walk_entry *entry, unsigned level, uint64_t set, bool table);
};

struct walk {
    const struct walk_format *format;
    uint64_t root;             /* address of the top table */
    const uint64_t *preloaded; /* the top level's entries in registers (legacy PAE), or NULL */
    bool nxe;                  /* NX counts (else it is reserved), and faults report I/D */
    bool wp;                   /* supervisor writes obey R/W */
    const struct entry_source *source;
    void *ctx;
};

struct walk_leaf {
    uint64_t base;  /* of the page */
    uint8_t shift;  /* log2 of its size: 12, 21, 22, 30 */
    uint8_t rights; /* enum right, of all levels together */
    uint8_t pat;    /* index {PAT, PCD, PWT} */
};

enum walk_status {
    WALK_OK,
    WALK_FAULT,   /* by this walk's own tables: *code */
    WALK_SOURCE,  /* the source could not deliver an entry */
};

/* Whether `rights` permit `access` (enum mmu_access). D is another matter. */
static inline bool rights_permit(unsigned rights, unsigned access, bool wp)
{
    unsigned need = 0;

    if (access & MMU_USER)
        need |= RIGHT_USER;
    if (access & MMU_FETCH)
        need |= RIGHT_EXECUTE;
    if (access & MMU_WRITE)
        need |= RIGHT_NESTED_WRITE | ((wp || (access & MMU_USER)) ? RIGHT_WRITE : 0);
    return (rights & need) == need;
}

enum walk_status walk_run(const struct walk *walk, uint64_t address, unsigned access, struct walk_leaf *leaf,
                          uint64_t *code);

/* The format that the control registers select. */
const struct walk_format *walk_format_of(uint64_t cr4, uint64_t efer);
/* Reserved bits of a legacy PDPTE (APM2 5.2.3). */
#define PDPTE_RESERVED (BITS(63, 48) | BITS(8, 5) | BITS(2, 1))

#endif
