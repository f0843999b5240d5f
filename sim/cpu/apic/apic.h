/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of one core (APM2 chapter 16, BKDG10 2.13.1), as the rest of sim/cpu sees it.
 * Messages come in by core_apic_deliver (cpu.h), registers are reached through core->apic_page, the
 * task-priority register is core->tpr.
 */
#ifndef FAM10H_CPU_APIC_APIC_H
#define FAM10H_CPU_APIC_APIC_H

#include "sim/cpu/core.h"

struct state;
struct counter_set;

/* Sets core->apic and core->apic_page. `core` needs its index, bsp, clock, model and initial_apic_id. */
struct local_apic *apic_new(struct core *core, struct msi_port messages, struct interrupt_acknowledge acknowledge);
void apic_free(struct local_apic *apic);
/* INIT keeps APIC id and APIC_BAR; the cold reset also disables the APIC (MSR 001B, BKDG10). */
void apic_reset(struct local_apic *apic, enum core_reset kind);
/* Firmware's hand-over: enabled at FEE00000h, SVR 10Fh, boot processor in virtual-wire mode. */
void apic_enter(struct local_apic *apic);
void apic_describe(struct local_apic *apic, struct state *state, struct counter_set *counters, const char *path);

/* APIC_BAR (MSR 001B). CPUID 1 EDX[9] shows apic_enabled. */
struct msr_bank apic_msr_bank(struct core *core);
bool apic_enabled(const struct core *core);

/* ---- What the run loop asks ------------------------------------------------------------------------- */

/*
 * Whether a maskable physical interrupt waits: ExtINT on LINT0 or by message, or a request whose class is
 * above PPR's. RFLAGS.IF, GIF and the interrupt shadow are the caller's business. Cheap.
 */
bool apic_interrupt_ready(const struct core *core);
/*
 * Take it: the 8259s' vector for ExtINT, else IRR's highest moves to ISR. The spurious vector if none
 * is ready. An intercepted INTR does not call this, it stays pending (APM2 15.13.1).
 */
uint8_t apic_interrupt_acknowledge(struct core *core);

/* ---- Sources inside the core ------------------------------------------------------------------------- */

enum apic_lvt {
    LVT_TIMER,         /* 320 */
    LVT_THERMAL,       /* 330 */
    LVT_PERFORMANCE,   /* 340 */
    LVT_LINT0,         /* 350 */
    LVT_LINT1,         /* 360 */
    LVT_ERROR,         /* 370 */
    LVT_EXTENDED0,     /* 500 .. 530 */
    LVT_EXTENDED3 = LVT_EXTENDED0 + 3,
    LVT_COUNT
};
/* An event of this source (performance counter overflow, threshold ...): delivers by the entry's type. */
void apic_lvt_event(struct core *core, enum apic_lvt entry);
/* The chipset's SMI, to every core of the machine. */
void apic_broadcast_smi(struct core *core);

#endif
