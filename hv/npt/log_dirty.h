/* SPDX-License-Identifier: MIT */
/*
 * Which frames of a guest were written since the last look: one bit for each 4K frame, exact whatever the size of
 * the pages behind them. While it is on, writable RAM is of type NPT_LOG_DIRTY until its first write. Pure.
 *
 * What takes a right away (begin, take) wants a flush of all its vCPUs before the result is relied on; what gives one
 * back (a fault, end) does not.
 */
#ifndef HV_NPT_LOG_DIRTY_H
#define HV_NPT_LOG_DIRTY_H

#include "hv/npt/npt.h"

struct log_dirty {
    bool on;          /* atomic, as all of it: marks take no lock */
    uint64_t *bitmap; /* bit f % 64 of word f / 64: frame f; has to stay readable after the end */
    uint64_t frames;  /* that the bitmap covers; others are not logged */
    uint64_t dirty;   /* bits set */
    uint64_t faults;  /* write faults that marked a frame, ever; atomic */
};

static inline uint64_t log_dirty_bytes(uint64_t frames)
{
    return (frames + 63) / 64 * 8;
}

/* `bitmap` has log_dirty_bytes(frames) bytes, all zero. */
void log_dirty_begin(struct log_dirty *log, struct npt *npt, uint64_t *bitmap, uint64_t frames);
/* Every page is writable again, of the size it has by then. The caller gets its bitmap back. */
uint64_t *log_dirty_end(struct log_dirty *log, struct npt *npt);
/* Somebody wrote the frame, or gave it other contents. Safe against other cores. */
void log_dirty_mark(struct log_dirty *log, uint64_t frame);
bool log_dirty_test(const struct log_dirty *log, uint64_t frame);
/*
 * The guest writes at gpa, in a page of type NPT_LOG_DIRTY: mark that frame and make it alone writable, which splits a
 * larger page. With no memory to split, all frames of the page are marked: too many is safe. True: a page was split.
 */
bool log_dirty_fault(struct log_dirty *log, struct npt *npt, uint64_t gpa);
/*
 * No frame is dirty any more, each one's next write is noted again. `taken`, unless NULL, gets the bits that were set.
 * What is stored before the flush that the caller owes may go unnoted: its frame is among those taken.
 */
void log_dirty_take(struct log_dirty *log, struct npt *npt, uint64_t *taken);

#endif
