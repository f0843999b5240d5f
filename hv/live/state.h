/* SPDX-License-Identifier: MIT */
/* A guest's state between its guest structure and a stream's records. */
#ifndef HV_LIVE_STATE_H
#define HV_LIVE_STATE_H

#include "hv/live/stream.h"
#include "hv/vm/guest.h"

/* What a STREAM_GUEST record says; the string is the guest's own, so that the receiver parses what the sender did. */
struct state_guest {
    char string[GUEST_STRING_MAX];
    char name[GUEST_NAME_MAX];
    uint64_t frames;
    uint32_t vcpus, width;
    struct cpu_features features; /* that its CPUID shows */
};
void state_put_guest(struct stream_writer *writer, const struct guest *guest);
const char *state_get_guest(struct stream_reader *reader, struct state_guest *to, char *why, size_t why_size);

/* The guest is paused; the record has begun. NULL, or what keeps it from going elsewhere. */
const char *state_cannot_go(const struct guest *guest);
void state_put_vcpu(struct stream_writer *writer, const struct vcpu *vcpu);
void state_put_devices(struct stream_writer *writer, const struct guest *guest);
void state_put_xen(struct stream_writer *writer, const struct guest *guest);
/* Into a guest that is not alive yet. NULL, or what is wrong. */
const char *state_get_vcpu(struct stream_reader *reader, struct guest *guest, char *why, size_t why_size);
const char *state_get_devices(struct stream_reader *reader, struct guest *guest, char *why, size_t why_size);
const char *state_get_xen(struct stream_reader *reader, struct guest *guest);

#endif
