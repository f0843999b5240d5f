/* SPDX-License-Identifier: MIT */
/* The pair of 8259A interrupt controllers (Intel 8259A data sheet) and their ELCR (ports 4D0h, 4D1h). */
#ifndef FAM10H_PLATFORM_PIC_H
#define FAM10H_PLATFORM_PIC_H

#include "sim/bus.h"
#include "sim/platform/ports.h"
#include "sim/state.h"

enum { PIC_MASTER, PIC_SLAVE, PIC_COUNT };

struct pic {
    uint8_t lines;        /* levels of the IR inputs */
    uint8_t latch;        /* edges seen and not yet acknowledged */
    uint8_t elcr;         /* 1: level-triggered */
    uint8_t isr, imr;
    uint8_t base;         /* ICW2[7:3] */
    uint8_t icw3;
    uint8_t lowest;       /* the input of lowest priority */
    uint8_t expects;      /* which initialisation word comes next; 0: none */
    bool single, icw4_follows;
    bool auto_eoi, rotate_auto_eoi, special_mask, special_nested;
    bool read_isr, poll;
};

struct pic_pair {
    struct pic pic[PIC_COUNT];
    bool intr;            /* the master's INT output */
    void *ctx;            /* told when intr changes */
    void (*set_intr)(void *ctx, bool level);
};

void pic_init(struct pic_pair *pair, struct ports *ports, void *ctx, void (*set_intr)(void *ctx, bool level));
void pic_reset(struct pic_pair *pair);
/* ISA interrupt 0..15; 2 is the cascade and has no wire. */
void pic_set_line(struct pic_pair *pair, unsigned irq, bool level);
/* The INTACK cycle: the vector, that of IR7 if nothing is pending any more. */
uint8_t pic_acknowledge(struct pic_pair *pair);

extern const struct state_part pic_state;

#endif
