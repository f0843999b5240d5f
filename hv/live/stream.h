/* SPDX-License-Identifier: MIT */
/*
 * The stream that carries a guest: a header (magic, version), then records of a type and a body; bodies of state are
 * fields that each carry their name and size. A reader refuses what it does not know, what is missing, and what was
 * damaged on the way. It holds guest-visible state only: no root, ASID, intercept or shadow. Pure.
 */
#ifndef HV_LIVE_STREAM_H
#define HV_LIVE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_MAGIC 0x5247494D48303146ull /* "F10HMIGR" */
#define STREAM_VERSION 2u
#define STREAM_NAME 16

enum stream_record_type {
    STREAM_BEGIN = 1, /* magic, version, job, paging mode that is asked for */
    STREAM_GUEST,     /* fields: what to build */
    STREAM_PAGES,     /* count, that many frame words, the contents of those that are the guest's own */
    STREAM_VCPU,      /* its number, fields */
    STREAM_DEVICES,   /* fields */
    STREAM_XEN,       /* system time, number, event channels, the shared page, grants */
    STREAM_PV_PAGES,  /* of a paravirtual guest, which has no devices: count, a word and contents each (pv_state.h) */
    STREAM_PV_GUEST,  /* after its pages: time, start information, list of frames, the shared page, console's line */
    STREAM_PV_VCPU,   /* after that: its number, fields */
    STREAM_END,       /* the checksum of all bodies before */
    /* Not of the stream: what both ends of a link say about it (incoming.h). */
    STREAM_GO,        /* job, pauses */
    STREAM_ABORT,     /* job */
    STREAM_QUERY,     /* job */
    STREAM_ANSWER     /* struct answer */
};

/* A frame word: address, type; of one that hv shares with it, which: 0 the shared page, above it a grant frame. */
#define STREAM_FRAME_TYPE 0xFu
#define STREAM_FRAME_SHARED 4 /* shift of that number */

struct stream_record {
    uint32_t type, size; /* of the body: a multiple of 8 */
};

/* One record under construction. */
struct stream_writer {
    uint8_t *room;
    size_t size, used;
    bool full; /* something did not fit */
};

/* One member of a state structure. */
struct stream_field {
    const char *name; /* at most 15 characters */
    uint32_t offset, size;
};
#define STREAM_FIELD(structure, member) { #member, offsetof(structure, member), sizeof(((structure *)0)->member) }
#define STREAM_FIELDS(table) (table), sizeof(table) / sizeof((table)[0])

void stream_begin(struct stream_writer *writer, void *room, size_t size, enum stream_record_type type);
void stream_put(struct stream_writer *writer, const void *data, size_t size); /* padded to 8 bytes */
void stream_put_u64(struct stream_writer *writer, uint64_t value);
void stream_put_fields(struct stream_writer *writer, const void *structure, const struct stream_field *fields,
                       unsigned count);
/* The record's size with its head, 0: it did not fit. */
size_t stream_finish(struct stream_writer *writer);

/* Body of a record to read; `bad` once something was missing. */
struct stream_reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};
void stream_open(struct stream_reader *reader, const void *body, size_t size);
const void *stream_get(struct stream_reader *reader, size_t size);
uint64_t stream_get_u64(struct stream_reader *reader);
/* Every field of the table, once, and none besides; NULL, or which one is wrong and how. */
const char *stream_get_fields(struct stream_reader *reader, void *structure, const struct stream_field *fields,
                              unsigned count, char *why, size_t why_size);

/* Goes over a body; begins at 0. */
uint64_t stream_checksum(uint64_t sum, const void *body, size_t size);

#endif
