/* SPDX-License-Identifier: MIT */
/*
 * Case II: what the control domain does about parts that go bad (doc/mca.md). Corrected errors fill leaky
 * buckets, one for
 * each frame, chip-select and core; a full one makes it act.
 */
#ifndef WORKLOADS_DOM0_RAS_H
#define WORKLOADS_DOM0_RAS_H

#include <stdbool.h>

#include "hv/abi/mca.h"

/* A corrected error was fetched (version 1). */
void ras_count(const struct mca_info *info);

/* False: it is no number to this base. */
bool ras_number(const char *word, unsigned base, uint64_t *value);

/* Verbs: the words, themselves included. */
void ras_policy(unsigned count, char *const *words);       /* mca-policy [page=N] [cs=N] [core=N] [hours=N] */
void ras_page(unsigned count, char *const *words);         /* offline-page, online-page, query-page FRAME */
void ras_core(unsigned count, char *const *words);         /* core-offline, core-online CORE */
void ras_retire(unsigned count, char *const *words);       /* retire-page DOMAIN FRAME */
void ras_spare(unsigned count, char *const *words);        /* spare [NODE DCT CS] */

#endif
