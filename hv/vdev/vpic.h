/* SPDX-License-Identifier: MIT */
/* The two 8259A interrupt controllers of a guest: ports 20h-21h, A0h-A1h and ELCR 4D0h-4D1h. Pure. */
#ifndef HV_VDEV_VPIC_H
#define HV_VDEV_VPIC_H

#include <stdbool.h>
#include <stdint.h>

struct vpic {
    uint8_t lines, edges; /* inputs as they stand; edges not yet acknowledged */
    uint8_t level;        /* ELCR: inputs that are level-triggered */
    uint8_t irr_base;     /* ICW2: vector of input 0 */
    uint8_t isr, imr;
    uint8_t bottom;       /* the input of lowest priority */
    uint8_t icw_next;     /* 0: initialised; else the ICW that the next write to the odd port is */
    bool icw4_wanted, single, auto_eoi, special_nested, special_mask, read_isr, poll, rotate_auto;
};

struct vpics {
    struct vpic chip[2]; /* master, slave (on the master's input 2) */
};

void vpic_init(struct vpics *pics);
bool vpic_has_port(unsigned port);
uint8_t vpic_read(struct vpics *pics, unsigned port);
void vpic_write(struct vpics *pics, unsigned port, uint8_t value);
void vpic_set_line(struct vpics *pics, unsigned irq, bool level);
/* INTR as the processor sees it. */
bool vpic_intr(const struct vpics *pics);
/* The processor's acknowledge: the vector. IR7 of a chip whose request has gone (spurious). */
uint8_t vpic_acknowledge(struct vpics *pics);

#endif
