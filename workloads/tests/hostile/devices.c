/* SPDX-License-Identifier: MIT */
/* Storms on every virtual device: each port, each register, each width; interrupts as fast as they go. */
#include "workloads/tests/hostile/hostile.h"

#define APIC 0xFEE00000ull
#define IOAPIC 0xFEC00000ull

/* What ends this guest at once is no storm: the debug exit, resets, sleep; E9h would fill the log. */
static bool port_ends_the_guest(unsigned port)
{
    return (port >= 0xE0 && port <= 0xF8) || (port >= 0xCF0 && port <= 0xCFF) || (port >= 0x60 && port <= 0x67) ||
           (port >= 0x5F8 && port <= 0x610) || (port >= 0x3F0 && port <= 0x3F8) || port == 0x92 || port == 0x8F ||
           port == 0x90 || port == 0x91;
}

struct io {
    uint16_t port;
    uint8_t width;
    uint8_t kind;
    uint32_t value;
};

static uint8_t bytes[256] __attribute__((aligned(16)));

static void io_once(void *argument)
{
    const struct io *io = argument;
    uint32_t value = io->value;
    void *at = bytes;
    uint64_t count = 4;

    switch (io->kind << 4 | io->width) {
    case 0x01: __asm__ volatile("outb %b0, %1" : : "a"(value), "Nd"(io->port)); break;
    case 0x02: __asm__ volatile("outw %w0, %1" : : "a"(value), "Nd"(io->port)); break;
    case 0x04: __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(io->port)); break;
    case 0x11: __asm__ volatile("inb %1, %b0" : "+a"(value) : "Nd"(io->port)); break;
    case 0x12: __asm__ volatile("inw %1, %w0" : "+a"(value) : "Nd"(io->port)); break;
    case 0x14: __asm__ volatile("inl %1, %0" : "+a"(value) : "Nd"(io->port)); break;
    case 0x21: __asm__ volatile("rep outsb" : "+S"(at), "+c"(count) : "d"(io->port) : "memory"); break;
    case 0x22: __asm__ volatile("rep outsw" : "+S"(at), "+c"(count) : "d"(io->port) : "memory"); break;
    case 0x24: __asm__ volatile("rep outsl" : "+S"(at), "+c"(count) : "d"(io->port) : "memory"); break;
    case 0x31: __asm__ volatile("rep insb" : "+D"(at), "+c"(count) : "d"(io->port) : "memory"); break;
    case 0x32: __asm__ volatile("rep insw" : "+D"(at), "+c"(count) : "d"(io->port) : "memory"); break;
    default: __asm__ volatile("rep insl" : "+D"(at), "+c"(count) : "d"(io->port) : "memory"); break;
    }
}

uint64_t attack_ports(uint64_t rounds)
{
    static const uint16_t favourites[] = { 0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71,
                                           0x3F9, 0x3FA, 0x3FB, 0x3FC, 0x3FD, 0x3FE, 0x3FF };
    uint64_t raised = 0;

    for (uint64_t i = 0; i < rounds; i++) {
        struct io io = { .port = (uint16_t)random64(), .width = (uint8_t)(1u << random_below(3)),
                         .kind = (uint8_t)random_below(4), .value = (uint32_t)random64() };

        if (random_below(2))
            io.port = favourites[random_below(sizeof(favourites) / sizeof(favourites[0]))];
        if (!port_ends_the_guest(io.port))
            raised += exception_try(io_once, &io).vector != EXC_NONE;
    }
    return raised;
}

/* ---- Memory ------------------------------------------------------------------------------------------------ */

struct access {
    uint64_t address, value;
    unsigned kind;
};

static void access_once(void *argument)
{
    const struct access *a = argument;
    uint64_t value = a->value;
    volatile uint8_t *at = (volatile uint8_t *)a->address;

    switch (a->kind) {
    case 0: *at; break;
    case 1: *(volatile uint16_t *)at; break;
    case 2: *(volatile uint32_t *)at; break;
    case 3: *(volatile uint64_t *)at; break;
    case 4: *at = (uint8_t)value; break;
    case 5: *(volatile uint16_t *)at = (uint16_t)value; break;
    case 6: *(volatile uint32_t *)at = (uint32_t)value; break;
    case 7: *(volatile uint64_t *)at = value; break;
    case 8: __asm__ volatile("xchg %0, (%1)" : "+r"(value) : "r"(at) : "memory"); break;
    case 9: __asm__ volatile("lock addl %k0, (%1)" : : "r"(value), "r"(at) : "memory"); break;
    case 10: __asm__ volatile("orb %b0, (%1)" : : "q"(value), "r"(at) : "memory"); break;
    case 11: __asm__ volatile("btsl %k0, (%1)" : : "r"(value & 31), "r"(at) : "memory"); break;
    case 12: __asm__ volatile("testl %k0, (%1)" : : "r"(value), "r"(at) : "memory"); break;
    default: __asm__ volatile("movzbl (%1), %k0" : "+r"(value) : "r"(at) : "memory"); break;
    }
}

/*
 * The ICR would send INIT to this vCPU itself, and the timer and the LVTs interrupts that nobody takes: interrupts=...
 * does.
 */
static bool stops_the_guest(uint64_t address)
{
    uint64_t offset = address - APIC;

    return offset < 0x1000 && ((offset >= 0x2F8 && offset < 0x320));
}

uint64_t attack_mmio(uint64_t rounds)
{
    static const uint64_t bases[] = { APIC, IOAPIC, 0xA0000, 0xC0000000, 0xFED00000, 0xFFFFF000 };
    uint64_t raised = 0;

    for (uint64_t i = 0; i < rounds; i++) {
        struct access a = { .value = random64(), .kind = (unsigned)random_below(14) };

        a.address = bases[random_below(sizeof(bases) / sizeof(bases[0]))] + random_below(0xFF8);
        if (random_below(4))
            a.address &= ~15ull;
        if (!stops_the_guest(a.address))
            raised += exception_try(access_once, &a).vector != EXC_NONE;
    }
    return raised;
}

/* ---- Interrupts ---------------------------------------------------------------------------------------------- */

static void wait_for_interrupt(void *argument)
{
    for (volatile unsigned *left = argument; *left; (*left)--)
        __asm__ volatile("sti; nop; cli");
}

/* Itself by the ICR, with every vector, and the timer at its fastest; each is taken, and ended or not. */
uint64_t attack_interrupts(uint64_t rounds)
{
    uint64_t raised = 0;

    store32(APIC + 0xF0, 0x1FF);
    for (uint64_t i = 0; i < rounds; i++) {
        unsigned left = 50;

        if (random_below(2)) {
            store32(APIC + 0x3E0, 0xB);
            store32(APIC + 0x320, (uint32_t)(0x20000 | (0x20 + random_below(0xE0))));
            store32(APIC + 0x380, 1 + (uint32_t)random_below(50));
        } else {
            store32(APIC + 0x310, 0);
            store32(APIC + 0x300, 0x40000 | (0x20 + (uint32_t)random_below(0xE0)));
        }
        raised += exception_try(wait_for_interrupt, &left).vector != EXC_NONE;
        store32(APIC + 0x380, 0);
        if (random_below(4))
            store32(APIC + 0xB0, 0);
    }
    return raised;
}
