/* SPDX-License-Identifier: MIT */
/* The local APIC: timer, EOI, interprocessor interrupts. */
#ifndef HV_CORE_LAPIC_H
#define HV_CORE_LAPIC_H

#include <stdint.h>

/* Once, before any core accepts interrupts: mask both 8259s, hv takes none of theirs. */
void lapic_silence_8259(void);
/* On each core. */
void lapic_init(void);
uint32_t lapic_id(void);
void lapic_eoi(void);
/* Entry 0 of the extended LVT (BKDG10 APIC500): a fixed interrupt of this vector, not masked. */
void lapic_set_extended(uint8_t vector);
/* One timer interrupt after `count` ticks of the divided clock; 0 stops. */
void lapic_timer_once(uint32_t count);
/* Ticks of the divided clock, and of the TSC, in 1 ms, measured against the PIT. Boot core only. */
uint32_t lapic_timer_calibrate(uint32_t *tsc_per_ms);
/* Busy-wait; the timer must not be in use. */
void lapic_delay(unsigned microseconds, uint32_t ticks_per_ms);
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, uint8_t page);
void lapic_send_fixed(uint32_t apic_id, uint8_t vector);
/* To the core itself; may come between the two halves of another one's sending. */
void lapic_send_self(uint8_t vector);

#endif
