/* SPDX-License-Identifier: MIT */
/* When pre-copying ends (hypervisor-features.md A11, as Xen's tools decided). Pure. */
#ifndef HV_LIVE_PRECOPY_H
#define HV_LIVE_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

#define PRECOPY_ROUNDS_MAX 29 /* complete rounds before the last one */
#define PRECOPY_FEW 50        /* pages sent and skipped in a round */
#define PRECOPY_FACTOR 3      /* pages sent in all, in memories */

struct precopy {
    uint64_t memory;        /* pages of the guest */
    unsigned rounds;        /* complete ones */
    uint64_t sent, skipped; /* in the round that has just ended */
    uint64_t total;         /* sent in all */
};

enum precopy_verdict { PRECOPY_ANOTHER, PRECOPY_ENOUGH_ROUNDS, PRECOPY_ALMOST_NOTHING, PRECOPY_TOO_MUCH };

/* After a round: another one, or why not. */
enum precopy_verdict precopy_decide(const struct precopy *precopy);
const char *precopy_verdict_name(enum precopy_verdict verdict);

#endif
