/* SPDX-License-Identifier: MIT */
/*
 * How a guest's memory reaches the processor, in two modes behind one interface: nested paging (guest->npt is nCR3's)
 * and shadow paging (guest->npt only says what backs what; the processor uses tables that hv/shadow makes of the
 * guest's own). Whoever changes guest->npt, or writes guest memory, tells it here and need not know the mode.
 */
#ifndef HV_VM_PAGING_H
#define HV_VM_PAGING_H

#include "hv/vm/guest.h"

struct paging {
    const char *name; /* nested, shadow, paravirtual */
    /* At a guest's creation, before its memory is backed; false: no memory. At its end, whether it began or not. */
    bool (*guest_begin)(struct guest *guest);
    void (*guest_end)(struct guest *guest);
    /* Its VMCB exists. False: no memory. */
    bool (*vcpu_begin)(struct vcpu *vcpu);
    /* Before each VMRUN. */
    void (*enter)(struct vcpu *vcpu);
    /* See the functions of the same name. */
    void (*lowered)(struct guest *guest, uint64_t gpa, uint64_t bytes);
    void (*written)(struct guest *guest, uint64_t gpa, uint64_t bytes);
};

extern const struct paging paging_nested, paging_shadow, paging_pv;

/* From hv's options and the processor's features; prints which. Before any guest is made. */
void paging_init(const char *options, bool processor);
/* The mode of a guest whose string says hap=. */
const struct paging *paging_of(bool guest_hap);

/*
 * Entries of guest->npt over [gpa, gpa + bytes) were removed, or point elsewhere, or lost rights (log-dirty). When this
 * returns no vCPU uses the old ones. Not for entries that were absent before, nor for rights that were raised.
 * May be called with guest->memory_lock held.
 */
static inline void paging_lowered(struct guest *guest, uint64_t gpa, uint64_t bytes)
{
    guest->paging->lowered(guest, gpa, bytes);
}

/* hv wrote guest memory on its own: if page tables lie there, what was made of them is made anew. */
static inline void paging_written(struct guest *guest, uint64_t gpa, uint64_t bytes)
{
    guest->paging->written(guest, gpa, bytes);
}

/* No vCPU of the guest uses a translation from before the call. */
void paging_flush(struct guest *guest);

#endif
