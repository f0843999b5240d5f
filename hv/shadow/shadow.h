/* SPDX-License-Identifier: MIT */
/*
 * Shadow page tables of one guest: what the processor walks instead of the guest's own, made of them and of the map of
 * its memory, on demand (APM2 15.25.2 calls the guest's own gPT; without nested paging there are only these).
 *
 * - A shadow page is one table of 512 8-byte entries, made of one frame of the guest in one role: at which level, in
 *   which paging mode, with which rights left by the levels above. The same frame in another role (a table that maps
 *   itself) is another page. Upper entries allow everything; the leaf has the rights of the whole walk.
 * - Guests outside long mode run on three levels (PAE), whatever their own format: a 32-bit table of 1024 entries is
 *   shadowed by two or four pages. Without paging they run on pages that map linear to physical.
 * - Always in step: every frame that some page is made of is write-protected in all leaf entries. A write to one comes
 *   to hv, which carries it out and calls shadow_written, so that the entries made of it are made anew when next used.
 * - A leaf entry is writable only once the guest's D is set; nothing is made of an entry without A.
 * - Large guest pages are mapped in 4K pieces, by pages that are `direct`: made of no table.
 * - All mappings of a guest frame are in one list (the reverse map), so that they can be found and removed.
 * - The pool of pages is bounded: when it is empty a hand goes round it and takes the next page that is no root.
 *
 * Not locked: one caller at a time. Pure: guest memory, flushes and hv's own pages come through callbacks.
 */
#ifndef HV_SHADOW_SHADOW_H
#define HV_SHADOW_SHADOW_H

#include "hv/shadow/guest_walk.h"

struct shadow_page;

enum shadow_backing { SHADOW_NO_MEMORY, SHADOW_READ_ONLY, SHADOW_WRITABLE };

struct shadow_host {
    void *ctx;
    /*
     * Where a guest frame lies, and whether the guest may be given the right to write it. `write`: it is written now
     * (what keeps a log of writes notes it); SHADOW_NO_MEMORY then also for memory that drops writes.
     */
    enum shadow_backing (*frame)(void *ctx, uint64_t gfn, bool write, uint64_t *spa);
    /* No vCPU of the guest uses a translation from before the call, when it returns. */
    void (*flush)(void *ctx);
};

struct shadow_counts {
    uint64_t fills;       /* faults that an entry was made for */
    uint64_t reflected;   /* faults that are the guest's own */
    uint64_t table_writes; /* faults on a write to a frame that is shadowed */
    uint64_t emulated;    /* of those: carried out by hv, which counts them here */
    uint64_t device;      /* faults where the guest has no memory, or none that it may write: the caller counts */
    uint64_t made;        /* shadow pages made */
    uint64_t reclaimed;   /* taken away because the pool was empty */
    uint64_t unshadowed;  /* frames that are no tables any more, as it seems */
    uint64_t protected;   /* writable leaf entries made read-only because their frame became a table */
    uint64_t in_use, in_use_most;
};

struct shadow {
    struct shadow_host host;
    struct guest_frames frames; /* the same memory, for walks */
    uint64_t frame_count;       /* guest frames are below this */
    uint32_t *mapped;           /* by guest frame: first leaf entry that maps it, as an entry number; 0: none */
    uint32_t *tables;           /* by guest frame: first shadow page made of it, 0: none */
    struct shadow_page *pages;  /* [0] is none */
    uint32_t page_count;
    uint32_t free;              /* list */
    uint32_t hand;              /* of reclaim */
    bool stale;                 /* a free page may still be in some vCPU's TLB or walk cache */
    struct shadow_counts counts;
};

/* Bytes for the arrays, and what one page of the pool takes beside (its table, and its list links). */
#define SHADOW_LINKS_BYTES 0x1800u
uint64_t shadow_frame_bytes(uint64_t frame_count);
uint64_t shadow_page_bytes(uint32_t page_count);

struct shadow_memory {
    void *frames;                   /* shadow_frame_bytes, zeroed */
    void *pages;                    /* shadow_page_bytes, zeroed */
    void *(*table)(void *ctx);      /* 4K on a page boundary, zeroed; NULL: no more */
    void *(*links)(void *ctx);      /* SHADOW_LINKS_BYTES */
    void *ctx;
};
/* False: no memory. page_count counts the unused page 0, and one for each vCPU. */
bool shadow_init(struct shadow *shadow, const struct shadow_host *host, uint64_t frame_count, uint32_t page_count,
                 const struct shadow_memory *memory);
/* Each page's table and links, to be freed. */
void shadow_each_page(struct shadow *shadow, void (*visit)(void *ctx, void *table, void *links), void *ctx);

struct shadow_vcpu {
    struct guest_paging paging; /* as loaded */
    uint32_t role;              /* what all its pages have in common */
    uint32_t top;               /* its own top page: PDPTEs */
    uint32_t root;              /* the page that cr3 is of */
    uint64_t cr3;               /* for the processor */
    uint8_t pat[8];             /* by the guest's index: PAT, PCD and PWT for a leaf entry */
};

/*
 * `pdptes`: four zeroed entries for its top outside long mode, on a 32-byte boundary below 4 GiB, where CR3 reaches.
 * False: the pool has no page left for it.
 */
bool shadow_vcpu_init(struct shadow *shadow, struct shadow_vcpu *vcpu, uint64_t *pdptes);
/* The vCPU's paging registers are these from now on. vcpu->cr3 changes; the caller sees to its TLB. */
void shadow_load(struct shadow *shadow, struct shadow_vcpu *vcpu, const struct guest_paging *paging);
/* The guest's PAT, as its MSR holds it, in terms of the processor's. Entries made before are made anew. */
void shadow_load_pat(struct shadow *shadow, struct shadow_vcpu *vcpu, uint64_t guest, uint64_t processor);

enum shadow_result {
    SHADOW_FILLED,      /* go on */
    SHADOW_REFLECT,     /* the guest's own #PF, with walk.code */
    SHADOW_TABLE_WRITE, /* a permitted write to a frame that is shadowed, at walk.gpa */
    SHADOW_DEVICE,      /* a permitted access where no memory is, or a write to memory it may only read, at walk.gpa */
    SHADOW_BROKEN       /* a page table lies where the guest has no memory */
};

/* A #PF of the guest at `linear` with this error code. vcpu->cr3 may have changed afterwards. */
enum shadow_result shadow_fault(struct shadow *shadow, struct shadow_vcpu *vcpu, uint64_t linear, uint32_t code,
                                struct guest_walk *walk);

/* Is some page made of this frame, so that writes to it must be told? */
bool shadow_is_table(const struct shadow *shadow, uint64_t gfn);
/* Somebody wrote the guest's memory there. `guest`: it was the guest, which may be done with the table as such. */
void shadow_written(struct shadow *shadow, uint64_t gpa, uint64_t bytes, bool guest);
/* Nothing is made of this frame any more, so that the guest can write it until it is used as a table again. */
void shadow_unshadow(struct shadow *shadow, uint64_t gfn);
/* Remove all mappings of these frames and what was made of them. The caller flushes. */
void shadow_forget(struct shadow *shadow, uint64_t gfn, uint64_t count);
/* The page whose table lies at spa, but a vCPU's own top; 0: none does. */
uint32_t shadow_page_at(const struct shadow *shadow, uint64_t spa);
/*
 * Another table for this page, zeroed: what was in the old one, which is not read, is made anew when it is used. vCPUs
 * whose root it is load their registers again. The caller flushes before the old table is anything else.
 */
void shadow_replace_table(struct shadow *shadow, uint32_t page, void *fresh);
/* Everything. The caller flushes. */
void shadow_forget_all(struct shadow *shadow);

#endif
