/* SPDX-License-Identifier: MIT */
#include "hv/mca/ring_v1.h"

#include <stddef.h>

#include "hv/core/text.h"

static struct mca_slot *slot_of(struct mca_ring_v1 *ring, uint32_t index)
{
    return &ring->slot[index % MCA_RING_SLOTS];
}

uint32_t mca_ring_take(struct mca_ring_v1 *ring)
{
    uint32_t index = __atomic_load_n(&ring->error_idx, __ATOMIC_RELAXED);

    while (!__atomic_compare_exchange_n(&ring->error_idx, &index, index + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        ;
    __atomic_store_n(&slot_of(ring, index)->committed, 0, __ATOMIC_RELEASE);
    return index;
}

/* Whether its place is a younger record's by now; mca_ring_clamp counts it. */
static bool is_overtaken(const struct mca_ring_v1 *ring, uint32_t index)
{
    return __atomic_load_n(&ring->error_idx, __ATOMIC_ACQUIRE) - index > MCA_RING_SLOTS;
}

static void put(struct mca_slot *slot, uint32_t index, bool released)
{
    slot->released = released;
    __atomic_store_n(&slot->committed, index + 1, __ATOMIC_RELEASE);
}

void mca_ring_forget(struct mca_ring_v1 *ring, uint32_t index)
{
    if (!is_overtaken(ring, index))
        put(slot_of(ring, index), index, true);
}

void mca_ring_commit(struct mca_ring_v1 *ring, uint32_t index, const struct mca_info *info)
{
    if (is_overtaken(ring, index))
        return;
    memcpy(&slot_of(ring, index)->info, info, sizeof(*info));
    put(slot_of(ring, index), index, false);
}

void mca_ring_clamp(struct mca_ring_v1 *ring)
{
    uint32_t produced = __atomic_load_n(&ring->error_idx, __ATOMIC_ACQUIRE);

    if (produced - ring->fetch_idx <= MCA_RING_SLOTS)
        return;
    __atomic_fetch_add(&ring->lost, produced - ring->fetch_idx - MCA_RING_SLOTS, __ATOMIC_RELAXED);
    ring->fetch_idx = produced - MCA_RING_SLOTS;
}

const struct mca_info *mca_ring_head(struct mca_ring_v1 *ring, uint32_t *fetch_idx)
{
    mca_ring_clamp(ring);
    while (ring->fetch_idx != __atomic_load_n(&ring->error_idx, __ATOMIC_ACQUIRE)) {
        struct mca_slot *slot = slot_of(ring, ring->fetch_idx);

        if (__atomic_load_n(&slot->committed, __ATOMIC_ACQUIRE) != ring->fetch_idx + 1)
            return NULL; /* its producer is not through yet */
        if (!slot->released) {
            *fetch_idx = ring->fetch_idx;
            return &slot->info;
        }
        ring->fetch_idx++;
    }
    return NULL;
}

const struct mca_info *mca_ring_fetch(struct mca_ring_v1 *ring, uint32_t *fetch_idx)
{
    const struct mca_info *info = mca_ring_head(ring, fetch_idx);

    if (info)
        ring->fetch_idx++;
    return info;
}

const struct mca_info *mca_ring_at(const struct mca_ring_v1 *ring, uint32_t index)
{
    const struct mca_slot *slot = &ring->slot[index % MCA_RING_SLOTS];

    return __atomic_load_n(&slot->committed, __ATOMIC_ACQUIRE) == index + 1 ? &slot->info : NULL;
}

void mca_ring_release(struct mca_ring_v1 *ring, uint32_t index)
{
    if (mca_ring_at(ring, index))
        slot_of(ring, index)->released = true;
}

bool mca_ring_tell_lost(struct mca_ring_v1 *ring)
{
    uint32_t lost = __atomic_load_n(&ring->lost, __ATOMIC_RELAXED);

    return __atomic_exchange_n(&ring->lost_told, lost, __ATOMIC_RELAXED) != lost;
}

/* ---- For notified DomUs ------------------------------------------------------------------------------------ */

static struct mca_notified *place_for_copy(struct mca_ring_v1 *ring, bool (*is_gone)(uint16_t domid))
{
    for (unsigned i = 0; i < MCA_RING_SLOTS; i++)
        if (ring->notified[i].valid && is_gone(ring->notified[i].domid))
            ring->notified[i].valid = false;
    for (unsigned i = 0; i < MCA_RING_SLOTS; i++) {
        struct mca_notified *entry = &ring->notified[(ring->notify_idx + i) % MCA_RING_SLOTS];

        if (!entry->valid)
            return entry;
    }
    return &ring->notified[ring->notify_idx % MCA_RING_SLOTS];
}

bool mca_ring_notify(struct mca_ring_v1 *ring, uint32_t index, uint16_t domid, uint16_t vcpu,
                     bool (*is_gone)(uint16_t domid), struct mca_notified *overwritten)
{
    const struct mca_info *info = mca_ring_at(ring, index);
    struct mca_notified *entry;
    bool had;

    if (!info)
        return false;
    entry = place_for_copy(ring, is_gone);
    had = entry->valid;
    if (had)
        memcpy(overwritten, entry, sizeof(*entry));
    entry->valid = true;
    entry->domid = domid;
    entry->vcpu = vcpu;
    entry->fetch_idx = index;
    memcpy(&entry->info, info, sizeof(*info));
    ring->notify_idx++;
    return had;
}

bool mca_ring_fetch_notified(struct mca_ring_v1 *ring, uint16_t domid, uint16_t vcpu, uint32_t *fetch_idx,
                             struct mca_info *info)
{
    struct mca_notified *oldest = NULL;

    for (unsigned i = 0; i < MCA_RING_SLOTS; i++) {
        struct mca_notified *entry = &ring->notified[i];

        if (entry->valid && entry->domid == domid && entry->vcpu == vcpu &&
            (!oldest || (int32_t)(entry->fetch_idx - oldest->fetch_idx) < 0))
            oldest = entry;
    }
    if (!oldest)
        return false;
    oldest->valid = false;
    *fetch_idx = oldest->fetch_idx;
    memcpy(info, &oldest->info, sizeof(*info));
    return true;
}
