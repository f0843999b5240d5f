/* SPDX-License-Identifier: MIT */
#include "hv/core/timer.h"

#include <stddef.h>

#include "hv/core/clock.h"
#include "hv/core/lapic.h"
#include "hv/core/percore.h"
#include "hv/x86/lock.h"

struct queue {
    struct lock lock;
    struct timer *firing;
    struct timer *first; /* by time, equal ones in the order they were set */
};

static struct queue queues[CORES_MAX];
static uint32_t ticks_per_ms;

void timer_init(uint32_t ticks)
{
    ticks_per_ms = ticks;
}

/* Rounded up: the interrupt must not come before the time. A long wait wakes in between and goes on. */
static uint32_t ticks_until(uint64_t at)
{
    uint64_t now = clock_now(), ns = at > now ? at - now : 0, ticks;

    if (ns > 1000 * CLOCK_MS)
        ns = 1000 * CLOCK_MS;
    ticks = ns * ticks_per_ms / CLOCK_MS + 1;
    return (uint32_t)ticks;
}

/* On the queue's own core, its lock held. */
static void program(const struct queue *queue)
{
    lapic_timer_once(queue->first ? ticks_until(queue->first->at) : 0);
}

static void take_out(struct timer *timer)
{
    struct timer **link = &queues[timer->core].first;

    while (*link && *link != timer)
        link = &(*link)->next;
    if (*link)
        *link = timer->next;
    timer->armed = false;
}

void timer_stop(struct timer *timer)
{
    struct queue *queue = &queues[timer->core];

    lock_acquire(&queue->lock);
    if (timer->armed)
        take_out(timer);
    lock_release(&queue->lock);
}

void timer_retire(struct timer *timer)
{
    if (!timer->fire)
        return;
    timer_stop(timer);
    while (__atomic_load_n(&queues[timer->core].firing, __ATOMIC_ACQUIRE) == timer)
        cpu_pause();
}

void timer_set(struct timer *timer, uint64_t at)
{
    unsigned core = percore_self()->index;
    struct queue *queue = &queues[core];
    struct timer **link = &queue->first;

    timer_stop(timer);
    lock_acquire(&queue->lock);
    timer->core = core;
    timer->at = at;
    while (*link && (*link)->at <= at)
        link = &(*link)->next;
    timer->next = *link;
    *link = timer;
    timer->armed = true;
    if (queue->first == timer)
        program(queue);
    lock_release(&queue->lock);
}

static struct timer *take_due(struct queue *queue, uint64_t now)
{
    struct timer *timer = queue->first;

    if (!timer || timer->at > now)
        return NULL;
    queue->first = timer->next;
    timer->armed = false;
    queue->firing = timer;
    return timer;
}

void timers_run(void)
{
    struct percore *core = percore_self();
    struct queue *queue = &queues[core->index];
    struct timer *timer;

    core->timer_due = false;
    for (;;) {
        lock_acquire(&queue->lock);
        timer = take_due(queue, clock_now());
        if (!timer)
            program(queue);
        lock_release(&queue->lock);
        if (!timer)
            return;
        timer->fire(timer->ctx);
        __atomic_store_n(&queue->firing, NULL, __ATOMIC_RELEASE);
    }
}
