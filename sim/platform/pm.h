/* SPDX-License-Identifier: MIT */
/* ACPI fixed hardware (ACPI 3.0 4.7.3): PM1a event and control blocks and the PM timer, ports 600h-60Bh. */
#ifndef FAM10H_PLATFORM_PM_H
#define FAM10H_PLATFORM_PM_H

#include "sim/clock.h"
#include "sim/platform/platform.h"
#include "sim/platform/ports.h"
#include "sim/state.h"

#define PM_EVENT 0x600   /* status, enable at +2 */
#define PM_CONTROL 0x604
#define PM_TIMER 0x608
#define PM_SCI_IRQ 9
#define PM_S5_TYPE 0     /* SLP_TYP of soft-off: as QEMU's, so that 2000h to port 604h powers off */

struct pm {
    uint16_t enable;
    uint16_t control;
    uint64_t carries;    /* changes of the timer's bit 31 that the guest has acknowledged */
    struct irq_line irq;
    struct timer carry;
    const struct platform_wiring *wiring;
};

void pm_init(struct pm *pm, const struct irq_line *irq, const struct platform_wiring *wiring, struct ports *ports);
void pm_connect(struct pm *pm, struct clock *clock);
void pm_reset(struct pm *pm);

extern const struct state_part pm_state;

#endif
