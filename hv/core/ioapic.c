/* SPDX-License-Identifier: MIT */
#include "hv/core/ioapic.h"

#define IOAPIC_BASE 0xFEC00000u
#define IOREGSEL 0x00
#define IOWIN 0x10
#define REDIRECTION_LOW(pin) (0x10 + 2 * (pin))
#define REDIRECTION_HIGH(pin) (0x11 + 2 * (pin))

static void ioapic_write(unsigned index, uint32_t value)
{
    volatile uint32_t *select = (volatile uint32_t *)(uintptr_t)(IOAPIC_BASE + IOREGSEL);
    volatile uint32_t *window = (volatile uint32_t *)(uintptr_t)(IOAPIC_BASE + IOWIN);

    *select = index;
    *window = value;
}

void ioapic_route(unsigned pin, uint8_t vector, uint32_t apic_id)
{
    ioapic_write(REDIRECTION_HIGH(pin), apic_id << 24);
    ioapic_write(REDIRECTION_LOW(pin), vector);
}
