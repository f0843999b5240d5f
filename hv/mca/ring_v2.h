/* SPDX-License-Identifier: MIT */
/*
 * Telemetry, version 2: two classes of entries, urgent (10) and non-urgent (20), each free -> uncommitted ->
 * committed ->
 * processing -> free. Fetching gives an id; the entry is free when the id is acknowledged. An urgent reservation
 * may take
 * a free non-urgent entry, not the other way round; when nothing is free the record is dropped and counted. Pure;
 * taking
 * and committing need no lock, fetch and acknowledge are under the caller's.
 */
#ifndef HV_MCA_RING_V2_H
#define HV_MCA_RING_V2_H

#include <stdbool.h>

#include "hv/abi/mca.h"

#define MCA_URGENT_ENTRIES 10u
#define MCA_NONURGENT_ENTRIES 20u
#define MCA_ENTRIES (MCA_URGENT_ENTRIES + MCA_NONURGENT_ENTRIES)

enum mca_entry_state { MCA_ENTRY_FREE, MCA_ENTRY_UNCOMMITTED, MCA_ENTRY_COMMITTED, MCA_ENTRY_PROCESSING };

struct mca_entry {
    uint8_t state;    /* enum mca_entry_state; atomic */
    bool urgent;      /* what it holds now */
    uint32_t index;   /* the record's number: fetched in this order */
    struct mca_info info;
};
struct mca_ring_v2 {
    uint32_t lost;    /* atomic */
    struct mca_entry entry[MCA_ENTRIES]; /* the first 10 are the urgent ones */
};

/* NULL: dropped, counted. */
struct mca_entry *mca_entry_reserve(struct mca_ring_v2 *ring, bool urgent, uint32_t index);
void mca_entry_commit(struct mca_entry *entry, const struct mca_info *info);
/* The oldest committed one of the class, in processing from now on; NULL: none. */
const struct mca_entry *mca_entry_fetch(struct mca_ring_v2 *ring, bool urgent);
/* False: no entry of this id and class is in processing. */
bool mca_entry_ack(struct mca_ring_v2 *ring, uint64_t id, bool urgent);
/* A record that nobody is to fetch any more. */
void mca_entry_release(struct mca_ring_v2 *ring, uint32_t index);
static inline uint64_t mca_entry_id(const struct mca_entry *entry)
{
    return entry->index + 1ull; /* 0 is none */
}

#endif
