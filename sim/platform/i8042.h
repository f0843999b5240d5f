/* SPDX-License-Identifier: MIT */
/* The keyboard controller, ports 60h and 64h: commands, reset and A20 line; nothing is plugged into it. */
#ifndef FAM10H_PLATFORM_I8042_H
#define FAM10H_PLATFORM_I8042_H

#include "sim/platform/platform.h"
#include "sim/platform/ports.h"
#include "sim/state.h"

struct i8042 {
    uint8_t configuration; /* command byte */
    uint8_t output;        /* to the guest */
    bool full;             /* output holds a byte */
    bool auxiliary;        /* it is the auxiliary port's */
    bool last_command;     /* the last write was to 64h */
    uint8_t command;       /* waits for its data byte; 0: none */
    struct irq_line irq;
    const struct platform_wiring *wiring;
};

void i8042_init(struct i8042 *kbc, const struct irq_line *irq, const struct platform_wiring *wiring,
                struct ports *ports);
void i8042_reset(struct i8042 *kbc);

extern const struct state_part i8042_state;

#endif
