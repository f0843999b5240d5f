/* SPDX-License-Identifier: MIT */
/* The sender's end of a migration over the link: what hv/live/incoming.h shows, from its left side. */
#ifndef HV_LIVE_OUTGOING_H
#define HV_LIVE_OUTGOING_H

#include "hv/live/incoming.h"

struct outgoing {
    uint64_t job;        /* names the migration to both ends; 0: none */
    unsigned changes;    /* of the carrier when it began */
    uint64_t since;      /* clock_now(): the link has taken nothing since then */
};

/* One frame, waiting for its turn. NULL, or why not: no carrier, or nobody at the other end takes anything. */
const char *outgoing_transmit(const void *record, size_t size);

/* NULL, or why it cannot begin. */
const char *outgoing_begin(struct outgoing *outgoing);
/* Look what has come. NULL, or what ends the migration: the link was lost, or the other end has refused. */
const char *outgoing_trouble(struct outgoing *outgoing, struct answer *answer);
/* After the END record: wait for READY. NULL, or what ends it. */
const char *outgoing_wait_ready(struct outgoing *outgoing, struct answer *answer);
/* GO, and what became of it; ANSWER_NONE: nobody knows. */
enum answer_code outgoing_commit(struct outgoing *outgoing, unsigned pauses, struct answer *answer);
void outgoing_abort(const struct outgoing *outgoing);
/* Ask once more, if there is a carrier. */
void outgoing_query(const struct outgoing *outgoing);

#endif
