/* SPDX-License-Identifier: MIT */
#include "hv/mca/ring_v2.h"

#include <stddef.h>

#include "hv/core/text.h"

static bool move(struct mca_entry *entry, enum mca_entry_state from, enum mca_entry_state to)
{
    uint8_t expected = (uint8_t)from;

    return __atomic_compare_exchange_n(&entry->state, &expected, (uint8_t)to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

struct mca_entry *mca_entry_reserve(struct mca_ring_v2 *ring, bool urgent, uint32_t index)
{
    for (unsigned i = urgent ? 0 : MCA_URGENT_ENTRIES; i < MCA_ENTRIES; i++) {
        struct mca_entry *entry = &ring->entry[i];

        if (!move(entry, MCA_ENTRY_FREE, MCA_ENTRY_UNCOMMITTED))
            continue;
        entry->urgent = urgent;
        entry->index = index;
        return entry;
    }
    __atomic_fetch_add(&ring->lost, 1, __ATOMIC_RELAXED);
    return NULL;
}

void mca_entry_commit(struct mca_entry *entry, const struct mca_info *info)
{
    memcpy(&entry->info, info, sizeof(*info));
    __atomic_store_n(&entry->state, (uint8_t)MCA_ENTRY_COMMITTED, __ATOMIC_RELEASE);
}

static enum mca_entry_state state_of(const struct mca_entry *entry)
{
    return (enum mca_entry_state)__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);
}

const struct mca_entry *mca_entry_fetch(struct mca_ring_v2 *ring, bool urgent)
{
    struct mca_entry *oldest = NULL;

    for (unsigned i = 0; i < MCA_ENTRIES; i++) {
        struct mca_entry *entry = &ring->entry[i];

        if (state_of(entry) == MCA_ENTRY_COMMITTED && entry->urgent == urgent &&
            (!oldest || (int32_t)(entry->index - oldest->index) < 0))
            oldest = entry;
    }
    if (oldest)
        move(oldest, MCA_ENTRY_COMMITTED, MCA_ENTRY_PROCESSING);
    return oldest;
}

bool mca_entry_ack(struct mca_ring_v2 *ring, uint64_t id, bool urgent)
{
    for (unsigned i = 0; i < MCA_ENTRIES; i++) {
        struct mca_entry *entry = &ring->entry[i];

        if (state_of(entry) == MCA_ENTRY_PROCESSING && entry->urgent == urgent && mca_entry_id(entry) == id)
            return move(entry, MCA_ENTRY_PROCESSING, MCA_ENTRY_FREE);
    }
    return false;
}

void mca_entry_release(struct mca_ring_v2 *ring, uint32_t index)
{
    for (unsigned i = 0; i < MCA_ENTRIES; i++)
        if (ring->entry[i].index == index)
            move(&ring->entry[i], MCA_ENTRY_COMMITTED, MCA_ENTRY_FREE);
}
