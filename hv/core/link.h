/* SPDX-License-Identifier: MIT */
/*
 * The link adapter (doc/hv.md): frames to and from the machine at the other end, none lost while the carrier lasts.
 * Sending and receiving are for one caller at a time each.
 */
#ifndef HV_CORE_LINK_H
#define HV_CORE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_FRAME_ORDER 6 /* 256 KiB: the largest frame, in pages */

/* Look for the adapter, switch it on, its interrupts to this core. Without one the rest says so and does nothing. */
void link_init(uint32_t apic_id);
bool link_is_there(void);
/* The other end is there and switched on. */
bool link_has_carrier(void);
/* How often the carrier has come or gone: whoever talks to the other end compares. */
unsigned link_changes(void);
/* Whether a frame may be sent now. */
bool link_may_send(void);
/* A frame on a page boundary, which may be changed when this returns. False: it may not be sent now. */
bool link_send(const void *frame, size_t size);
/* The frame that has arrived, NULL: none. It stays until link_release. */
const void *link_frame(size_t *size);
void link_release(void);
/* From the interrupt's handler. */
void link_interrupt(void);
/* Whether there was an interrupt since the last call. */
bool link_noticed(void);

#endif
