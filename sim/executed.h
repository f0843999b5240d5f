/* SPDX-License-Identifier: MIT */
/*
 * Which instructions of an image have run, as the model itself fetched them: coverage of a hypervisor that was not
 * instrumented. It belongs to whoever asks, not to a machine: several machines, one after the other, add to it.
 */
#ifndef FAM10H_EXECUTED_H
#define FAM10H_EXECUTED_H

#include <glib.h>

#include "sim/addr.h"

struct executed;

/* The executable bytes of one image in memory; addresses are system-physical. */
struct executed_image;

struct executed *executed_new(void);
void executed_free(struct executed *executed);
/* The image of this name and content; the same when it was named before. `data` is looked at for its SHA-256 alone. */
struct executed_image *executed_image(struct executed *executed, const char *name, const void *data, size_t size);
/* A piece of its code: `bytes` at `address` in memory, `virtual_address` for its debug information. Twice is once. */
void executed_add_code(struct executed_image *image, spa_t address, uint64_t virtual_address, uint64_t bytes);

/* `length` bytes at `address` have been fetched and begin to execute; what is no code of the image is left out. */
void executed_mark(struct executed_image *image, spa_t address, uint64_t length);
/* Whether a mark of these bytes would tell nothing new: all of them are marked, or no code of the image. */
bool executed_knows(const struct executed_image *image, spa_t address, uint64_t length);

/*
 * Text: "fam10h-executed 1", then for each image "image NAME SHA256" and its executed ranges as "FIRST END"
 * (hexadecimal virtual addresses, END exclusive), ascending.
 */
void executed_write(const struct executed *executed, GString *out);

#endif
