/* SPDX-License-Identifier: MIT */
/*
 * ntirql: a processor's interrupt level as 64-bit NT keeps it, in CR8; the 32-bit program keeps it in the local
 * APIC's TPR register instead, as 32-bit NT does. A section reads the level, raises it, works, and lowers it
 * again. Some sections also ask for a DPC (an interrupt to itself at level 2) before they lower the level, so that
 * the lowering write is the one that lets it in.
 *
 *     sections=N   plain sections at DISPATCH (1000)
 *     dpcs=N       sections that ask for a DPC, spread evenly among them (10)
 *     reads=N      lone reads of the level at the end (1)
 *     busy=N       turns of a loop inside a section (1)
 *     ticks=N      instead of all that: N ticks of a clock, see clock.c
 *
 * It counts its own accesses and keeps a checksum of its history of levels, in which a DPC that came too
 * early, too late or twice would show.
 */
#include "workloads/programs/ntirql/ntirql.h"

#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

#define DPC_RUNS 0xD0u /* in the history, beside the levels */
#define GATE_INTERRUPT 0x8E00 /* present, DPL 0, interrupt gate of the program's width */

struct gate {
    uint16_t offset_0, selector, attributes, offset_16;
#ifdef __x86_64__
    uint32_t offset_32, reserved;
#endif
};

static struct gate idt[256];
uint64_t reads, writes, dpcs_requested, history = FNV_BASIS;
volatile uint64_t dpcs_run;
static uint32_t busy;

static inline void work(void)
{
    for (uint32_t i = 0; i < busy; i++)
        __asm__ volatile("" : : : "memory");
}

void request_dpc(void)
{
    dpcs_requested++;
    apic_write(APIC_ICR, APIC_ICR_SELF | DPC_VECTOR);
}

/* ---- Sections and the DPC -------------------------------------------------------------------------------- */

__attribute__((interrupt)) static void dpc(struct interrupt_frame *frame)
{
    uintptr_t old;

    (void)frame;
    note(DPC_RUNS);
    old = level_read();
    level_write(DISPATCH);
    work();
    dpcs_run++;
    apic_write(APIC_EOI, 0);
    level_write(old);
}

__attribute__((interrupt)) static void unexpected(struct interrupt_frame *frame)
{
    (void)frame;
    guest_fail("ntirql: an interrupt or exception that nobody asked for");
}

static void section(void)
{
    uintptr_t old = level_read();

    level_write(DISPATCH);
    work();
    level_write(old);
}

static void dpc_section(void)
{
    uintptr_t old = level_read();
    uint64_t before;

    level_write(DISPATCH);
    before = dpcs_run;
    request_dpc();
    work();
    if (dpcs_run != before)
        guest_fail("ntirql: a DPC ran at level %u", (unsigned)level_read());
    level_write(old);
    if (dpcs_run != before + 1)
        guest_fail("ntirql: DPC %lu did not run when the level was lowered", (unsigned long)dpcs_requested);
}

/* ---- The run --------------------------------------------------------------------------------------------- */

void set_gate(unsigned vector, void (*handler)(struct interrupt_frame *))
{
    uintptr_t at = (uintptr_t)handler;

    idt[vector] = (struct gate){ .offset_0 = (uint16_t)at, .selector = cs_read(), .attributes = GATE_INTERRUPT,
                                 .offset_16 = (uint16_t)(at >> 16) };
#ifdef __x86_64__
    idt[vector].offset_32 = (uint32_t)(at >> 32);
#endif
}

static void start_interrupts(void)
{
    struct {
        uint16_t limit;
        uintptr_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uintptr_t)idt };

    for (unsigned vector = 0; vector < 256; vector++)
        set_gate(vector, unexpected);
    set_gate(DPC_VECTOR, dpc);
    idt_load(&pointer);
    apic_enable();
    __asm__ volatile("sti" : : : "memory");
}

uint32_t number(const char *name, uint32_t fallback)
{
    bool bad = false;
    uint64_t value = option_size(guest_options, name, fallback, &bad);

    if (bad || value > UINT32_MAX)
        guest_fail("ntirql: %s= wants a number", name);
    return (uint32_t)value;
}

void guest_main(void)
{
    uint32_t sections = number("sections", 1000), dpcs = number("dpcs", 10), lone_reads = number("reads", 1);
    uint32_t between = dpcs ? sections / dpcs : 0, done = 0;

    busy = number("busy", 1);
    start_interrupts();
    if (number("ticks", 0)) {
        clock_profile(number("ticks", 0));
        return;
    }
    guest_mark(MARK_BEGIN, sections);
    for (uint32_t i = 0; i < dpcs; i++, done += between) {
        for (uint32_t j = 0; j < between; j++)
            section();
        dpc_section();
    }
    for (; done < sections; done++)
        section();
    for (uint32_t i = 0; i < lone_reads; i++)
        if (level_read() != PASSIVE)
            guest_fail("ntirql: the level is not PASSIVE at the end");
    guest_mark(MARK_END, sections);
    guest_print("ntirql: reads=%lu writes=%lu dpcs=%lu run=%lu", (unsigned long)reads, (unsigned long)writes,
                (unsigned long)dpcs_requested, (unsigned long)dpcs_run);
    guest_print("ntirql: history=%08x%08x", (unsigned)(history >> 32), (unsigned)history);
    guest_exit((uint32_t)history);
}
