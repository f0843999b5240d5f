/* SPDX-License-Identifier: MIT */
#include "hv/vm/schedule.h"

#include "hv/core/clock.h"
#include "hv/core/lapic.h"
#include "hv/core/percore.h"
#include "hv/core/timer.h"
#include "hv/core/traps.h"
#include "hv/vm/devices.h"
#include "hv/vm/exits.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/paging.h"
#include "hv/vm/report.h"

static struct lock schedule_lock;
static unsigned next_guest, next_vcpu; /* round robin over all vCPUs */
static struct svm_core svm_cores[CORES_MAX];
static struct vcpu *last_vcpu[CORES_MAX];
static struct timer slice_timers[CORES_MAX];

/* ---- The queue: all vCPUs in turn; schedule_lock held --------------------------------------------------- */

static bool take_if_runnable(struct vcpu *vcpu)
{
    if (vcpu->guest->outcome != GUEST_RUNS || vcpu->state != VCPU_RUNNABLE || vcpu->guest->pauses)
        return false;
    vcpu->state = VCPU_RUNNING;
    vcpu->core = percore_self()->index;
    return true;
}

/* The next runnable vCPU after the one chosen last, marked running; NULL: none. */
static struct vcpu *take_next(void)
{
    for (unsigned tried = 0; tried < GUESTS_MAX * GUEST_VCPUS_MAX; tried++) {
        struct vcpu *vcpu;

        if (next_guest >= guest_count)
            next_guest = 0;
        if (!guest_is_alive(&guests[next_guest])) {
            next_guest++;
            next_vcpu = 0;
            continue;
        }
        vcpu = &guests[next_guest].vcpus[next_vcpu];
        if (++next_vcpu >= guests[next_guest].spec.vcpus) {
            next_vcpu = 0;
            next_guest++;
        }
        if (take_if_runnable(vcpu))
            return vcpu;
    }
    return NULL;
}

/* All over means also that no core still runs a vCPU of a guest that has ended: its counts are final. */
static bool all_over(void)
{
    for (unsigned i = 0; i < guest_count; i++) {
        if (guests[i].life == GUEST_FREE)
            continue;
        if (guests[i].life != GUEST_ALIVE || guests[i].outcome == GUEST_RUNS || !schedule_is_quiet(&guests[i]))
            return false;
    }
    return true;
}

bool schedule_is_quiet(const struct guest *guest)
{
    for (unsigned v = 0; v < guest->spec.vcpus; v++)
        if (__atomic_load_n(&guest->vcpus[v].state, __ATOMIC_ACQUIRE) == VCPU_RUNNING)
            return false;
    return true;
}

static bool any_other_can_run(const struct vcpu *than)
{
    const struct guest *guest = than->guest;

    for (unsigned v = 0; v < guest->spec.vcpus; v++)
        if (&guest->vcpus[v] != than &&
            (guest->vcpus[v].state == VCPU_RUNNABLE || guest->vcpus[v].state == VCPU_RUNNING))
            return true;
    return false;
}

static void wake_an_idle_core(void)
{
    for (unsigned i = 0; i < percore_count; i++) {
        if (__atomic_exchange_n(&percores[i].idle, false, __ATOMIC_ACQ_REL)) {
            lapic_send_fixed(percores[i].apic_id, VECTOR_WAKE);
            return;
        }
    }
}

/* ---- vcpu_op -------------------------------------------------------------------------------------------- */

bool schedule_claim(struct vcpu *vcpu)
{
    bool claimed;

    lock_acquire(&schedule_lock);
    claimed = vcpu->state == VCPU_DOWN;
    lock_release(&schedule_lock);
    return claimed;
}

void schedule_up(struct vcpu *vcpu)
{
    lock_acquire(&schedule_lock);
    vcpu->down_wanted = false;
    if (vcpu->state == VCPU_DOWN || vcpu->state == VCPU_BLOCKED) {
        vcpu->state = VCPU_RUNNABLE;
        vcpu->halted = false;
        wake_an_idle_core();
    }
    lock_release(&schedule_lock);
}

void schedule_down(struct vcpu *vcpu)
{
    lock_acquire(&schedule_lock);
    if (vcpu->state == VCPU_RUNNING)
        vcpu->down_wanted = true;
    else
        vcpu->state = VCPU_DOWN;
    lock_release(&schedule_lock);
}

bool schedule_is_up(struct vcpu *vcpu)
{
    bool up;

    lock_acquire(&schedule_lock);
    up = vcpu->state != VCPU_DOWN && !vcpu->down_wanted;
    lock_release(&schedule_lock);
    return up;
}

/* ---- Waking and pausing --------------------------------------------------------------------------------- */

static void kick(const struct vcpu *vcpu)
{
    if (__atomic_load_n(&vcpu->state, __ATOMIC_ACQUIRE) == VCPU_RUNNING && vcpu->core != percore_self()->index)
        lapic_send_fixed(percores[vcpu->core].apic_id, VECTOR_WAKE);
}

void schedule_wake(struct vcpu *vcpu)
{
    lock_acquire(&schedule_lock);
    if (vcpu->state == VCPU_BLOCKED) {
        vcpu->state = VCPU_RUNNABLE;
        wake_an_idle_core();
    } else {
        vcpu->woken = true; /* it may be on its way into HLT */
        kick(vcpu);
    }
    lock_release(&schedule_lock);
}

void schedule_kick(const struct guest *guest)
{
    lock_acquire(&schedule_lock);
    for (unsigned v = 0; v < guest->spec.vcpus; v++)
        kick(&guest->vcpus[v]);
    lock_release(&schedule_lock);
}

void schedule_pause(struct guest *guest)
{
    lock_acquire(&schedule_lock);
    guest->pauses++;
    lock_release(&schedule_lock);
    schedule_kick(guest);
    while (!schedule_is_quiet(guest))
        cpu_pause();
}

void schedule_unpause(struct guest *guest)
{
    lock_acquire(&schedule_lock);
    if (--guest->pauses == 0)
        for (unsigned v = 0; v < guest->spec.vcpus; v++)
            if (guest->vcpus[v].state == VCPU_RUNNABLE)
                wake_an_idle_core();
    lock_release(&schedule_lock);
}

/* ---- A core's life -------------------------------------------------------------------------------------- */

static void give_back(struct vcpu *vcpu, enum exit_result result)
{
    struct guest *guest = vcpu->guest;
    enum vcpu_state state;
    bool stuck;

    lock_acquire(&schedule_lock);
    stuck = guest->outcome == GUEST_RUNS && !any_other_can_run(vcpu) &&
            !__atomic_load_n(&guest->wakers, __ATOMIC_ACQUIRE) &&
            (vcpu->down_wanted || (result == EXIT_BLOCK && !vcpu->woken));
    if (stuck) { /* before it is another core's business */
        guest_finish(guest, GUEST_CRASHED, 0);
        console_print("hv: guest %s: all vCPUs are halted, nothing will wake them", guest->spec.name);
    }
    if (guest->outcome != GUEST_RUNS)
        state = VCPU_DONE;
    else if (vcpu->down_wanted)
        state = VCPU_DOWN;
    else
        state = result == EXIT_BLOCK && !vcpu->woken ? VCPU_BLOCKED : VCPU_RUNNABLE;
    vcpu->down_wanted = vcpu->woken = false;
    __atomic_store_n(&vcpu->state, state, __ATOMIC_RELEASE);
    lock_release(&schedule_lock);
    if (guest->life == GUEST_DYING)
        guest_left(guest);
}

/* Asked with interrupts off: what comes after it ends the VMRUN at once. */
static bool may_go_on(const struct vcpu *vcpu, const struct percore *core)
{
    return !core->reschedule && !vcpu->down_wanted && vcpu->guest->outcome == GUEST_RUNS && !vcpu->guest->pauses;
}

/* Until its slice is over, it blocks, or its guest ends. */
static void run_vcpu(struct svm_core *svm_core, struct percore *core, struct vcpu *vcpu, uint64_t asid_bench)
{
    enum exit_result result = EXIT_RESUME;
    uint64_t tsc;

    core->reschedule = false;
    svm_arrive(&vcpu->svm);
    if (vcpu->halted_since) {
        vcpu->counts.halted_cycles += tsc_read() - vcpu->halted_since;
        vcpu->halted_since = 0;
    }
    if (vcpu->halted && exit_halts(vcpu))
        result = EXIT_BLOCK;
    while (result == EXIT_RESUME) {
        if (core->timer_due)
            timers_run();
        interrupts_disable();
        if (core->timer_due) {
            interrupts_enable();
            continue;
        }
        vcpu->woken = false; /* whatever woke it is looked at now */
        devices_enter(vcpu);
        if (!may_go_on(vcpu, core))
            break;
        interrupts_enter(vcpu);
        vcpu->guest->paging->enter(vcpu);
        counts_handled(&vcpu->counts, tsc_read());
        vcpu->counts.runs++;
        if (svm_core->asids.assignments < asid_bench)
            asid_drop(&vcpu->svm.asid);
        tsc = svm_run(svm_core, &vcpu->svm);
        counts_exit(&vcpu->counts, vcpu->svm.vmcb->exitcode, tsc);
        interrupts_leave(vcpu);
        result = exit_handle(vcpu);
    }
    interrupts_enable();
    if (result == EXIT_BLOCK) {
        vcpu->halted_since = tsc_read();
        counts_handled(&vcpu->counts, vcpu->halted_since);
    }
    svm_leave(&vcpu->svm);
    give_back(vcpu, result);
}

static void wait_for_work(struct percore *core)
{
    interrupts_disable();
    __atomic_store_n(&core->idle, true, __ATOMIC_RELEASE);
    if (!core->reschedule && !core->timer_due)
        interrupts_wait();
    core->reschedule = false;
    __atomic_store_n(&core->idle, false, __ATOMIC_RELEASE);
    interrupts_enable();
}

static void end_slice(void *core)
{
    ((struct percore *)core)->reschedule = true;
}

void schedule_loop(const struct schedule_options *options)
{
    struct percore *core = percore_self();
    struct svm_core *svm_core = &svm_cores[core->index];

    svm_core_init(svm_core, options->asids);
    slice_timers[core->index] = (struct timer){ .fire = end_slice, .ctx = core };
    interrupts_enable();
    for (;;) {
        struct vcpu *vcpu;
        bool over;

        if (core->timer_due)
            timers_run();
        lock_acquire(&schedule_lock);
        vcpu = take_next();
        over = !vcpu && all_over();
        lock_release(&schedule_lock);
        if (over)
            report_and_stop();
        if (!vcpu) {
            wait_for_work(core);
            continue;
        }
        if (options->switch_bumps && vcpu != last_vcpu[core->index])
            asid_core_bump(&svm_core->asids);
        last_vcpu[core->index] = vcpu;
        timer_set(&slice_timers[core->index], clock_now() + options->slice_ns);
        run_vcpu(svm_core, core, vcpu, options->asid_bench);
        timer_stop(&slice_timers[core->index]);
    }
}

uint64_t schedule_asid_assignments(unsigned core)
{
    return svm_cores[core].asids.assignments;
}

uint64_t schedule_asid_flushes(unsigned core)
{
    return svm_cores[core].asids.flushes;
}
