/* SPDX-License-Identifier: MIT */
/*
 * A paravirtual guest in a stream. Its page tables, roots and GDTs name machine frames; in the stream they name the
 * guest's own numbers, by its list of frames, which the receiver writes anew. As under Xen its kernel has suspended
 * itself (hv/vm/pv_suspend.h) and goes on with a result of 0: event channels, timers and registered records stay
 * behind. The receiver believes nothing: types are found by checking what has come, as if the kernel had asked.
 */
#ifndef HV_LIVE_PV_STATE_H
#define HV_LIVE_PV_STATE_H

#include "hv/live/stream.h"
#include "hv/vm/guest.h"

/* A page's word: its number, and in the low bits what it is used as (enum pv_type). */
#define PV_WORD_TYPE 7u
#define PV_WORD_PINNED 8u

/* The guest is suspended. NULL, or what keeps it from going elsewhere. */
const char *pv_state_cannot_go(const struct guest *guest);
/* Its own numbers are those below. */
uint64_t pv_state_frames(const struct guest *guest);
/* Word and contents of one page; NULL, or what is wrong with it. */
const char *pv_state_put_page(struct stream_writer *writer, const struct guest *guest, uint64_t pfn);
/* After all pages; then the vCPUs. NULL, or what is wrong. */
const char *pv_state_put_guest(struct stream_writer *writer, const struct guest *guest);
const char *pv_state_put_vcpu(struct stream_writer *writer, const struct guest *guest, unsigned id);

/* Into a guest that is not alive yet and has no frames: they are taken with pv_state_begin. NULL, or what is wrong. */
const char *pv_state_begin(struct guest *guest);
/* The machine frame of one of its numbers; ~0: none. */
uint64_t pv_state_frame(const struct guest *guest, uint64_t pfn);
const char *pv_state_get_pages(struct stream_reader *reader, struct guest *guest);
const char *pv_state_get_guest(struct stream_reader *reader, struct guest *guest);
const char *pv_state_get_vcpu(struct stream_reader *reader, struct guest *guest, uint64_t id, char *why,
                              size_t why_size);

#endif
