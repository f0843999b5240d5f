/* SPDX-License-Identifier: MIT */
/* ACPI fixed hardware of a guest: PM1a event and control registers, PM timer (ACPI 4.8). Pure. */
#ifndef HV_VDEV_VPM_H
#define HV_VDEV_VPM_H

#include <stdbool.h>
#include <stdint.h>

#define VPM_EVENT 0x600u   /* PM1_STS, PM1_EN: 4 bytes */
#define VPM_CONTROL 0x604u /* PM1_CNT: 2 bytes */
#define VPM_TIMER 0x608u   /* 4 bytes */
#define VPM_HZ 3579545u
#define VPM_SLEEP_S5 5u    /* SLP_TYP of \_S5 in the guest's DSDT */
#define VPM_SCI 9u         /* IRQ; nothing raises it: no event is ever enabled and set but the timer's */

struct vpm {
    uint16_t status, enable, control;
    uint64_t carries_seen; /* times that the timer's bit 23 has changed */
};

void vpm_init(struct vpm *pm);
bool vpm_has_port(unsigned port);
uint32_t vpm_read(struct vpm *pm, unsigned port, unsigned size, uint64_t now);
/* True: the guest went to S5. */
bool vpm_write(struct vpm *pm, unsigned port, unsigned size, uint32_t value, uint64_t now);
void vpm_run(struct vpm *pm, uint64_t now);
bool vpm_irq(const struct vpm *pm);
/* When the timer's interrupt is next due; VTIME_NEVER. */
uint64_t vpm_next(const struct vpm *pm);

#endif
