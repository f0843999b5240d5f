/* SPDX-License-Identifier: MIT */
/* The run loop: boundary, instruction, boundary ... until a limit, a wait, a stop. */
#include "sim/cpu/core_counters.h"
#include "sim/cpu/interp/interp.h"
#include "sim/cpu/model/ibs.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/model/perf.h"

/* ---- Waiting ------------------------------------------------------------------------------------------ */

static void count_wait(struct core *core, uint64_t cycles)
{
    core->cycles += cycles;
    core->count->waited_cycles += cycles;
    if (core->halted || core->mwaiting)
        core->svm.halted_cycles += cycles;
}

/* true: the core still waits; its time has jumped to the limit. */
static bool keeps_waiting(struct core *core)
{
    if (!core_waiting(core))
        return false;
    if (core_wakes(core)) {
        core->smm.was_halted = core->halted; /* for an SMI's auto-halt byte */
        core->halted = core->mwaiting = core->mwait_breaks = false;
        core->monitor_line = NEVER;
        return false;
    }
    if (core->limit != NEVER)
        count_wait(core, core->limit - core->cycles);
    return true;
}

/* ---- Stops ---------------------------------------------------------------------------------------------- */

static bool stop_requested(struct core *core)
{
    bool stop = core->stop_request || core->smm.memory->exhausted;

    core->stop_request = false;
    return stop;
}

/* A scenario's breakpoint. That the instruction stopped once is remembered until it has run. */
static bool breakpoint_stops(struct core *core)
{
    if (!core->hooks.breakpoints || core->breakpoint_passed)
        return false;
    if (!core->hooks.breakpoint(core->hooks.ctx, core, core_linear_rip(core)))
        return false;
    core->breakpoint_passed = true;
    core->stop_request = true;
    return true;
}

/* Whether to return at this boundary, and why. */
static bool returns(struct core *core, enum core_stop *why)
{
    if (core->shutdown)
        *why = CORE_STOP_SHUTDOWN;
    else if (stop_requested(core))
        *why = CORE_STOP_HOOK;
    else if (core->cycles >= core->limit)
        *why = CORE_STOP_LIMIT;
    else if (keeps_waiting(core))
        *why = CORE_STOP_WAITING;
    else
        return false;
    return true;
}

/* ---- The loop ------------------------------------------------------------------------------------------- */

/* Where the next look at the boundary is due at the latest. */
static uint64_t horizon(const struct core *core)
{
    uint64_t due = core->perf.interrupts ? perf_due(core) : NEVER;

    return due < core->limit - core->cycles ? core->cycles + due : core->limit;
}

/*
 * MSRC001_0074: the watchdog counts while no instruction retires, HLT excepted, and MC5 logs that it expired with the
 * linear address of the next instruction. In this model that is an instruction whose own time is as long as that.
 */
static uint64_t watchdog_ps(uint64_t control)
{
    static const uint16_t counts[] = { 4095, 2047, 1023, 511, 255, 127, 63, 31, 8191, 16383 };
    static const unsigned shifts[] = { 18, 8, 0 }; /* 1.31 ms, 1.28 us, 5 ns */
    uint64_t count = bits(control, CPU_WATCHDOG_COUNT), base = bits(control, CPU_WATCHDOG_BASE);

    if (!(control & CPU_WATCHDOG_ENABLE) || count >= G_N_ELEMENTS(counts) || base >= G_N_ELEMENTS(shifts))
        return NEVER;
    return (counts[count] * UINT64_C(5000)) << shifts[base];
}

static void watchdog_look(struct core *core, uint64_t begun)
{
    const struct mca_signature *row = mca_signature_find("CPU watchdog timer");
    struct mca_error error = { .bank = row->bank, .ctl = row->ctl, .status = row->status };

    if (cycles_to_ps(core->cycles - begun, core->model->mhz) < watchdog_ps(core->msr->cpu_watchdog))
        return;
    core_touch_clock(core);
    error.addr = core_linear_rip(core);
    core_error(core, &error);
}

/* Outside guest mode somebody may want to be told of every access: none goes by a native pointer then. */
static void decide_watched(struct core *core)
{
    if (core->watched == !core->svm.guest)
        return;
    core->watched = !core->svm.guest;
    mmu_set_reference(core->mmu, core->reference || core->watched);
}

/* What follows a boundary: an event, one instruction, or (fast engine, not `single`) blocks. */
static void advance(struct core *core, bool single)
{
    if (boundary_take_event(core) || boundary_code_breakpoint(core)) {
        core->breakpoint_passed = core->repeating = false;
        return;
    }
    if (breakpoint_stops(core))
        return;
    core->breakpoint_passed = core->repeating = false;
    if (core->watch)
        decide_watched(core);
    core->horizon = horizon(core);
    if (core->msr->cpu_watchdog & CPU_WATCHDOG_ENABLE) {
        uint64_t begun = core->cycles;

        execute_one(core);
        watchdog_look(core, begun);
    } else if (core->ibs.counting && ibs_due(core))
        sample_one(core);
    else if (single || core->reference || core->watched || boundary_is_careful(core))
        execute_one(core);
    else if (core->perf.exact || core->ibs.counting ||
             (core->rflags & RFLAGS_RF)) /* after every return from a fault, for one instruction */
        fast_step(core);
    else
        fast_run(core);
}

static enum core_stop run(struct core *core, uint64_t limit, bool single)
{
    enum core_stop why = CORE_STOP_LIMIT;
    uint64_t cycles = core->cycles, instructions = core->instructions;
    bool more = true;

    core->limit = limit;
    block_cache_run(core->blocks, core);
    while (more && !returns(core, &why)) {
        advance(core, single);
        more = !single;
    }
    if (single && stop_requested(core))
        why = CORE_STOP_HOOK;
    block_cache_run(core->blocks, NULL);
    core->limit = NEVER;
    core->count->cycles += core->cycles - cycles;
    core->count->instructions += core->instructions - instructions;
    return core->shutdown ? CORE_STOP_SHUTDOWN : why;
}

enum core_stop core_run(struct core *core, uint64_t limit)
{
    return run(core, limit, false);
}

enum core_stop core_step(struct core *core)
{
    return run(core, NEVER, true);
}
