/* SPDX-License-Identifier: MIT */
/*
 * The PC around a guest's vCPUs: interrupt controllers, timers, clock, power management, serial line, and how their
 * interrupt lines are wired. Pure. The caller holds the guest's device lock for all of it; local APICs are reached
 * through what vlapic_post leaves for their vCPUs.
 */
#ifndef HV_VDEV_VDEV_H
#define HV_VDEV_VDEV_H

#include "hv/vdev/vioapic.h"
#include "hv/vdev/vlapic.h"
#include "hv/vdev/vpic.h"
#include "hv/vdev/vpit.h"
#include "hv/vdev/vpm.h"
#include "hv/vdev/vrtc.h"
#include "hv/vdev/vtime.h"
#include "hv/vdev/vuart.h"

#define VDEV_APICS_MAX 8
#define VDEV_TIMER_PIN 2u /* IRQ 0 comes in at the IOAPIC's pin 2, as the MADT tells the guest */

enum vdev_power { VDEV_ON, VDEV_OFF, VDEV_RESET };

struct vdev {
    struct vpics pics;
    struct vpit pit;
    struct vioapic ioapic;
    struct vrtc rtc;
    struct vpm pm;
    struct vuart uart;
    struct vlapic *apics[VDEV_APICS_MAX];
    unsigned apic_count;
    bool pic_intr;         /* INTR of the 8259s; also read without the lock */
    uint32_t kick;         /* vCPUs to which something was posted: the caller wakes them and clears it */
    enum vdev_power power; /* what the guest has asked for */
    uint8_t reset_control; /* port CF9h */
    vuart_put *put;
    void *put_ctx;
};

void vdev_init(struct vdev *vdev, vuart_put *put, void *ctx);
void vdev_add_apic(struct vdev *vdev, struct vlapic *apic);

/* An access of 1, 2 or 4 bytes. Where no device is, reads give ones. */
uint32_t vdev_port_read(struct vdev *vdev, unsigned port, unsigned size, uint64_t now);
void vdev_port_write(struct vdev *vdev, unsigned port, unsigned size, uint32_t value, uint64_t now);
/* The IOAPIC's page. */
static inline bool vdev_covers(uint64_t gpa)
{
    return gpa >> 12 == VIOAPIC_BASE >> 12;
}
uint32_t vdev_mmio_read(struct vdev *vdev, uint64_t gpa);
void vdev_mmio_write(struct vdev *vdev, uint64_t gpa, uint32_t value);

/* A local APIC's message, `from` its index; and the end of a level-triggered vector. */
void vdev_send(struct vdev *vdev, int from, const struct vlapic_message *message);
void vdev_end(struct vdev *vdev, uint8_t vector);
/* A byte for the UART; false: no room. */
bool vdev_receive(struct vdev *vdev, char c);

/* When a device will next change a line by itself; VTIME_NEVER. */
uint64_t vdev_next(const struct vdev *vdev);
/* Let happen what is due. */
void vdev_run(struct vdev *vdev, uint64_t now);
/* INTA: the 8259s' vector. */
uint8_t vdev_acknowledge(struct vdev *vdev);

#endif
