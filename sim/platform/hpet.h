/* SPDX-License-Identifier: MIT */
/* High precision event timers (IA-PC HPET specification 1.0a), registers at FED00000h. */
#ifndef FAM10H_PLATFORM_HPET_H
#define FAM10H_PLATFORM_HPET_H

#include "sim/bus.h"
#include "sim/clock.h"
#include "sim/state.h"

#define HPET_BASE UINT64_C(0xfed00000)
#define HPET_BYTES 0x400
#define HPET_TIMERS 3
#define HPET_ID UINT32_C(0x1022a201) /* vendor 1022h, legacy routes, 64 bits, three timers, revision 1 */
#define HPET_MIN_TICKS 0x80          /* shortest period that periodic mode is good for, told in the ACPI table */

struct hpet;

struct hpet_timer {
    uint64_t config;
    uint64_t comparator;
    uint64_t period;   /* last value written in periodic mode */
    struct hpet *hpet;
    unsigned number;
    struct timer match;
};

struct hpet {
    uint64_t config;
    uint64_t status;
    uint64_t counter;  /* its value at `since` */
    uint64_t since;    /* tick of the 14.31818 MHz clock; while the counter runs */
    struct hpet_timer timer[HPET_TIMERS];
    struct irq_line irq;     /* lines 0-23: IOAPIC inputs */
    struct irq_line legacy;  /* lines 0 and 8: ISA interrupts, while the legacy routes are on */
    struct clock *clock;
};

/* Whether timer 0 takes the place of the 8254 and timer 1 that of the RTC. */
bool hpet_replaces_legacy(const struct hpet *hpet);
void hpet_init(struct hpet *hpet, const struct irq_line *irq, const struct irq_line *legacy);
void hpet_connect(struct hpet *hpet, struct clock *clock);
void hpet_reset(struct hpet *hpet);
struct mmio_region hpet_region(struct hpet *hpet);

extern const struct state_part hpet_state;

#endif
