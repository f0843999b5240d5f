/* SPDX-License-Identifier: MIT */
/* What happened to the guests' memory maps, summed over all guests, for perfc_op and the report. */
#ifndef HV_VM_MAP_COUNTS_H
#define HV_VM_MAP_COUNTS_H

#include "hv/vm/guest.h"

enum map_count { MAP_SPLIT_FIRST, MAP_PROMOTE = NPT_CAUSE_COUNT, MAP_LOG_DIRTY_FAULTS, MAP_ENTRIES_4K, MAP_ENTRIES_2M,
                 MAP_ENTRIES_1G, MAP_COUNTS };

/* "p2m_split log_dirty" ... */
extern const char *const map_count_names[MAP_COUNTS];
/* Guests that are gone count too, except for the entries that there are. */
uint64_t map_count_total(enum map_count which);
/* One guest's. */
uint64_t map_count_of(const struct guest *guest, enum map_count which);
/* A guest is going. */
void map_counts_retire(const struct guest *guest);

#endif
