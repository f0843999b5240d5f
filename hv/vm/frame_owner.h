/* SPDX-License-Identifier: MIT */
/* Whose a frame of the machine's memory is. Takes no lock, so that a machine check may ask. */
#ifndef HV_VM_FRAME_OWNER_H
#define HV_VM_FRAME_OWNER_H

#include "hv/mca/error.h"
#include "hv/mca/heal.h"
#include "hv/vm/guest.h"

struct frame_owner {
    enum mca_owner kind;
    enum mca_content content;
    struct guest *guest; /* dom0 or a DomU; of Xen's rebuildable memory: whom it is for */
    uint64_t gpa;        /* there */
};

void frame_owner_find(uint64_t spa, struct frame_owner *owner);
/* Where the guest sees its own memory at spa; ~0: it is not its own. For mca_record_translate, ctx: the guest. */
uint64_t frame_owner_gpa(void *guest, uint64_t spa);

#endif
