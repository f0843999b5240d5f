/* SPDX-License-Identifier: MIT */
/*
 * Virtual time over several cores. Time goes in slices of at most QUANTUM_PS, cut at the next deadline.
 * In a slice each core in order of index runs to its first instruction boundary at or past the slice's
 * end; then the deadlines fire. A core that reads the time or a shared device ends the slice there, so that all
 * others come as far before it can tell anybody (the TSCs of a machine never seem to go back). The position is state: a
 * run may stop and go on anywhere, even elsewhere.
 */
#include <string.h>

#include "sim/machine/machine_private.h"

uint64_t schedule_core_ps(const struct machine *machine, unsigned core)
{
    return cycles_to_ps(core_cycles(machine->core[core]), machine->model->mhz);
}

void schedule_stop(struct machine *machine, enum machine_stop stop)
{
    machine->stopping = true;
    machine->stop = stop;
    if (machine->running)
        core_request_stop(machine->running);
}

void schedule_reset(struct machine *machine)
{
    machine->slice_start_ps = 0;
    machine->slice_end_ps = 0;
    memset(machine->observed_ps, 0, sizeof machine->observed_ps);
    machine->flooded = false;
    machine->turn = machine->core_count; /* the first thing to do is to open a slice */
}

static bool core_idle(const struct machine *machine, unsigned core)
{
    return core_waiting(machine->core[core]) && !core_wakes(machine->core[core]) &&
           network_next(machine, core) == NEVER;
}

static bool all_idle(const struct machine *machine)
{
    for (unsigned i = 0; i < machine->core_count; i++)
        if (!core_idle(machine, i))
            return false;
    return true;
}

/* Every core has reached slice_end: fire what is due and open the next slice. */
static void slice_next(struct machine *machine, uint64_t until_ps)
{
    uint64_t now = machine->slice_end_ps, end;

    clock_fire(&machine->clock, now);
    end = (now / QUANTUM_PS + 1) * QUANTUM_PS; /* the same boundaries wherever a run stopped before */
    if (all_idle(machine)) {
        end = machine->clock.next_due;
        if (end == NEVER && until_ps != NEVER && platform_link_is_plugged(machine->platform))
            end = MAX(until_ps, now); /* something may still come */
        if (end == NEVER) {
            schedule_stop(machine, MACHINE_STOP_HALTED);
            return;
        }
        if (until_ps > now && until_ps < end)
            end = until_ps; /* nothing runs in between, so that stopping here changes nothing */
    }
    if (machine->clock.next_due < end)
        end = machine->clock.next_due;
    for (unsigned i = 0; i < machine->core_count; i++)
        if (machine->observed_ps[i] > now && machine->observed_ps[i] < end)
            end = machine->observed_ps[i];
    machine->slice_start_ps = now;
    machine->slice_end_ps = end;
    machine->turn = 0;
}

/* Retired instructions still allowed, NEVER if unlimited. */
static uint64_t instructions_left(const struct machine *machine, uint64_t until)
{
    uint64_t done;

    if (until == NEVER)
        return NEVER;
    done = machine_instructions(machine);
    return until > done ? until - done : 0;
}

static void core_stopped(struct machine *machine, enum core_stop why)
{
    if (why == CORE_STOP_HOOK && !machine->stopping)
        schedule_stop(machine, MACHINE_STOP_HOOK);
    if (why == CORE_STOP_SHUTDOWN && !machine->stopping)
        schedule_stop(machine, MACHINE_STOP_SHUTDOWN);
    if (platform_space(machine->platform)->exhausted)
        schedule_stop(machine, MACHINE_STOP_MEMORY);
}

/* Only who runs can be told something: an idle core wakes at the time of what wakes it. */
void schedule_observed(struct machine *machine)
{
    for (unsigned i = 0; i < machine->core_count; i++) {
        if (machine->running && machine->core[i] != machine->running && !core_idle(machine, i)) {
            machine->observed = true;
            core_limit(machine->running, 0);
            return;
        }
    }
}

/* The slice ends where the core stopped that looked; slice_next holds it back if others stop earlier. */
static void turn_observed(struct machine *machine)
{
    uint64_t now = schedule_core_ps(machine, (unsigned)machine->turn);

    machine->observed = false;
    machine->observed_ps[machine->turn] = now;
    if (now < machine->slice_end_ps)
        machine->slice_end_ps = now;
}

/*
 * Run the core whose turn it is, up to the slice's end, a message's time, a deadline armed meanwhile, or
 * the instruction limit: an instruction takes at least one cycle, so `left` cycles retire at most `left`.
 */
static void turn_run(struct machine *machine, uint64_t left)
{
    unsigned index = (unsigned)machine->turn;
    struct core *core = machine->core[index];
    uint64_t message_ps = network_next(machine, index), target_ps = machine->slice_end_ps, limit;

    if (message_ps < target_ps)
        target_ps = message_ps;
    if (machine->clock.next_due < target_ps)
        target_ps = machine->clock.next_due;
    limit = ps_to_cycles(target_ps, machine->model->mhz);
    machine->running = core;
    if (core_cycles(core) < limit) {
        bool idle = core_waiting(core) && !core_wakes(core);
        enum core_stop why;

        if (!idle && limit - core_cycles(core) > left)
            limit = core_cycles(core) + left;
        why = left == 1 && !idle ? core_step(core) : core_run(core, limit);
        machine->running = NULL; /* it has stopped: another request would be for its next run */
        core_stopped(machine, why);
    }
    machine->running = NULL;
    if (machine->observed)
        turn_observed(machine);
}

/* What has come due at the running core's time takes effect before its next instruction. */
static void turn_settle(struct machine *machine)
{
    unsigned index = (unsigned)machine->turn;
    uint64_t now = schedule_core_ps(machine, index);

    if (core_cycles(machine->core[index]) >= ps_to_cycles(machine->clock.next_due, machine->model->mhz) &&
        machine->clock.next_due < machine->slice_end_ps)
        clock_fire(&machine->clock, machine->clock.next_due);
    network_deliver(machine, index, now);
    if (core_cycles(machine->core[index]) >= ps_to_cycles(machine->slice_end_ps, machine->model->mhz) &&
        network_next(machine, index) > machine->slice_end_ps)
        machine->turn++;
}

enum machine_stop machine_run(struct machine *machine, uint64_t until_ps, uint64_t until_instructions)
{
    if (machine->flooded)
        return MACHINE_STOP_FLOOD;
    machine->stopping = false;
    while (!machine->stopping) {
        uint64_t left = instructions_left(machine, until_instructions);

        if (machine->interrupted) {
            machine->interrupted = 0;
            return MACHINE_STOP_INTERRUPTED;
        }
        if (left == 0)
            return MACHINE_STOP_INSNS;
        if (machine->turn < machine->core_count) {
            turn_run(machine, left);
            turn_settle(machine);
        } else if (machine->slice_end_ps >= until_ps) {
            return MACHINE_STOP_TIME;
        } else {
            slice_next(machine, until_ps);
        }
    }
    return machine->stop;
}

enum machine_stop machine_step(struct machine *machine, unsigned core)
{
    uint64_t before = core_instructions(machine->core[core]);
    enum machine_stop stop;

    do
        stop = machine_run(machine, NEVER, machine_instructions(machine) + 1);
    while (stop == MACHINE_STOP_INSNS && core_instructions(machine->core[core]) == before);
    return stop;
}

void machine_pause(struct machine *machine)
{
    if (!machine->stopping)
        schedule_stop(machine, MACHINE_STOP_HOOK);
}

void machine_interrupt(struct machine *machine)
{
    machine->interrupted = 1;
}

uint64_t machine_now_ps(const struct machine *machine)
{
    if (machine->turn < machine->core_count)
        return MAX(machine->slice_start_ps, schedule_core_ps(machine, (unsigned)machine->turn));
    return machine->slice_end_ps;
}

uint64_t machine_instructions(const struct machine *machine)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < machine->core_count; i++)
        sum += core_instructions(machine->core[i]);
    return sum;
}

void schedule_describe(struct machine *machine)
{
    static const struct state_field fields[] = {
        STATE_VALUE(struct machine, slice_start_ps),
        STATE_VALUE(struct machine, slice_end_ps),
        STATE_VALUE(struct machine, turn),
        STATE_VALUE(struct machine, sequence),
        STATE_ARRAY(struct machine, observed_ps),
        STATE_VALUE(struct machine, exit_value),
        STATE_VALUE(struct machine, flooded),
    };
    static const struct state_part part = { "schedule", fields, G_N_ELEMENTS(fields), NULL, NULL, NULL, NULL };

    state_add(machine->state, "schedule", &part, machine);
}

/* ---- Snapshots ------------------------------------------------------------------------------------------ */

#define OVERSHOOT_PS PS_PER_MS /* more than any one instruction takes beyond the end of a slice */

static bool refuse_time(const char *file, const char *what, unsigned core, uint64_t ps, const struct machine *machine,
                        GError **error)
{
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s: %s %u stands at %" G_GUINT64_FORMAT " ps in the snapshot; between %" G_GUINT64_FORMAT " and %"
                G_GUINT64_FORMAT ", its slice, is right", file, what, core, ps, machine->slice_start_ps,
                machine->slice_end_ps);
    return false;
}

/* A slice that is not over is longer than a quantum only when no core has anything to do in it. */
bool schedule_sound(const struct machine *machine, const char *file, GError **error)
{
    uint64_t start = machine->slice_start_ps, end = machine->slice_end_ps;
    bool busy = machine->turn < machine->core_count && !all_idle(machine);

    if (end < start || end > UINT64_MAX / 2 || (end - start > QUANTUM_PS && busy)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: a slice from %" G_GUINT64_FORMAT " to %"
                    G_GUINT64_FORMAT " ps in the snapshot; one of at most %" G_GUINT64_FORMAT " ps is right", file,
                    start, end, QUANTUM_PS);
        return false;
    }
    for (unsigned i = 0; i < machine->core_count; i++) {
        uint64_t ps = schedule_core_ps(machine, i);

        if (ps > end + OVERSHOOT_PS || ps + OVERSHOOT_PS < start)
            return refuse_time(file, "core", i, ps, machine, error);
    }
    if (machine->clock.now_ps > end + OVERSHOOT_PS || machine->clock.now_ps + OVERSHOOT_PS < start)
        return refuse_time(file, "clock", 0, machine->clock.now_ps, machine, error);
    return true;
}
