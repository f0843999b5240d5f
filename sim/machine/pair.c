/* SPDX-License-Identifier: MIT */
/*
 * Two linked machines. Nothing that one sends reaches the other sooner than the cable's latency, so that both may run
 * that long alone, one after the other; then, with both at the boundary, what was sent is handed over. Boundaries are
 * whole microseconds, where a machine's slices end anyway: what happens does not depend on where a run was stopped.
 */
#include "sim/machine/machine_private.h"

static struct link_time *link_time(struct machine *machine)
{
    return platform_link_time(machine->platform);
}

static uint64_t now(struct machine *machine)
{
    return machine_now_ps(machine) + link_time(machine)->epoch_ps;
}

static uint64_t whole_us(uint64_t ps)
{
    return (ps + PS_PER_US - 1) / PS_PER_US * PS_PER_US;
}

static uint64_t window(const struct machine *machine)
{
    return MAX(platform_link_latency(machine->platform) / PS_PER_US, 1) * PS_PER_US;
}

static void set_boundary(struct machine_pair *pair, uint64_t ps)
{
    for (unsigned i = 0; i < 2; i++)
        if (pair->machine[i])
            link_time(pair->machine[i])->boundary_ps = ps;
}

void machine_pair_plug(struct machine_pair *pair, struct machine *first, struct machine *second,
                       uint64_t bits_per_s, uint64_t latency_ps)
{
    uint64_t start = whole_us(machine_now_ps(first));

    *pair = (struct machine_pair){ .machine = { first, second }, .cut_ps = NEVER };
    for (unsigned i = 0; i < 2; i++) {
        struct machine *machine = pair->machine[i];

        link_time(machine)->epoch_ps = start - whole_us(machine_now_ps(machine));
        platform_link_plug(machine->platform, bits_per_s, latency_ps);
    }
    set_boundary(pair, start + window(first));
}

void machine_pair_booted(struct machine_pair *pair, struct machine *machine)
{
    link_time(machine)->epoch_ps = link_time(machine)->boundary_ps;
    pair->stopped[pair->machine[1] == machine] = false;
}

void machine_pair_cut(struct machine_pair *pair, uint64_t at_ps)
{
    pair->cut_ps = at_ps;
}

/* Half a pair: the other end is no longer there. */
void machine_pair_leave(struct machine_pair *pair, struct machine *machine)
{
    unsigned other = pair->machine[0] == machine;

    pair->machine[!other] = NULL;
    if (pair->machine[other])
        platform_link_cut(pair->machine[other]->platform, machine_now_ps(pair->machine[other]));
}

bool machine_pair_is_sound(const struct machine_pair *pair)
{
    uint64_t boundary = link_time(pair->machine[0])->boundary_ps;

    for (unsigned i = 0; i < 2; i++) /* an instruction may reach a little beyond it */
        if ((int64_t)(boundary + PS_PER_MS - now(pair->machine[i])) < 0)
            return false;
    return boundary == link_time(pair->machine[1])->boundary_ps;
}

/* ---- Running --------------------------------------------------------------------------------------------- */

static void hand_over(struct machine *from, struct machine *to)
{
    struct link_message *message;

    while ((message = platform_link_fetch(from->platform))) {
        message->ps += link_time(from)->epoch_ps - link_time(to)->epoch_ps;
        platform_link_deliver(to->platform, message);
    }
}

/* Both stand at the boundary, or stand still for good. */
static void exchange(struct machine_pair *pair)
{
    struct machine *first = pair->machine[0], *second = pair->machine[1];
    uint64_t boundary = link_time(first)->boundary_ps, next = boundary + window(first);

    if (pair->cut_ps < next) {
        for (unsigned i = 0; i < 2; i++) {
            const struct link_time *time = link_time(pair->machine[i]);

            platform_link_cut(pair->machine[i]->platform, MAX(pair->cut_ps, boundary) - time->epoch_ps);
        }
        pair->cut_ps = NEVER;
    }
    hand_over(first, second);
    hand_over(second, first);
    set_boundary(pair, next);
}

static bool stands_still(const struct machine_pair *pair, unsigned which)
{
    return pair->stopped[which] || !pair->booted[which];
}

/* The machine that nobody asked to run goes to the boundary; what ends it is kept for who will ask. */
static enum machine_stop follow(struct machine_pair *pair, unsigned which)
{
    struct machine *machine = pair->machine[which];
    const struct link_time *time = link_time(machine);
    enum machine_stop stop;

    do
        stop = machine_run(machine, time->boundary_ps - time->epoch_ps, NEVER);
    while (stop == MACHINE_STOP_HOOK);
    if (stop == MACHINE_STOP_TIME || stop == MACHINE_STOP_MEMORY || stop == MACHINE_STOP_INTERRUPTED)
        return stop;
    pair->stopped[which] = true;
    pair->stop[which] = stop;
    return MACHINE_STOP_TIME;
}

static bool take_stop(struct machine_pair *pair, unsigned which, enum machine_stop *stop)
{
    if (!pair->stopped[which])
        return false;
    pair->stopped[which] = false;
    *stop = pair->stop[which];
    return true;
}

enum machine_stop machine_pair_run(struct machine_pair *pair, struct machine *machine, uint64_t until_ps,
                                   uint64_t until_instructions)
{
    unsigned self = pair->machine[1] == machine, other = !self;
    const struct link_time *time = link_time(machine);
    enum machine_stop stop;

    if (!pair->machine[other])
        return machine_run(machine, until_ps, until_instructions);
    if (take_stop(pair, self, &stop))
        return stop;
    for (;;) {
        uint64_t boundary = time->boundary_ps - time->epoch_ps;

        if (!stands_still(pair, other) && now(pair->machine[other]) < time->boundary_ps) {
            stop = follow(pair, other);
            if (stop != MACHINE_STOP_TIME)
                return stop;
        }
        stop = machine_run(machine, MIN(until_ps, boundary), until_instructions);
        if (stop != MACHINE_STOP_TIME)
            return stop;
        if (machine_now_ps(machine) >= boundary)
            exchange(pair);
        if (machine_now_ps(machine) >= until_ps)
            return MACHINE_STOP_TIME;
    }
}
