/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers, kept by the core that sets them, on its local APIC's timer. The interrupt only notes that
 * something is due: what a timer does, it does in timers_run, on that core, with interrupts on and no lock held.
 */
#ifndef HV_CORE_TIMER_H
#define HV_CORE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    void (*fire)(void *ctx); /* may set the timer again */
    void *ctx;
    /* the rest is timer.c's */
    uint64_t at;
    struct timer *next;
    unsigned core;
    bool armed;
};

/* Ticks of the divided APIC clock in 1 ms, as calibrated. */
void timer_init(uint32_t ticks_per_ms);
/* At clock_now() == at, on the core that calls; a time that has passed: at once. An armed timer is moved. */
void timer_set(struct timer *timer, uint64_t at);
/* Does not wait for a fire() that has begun on its core. */
void timer_stop(struct timer *timer);
/* As timer_stop, and no fire() of it runs any more: its memory may go. Not from a fire(). */
void timer_retire(struct timer *timer);
/* On a core whose percore.timer_due is set: fire what is due, set the APIC's timer for what comes next. */
void timers_run(void);

#endif
