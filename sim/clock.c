/* SPDX-License-Identifier: MIT */
#include "sim/clock.h"

#include <glib.h>

#include "sim/bits.h"
#include "sim/state.h"

__extension__ typedef unsigned __int128 wide; /* picoseconds x MHz overflow 64 bits after an hour */

#define MHZ_PS UINT64_C(1000000) /* one cycle at 1 MHz, in picoseconds */

uint64_t cycles_to_ps(uint64_t cycles, unsigned mhz)
{
    if (cycles <= UINT64_MAX / MHZ_PS) /* hours: a division of 64 bits will do */
        return cycles * MHZ_PS / mhz;
    return (uint64_t)((wide)cycles * MHZ_PS / mhz);
}

uint64_t ps_to_cycles(uint64_t ps, unsigned mhz)
{
    wide cycles;

    if (ps < BIT(48) && mhz < BIT(15)) /* minutes: likewise */
        return (ps * mhz + MHZ_PS - 1) / MHZ_PS;
    cycles = ((wide)ps * mhz + MHZ_PS - 1) / MHZ_PS;
    return cycles > UINT64_MAX ? UINT64_MAX : (uint64_t)cycles;
}

void clock_init(struct clock *clock)
{
    *clock = (struct clock){ .next_due = NEVER };
}

void clock_attach(struct clock *clock, struct timer *timer)
{
    struct timer **end = &clock->timers;

    while (*end)
        end = &(*end)->next;
    *end = timer;
    timer->clock = clock;
    timer->next = NULL;
    timer->armed = false;
}

static void clock_find_next(struct clock *clock)
{
    clock->next_due = NEVER;
    for (const struct timer *timer = clock->timers; timer; timer = timer->next)
        if (timer->armed && timer->due_ps < clock->next_due)
            clock->next_due = timer->due_ps;
}

void timer_arm(struct timer *timer, uint64_t due_ps)
{
    struct clock *clock = timer->clock;
    bool was_next = timer->armed && timer->due_ps == clock->next_due;

    timer->armed = true;
    timer->due_ps = due_ps;
    timer->sequence = ++clock->sequence;
    if (due_ps <= clock->next_due)
        clock->next_due = due_ps;
    else if (was_next)
        clock_find_next(clock);
    if (clock->shortened)
        clock->shortened(clock->ctx, due_ps);
}

void timer_disarm(struct timer *timer)
{
    if (!timer->armed)
        return;
    timer->armed = false;
    if (timer->due_ps == timer->clock->next_due)
        clock_find_next(timer->clock);
}

/* The armed timer that comes first in (time, sequence) and is due by now_ps. */
static struct timer *clock_first_due(const struct clock *clock, uint64_t now_ps)
{
    struct timer *first = NULL;

    for (struct timer *timer = clock->timers; timer; timer = timer->next) {
        if (!timer->armed || timer->due_ps > now_ps)
            continue;
        if (!first || timer->due_ps < first->due_ps ||
            (timer->due_ps == first->due_ps && timer->sequence < first->sequence))
            first = timer;
    }
    return first;
}

void clock_fire(struct clock *clock, uint64_t now_ps)
{
    while (clock->next_due <= now_ps) {
        struct timer *timer = clock_first_due(clock, now_ps);

        timer_disarm(timer);
        clock->now_ps = timer->due_ps;
        timer->fire(timer->ctx);
    }
    clock->now_ps = now_ps;
}

static void clock_restored(void *object)
{
    clock_find_next(object);
}

void clock_describe(struct clock *clock, struct state *state, const char *path)
{
    static const struct state_field clock_fields[] = {
        STATE_VALUE(struct clock, now_ps),
        STATE_VALUE(struct clock, sequence),
    };
    static const struct state_field timer_fields[] = {
        STATE_VALUE(struct timer, due_ps),
        STATE_VALUE(struct timer, sequence),
        STATE_VALUE(struct timer, armed),
    };
    static const struct state_part timer_part = { "timer", timer_fields, G_N_ELEMENTS(timer_fields),
                                                  NULL, NULL, NULL, NULL };
    static const struct state_part clock_part = { "clock", clock_fields, G_N_ELEMENTS(clock_fields),
                                                  NULL, clock_restored, NULL, NULL };

    for (struct timer *timer = clock->timers; timer; timer = timer->next) {
        g_autofree char *name = g_strdup_printf("%s.timer[%s]", path, timer->name);
        state_add(state, name, &timer_part, timer);
    }
    state_add(state, path, &clock_part, clock); /* last: its restore looks at the timers */
}
