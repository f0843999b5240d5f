/* SPDX-License-Identifier: MIT */
/*
 * Changes of a guest's physical memory map while it runs, under either paging mode: each splits what it must, tells
 * hv/vm/paging.h, and frees nothing that a core may still reach. Errors are Xen's, negative.
 */
#ifndef HV_VM_PHYSMAP_H
#define HV_VM_PHYSMAP_H

#include "hv/vm/guest.h"

/* What the guest's access to gpa comes to (hypervisor-features.md A1). */
enum physmap_fault {
    PHYSMAP_RESUME,     /* the map lets it through now: go on at the same instruction */
    PHYSMAP_DROP_WRITE, /* read-only memory: step over the write */
    PHYSMAP_EMULATE,    /* a device's, or given back: no memory answers */
    PHYSMAP_OUTSIDE     /* nothing was ever said about it */
};
enum physmap_fault physmap_fault(struct guest *guest, uint64_t gpa, bool write);

/* Log-dirty (hv/npt/log_dirty.h). The bitmap has physmap_frames() bits. */
int64_t physmap_log_dirty_begin(struct guest *guest);
/* The bits since begin or the last take; with `clean` each frame's next write is noted anew. */
int64_t physmap_log_dirty_take(struct guest *guest, uint64_t *bitmap, bool clean);
int64_t physmap_log_dirty_end(struct guest *guest);
/*
 * Whether spa lies in the bitmap; another bitmap for it, in which all frames count as written. The old one stays
 * away.
 */
bool physmap_log_dirty_holds(const struct guest *guest, uint64_t spa);
bool physmap_log_dirty_rebuild(struct guest *guest);
uint64_t physmap_frames(const struct guest *guest);

/* The frame goes back to hv, the guest's data with it. */
int64_t physmap_balloon_out(struct guest *guest, uint64_t gpa);
/* A frame for a gpa that is ballooned out or was never backed. */
int64_t physmap_balloon_in(struct guest *guest, uint64_t gpa);
/* The same for a frame of any type without memory. */
int64_t physmap_back(struct guest *guest, uint64_t gpa);
/* hv's or another domain's frame is at gpa from now on; what was there goes back to hv. */
int64_t physmap_share(struct guest *guest, uint64_t gpa, uint64_t spa);
/* The frame's accesses are emulated from now on (what was there goes back to hv), its writes dropped, or all is RAM. */
int64_t physmap_set_type(struct guest *guest, uint64_t gpa, enum npt_type type);
/* The frame is bad: the guest has nothing there any more, and nobody gets it again. */
int64_t physmap_break(struct guest *guest, uint64_t gpa);
/* Move the data to another frame; the old one is used by nobody any more. Pauses the guest, which is not the caller. */
int64_t physmap_retire(struct guest *guest, uint64_t gpa);

/* Join small pages wherever that is possible (not while logging). Pauses the guest, which is not the caller. */
int64_t physmap_promote(struct guest *guest);
/* The guest is gone. */
void physmap_free(struct guest *guest);

#endif
