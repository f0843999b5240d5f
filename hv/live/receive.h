/* SPDX-License-Identifier: MIT */
/* The receiving side: records in, a guest out. Whatever a stream holds, hv stays whole; a bad one is refused. */
#ifndef HV_LIVE_RECEIVE_H
#define HV_LIVE_RECEIVE_H

#include "hv/live/stream.h"
#include "hv/vm/guest.h"

#define RECEIVE_WHY 96

struct receive {
    uint64_t job, mode;    /* as the stream says; MIGRATE_TO_ */
    uint64_t cores;        /* that its vCPUs may run on here, 0: as its string says */
    unsigned near;         /* guest.h's */
    struct guest *guest;   /* NULL: none yet, or none any more */
    uint64_t checksum;
    uint64_t vcpus_seen;   /* one bit each */
    bool begun, devices_seen, xen_seen, complete;
    char why[RECEIVE_WHY];
};

/* One whole record. NULL, or why the stream is refused: nothing is left of the guest then. */
const char *receive_record(struct receive *receive, const void *record, size_t size);
/* Give up: the guest goes, unless it is complete. */
void receive_abort(struct receive *receive);

#endif
