/* SPDX-License-Identifier: MIT */
/* MC146818 real-time clock and CMOS RAM, ports 70h and 71h. Time is the machine's, from a fixed date. */
#ifndef FAM10H_PLATFORM_CMOS_H
#define FAM10H_PLATFORM_CMOS_H

#include "sim/platform/map.h"
#include "sim/platform/platform.h"
#include "sim/platform/ports.h"
#include "sim/state.h"

#define CMOS_BYTES 128
#define CMOS_CENTURY 0x32
#define CMOS_IRQ 8

struct cmos {
    uint8_t index;              /* port 70h: 6:0; bit 7, the NMI mask, is not kept: there is no NMI source */
    uint8_t ram[CMOS_BYTES];    /* 0-9 and 32h hold the time only while register B's SET stops the clock */
    int64_t epoch;              /* seconds from 1970-01-01 to machine time 0 */
    uint64_t looked_ps;         /* register C's flags tell what has happened since */
    struct irq_line irq;
    const struct platform_wiring *wiring;
    struct timer event;
};

void cmos_init(struct cmos *cmos, const struct irq_line *irq, const struct platform_wiring *wiring,
               struct ports *ports);
void cmos_connect(struct cmos *cmos, struct clock *clock);
/* Fixed date; memory sizes as firmware stores them. */
void cmos_reset(struct cmos *cmos, const struct map *map);

extern const struct state_part cmos_state;

#endif
