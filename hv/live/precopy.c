/* SPDX-License-Identifier: MIT */
#include "hv/live/precopy.h"

enum precopy_verdict precopy_decide(const struct precopy *precopy)
{
    if (precopy->sent + precopy->skipped < PRECOPY_FEW)
        return PRECOPY_ALMOST_NOTHING;
    if (precopy->rounds >= PRECOPY_ROUNDS_MAX)
        return PRECOPY_ENOUGH_ROUNDS;
    if (precopy->total > PRECOPY_FACTOR * precopy->memory)
        return PRECOPY_TOO_MUCH;
    return PRECOPY_ANOTHER;
}

const char *precopy_verdict_name(enum precopy_verdict verdict)
{
    static const char *const names[] = { "another", "rounds", "few", "total" };

    return names[verdict];
}
