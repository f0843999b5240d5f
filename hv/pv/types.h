/* SPDX-License-Identifier: MIT */
/*
 * What a paravirtual guest's frames are used as. The processor walks the guest's own page tables, so each table is
 * checked before it is one, and a frame that is a table cannot be mapped writable, nor the other way round:
 *
 *   none -> writable | L1 | L2 | L3 | L4 | descriptors     by the first use; back to none by the end of the last
 *
 * A use: a writable mapping; an entry of the next level's table; a root in a vCPU's CR3; a pin; a GDT or LDT. Every
 * mapping, writable or not, and every use is a reference too: a frame with references cannot be given back.
 *
 * Pure: frames are reached through functions, and a native test brings memory of its own. The caller holds the guest's
 * lock. Functions return 0 or one of Xen's errors, negated; after an error nothing has changed:
 *   -EINVAL  no such frame, another's frame, forbidden bits, a large page, a slot of hv's
 *   -EBUSY   the frame is in use as something else
 */
#ifndef HV_PV_TYPES_H
#define HV_PV_TYPES_H

#include <stdbool.h>
#include <stdint.h>

enum pv_type { PV_NONE, PV_WRITABLE, PV_L1, PV_L2, PV_L3, PV_L4, PV_DESCRIPTORS };

struct pv_frame {
    uint32_t refs, uses;
    uint8_t type; /* enum pv_type; none if there are no uses */
    bool pinned;
    uint16_t owner; /* PV_NOBODY, or a guest's number */
    uint32_t reserved;
};
#define PV_NOBODY 0xFFFF

#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7) /* L2 and above; in an L1 the PAT bit */
#define PTE_G (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull
#define PV_TABLE_ENTRIES 512

struct pv_types {
    uint16_t owner;
    bool narrow; /* a 32-bit guest: its kernel is at CPL 1, so that U is its own business; an L3 is its root */
    void *ctx;
    struct pv_frame *(*frame)(void *ctx, uint64_t frame); /* NULL: no such frame */
    uint64_t *(*memory)(void *ctx, uint64_t frame);
    void (*flush)(void *ctx); /* no other vCPU uses a translation from before */
    uint64_t hv_slots[16];    /* entries 256-271 of every L4 */
};

/* The frame is the owner's. */
bool pv_owns(const struct pv_types *types, uint64_t frame);
int64_t pv_type_get(struct pv_types *types, uint64_t frame, enum pv_type type);
void pv_type_put(struct pv_types *types, uint64_t frame);
int64_t pv_pin(struct pv_types *types, uint64_t frame, enum pv_type type);
int64_t pv_unpin(struct pv_types *types, uint64_t frame);
/*
 * Write an entry at this machine address: of a table by its level's rules, anywhere else in the guest's memory as it
 * is. keep_ad: A and D stay as the processor has set them.
 */
int64_t pv_entry_write(struct pv_types *types, uint64_t address, uint64_t value, bool keep_ad);
/* Whether the frame may be given back: the owner's, and nothing refers to it. */
bool pv_is_unused(const struct pv_types *types, uint64_t frame);
/*
 * A descriptor as a guest may have it: none, or code or data at DPL 3, accessed; of a 32-bit guest, at DPL 1 or above
 * and no 64-bit code. False: nothing that may be there.
 */
bool pv_descriptor_check(const struct pv_types *types, uint64_t *descriptor);

#endif
