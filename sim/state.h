/* SPDX-License-Identifier: MIT */
/*
 * State described as data, once; reset, save, restore, hash, dump and the debugger read the description.
 * Native pointers, decoded blocks and caches of the simulator itself are never described.
 */
#ifndef FAM10H_STATE_H
#define FAM10H_STATE_H

#include <glib.h>

#include "sim/addr.h"

/*
 * `count` little-endian values of `size` bytes (1, 2, 4, 8), `stride` bytes apart, from `offset`. A snapshot with a
 * value above `max` is refused; 0: every value of the size is one that the simulator can go on with.
 */
struct state_field {
    const char *name;
    size_t offset;
    unsigned size;
    unsigned count;
    size_t stride;
    uint64_t max;
};

/* A bool (one byte) is 0 or 1: any other byte would be undefined behaviour where it is read. */
#define STATE_MAX(value) _Generic((value), bool: 1, default: 0)

/*
 * A scalar member, an array member, and an array of structs' member; `_UP_TO` for one that is used as an index, an
 * enumeration, a shift count or a divisor's bound.
 */
#define STATE_VALUE_UP_TO(type, member, max) \
    { #member, offsetof(type, member), sizeof(((type *)0)->member), 1, 0, max }
#define STATE_VALUE(type, member) STATE_VALUE_UP_TO(type, member, STATE_MAX(((type *)0)->member))
#define STATE_ARRAY(type, member) \
    { #member, offsetof(type, member), sizeof(((type *)0)->member[0]), \
      sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), sizeof(((type *)0)->member[0]), \
      STATE_MAX(((type *)0)->member[0]) }
#define STATE_EACH_UP_TO(type, array, element, max) \
    { #array "." #element, offsetof(type, array[0].element), sizeof(((type *)0)->array[0].element), \
      sizeof(((type *)0)->array) / sizeof(((type *)0)->array[0]), sizeof(((type *)0)->array[0]), max }
#define STATE_EACH(type, array, element) \
    STATE_EACH_UP_TO(type, array, element, STATE_MAX(((type *)0)->array[0].element))

struct state_writer; /* an open snapshot or hash */
struct state_reader; /* a snapshot that is being restored */

struct state_part {
    const char *name;
    const struct state_field *fields;
    size_t count;
    /* Optional. before: fold lazy values into the described fields. after: rebuild derived values. */
    void (*before)(void *object);
    void (*after)(void *object);
    /* Optional, for contents of variable size (DRAM): called in addition to the fields. */
    void (*save)(void *object, struct state_writer *writer);
    bool (*load)(void *object, struct state_reader *reader, GError **error);
};

struct state;

struct state *state_new(void);
void state_free(struct state *state);
/* Add an object under a path ("node[0].core[1].apic"), in composition order. */
void state_add(struct state *state, const char *path, const struct state_part *part, void *object);

/* For save/load hooks. */
void state_write(struct state_writer *writer, const void *data, size_t size);
void state_write_u64(struct state_writer *writer, uint64_t value);
bool state_read(struct state_reader *reader, void *data, size_t size, GError **error);
bool state_read_u64(struct state_reader *reader, uint64_t *value, GError **error);

/* SHA-256 of everything described, in hexadecimal; the caller frees it. */
char *state_hash(struct state *state);
/* Written to a temporary name beside `file`, synced, renamed. `label` names the configuration. */
bool state_save(struct state *state, const char *file, const char *label, GError **error);
/* Refused with one line when truncated, damaged, of another version, or of another configuration. */
bool state_restore(struct state *state, const char *file, const char *label, GError **error);
/* "path.field = value" lines, for `dump` and the debugger; a prefix selects. */
void state_dump(struct state *state, const char *prefix, GString *out);

#endif
