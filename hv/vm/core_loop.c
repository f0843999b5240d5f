/* SPDX-License-Identifier: MIT */
/* A core's life: take a vCPU, run it until its slice is over, it blocks, or its guest ends. */
#include "hv/vm/schedule.h"

#include "hv/core/link.h"
#include "hv/core/memory.h"
#include "hv/core/timer.h"
#include "hv/migrate/mask_cores.h"
#include "hv/vm/debug_keys.h"
#include "hv/vm/devices.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/machine_check.h"
#include "hv/vm/paging.h"
#include "hv/vm/pv_guest.h"
#include "hv/vm/report.h"
#include "hv/vm/schedule_queue.h"

static struct svm_core svm_cores[CORES_MAX];

static enum exit_result enter_guest(struct svm_core *svm_core, struct vcpu *vcpu, uint64_t asid_bench)
{
    uint64_t tsc;

    if (vcpu->pv)
        return pv_guest_run(vcpu);
    interrupts_enter(vcpu);
    vcpu->guest->paging->enter(vcpu);
    counts_handled(&vcpu->counts, tsc_read());
    vcpu->counts.runs++;
    if (svm_core->asids.assignments < asid_bench)
        asid_drop(&vcpu->svm.asid);
    tsc = svm_run(svm_core, &vcpu->svm);
    counts_exit(&vcpu->counts, vcpu->svm.vmcb->exitcode, tsc);
    interrupts_leave(vcpu);
    return exit_handle(vcpu);
}

/* What interrupt handlers have left to do. */
static void run_deferred(struct percore *core, void (*link_work)(void))
{
    if (__atomic_load_n(&core->machine_check_due, __ATOMIC_ACQUIRE))
        machine_check_run(core);
    if (!core->timer_due)
        return;
    timers_run();
    if (link_work && link_noticed())
        link_work();
    if (console_input_noticed()) {
        debug_keys_run();
        event_raise_control(VIRQ_CONSOLE);
    }
}

static bool has_deferred(const struct percore *core)
{
    return core->timer_due || __atomic_load_n(&core->machine_check_due, __ATOMIC_ACQUIRE);
}

static void run_vcpu(struct svm_core *svm_core, struct percore *core, struct vcpu *vcpu,
                     const struct schedule_options *options)
{
    enum exit_result result = EXIT_RESUME;

    if (vcpu->pv)
        pv_arrive(vcpu->pv);
    else
        svm_arrive(&vcpu->svm);
    schedule_publish_runstate(vcpu);
    if (vcpu->halted_since) {
        vcpu->counts.halted_cycles += tsc_read() - vcpu->halted_since;
        vcpu->halted_since = 0;
    }
    if (vcpu->halted && exit_halts(vcpu))
        result = EXIT_BLOCK;
    while (result == EXIT_RESUME) {
        if (has_deferred(core))
            run_deferred(core, options->link_work);
        interrupts_disable();
        if (has_deferred(core)) {
            interrupts_enable();
            continue;
        }
        mask_cores_follow(core);
        memory_follow(core->index);
        vcpu->woken = false; /* whatever woke it is looked at now */
        devices_enter(vcpu);
        if (!schedule_may_go_on(vcpu, core))
            break;
        result = enter_guest(svm_core, vcpu, options->asid_bench);
    }
    interrupts_enable();
    if (result == EXIT_BLOCK) {
        vcpu->halted_since = tsc_read();
        counts_handled(&vcpu->counts, vcpu->halted_since);
    }
    if (vcpu->pv)
        pv_leave(vcpu->pv);
    else
        svm_leave(&vcpu->svm);
    schedule_give_back(vcpu, result);
}

/* schedule_take has marked the core idle: whoever has work for it interrupts it. */
static void wait_for_work(struct percore *core)
{
    interrupts_disable();
    if (!core->reschedule && !has_deferred(core))
        interrupts_wait();
    __atomic_store_n(&core->idle, false, __ATOMIC_RELEASE);
    interrupts_enable();
}

void schedule_loop(const struct schedule_options *options)
{
    struct percore *core = percore_self();
    struct svm_core *svm_core = &svm_cores[core->index];
    const struct vcpu *last = NULL;

    svm_core_init(svm_core, options->asids);
    machine_check_core_begin();
    schedule_begin(core->index);
    interrupts_enable();
    for (;;) {
        struct vcpu *vcpu;

        if (has_deferred(core))
            run_deferred(core, options->link_work);
        mask_cores_follow(core);
        memory_follow(core->index);
        vcpu = schedule_take(core);
        if (!vcpu) {
            if (schedule_is_over())
                report_and_stop();
            wait_for_work(core);
            continue;
        }
        if (options->switch_bumps && vcpu != last)
            asid_core_bump(&svm_core->asids);
        last = vcpu;
        run_vcpu(svm_core, core, vcpu, options);
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
