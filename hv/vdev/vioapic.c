/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vioapic.h"

#define SELECT 0x00
#define WINDOW 0x10
#define REGISTER_ID 0
#define REGISTER_VERSION 1
#define REGISTER_ARBITRATION 2
#define REGISTER_ENTRIES 0x10
#define VERSION_VALUE (0x11u | (VIOAPIC_PINS - 1) << 16)

#define ENTRY_LOGICAL (1ull << 11)
#define ENTRY_STATUS (1ull << 12)
#define ENTRY_LOW_ACTIVE (1ull << 13)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL (1ull << 15)
#define ENTRY_MASKED (1ull << 16)
#define ENTRY_READ_ONLY (ENTRY_STATUS | ENTRY_REMOTE_IRR)
#define ENTRY_WRITABLE 0xFF0000000001AFFFull

void vioapic_init(struct vioapic *ioapic)
{
    *ioapic = (struct vioapic){ .id = VIOAPIC_ID };
    for (unsigned i = 0; i < VIOAPIC_PINS; i++)
        ioapic->entry[i] = ENTRY_MASKED;
}

/*
 * deviation: polarity is what devices here mean by "asserted" whatever the entry says: no wire of a guest is
 * inverted, and its MADT tells it so.
 */
static void deliver(struct vioapic *ioapic, unsigned pin, vioapic_send *send, void *ctx)
{
    uint64_t *entry = &ioapic->entry[pin];
    struct vlapic_message message = { .mode = *entry >> 8 & 7, .vector = (uint8_t)*entry,
                                      .destination = (uint8_t)(*entry >> 56), .logical = *entry & ENTRY_LOGICAL,
                                      .level = *entry & ENTRY_LEVEL };

    if (*entry & ENTRY_MASKED || (message.level && *entry & ENTRY_REMOTE_IRR))
        return;
    if (message.level)
        *entry |= ENTRY_REMOTE_IRR;
    send(ctx, &message);
}

void vioapic_set_line(struct vioapic *ioapic, unsigned pin, bool level, vioapic_send *send, void *ctx)
{
    bool was = pin < VIOAPIC_PINS && ioapic->lines >> pin & 1;

    if (pin >= VIOAPIC_PINS || level == was)
        return;
    ioapic->lines ^= 1u << pin;
    if (level)
        deliver(ioapic, pin, send, ctx);
}

void vioapic_end(struct vioapic *ioapic, uint8_t vector, vioapic_send *send, void *ctx)
{
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        if (!(ioapic->entry[pin] & ENTRY_REMOTE_IRR) || (uint8_t)ioapic->entry[pin] != vector)
            continue;
        ioapic->entry[pin] &= ~ENTRY_REMOTE_IRR;
        if (ioapic->lines >> pin & 1)
            deliver(ioapic, pin, send, ctx);
    }
}

uint32_t vioapic_read(const struct vioapic *ioapic, unsigned offset)
{
    unsigned entry = (ioapic->index - REGISTER_ENTRIES) / 2u;

    if (offset == SELECT)
        return ioapic->index;
    if (offset != WINDOW)
        return 0;
    if (ioapic->index >= REGISTER_ENTRIES && entry < VIOAPIC_PINS)
        return (uint32_t)(ioapic->entry[entry] >> (ioapic->index & 1 ? 32 : 0));
    switch (ioapic->index) {
    case REGISTER_ID: return (uint32_t)ioapic->id << 24;
    case REGISTER_VERSION: return VERSION_VALUE;
    case REGISTER_ARBITRATION: return (uint32_t)ioapic->id << 24;
    default: return 0;
    }
}

/* A level-triggered line that is up asks as soon as its entry lets it; an edge while masked is lost. */
static void write_entry(struct vioapic *ioapic, uint32_t value, vioapic_send *send, void *ctx)
{
    unsigned pin = (ioapic->index - REGISTER_ENTRIES) / 2u, shift = ioapic->index & 1 ? 32 : 0;
    uint64_t *entry = &ioapic->entry[pin], half = 0xFFFFFFFFull << shift & ENTRY_WRITABLE;

    *entry = (*entry & ~half) | ((uint64_t)value << shift & half);
    if (!(*entry & ENTRY_LEVEL))
        *entry &= ~ENTRY_REMOTE_IRR;
    if (*entry & ENTRY_LEVEL && ioapic->lines >> pin & 1)
        deliver(ioapic, pin, send, ctx);
}

void vioapic_write(struct vioapic *ioapic, unsigned offset, uint32_t value, vioapic_send *send, void *ctx)
{
    if (offset == SELECT)
        ioapic->index = (uint8_t)value;
    else if (offset != WINDOW)
        return;
    else if (ioapic->index == REGISTER_ID)
        ioapic->id = value >> 24 & 0xF;
    else if (ioapic->index >= REGISTER_ENTRIES && (ioapic->index - REGISTER_ENTRIES) / 2u < VIOAPIC_PINS)
        write_entry(ioapic, value, send, ctx);
}
