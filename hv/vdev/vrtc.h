/* SPDX-License-Identifier: MIT */
/*
 * The MC146818 clock and 128 bytes of CMOS of a guest: ports 70h-71h, IRQ 8 for update, alarm and periodic
 * interrupts. Pure. A guest's clock begins at a fixed date, so that runs repeat.
 */
#ifndef HV_VDEV_VRTC_H
#define HV_VDEV_VRTC_H

#include <stdbool.h>
#include <stdint.h>

#define VRTC_BYTES 128

struct vrtc {
    uint8_t index;
    uint8_t byte[VRTC_BYTES]; /* time and date registers are computed, except while SET holds them */
    int64_t offset;           /* seconds from virtual time to the clock's */
    uint64_t update_seen, periodic_seen; /* updates and periods whose flags have been set */
};

void vrtc_init(struct vrtc *rtc);
bool vrtc_has_port(unsigned port);
uint8_t vrtc_read(struct vrtc *rtc, unsigned port, uint64_t now);
void vrtc_write(struct vrtc *rtc, unsigned port, uint8_t value, uint64_t now);
/* Set the flags of register C that are due. */
void vrtc_run(struct vrtc *rtc, uint64_t now);
/* IRQ 8: level until register C is read. */
bool vrtc_irq(const struct vrtc *rtc);
/* When an enabled interrupt is next due; VTIME_NEVER. */
uint64_t vrtc_next(const struct vrtc *rtc);

#endif
