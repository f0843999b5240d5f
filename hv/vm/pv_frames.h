/* SPDX-License-Identifier: MIT */
/*
 * The frames of a suspended paravirtual guest by its own numbers. Its list (P2M) is in its own memory, where the shared
 * page's arch part says: frame numbers of pages, each with 512 frame numbers of pages, each with 512 frame numbers
 * of pages of the list. Nothing in it is believed: a page of it is the guest's, and neither table nor descriptors.
 */
#ifndef HV_VM_PV_FRAMES_H
#define HV_VM_PV_FRAMES_H

#include "hv/vm/guest.h"

/* The place that holds the machine frame of one of the guest's own numbers; NULL: the guest's list does not say. */
uint64_t *pv_p2m_place(const struct guest *guest, uint64_t pfn);
/* The place that holds the machine frame of the list's nth page. */
uint64_t *pv_p2m_list_place(const struct guest *guest, uint64_t page);
/*
 * The guest's machine frame gives its contents, and all that leads to it, to another; it leaves the pool. The guest is
 * suspended. *pfn: the guest's own number. -EINVAL: not a frame that the guest's list has; -EIO: its contents are lost.
 */
int64_t pv_replace_frame(struct guest *guest, uint64_t frame, uint64_t *pfn);

#endif
