/* SPDX-License-Identifier: MIT */
/*
 * The 8254 timer of a guest: channels 0 (its output is IRQ 0) and 2 (with port 61h), modes 0, 2, 3 and 4. Channel 1
 * (memory refresh) can be written and read and does nothing. Pure.
 * deviation: modes 1 and 5 want a trigger at GATE; they count as modes 0 and 4. BCD counts are taken as binary.
 */
#ifndef HV_VDEV_VPIT_H
#define HV_VDEV_VPIT_H

#include <stdbool.h>
#include <stdint.h>

#define VPIT_HZ 1193182u
#define VPIT_CHANNELS 3

struct vpit_channel {
    uint8_t mode, access; /* access: 1 low byte, 2 high byte, 3 both */
    bool loaded, high_next_write, high_next_read, gate;
    bool count_latched, status_latched;
    uint8_t low, latched_status;
    uint16_t latched;
    uint32_t count;  /* 1 to 65536 */
    uint64_t from;   /* the tick at which it was loaded */
    uint64_t stopped; /* ticks counted when the gate closed */
};

struct vpit {
    struct vpit_channel channel[VPIT_CHANNELS];
    uint8_t port_b; /* bits 1:0 of port 61h */
    uint64_t seen;  /* channel 0: the tick up to which its edges have been reported */
};

void vpit_init(struct vpit *pit);
bool vpit_has_port(unsigned port);
uint8_t vpit_read(struct vpit *pit, unsigned port, uint64_t now);
void vpit_write(struct vpit *pit, unsigned port, uint8_t value, uint64_t now);
/* Channel 0's output now. */
bool vpit_out0(const struct vpit *pit, uint64_t now);
/* Whether the output has risen since the last call, up to now: an edge on IRQ 0. */
bool vpit_take_edge(struct vpit *pit, uint64_t now);
/* When it will next rise after what vpit_take_edge has seen; VTIME_NEVER. */
uint64_t vpit_next(const struct vpit *pit);

#endif
