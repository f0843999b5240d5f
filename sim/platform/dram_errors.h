/* SPDX-License-Identifier: MIT */
/*
 * Wrong bits in DRAM (fact sheet 5.8), kept sparse: a sorted list of 16-byte ECC words. RAM holds what was stored;
 * the list says which words the controllers read back wrong, or which access is to meet another error that a scenario
 * planted. The pages concerned carry DRAM_PAGE_BAD, so that every access to them asks here.
 */
#ifndef FAM10H_PLATFORM_DRAM_ERRORS_H
#define FAM10H_PLATFORM_DRAM_ERRORS_H

#include "sim/counters.h"
#include "sim/platform/map.h"
#include "sim/platform/northbridge.h"
#include "sim/state.h"

#define ECC_WORD_BYTES 16
#define DRAM_ERRORS_MOST 65536 /* words; one more is refused */

struct dram_errors {
    GArray *words;             /* of struct dram_error (dram_errors.c), by address */
    struct map *map;
    struct northbridge *node;  /* array of the machine's nodes */
    unsigned cores_per_node;
    unsigned armed;            /* a bit for each node that waits for an access to inject an error into (F3xBC) */
    struct unmodelled *unmodelled;
    struct dram_error_counters {
        uint64_t corrected, uncorrected;  /* accesses that met such a word */
        uint64_t scrubbed, redirected;    /* words made good by the sequential and the redirect scrubber */
        uint64_t rewritten;               /* and by a store */
        uint64_t planted;
        uint64_t injected;                /* of them: by F3xBC */
    } count;
};

void dram_errors_init(struct dram_errors *errors, struct map *map, struct northbridge *node, unsigned cores_per_node);
void dram_errors_clear(struct dram_errors *errors);
void dram_errors_free(struct dram_errors *errors);

/* false: `error` says what is wrong (not DRAM, too many). */
bool dram_errors_plant(struct dram_errors *errors, const struct planted_error *planted, GError **error);
/* Something was stored there: what it covers, or corrects on the way, is good again. */
void dram_errors_stored(struct dram_errors *errors, spa_t address, uint64_t size);
/*
 * An access of `kind` by core `core` (machine-wide; MCA_SOURCE_IO: a device). The northbridge logs what it finds.
 * true: *own is what the core's own unit has to log in addition.
 */
bool dram_errors_meet(struct dram_errors *errors, spa_t address, unsigned size, enum memory_access kind, unsigned core,
                      struct mca_error *own);

/* The scrubber reads the word at or behind `from`, up to `limit`. false: there is none; else its address. */
bool dram_errors_next(const struct dram_errors *errors, spa_t from, spa_t limit, spa_t *address);
void dram_errors_scrub(struct dram_errors *errors, spa_t address);
/* F3xB8 or F3xBC of a node was written, or restored: whether it waits for an access now. */
void dram_errors_arm(struct dram_errors *errors, unsigned node);
/* After a warm reset: memory was cleared, so that only what is wrong whatever was stored stays so. */
void dram_errors_keep_hard(struct dram_errors *errors);
/* A rank was replaced: words that `moved` says lay in it are good now, unless their contents were lost. */
void dram_errors_replaced(struct dram_errors *errors, bool (*moved)(void *ctx, spa_t address), void *ctx);

extern const struct state_part dram_errors_state;
extern const struct counter_row dram_error_counter_rows[];
extern const size_t dram_error_counter_count;

#endif
