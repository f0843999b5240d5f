/* SPDX-License-Identifier: MIT */
/*
 * Guest-visible behaviour that the model does not have: logged once by name, and counted, never silent.
 * The report shows the list; in every shipped scenario it is empty.
 */
#ifndef FAM10H_UNMODELLED_H
#define FAM10H_UNMODELLED_H

#include <glib.h>

#include "sim/addr.h"

struct unmodelled;

struct unmodelled *unmodelled_new(void);
void unmodelled_free(struct unmodelled *list);
/* Count one more use of what the format names, for example "RDMSR C001_1099". */
void unmodelled_note(struct unmodelled *list, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Total, and each name with its count in order of name. */
uint64_t unmodelled_total(const struct unmodelled *list);
typedef void unmodelled_visit(void *ctx, const char *name, uint64_t count);
void unmodelled_each(const struct unmodelled *list, unmodelled_visit *visit, void *ctx);

struct state;
void unmodelled_describe(struct unmodelled *list, struct state *state);

#endif
