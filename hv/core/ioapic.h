/* SPDX-License-Identifier: MIT */
/* The I/O APIC that carries the legacy interrupts, at its usual place (82093AA). */
#ifndef HV_CORE_IOAPIC_H
#define HV_CORE_IOAPIC_H

#include <stdint.h>

/* Pin -> vector on the core with this APIC id: edge, active high, fixed. */
void ioapic_route(unsigned pin, uint8_t vector, uint32_t apic_id);

#endif
