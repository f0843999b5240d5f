/* SPDX-License-Identifier: MIT */
#include "sim/platform/ioapic.h"

#include "sim/bits.h"

#define ENTRY_VECTOR 7, 0
#define ENTRY_TYPE 10, 8
#define ENTRY_LOGICAL 11
#define ENTRY_PENDING 12      /* read-only; 0: delivery takes no time */
#define ENTRY_ACTIVE_LOW 13
#define ENTRY_REMOTE_IRR 14   /* read-only */
#define ENTRY_LEVEL 15
#define ENTRY_MASK 16
#define ENTRY_DESTINATION 63, 56
#define ENTRY_WRITABLE (UINT64_C(0xff0000000001ffff) & ~(BIT(ENTRY_PENDING) | BIT(ENTRY_REMOTE_IRR)))

#define REGISTER_SELECT 0x00
#define REGISTER_WINDOW 0x10
#define INDEX_ID 0x00
#define INDEX_VERSION 0x01
#define INDEX_ARBITRATION 0x02
#define INDEX_TABLE 0x10
#define VERSION 0x00170011 /* 24 entries, version 11h */

/* Wires that rest high: the ACPI interrupt (9) and the PCI interrupts (16-23). ISA wires rest low. */
#define WIRES_ACTIVE_LOW UINT32_C(0x00ff0200)

/* Whether the input is active in the polarity that the guest chose. */
static bool ioapic_asserted(const struct ioapic *ioapic, unsigned pin)
{
    bool wire = bit(ioapic->levels ^ WIRES_ACTIVE_LOW, pin);

    return wire != bit(ioapic->entry[pin], ENTRY_ACTIVE_LOW);
}

/* Trigger mode counts for fixed and lowest priority alone; the others are edge-triggered. */
static bool ioapic_is_level(uint64_t entry)
{
    return bit(entry, ENTRY_LEVEL) && bits(entry, ENTRY_TYPE) <= APIC_LOWEST;
}

static void ioapic_send(struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->entry[pin];
    const struct apic_message message = {
        .type = (uint8_t)bits(entry, ENTRY_TYPE), .vector = (uint8_t)bits(entry, ENTRY_VECTOR),
        .destination = (uint8_t)bits(entry, ENTRY_DESTINATION), .logical = bit(entry, ENTRY_LOGICAL),
        .level = ioapic_is_level(entry), .assert_ = true, .source_core = 0xff,
    };

    if (message.type == APIC_REMOTE_READ || message.type == APIC_STARTUP)
        return; /* reserved in the redirection table */
    if (message.level)
        ioapic->entry[pin] |= BIT(ENTRY_REMOTE_IRR);
    ioapic->sent++;
    if (ioapic->messages.send)
        ioapic->messages.send(ioapic->messages.ctx, &message);
}

/* A level input sends when it is active, unmasked, and its last message has had its EOI. */
static void ioapic_try_level(struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->entry[pin];

    if (ioapic_is_level(entry) && !bit(entry, ENTRY_MASK) && !bit(entry, ENTRY_REMOTE_IRR) &&
        ioapic_asserted(ioapic, pin))
        ioapic_send(ioapic, pin);
}

void ioapic_set_pin(struct ioapic *ioapic, unsigned pin, bool level)
{
    bool before, now;

    if (pin >= IOAPIC_PINS)
        return;
    before = ioapic_asserted(ioapic, pin);
    ioapic->levels = (uint32_t)bit_put(ioapic->levels, pin, level);
    now = ioapic_asserted(ioapic, pin);
    if (ioapic_is_level(ioapic->entry[pin]))
        ioapic_try_level(ioapic, pin);
    else if (now && !before && !bit(ioapic->entry[pin], ENTRY_MASK)) /* an edge on a masked input is lost */
        ioapic_send(ioapic, pin);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t entry = ioapic->entry[pin];

        if (!bit(entry, ENTRY_REMOTE_IRR) || bits(entry, ENTRY_VECTOR) != vector)
            continue;
        ioapic->entry[pin] = bit_put(entry, ENTRY_REMOTE_IRR, false);
        ioapic_try_level(ioapic, pin);
    }
}

static uint32_t ioapic_read_index(const struct ioapic *ioapic)
{
    unsigned index = ioapic->select;

    if (index == INDEX_ID || index == INDEX_ARBITRATION)
        return (uint32_t)ioapic->id << 24;
    if (index == INDEX_VERSION)
        return VERSION;
    if (index - INDEX_TABLE < 2 * IOAPIC_PINS)
        return (uint32_t)(ioapic->entry[(index - INDEX_TABLE) / 2] >> (index & 1 ? 32 : 0));
    return 0;
}

static void ioapic_write_entry(struct ioapic *ioapic, unsigned pin, bool high, uint32_t value)
{
    uint64_t old = ioapic->entry[pin];
    uint64_t now = high ? bits_put(old, 63, 32, value) : bits_put(old, 31, 0, value);

    now = (now & ENTRY_WRITABLE) | (old & ~ENTRY_WRITABLE);
    if (!ioapic_is_level(now)) /* an edge entry has no remote IRR: how software clears a stuck one */
        now = bit_put(now, ENTRY_REMOTE_IRR, false);
    ioapic->entry[pin] = now;
    ioapic_try_level(ioapic, pin);
}

static void ioapic_write_index(struct ioapic *ioapic, uint32_t value)
{
    unsigned index = ioapic->select;

    if (index == INDEX_ID)
        ioapic->id = (value >> 24) & 0x0f;
    else if (index - INDEX_TABLE < 2 * IOAPIC_PINS)
        ioapic_write_entry(ioapic, (index - INDEX_TABLE) / 2, index & 1, value);
}

static uint64_t ioapic_read(void *ctx, uint64_t offset, unsigned size)
{
    const struct ioapic *ioapic = ctx;

    (void)size;
    if (offset == REGISTER_SELECT)
        return ioapic->select;
    return offset == REGISTER_WINDOW ? ioapic_read_index(ioapic) : 0;
}

static void ioapic_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct ioapic *ioapic = ctx;

    if (offset == REGISTER_SELECT)
        ioapic->select = (uint8_t)value;
    else if (offset == REGISTER_WINDOW && size >= 4) /* narrower writes are not defined: they do nothing */
        ioapic_write_index(ioapic, (uint32_t)value);
}

void ioapic_reset(struct ioapic *ioapic)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        ioapic->entry[pin] = BIT(ENTRY_MASK);
    ioapic->select = 0;
    ioapic->id = 0;
}

struct mmio_region ioapic_region(struct ioapic *ioapic)
{
    return (struct mmio_region){ "ioapic", IOAPIC_BASE, 0x1000, ioapic, ioapic_read, ioapic_write };
}

static const struct state_field ioapic_fields[] = {
    STATE_ARRAY(struct ioapic, entry), STATE_VALUE(struct ioapic, levels), STATE_VALUE(struct ioapic, select),
    STATE_VALUE(struct ioapic, id),
};

const struct state_part ioapic_state = {
    .name = "ioapic", .fields = ioapic_fields, .count = G_N_ELEMENTS(ioapic_fields),
};
