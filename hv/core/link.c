/* SPDX-License-Identifier: MIT */
#include "hv/core/link.h"

#include "hv/core/console.h"
#include "hv/core/ioapic.h"
#include "hv/core/memory.h"
#include "hv/core/pci_config.h"
#include "hv/core/traps.h"
#include "hv/x86/cpu.h"

#define DEVICE 5u
#define VENDOR_DEVICE 0x0001F10Fu
#define BAR0 0x10
#define BAR_IO_MASK 0xFFFCu
#define INTERRUPT_LINE 0x3C

#define STATUS 0x00
#define CONTROL 0x04
#define TX_PAGE 0x08
#define TX_LENGTH 0x0C
#define RX_PAGE 0x10
#define RX_LENGTH 0x14
#define EVENTS 0x18
#define STATUS_CARRIER 0x1u
#define STATUS_READY 0x2u
#define STATUS_ARRIVED 0x4u
#define CONTROL_ENABLE 0x1u
#define CONTROL_INTERRUPTS 0x2u
#define EVENT_CARRIER 0x2u

static uint16_t ports; /* 0: no adapter */
static void *buffer;   /* what arrives */
static unsigned changes; /* atomic */
static bool noticed;     /* atomic */

static uint32_t config_read(unsigned reg)
{
    return pci_config_read(DEVICE, 0, reg);
}

static uint32_t get(unsigned reg)
{
    return port_read32((uint16_t)(ports + reg));
}

static void set(unsigned reg, uint32_t value)
{
    port_write32((uint16_t)(ports + reg), value);
}

void link_init(uint32_t apic_id)
{
    uint64_t room;

    if (config_read(0) != VENDOR_DEVICE)
        return;
    room = memory_alloc(LINK_FRAME_ORDER);
    if (!room) {
        console_print("hv: no memory for the link's buffer: the link stays off");
        return;
    }
    buffer = memory_pointer(room);
    ports = (uint16_t)(config_read(BAR0) & BAR_IO_MASK);
    ioapic_route(config_read(INTERRUPT_LINE) & 0xFF, VECTOR_LINK, apic_id);
    set(RX_PAGE, (uint32_t)(room >> PAGE_SHIFT));
    set(CONTROL, CONTROL_ENABLE | CONTROL_INTERRUPTS);
    console_print("hv: link adapter at ports %x", ports);
}

bool link_is_there(void)
{
    return ports != 0;
}

bool link_has_carrier(void)
{
    return ports && (get(STATUS) & STATUS_CARRIER);
}

unsigned link_changes(void)
{
    return __atomic_load_n(&changes, __ATOMIC_ACQUIRE);
}

bool link_may_send(void)
{
    return ports && (get(STATUS) & STATUS_READY);
}

bool link_send(const void *frame, size_t size)
{
    if (!link_may_send())
        return false;
    set(TX_PAGE, (uint32_t)((uintptr_t)frame >> PAGE_SHIFT));
    set(TX_LENGTH, (uint32_t)size);
    return true;
}

const void *link_frame(size_t *size)
{
    if (!ports || !(get(STATUS) & STATUS_ARRIVED))
        return NULL;
    *size = get(RX_LENGTH);
    return buffer;
}

void link_release(void)
{
    set(RX_PAGE, (uint32_t)((uintptr_t)buffer >> PAGE_SHIFT));
}

/* The line is edge-triggered: all events are taken, so that the next one is an edge. */
void link_interrupt(void)
{
    uint32_t events;

    while ((events = get(EVENTS))) {
        if (events & EVENT_CARRIER)
            __atomic_add_fetch(&changes, 1, __ATOMIC_ACQ_REL);
        set(EVENTS, events);
    }
    __atomic_store_n(&noticed, true, __ATOMIC_RELEASE);
}

bool link_noticed(void)
{
    return __atomic_exchange_n(&noticed, false, __ATOMIC_ACQ_REL);
}
