/* SPDX-License-Identifier: MIT */
/*
 * Which accesses of two cores to one byte no lock puts in an order: happens-before by vector clocks (Lamport 1978;
 * FastTrack, PLDI 2009, is the same with cheaper clocks). An access that the image's line table marks atomic orders:
 * what a core did before its atomic store to an address comes before what another does after its atomic load from it.
 */
#ifndef FAM10H_MACHINE_RACE_CHECK_H
#define FAM10H_MACHINE_RACE_CHECK_H

#include <glib.h>

#include "sim/addr.h"

#define RACE_CORES 64

/* The last plain store to a byte; clock 0: none. */
struct race_cell {
    uint32_t clock;
    uint32_t rip; /* a hypervisor image lies below 4 GiB */
    uint8_t core;
};

struct race_check {
    uint32_t now[RACE_CORES][RACE_CORES]; /* [core]: what it knows of each core's clock */
    GHashTable *released;                 /* address -> uint32_t[RACE_CORES]: what came before its last atomic stores */
    bool started[RACE_CORES];
};

void race_init(struct race_check *race);
void race_clear(struct race_check *race);
/* A core's first instruction: whoever started it did so before. */
void race_start(struct race_check *race, unsigned core);
void race_acquire(struct race_check *race, unsigned core, spa_t address);
void race_release(struct race_check *race, unsigned core, spa_t address);
/* Whether the store that `cell` describes was another core's and may come after this access as well as before. */
bool race_unordered(const struct race_check *race, unsigned core, const struct race_cell *cell);
void race_stored(const struct race_check *race, unsigned core, uint64_t rip, struct race_cell *cell);

#endif
