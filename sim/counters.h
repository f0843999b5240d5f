/* SPDX-License-Identifier: MIT */
/*
 * Counters, declared once as data. A full name follows the grammar
 *     part[n].part[n].noun.event{dimension=value,...}
 * for example node[0].core[1].walk.refs{side=d,g=2,n=1}. A dimension left out, and [*] for an index, sum.
 */
#ifndef FAM10H_COUNTERS_H
#define FAM10H_COUNTERS_H

#include <glib.h>

#include "sim/addr.h"

#define COUNTER_DIMS 4

struct counter_dim {
    const char *name;          /* NULL ends the list */
    unsigned size;
    const char *const *labels; /* value names, or NULL: decimal numbers */
};

/* One counter, or an array of them. The storage is uint64_t[dim0][dim1]... at `offset`. */
struct counter_row {
    const char *name;    /* noun.event */
    const char *unit;    /* "references", "cycles", "events" ... */
    const char *meaning; /* one line */
    size_t offset;
    struct counter_dim dim[COUNTER_DIMS];
};

struct counter_set;

struct counter_set *counter_set_new(void);
void counter_set_free(struct counter_set *set);
/* Attach an instance: prefix is the path ("node[0].core[1]"), base the struct that holds the storage. */
void counters_attach(struct counter_set *set, const char *prefix, const struct counter_row *rows,
                     size_t count, void *base);
/* `fold(base)` of the instance attached last makes its lazily kept values exact; called before any is read. */
void counters_fold(struct counter_set *set, void (*fold)(void *base));
/* Sum of what `name` selects. FALSE and one line in `error` for a name that selects nothing. */
gboolean counter_read(const struct counter_set *set, const char *name, uint64_t *value, GError **error);
/* Every non-zero value, in order of attachment and declaration, with its full name. */
typedef void counter_visit(void *ctx, const char *name, const struct counter_row *row, uint64_t value);
void counters_each(const struct counter_set *set, counter_visit *visit, void *ctx);
/* Every attached row once, with the prefix of its first instance: for doc/counters.md. */
typedef void counter_declare(void *ctx, const char *prefix, const struct counter_row *row);
void counters_declared(const struct counter_set *set, counter_declare *declare, void *ctx);
/* Set all to zero. */
void counters_clear(struct counter_set *set);

struct state;
/* Describe every attached counter to the snapshot (they are part of it). */
void counters_describe(struct counter_set *set, struct state *state);

#endif
