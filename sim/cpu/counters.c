/* SPDX-License-Identifier: MIT */
#include "sim/counters.h"

#include "sim/cpu/core.h"
#include "sim/cpu/core_counters.h"

static const char *const vectors[32] = {
    "DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9", "TS", "NP", "SS", "GP", "PF", "15",
    "MF", "AC", "MC", "XF", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "SX", "31",
};

static const char *const directions[2] = { "read", "write" };
static const char *const cr8_places[3] = { "host", "virtual", "physical" };

static const struct counter_row rows[] = {
    { "instructions.retired", "instructions", "instructions that completed",
      offsetof(struct core_counters, instructions), { { 0 } } },
    { "cycles.total", "cycles", "the core's clock: instructions, memory stalls, events, waiting",
      offsetof(struct core_counters, cycles), { { 0 } } },
    { "exceptions.raised", "events", "exceptions raised by instructions, before any intercept, nested ones left out",
      offsetof(struct core_counters, exceptions), { { "vector", 32, vectors } } },
    { "interrupts.taken", "events", "physical maskable interrupts acknowledged",
      offsetof(struct core_counters, interrupts), { { 0 } } },
    { "interrupts.virtual", "events", "virtual interrupts (V_IRQ) taken",
      offsetof(struct core_counters, virtual_interrupts), { { 0 } } },
    { "interrupts.nmi", "events", "non-maskable interrupts taken", offsetof(struct core_counters, nmis), { { 0 } } },
    { "cr8.accesses", "instructions",
      "MOVs to and from CR8 that completed: the host's, a guest's of V_TPR, a guest's of the APIC's TPR",
      offsetof(struct core_counters, cr8), { { "op", 2, directions }, { "of", 3, cr8_places } } },
    { "cr8.unmasked", "events",
      "interrupts given to a guest right behind its MOV to CR8, of a class that the level before masked",
      offsetof(struct core_counters, cr8_unmasked), { { 0 } } },
    { "cycles.waited", "cycles", "of the core's clock, in HLT, MWAIT or waiting for SIPI",
      offsetof(struct core_counters, waited_cycles), { { 0 } } },
};

void core_counters_attach(struct core *core, struct counter_set *counters, const char *path)
{
    counters_attach(counters, path, rows, G_N_ELEMENTS(rows), core->count);
}
