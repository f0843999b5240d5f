/* SPDX-License-Identifier: MIT */
/*
 * Telemetry, version 1: an array of 10 records between the error handlers of all cores, which produce, and domain 0,
 * which fetches; and a second one of 10 copies for DomUs that were notified. Indices run freely, slot = index mod 10.
 * Taking a number needs no lock: it happens in #MC context. All else is under a lock of the caller's: two producers
 * may have the same slot, ten records apart. Pure.
 *
 * When it is full the oldest record is overwritten and counted as lost; the next record says so (MCA_GLOBAL_LOST).
 * Invariants: fetch <= error; notify <= fetch in what it copies; error - fetch <= 10 after mca_ring_clamp.
 */
#ifndef HV_MCA_RING_V1_H
#define HV_MCA_RING_V1_H

#include <stdbool.h>

#include "hv/abi/mca.h"

#define MCA_RING_SLOTS 10u
#define MCA_RING_NONE UINT32_MAX

struct mca_slot {
    uint32_t committed; /* index + 1 once whole; atomic */
    bool released;      /* nobody is to fetch it: dumped on the console */
    struct mca_info info;
};
struct mca_notified {
    bool valid;
    uint16_t domid, vcpu;
    uint32_t fetch_idx;
    struct mca_info info;
};
struct mca_ring_v1 {
    uint32_t error_idx;  /* next to produce; atomic */
    uint32_t fetch_idx;  /* next to fetch */
    uint32_t lost;       /* records overwritten before they were fetched; atomic */
    uint32_t lost_told;  /* of these, known to a record; atomic */
    struct mca_slot slot[MCA_RING_SLOTS];
    uint32_t notify_idx; /* next place in `notified`; counts what was copied */
    struct mca_notified notified[MCA_RING_SLOTS];
};

/* Two steps, so that a record's number is known while it is written. One whose slot is another's by now is not kept. */
uint32_t mca_ring_take(struct mca_ring_v1 *ring);
void mca_ring_commit(struct mca_ring_v1 *ring, uint32_t index, const struct mca_info *info);
/* One that nobody will ever fill: it is skipped. */
void mca_ring_forget(struct mca_ring_v1 *ring, uint32_t index);
/*
 * The oldest record that was not fetched; NULL: none. It is the consumer's copy that counts: take it before the
 * lock goes.
 */
const struct mca_info *mca_ring_fetch(struct mca_ring_v1 *ring, uint32_t *fetch_idx);
/* The same without fetching it. */
const struct mca_info *mca_ring_head(struct mca_ring_v1 *ring, uint32_t *fetch_idx);
/* A record by its number while its slot is not yet another's; NULL. */
const struct mca_info *mca_ring_at(const struct mca_ring_v1 *ring, uint32_t index);
/* Nobody will fetch this one. */
void mca_ring_release(struct mca_ring_v1 *ring, uint32_t index);
/* Skip what was overwritten, counting it. */
void mca_ring_clamp(struct mca_ring_v1 *ring);
/* Whether records were lost that no record has told of yet; marks them as told. */
bool mca_ring_tell_lost(struct mca_ring_v1 *ring);

/*
 * Copy for a notified DomU. Entries of domains that are gone are used first (is_gone). Returns true and the entry in
 * *overwritten if a valid one had to give way.
 */
bool mca_ring_notify(struct mca_ring_v1 *ring, uint32_t index, uint16_t domid, uint16_t vcpu,
                     bool (*is_gone)(uint16_t domid), struct mca_notified *overwritten);
/* What was left for this vCPU, oldest first; it is given once. False: nothing. */
bool mca_ring_fetch_notified(struct mca_ring_v1 *ring, uint16_t domid, uint16_t vcpu, uint32_t *fetch_idx,
                             struct mca_info *info);

#endif
