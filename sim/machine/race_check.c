/* SPDX-License-Identifier: MIT */
#include "sim/machine/race_check.h"

#include <string.h>

static void join(uint32_t *to, const uint32_t *from)
{
    for (unsigned i = 0; i < RACE_CORES; i++)
        to[i] = MAX(to[i], from[i]);
}

void race_init(struct race_check *race)
{
    memset(race, 0, sizeof(*race));
    race->released = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    for (unsigned i = 0; i < RACE_CORES; i++)
        race->now[i][i] = 1;
}

void race_clear(struct race_check *race)
{
    if (race->released)
        g_hash_table_unref(race->released);
    race->released = NULL;
}

void race_start(struct race_check *race, unsigned core)
{
    if (race->started[core])
        return;
    race->started[core] = true;
    for (unsigned i = 0; i < RACE_CORES; i++) {
        join(race->now[core], race->now[i]);
        race->now[i][i]++; /* what the others do from now on is not known to it */
    }
}

void race_acquire(struct race_check *race, unsigned core, spa_t address)
{
    const uint32_t *released = g_hash_table_lookup(race->released, &address);

    if (released)
        join(race->now[core], released);
}

void race_release(struct race_check *race, unsigned core, spa_t address)
{
    uint32_t *released = g_hash_table_lookup(race->released, &address);

    if (!released) {
        released = g_new0(uint32_t, RACE_CORES);
        g_hash_table_insert(race->released, g_memdup2(&address, sizeof(address)), released);
    }
    join(released, race->now[core]);
    race->now[core][core]++;
}

bool race_unordered(const struct race_check *race, unsigned core, const struct race_cell *cell)
{
    return cell->clock && cell->core != core && race->now[core][cell->core] < cell->clock;
}

void race_stored(const struct race_check *race, unsigned core, uint64_t rip, struct race_cell *cell)
{
    cell->clock = race->now[core][core];
    cell->core = (uint8_t)core;
    cell->rip = (uint32_t)rip;
}
