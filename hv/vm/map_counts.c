/* SPDX-License-Identifier: MIT */
#include "hv/vm/map_counts.h"

const char *const map_count_names[MAP_COUNTS] = {
    [NPT_FOR_LOG_DIRTY] = "p2m_split log_dirty", [NPT_FOR_BALLOON] = "p2m_split balloon",
    [NPT_FOR_SHARING] = "p2m_split sharing", [NPT_FOR_MMIO] = "p2m_split mmio",
    [NPT_FOR_READ_ONLY] = "p2m_split read_only", [NPT_FOR_RETIREMENT] = "p2m_split retirement",
    [MAP_PROMOTE] = "p2m_promote", [MAP_LOG_DIRTY_FAULTS] = "log_dirty_faults",
    [MAP_ENTRIES_4K] = "npt_4k_entries", [MAP_ENTRIES_2M] = "npt_2m_entries", [MAP_ENTRIES_1G] = "npt_1g_entries",
};

static uint64_t retired[MAP_COUNTS]; /* atomic */

uint64_t map_count_of(const struct guest *guest, enum map_count which)
{
    if (which < MAP_PROMOTE)
        return guest->npt.splits[which];
    if (which == MAP_PROMOTE)
        return guest->npt.promotions;
    if (which == MAP_LOG_DIRTY_FAULTS)
        return __atomic_load_n(&guest->log.faults, __ATOMIC_RELAXED);
    return npt_entries(&guest->npt, (enum npt_size)(which - MAP_ENTRIES_4K));
}

uint64_t map_count_total(enum map_count which)
{
    uint64_t total = __atomic_load_n(&retired[which], __ATOMIC_ACQUIRE);

    guests_hold();
    for (unsigned i = 0; i < guest_count; i++)
        if (guest_is_there(&guests[i]))
            total += map_count_of(&guests[i], which);
    guests_release();
    return total;
}

void map_counts_retire(const struct guest *guest)
{
    for (unsigned i = 0; i < MAP_ENTRIES_4K; i++)
        __atomic_fetch_add(&retired[i], map_count_of(guest, (enum map_count)i), __ATOMIC_ACQ_REL);
}
