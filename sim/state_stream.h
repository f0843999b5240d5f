/* SPDX-License-Identifier: MIT */
/* Between state.c and snapshot.c only. */
#ifndef FAM10H_STATE_STREAM_H
#define FAM10H_STATE_STREAM_H

#include <stdio.h>

#include "sim/state.h"

struct state_entry {
    char *path;
    const struct state_part *part;
    void *object;
};

struct state {
    GArray *entries; /* of struct state_entry, in composition order */
};

/* Everything written goes into the checksum; into the file too if there is one. */
struct state_writer {
    FILE *file;
    GChecksum *checksum;
    bool failed;
};

struct state_reader {
    FILE *file;
    const char *name; /* of the file, for messages */
    const char *path; /* of the part being read, for messages */
};

uint64_t state_field_value(const struct state_field *field, const void *object, unsigned i);
void state_write_part(struct state_writer *writer, const struct state_entry *entry);
bool state_read_part(struct state_reader *reader, const struct state_entry *entry, GError **error);

#endif
