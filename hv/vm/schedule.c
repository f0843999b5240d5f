/* SPDX-License-Identifier: MIT */
#include "hv/vm/schedule.h"

#include "hv/core/lapic.h"
#include "hv/core/percore.h"
#include "hv/vm/exits.h"
#include "hv/vm/report.h"

static struct lock schedule_lock;
static unsigned next_guest, next_vcpu; /* round robin over all vCPUs */
static struct svm_core svm_cores[CORES_MAX];

static bool take_if_runnable(struct vcpu *vcpu)
{
    if (vcpu->guest->outcome != GUEST_RUNS || vcpu->state != VCPU_RUNNABLE)
        return false;
    vcpu->state = VCPU_RUNNING;
    return true;
}

/* The next runnable vCPU after the one chosen last, marked running; NULL: none. */
static struct vcpu *take_next(void)
{
    for (unsigned tried = 0; tried < GUESTS_MAX * GUEST_VCPUS_MAX; tried++) {
        struct vcpu *vcpu;

        if (next_guest >= guest_count)
            next_guest = 0;
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

static bool all_over(void)
{
    for (unsigned i = 0; i < guest_count; i++)
        if (guests[i].outcome == GUEST_RUNS)
            return false;
    return true;
}

static void give_back(struct vcpu *vcpu, enum vcpu_state state)
{
    lock_acquire(&schedule_lock);
    vcpu->state = state;
    lock_release(&schedule_lock);
}

/* Until its slice is over, it blocks, or its guest ends. */
static void run_vcpu(struct svm_core *svm_core, struct percore *core, struct vcpu *vcpu)
{
    enum exit_result result = EXIT_RESUME;
    uint64_t tsc;

    core->reschedule = false;
    while (result == EXIT_RESUME && !core->reschedule && vcpu->guest->outcome == GUEST_RUNS) {
        counts_handled(&vcpu->counts, tsc_read());
        vcpu->counts.runs++;
        tsc = svm_run(svm_core, &vcpu->svm);
        counts_exit(&vcpu->counts, vcpu->svm.vmcb->exitcode, tsc);
        result = exit_handle(vcpu);
    }
    if (result == EXIT_BLOCK)
        counts_handled(&vcpu->counts, tsc_read());
    give_back(vcpu, result == EXIT_BLOCK ? VCPU_BLOCKED : result == EXIT_GUEST_OVER ? VCPU_DONE : VCPU_RUNNABLE);
}

void schedule_loop(bool use_asids, uint32_t slice_ticks)
{
    struct percore *core = percore_self();
    struct svm_core *svm_core = &svm_cores[core->index];

    svm_core_init(svm_core, use_asids);
    lapic_timer_start(slice_ticks);
    interrupts_enable();
    for (;;) {
        struct vcpu *vcpu;
        bool over;

        lock_acquire(&schedule_lock);
        vcpu = take_next();
        over = !vcpu && all_over();
        lock_release(&schedule_lock);
        if (vcpu)
            run_vcpu(svm_core, core, vcpu);
        else if (over)
            report_and_stop();
        else
            cpu_pause();
    }
}
