/* SPDX-License-Identifier: MIT */
/* IOAPIC with 24 inputs (82093AA data sheet), registers at FEC00000h. */
#ifndef FAM10H_PLATFORM_IOAPIC_H
#define FAM10H_PLATFORM_IOAPIC_H

#include "sim/bus.h"
#include "sim/state.h"

#define IOAPIC_BASE UINT64_C(0xfec00000)
#define IOAPIC_PINS 24

struct ioapic {
    uint64_t entry[IOAPIC_PINS]; /* redirection table */
    uint32_t levels;             /* inputs that devices assert */
    uint8_t select;              /* IOREGSEL */
    uint8_t id;
    struct msi_port messages;
    uint64_t sent;               /* counter */
};

void ioapic_reset(struct ioapic *ioapic);
void ioapic_set_pin(struct ioapic *ioapic, unsigned pin, bool level);
/* An EOI of a level-triggered interrupt was broadcast. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);
struct mmio_region ioapic_region(struct ioapic *ioapic);

extern const struct state_part ioapic_state;

#endif
