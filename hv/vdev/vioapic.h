/* SPDX-License-Identifier: MIT */
/* The I/O APIC of a guest (82093AA register set): one page of MMIO, 24 inputs. Pure. */
#ifndef HV_VDEV_VIOAPIC_H
#define HV_VDEV_VIOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/vdev/vlapic.h"

#define VIOAPIC_BASE 0xFEC00000u
#define VIOAPIC_PINS 24
#define VIOAPIC_ID 8 /* behind the vCPUs' */

struct vioapic {
    uint8_t id, index;
    uint32_t lines; /* inputs as they stand, one bit each */
    uint64_t entry[VIOAPIC_PINS];
};

/* Where an input's message goes: the caller routes it to local APICs. */
typedef void vioapic_send(void *ctx, const struct vlapic_message *message);

void vioapic_init(struct vioapic *ioapic);
uint32_t vioapic_read(const struct vioapic *ioapic, unsigned offset);
void vioapic_write(struct vioapic *ioapic, unsigned offset, uint32_t value, vioapic_send *send, void *ctx);
void vioapic_set_line(struct vioapic *ioapic, unsigned pin, bool level, vioapic_send *send, void *ctx);
/* A local APIC ended a level-triggered vector: what still asserts its line asks again. */
void vioapic_end(struct vioapic *ioapic, uint8_t vector, vioapic_send *send, void *ctx);

#endif
