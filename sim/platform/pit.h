/* SPDX-License-Identifier: MIT */
/* 8254 interval timer (Intel 8254 data sheet), ports 40h-43h, and system control port B, 61h. */
#ifndef FAM10H_PLATFORM_PIT_H
#define FAM10H_PLATFORM_PIT_H

#include "sim/bus.h"
#include "sim/clock.h"
#include "sim/platform/ports.h"
#include "sim/state.h"

#define PIT_CHANNELS 3
#define PIT_IRQ 0

/* Times are in ticks of the 105/88 MHz input (1.193182 MHz). */
struct pit_channel {
    uint8_t mode;          /* 0..5 */
    uint8_t access;        /* RW field: 1 low byte, 2 high byte, 3 low then high */
    bool bcd;
    bool gate;
    bool loaded;           /* a count was written since the control word */
    bool started;          /* counting: modes 1 and 5 wait for the gate */
    bool next_pending;     /* modes 2 and 3: a new count waits for the end of the cycle */
    bool write_high, read_high; /* the next byte is the high one */
    uint8_t low;           /* low byte, waiting for the high byte */
    uint8_t latched;       /* bytes of the latched count not read yet */
    bool status_latched;
    uint8_t status;
    uint16_t latch;
    uint32_t count;        /* 1..65536 (BCD: 1..10000) */
    uint32_t next;
    uint64_t next_at;      /* when the waiting count was written */
    uint64_t start;        /* tick at which `count` was loaded */
    uint64_t held;         /* elapsed ticks when the gate stopped counting (modes 0 and 4) */
};

struct pit {
    struct pit_channel channel[PIT_CHANNELS];
    uint8_t port_b;        /* port 61h: 0 gate 2, 1 speaker, 3:2 check enables */
    struct irq_line irq;
    struct clock *clock;
    struct timer edge;     /* channel 0's next change of OUT */
};

void pit_init(struct pit *pit, const struct irq_line *irq, struct ports *ports);
void pit_connect(struct pit *pit, struct clock *clock);
void pit_reset(struct pit *pit);

extern const struct state_part pit_state;

#endif
