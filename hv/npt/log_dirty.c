/* SPDX-License-Identifier: MIT */
#include "hv/npt/log_dirty.h"

#include <stddef.h>

#define FRAME_SHIFT 12

void log_dirty_begin(struct log_dirty *log, struct npt *npt, uint64_t *bitmap, uint64_t frames)
{
    __atomic_store_n(&log->bitmap, bitmap, __ATOMIC_RELEASE);
    __atomic_store_n(&log->frames, frames, __ATOMIC_RELEASE);
    __atomic_store_n(&log->dirty, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&log->on, true, __ATOMIC_RELEASE);
    npt_retype_all(npt, NPT_RAM, NPT_LOG_DIRTY);
}

uint64_t *log_dirty_end(struct log_dirty *log, struct npt *npt)
{
    npt_retype_all(npt, NPT_LOG_DIRTY, NPT_RAM);
    __atomic_store_n(&log->on, false, __ATOMIC_RELEASE);
    return log->bitmap; /* it stays there: another core may be about to mark in it */
}

static bool covers(const struct log_dirty *log, uint64_t frame)
{
    return __atomic_load_n(&log->on, __ATOMIC_ACQUIRE) && frame < __atomic_load_n(&log->frames, __ATOMIC_ACQUIRE);
}

static uint64_t word_of(const struct log_dirty *log, uint64_t word)
{
    return __atomic_load_n(&log->bitmap[word], __ATOMIC_ACQUIRE);
}

void log_dirty_mark(struct log_dirty *log, uint64_t frame)
{
    uint64_t bit = 1ull << frame % 64, *bitmap;

    if (!covers(log, frame))
        return;
    bitmap = __atomic_load_n(&log->bitmap, __ATOMIC_ACQUIRE);
    if (!(__atomic_fetch_or(&bitmap[frame / 64], bit, __ATOMIC_ACQ_REL) & bit))
        __atomic_fetch_add(&log->dirty, 1, __ATOMIC_RELAXED);
}

bool log_dirty_test(const struct log_dirty *log, uint64_t frame)
{
    return covers(log, frame) && word_of(log, frame / 64) >> frame % 64 & 1;
}

static void mark_page(struct log_dirty *log, uint64_t gpa, enum npt_size size)
{
    uint64_t first = (gpa & ~(npt_bytes(size) - 1)) >> FRAME_SHIFT;

    for (uint64_t i = 0; i < npt_bytes(size) >> FRAME_SHIFT; i++)
        log_dirty_mark(log, first + i);
}

bool log_dirty_fault(struct log_dirty *log, struct npt *npt, uint64_t gpa)
{
    struct npt_page page;
    bool split = npt_find(npt, gpa, &page) && page.size > NPT_4K;

    __atomic_store_n(&log->faults, log->faults + 1, __ATOMIC_RELAXED); /* under the lock; readers take none */
    if (npt_set_type(npt, gpa, NPT_RAM, NPT_FOR_LOG_DIRTY)) {
        log_dirty_mark(log, gpa >> FRAME_SHIFT);
        return split;
    }
    if (npt_find(npt, gpa, &page)) {
        mark_page(log, gpa, page.size);
        npt_retype(npt, gpa, NPT_LOG_DIRTY, NPT_RAM);
    }
    return split;
}

/* Only a frame whose bit is set can be writable; hv's own writes set bits without making it so. */
void log_dirty_take(struct log_dirty *log, struct npt *npt, uint64_t *taken)
{
    for (uint64_t word = 0; word < log_dirty_bytes(log->frames) / 8; word++) {
        uint64_t bits = word_of(log, word) ? __atomic_exchange_n(&log->bitmap[word], 0, __ATOMIC_ACQ_REL) : 0;

        if (taken)
            taken[word] = bits;
        for (; bits; bits &= bits - 1) {
            __atomic_fetch_sub(&log->dirty, 1, __ATOMIC_RELAXED);
            npt_retype(npt, (word * 64 + (unsigned)__builtin_ctzll(bits)) << FRAME_SHIFT, NPT_RAM, NPT_LOG_DIRTY);
        }
    }
}
