/* SPDX-License-Identifier: MIT */
/*
 * Virtual time. Machine time is in picoseconds; cores count cycles (machine time = cycles x 10^6 / MHz).
 * Nothing here or elsewhere reads a wall clock.
 */
#ifndef FAM10H_CLOCK_H
#define FAM10H_CLOCK_H

#include "sim/addr.h"

#define PS_PER_US UINT64_C(1000000)
#define PS_PER_MS UINT64_C(1000000000)
#define PS_PER_S UINT64_C(1000000000000)
#define QUANTUM_PS PS_PER_US
#define NEVER UINT64_MAX

struct clock;
struct state;

/* A deadline that a device owns, a member of the device. State: due, armed, sequence. */
struct timer {
    const char *name;
    void (*fire)(void *ctx);
    void *ctx;
    /* the clock's own */
    struct clock *clock;
    struct timer *next;
    uint64_t due_ps;
    uint64_t sequence;
    bool armed;
};

struct clock {
    uint64_t now_ps;   /* the time of whoever acts now: a core at its access, or the timer that fires */
    uint64_t sequence; /* orders events of equal time */
    uint64_t next_due; /* earliest armed deadline, NEVER if none */
    struct timer *timers;
    /* Set by `machine`: a deadline earlier than the running core's limit was armed. */
    void (*shortened)(void *ctx, uint64_t due_ps);
    /*
     * Set by `machine`: the running core has looked at the time or at a device that all cores share (clock_observed).
     * It goes on when all others have come as far, so that nobody can see a time older than one he has been told.
     */
    void (*observed)(void *ctx);
    void *ctx;
};

void clock_init(struct clock *clock);
/* Attach at composition, always in the same order; name, fire and ctx are set by the caller. */
void clock_attach(struct clock *clock, struct timer *timer);
/* Arm (or re-arm) at an absolute time; a time in the past fires at once after the current instruction. */
void timer_arm(struct timer *timer, uint64_t due_ps);
void timer_disarm(struct timer *timer);
/* Fire everything due at or before `now_ps`, in (time, sequence) order; sets clock->now_ps on the way. */
void clock_fire(struct clock *clock, uint64_t now_ps);
static inline void clock_observed(const struct clock *clock)
{
    if (clock->observed)
        clock->observed(clock->ctx);
}

/* Describe now, sequence and every timer to the snapshot. */
void clock_describe(struct clock *clock, struct state *state, const char *path);

/* cycles at `mhz` to picoseconds, rounded down; exact in 128 bits. */
uint64_t cycles_to_ps(uint64_t cycles, unsigned mhz);
/* The first cycle count whose time is at or past ps. */
uint64_t ps_to_cycles(uint64_t ps, unsigned mhz);

#endif
