/* SPDX-License-Identifier: MIT */
/*
 * The guest's own page tables, walked in software with the processor's rules (APM2 5.2 to 5.6): which access faults
 * with what error code, which accessed and dirty bits it sets. Pure: guest memory comes through a callback.
 */
#ifndef HV_SHADOW_GUEST_WALK_H
#define HV_SHADOW_GUEST_WALK_H

#include <stdbool.h>
#include <stdint.h>

/* An access, and the error code of a #PF (APM2 8.4.2). */
#define WALK_P 0x01u
#define WALK_W 0x02u
#define WALK_U 0x04u
#define WALK_RSVD 0x08u
#define WALK_ID 0x10u

/* What a mapping allows. */
#define RIGHT_W 1u
#define RIGHT_U 2u
#define RIGHT_X 4u
#define RIGHTS_ALL 7u

#define WALK_LEVELS_MAX 4
#define NO_FRAME UINT64_MAX

struct guest_format; /* one paging mode's tables */

/* The registers that decide, in a form that a walk can use. */
struct guest_paging {
    const struct guest_format *format; /* NULL: paging is off */
    uint64_t cr3;
    uint64_t pdpte[4];  /* legacy PAE: its top level, loaded with CR3 */
    bool wp, nxe;
};

/*
 * The frame's memory, as a pointer to its first byte; NULL: the guest has none there. `write`: it will be written (what
 * keeps a log of writes notes it); NULL also if it may not be.
 */
struct guest_frames {
    void *ctx;
    void *(*frame)(void *ctx, uint64_t gfn, bool write);
};

enum guest_walk_result {
    GUEST_WALK_OK,
    GUEST_WALK_FAULT,    /* #PF with `code` */
    GUEST_WALK_NO_MEMORY /* a table lies where the guest has no memory, or none that A and D can be set in */
};

struct guest_walk {
    uint32_t code;
    unsigned top, leaf;  /* levels: 1 is the one that maps 4K pages */
    uint64_t table[WALK_LEVELS_MAX + 1]; /* by level: frame of the table; NO_FRAME: PDPTEs, in registers */
    uint8_t inherited[WALK_LEVELS_MAX + 1]; /* rights that the levels above leave to the table of this level */
    uint8_t rights;      /* of the whole walk */
    bool dirty;          /* the leaf's D, as it is now */
    uint8_t pat;         /* PAT, PCD, PWT of the leaf: an index (APM2 7.8.2) */
    uint64_t page;       /* first frame of the page, which has 4K << 9 * (leaf - 1) bytes, or 4M in legacy tables */
    uint64_t gpa;        /* of the access; of the table that GUEST_WALK_NO_MEMORY is about */
};

/* CPUID 8000_0001 EDX[26]: pages of 1G. NULL if cr0 says that paging is off. */
const struct guest_format *guest_format_of(uint64_t cr0, uint64_t cr4, uint64_t efer, bool pages_1g);
bool guest_format_is_pae(const struct guest_format *format);
/* Four levels; 3: PAE, 2: legacy. */
unsigned guest_format_levels(const struct guest_format *format);
/* Bytes of an entry. */
unsigned guest_format_entry(const struct guest_format *format);
/* Bit 7 of a directory entry makes it a leaf. */
bool guest_format_has_large(const struct guest_format *format);
/* PDPTEs at cr3, as MOV CR3 loads them. False: one that is present has reserved bits set, or there is no memory. */
bool guest_load_pdptes(const struct guest_frames *frames, uint64_t cr3, uint64_t pdpte[4]);

/*
 * `access`: WALK_W, WALK_U, WALK_ID (a fetch) as in an error code. A is set at every level passed, D for a write that
 * is permitted, both with locked operations.
 */
enum guest_walk_result guest_walk(const struct guest_paging *paging, const struct guest_frames *frames, uint64_t linear,
                                  unsigned access, struct guest_walk *walk);

#endif
