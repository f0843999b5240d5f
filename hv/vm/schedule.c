/* SPDX-License-Identifier: MIT */
/* All vCPUs and who runs next. Everything under one lock; nothing waits while it is held. */
#include "hv/vm/schedule.h"

#include "hv/core/clock.h"
#include "hv/core/lapic.h"
#include "hv/core/timer.h"
#include "hv/core/traps.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/schedule_queue.h"

#define CALL_PATIENCE 1000 /* PAUSEs before the cores are called again */

static struct lock schedule_lock;
static uint64_t queued; /* numbers the vCPUs that begin to wait for a core, in turn */
static uint64_t slice_ns;
static struct vcpu *running[CORES_MAX];
static const struct vcpu *yielder[CORES_MAX]; /* who gave the core up for others, until one is chosen; NULL: nobody */
static struct timer tick_timers[CORES_MAX], accounting_timer;
static uint64_t offline; /* cores that run no vCPU */
static bool stopping; /* the control domain has ended: no guest runs any more */

/* ---- State ---------------------------------------------------------------------------------------------- */

static unsigned runstate_of(enum vcpu_state state)
{
    switch (state) {
    case VCPU_RUNNING: return RUNSTATE_RUNNING;
    case VCPU_RUNNABLE: return RUNSTATE_RUNNABLE;
    case VCPU_BLOCKED: return RUNSTATE_BLOCKED;
    default: return RUNSTATE_OFFLINE;
    }
}

static void set_state(struct vcpu *vcpu, enum vcpu_state state)
{
    uint64_t now = clock_now();

    vcpu->state_ns[runstate_of(vcpu->state)] += now - vcpu->state_since;
    vcpu->state_since = now;
    if (state == VCPU_RUNNABLE)
        vcpu->queued = ++queued;
    __atomic_store_n(&vcpu->state, state, __ATOMIC_RELEASE);
}

void schedule_runstate(const struct vcpu *vcpu, struct vcpu_runstate_info *info)
{
    unsigned now = runstate_of(vcpu->state);

    *info = (struct vcpu_runstate_info){ .state = now,
                                           .since = guest_system_time(vcpu->guest, vcpu->state_since) };
    for (unsigned i = 0; i < 4; i++)
        info->time[i] = vcpu->state_ns[i];
    info->time[now] += clock_now() - vcpu->state_since;
}

void schedule_publish_runstate(struct vcpu *vcpu)
{
    struct vcpu_runstate_info info = { .state = runstate_of(vcpu->state),
                                       .since = guest_system_time(vcpu->guest, vcpu->state_since) };

    if (!vcpu->runstate_gpa)
        return;
    for (unsigned i = 0; i < 4; i++)
        info.time[i] = vcpu->state_ns[i];
    guest_write(vcpu->guest, vcpu->runstate_gpa, &info, sizeof(info));
}

bool schedule_is_quiet(const struct guest *guest)
{
    for (unsigned v = 0; v < guest->spec.vcpus; v++)
        if (__atomic_load_n(&guest->vcpus[v].state, __ATOMIC_ACQUIRE) == VCPU_RUNNING)
            return false;
    return true;
}

/* ---- Cores that should look up -------------------------------------------------------------------------- */

/* A vCPU whose cores are all offline may run on any other: as Xen breaks an affinity. */
static bool allows(const struct vcpu *vcpu, unsigned core)
{
    uint64_t cores = vcpu->affinity & ~offline;

    return (cores ? cores : ~offline) >> core & 1;
}

static void interrupt_core(unsigned core, uint8_t vector)
{
    if (core != percore_self()->index)
        lapic_send_fixed(percores[core].apic_id, vector);
    else if (vector == VECTOR_WAKE)
        percores[core].reschedule = true;
}

static bool wake_core(unsigned core)
{
    if (!__atomic_exchange_n(&percores[core].idle, false, __ATOMIC_ACQ_REL))
        return false;
    interrupt_core(core, VECTOR_WAKE);
    return true;
}

/* A vCPU waits for a core: an idle one, its last one first, or the one that runs the least urgent vCPU. */
static void find_core(const struct vcpu *vcpu)
{
    struct vcpu *least = NULL;

    if (allows(vcpu, vcpu->core) && wake_core(vcpu->core))
        return;
    for (unsigned core = 0; core < percore_count; core++) {
        if (!allows(vcpu, core))
            continue;
        if (wake_core(core))
            return;
        if (running[core] && (!least || running[core]->credit.priority < least->credit.priority))
            least = running[core];
    }
    if (least && least->credit.priority < vcpu->credit.priority)
        interrupt_core(least->core, VECTOR_WAKE);
}

static void make_runnable(struct vcpu *vcpu)
{
    set_state(vcpu, VCPU_RUNNABLE);
    credit_wake(&vcpu->credit);
    find_core(vcpu);
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
        vcpu->halted = false;
        make_runnable(vcpu);
    }
    lock_release(&schedule_lock);
}

void schedule_down(struct vcpu *vcpu)
{
    lock_acquire(&schedule_lock);
    if (vcpu->state == VCPU_RUNNING)
        vcpu->down_wanted = true;
    else
        set_state(vcpu, VCPU_DOWN);
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

/* VECTOR_FLUSH only ends the guest's run. */
static void kick(const struct vcpu *vcpu, uint8_t vector)
{
    if (vcpu->state == VCPU_RUNNING)
        interrupt_core(vcpu->core, vector);
}

void schedule_wake(struct vcpu *vcpu)
{
    lock_acquire(&schedule_lock);
    vcpu->polling = false;
    if (vcpu->state == VCPU_BLOCKED) {
        make_runnable(vcpu);
    } else {
        vcpu->woken = true; /* it may be on its way into HLT */
        kick(vcpu, VECTOR_FLUSH);
    }
    lock_release(&schedule_lock);
}

void schedule_kick(const struct guest *guest)
{
    lock_acquire(&schedule_lock);
    for (unsigned v = 0; v < guest->spec.vcpus; v++)
        kick(&guest->vcpus[v], VECTOR_FLUSH);
    lock_release(&schedule_lock);
}

void schedule_call_cores(void)
{
    lock_acquire(&schedule_lock);
    for (unsigned core = 0; core < percore_count; core++)
        if (core != percore_self()->index && !wake_core(core))
            interrupt_core(core, VECTOR_FLUSH);
    lock_release(&schedule_lock);
    for (unsigned i = 0; i < CALL_PATIENCE; i++)
        cpu_pause();
}

void schedule_pause_soon(struct guest *guest)
{
    lock_acquire(&schedule_lock);
    __atomic_store_n(&guest->pauses, guest->pauses + 1, __ATOMIC_RELEASE); /* schedule_may_go_on has no lock */
    lock_release(&schedule_lock);
    schedule_kick(guest);
}

void schedule_pause(struct guest *guest)
{
    schedule_pause_soon(guest);
    while (!schedule_is_quiet(guest))
        cpu_pause();
}

void schedule_unpause(struct guest *guest)
{
    lock_acquire(&schedule_lock);
    if (--guest->pauses == 0)
        for (unsigned v = 0; v < guest->spec.vcpus; v++)
            if (guest->vcpus[v].state == VCPU_RUNNABLE)
                find_core(&guest->vcpus[v]);
    lock_release(&schedule_lock);
}

void schedule_hold(struct vcpu *vcpu, bool hold)
{
    lock_acquire(&schedule_lock);
    vcpu->held = hold;
    if (hold)
        kick(vcpu, VECTOR_FLUSH);
    else if (vcpu->state == VCPU_RUNNABLE)
        find_core(vcpu);
    lock_release(&schedule_lock);
}

struct vcpu *schedule_running(unsigned core)
{
    return __atomic_load_n(&running[core], __ATOMIC_ACQUIRE);
}

/* Core 0 keeps the machine's time. */
int64_t schedule_set_online(unsigned core, bool online)
{
    if (core >= percore_count)
        return -XEN_EINVAL;
    if (core == 0)
        return online ? 0 : -XEN_EOPNOTSUPP;
    lock_acquire(&schedule_lock);
    if (online) {
        offline &= ~(1ull << core);
        wake_core(core);
    } else {
        offline |= 1ull << core;
        if (running[core])
            interrupt_core(core, VECTOR_WAKE);
    }
    for (unsigned g = 0; g < guest_count; g++)
        for (unsigned v = 0; guest_is_alive(&guests[g]) && v < guests[g].spec.vcpus; v++)
            if (guests[g].vcpus[v].state == VCPU_RUNNABLE)
                find_core(&guests[g].vcpus[v]);
    lock_release(&schedule_lock);
    while (!online && core != percore_self()->index && schedule_running(core))
        cpu_pause();
    return 0;
}

bool schedule_is_online(unsigned core)
{
    return !(__atomic_load_n(&offline, __ATOMIC_ACQUIRE) >> core & 1);
}

uint64_t schedule_set_affinity(struct vcpu *vcpu, uint64_t cores)
{
    cores &= (1ull << percore_count) - 1;
    if (!cores)
        return 0;
    lock_acquire(&schedule_lock);
    vcpu->affinity = cores;
    if (!allows(vcpu, vcpu->core))
        kick(vcpu, VECTOR_WAKE);
    if (vcpu->state == VCPU_RUNNABLE)
        find_core(vcpu);
    lock_release(&schedule_lock);
    return cores;
}

/* ---- Who runs next -------------------------------------------------------------------------------------- */

static bool can_run(const struct vcpu *vcpu, unsigned core)
{
    return vcpu->state == VCPU_RUNNABLE && guest_runs(vcpu->guest) && !vcpu->guest->pauses &&
           !vcpu->held && !vcpu->credit.parked && allows(vcpu, core);
}

/*
 * By priority; then by how long it has waited. Who has just yielded this core comes last, behind one of lower priority
 * too, as in Xen's credit scheduler; only for this choice, or one that never rests would keep it out for good.
 */
static bool is_before(const struct vcpu *a, const struct vcpu *b, const struct vcpu *yielded)
{
    if (a == yielded || b == yielded)
        return b == yielded;
    if (a->credit.priority != b->credit.priority)
        return a->credit.priority > b->credit.priority;
    return a->queued < b->queued;
}

static struct vcpu *best_for(unsigned core)
{
    struct vcpu *best = NULL;

    for (unsigned g = 0, places = guest_places(); g < places && !stopping; g++) {
        if (!guest_is_alive(&guests[g]))
            continue;
        for (unsigned v = 0; v < guests[g].spec.vcpus; v++) {
            struct vcpu *vcpu = &guests[g].vcpus[v];

            if (can_run(vcpu, core) && (!best || is_before(vcpu, best, yielder[core])))
                best = vcpu;
        }
    }
    return best;
}

static void charge(struct vcpu *vcpu)
{
    uint64_t now = clock_now();

    credit_charge(&vcpu->credit, now - vcpu->charged_at, slice_ns);
    vcpu->charged_at = now;
}

/* A boost lasts until the next tick, a slice three of them. */
static void set_tick(const struct vcpu *vcpu, unsigned core)
{
    uint64_t tick = slice_ns / CREDIT_TICKS_PER_SLICE;

    timer_set(&tick_timers[core], clock_now() + (vcpu->credit.priority == CREDIT_BOOST ? tick : slice_ns));
}

static void tick(void *ctx)
{
    struct percore *core = ctx;

    lock_acquire(&schedule_lock);
    if (running[core->index])
        credit_tick(&running[core->index]->credit);
    core->reschedule = true;
    lock_release(&schedule_lock);
}

struct vcpu *schedule_take(struct percore *core)
{
    struct vcpu *vcpu;

    lock_acquire(&schedule_lock);
    core->reschedule = false;
    vcpu = best_for(core->index);
    yielder[core->index] = NULL;
    running[core->index] = vcpu;
    if (vcpu) {
        set_state(vcpu, VCPU_RUNNING);
        vcpu->core = core->index;
        vcpu->polling = false;
        vcpu->charged_at = clock_now();
    } else {
        __atomic_store_n(&core->idle, true, __ATOMIC_RELEASE);
    }
    lock_release(&schedule_lock);
    if (vcpu)
        set_tick(vcpu, core->index);
    return vcpu;
}

bool schedule_may_go_on(const struct vcpu *vcpu, const struct percore *core)
{
    return !core->reschedule && !vcpu->down_wanted && !vcpu->held && guest_runs(vcpu->guest) &&
           !__atomic_load_n(&vcpu->guest->pauses, __ATOMIC_ACQUIRE) && !stopping;
}

/* ---- Leaving -------------------------------------------------------------------------------------------- */

/* The control domain has ended, and hv with it. */
static void stop_all(void)
{
    stopping = true;
    for (unsigned core = 0; core < percore_count; core++)
        if (running[core])
            interrupt_core(core, VECTOR_WAKE);
}

static bool can_come_back(const struct vcpu *vcpu)
{
    return vcpu->state == VCPU_RUNNABLE || vcpu->state == VCPU_RUNNING || vcpu->poll_timer.armed;
}

/* Nothing will ever run it again: no other vCPU that could wake this one, no event or timer that might. */
static bool is_stuck(const struct vcpu *vcpu, enum exit_result result)
{
    const struct guest *guest = vcpu->guest;

    if (!guest_runs(guest) || __atomic_load_n(&guest->wakers, __ATOMIC_ACQUIRE) || vcpu->poll_timer.armed)
        return false;
    for (unsigned v = 0; v < guest->spec.vcpus; v++)
        if (&guest->vcpus[v] != vcpu && can_come_back(&guest->vcpus[v]))
            return false;
    return vcpu->down_wanted || (result == EXIT_BLOCK && !vcpu->woken);
}

static enum vcpu_state state_after(const struct vcpu *vcpu, enum exit_result result)
{
    if (!guest_runs(vcpu->guest))
        return VCPU_DONE;
    if (vcpu->down_wanted)
        return VCPU_DOWN;
    return result == EXIT_BLOCK && !vcpu->woken ? VCPU_BLOCKED : VCPU_RUNNABLE;
}

void schedule_give_back(struct vcpu *vcpu, enum exit_result result)
{
    struct guest *guest = vcpu->guest;
    bool over;

    timer_stop(&tick_timers[vcpu->core]);
    lock_acquire(&schedule_lock);
    charge(vcpu);
    running[vcpu->core] = NULL;
    if (is_stuck(vcpu, result)) { /* before it is another core's business */
        guest_finish(guest, GUEST_CRASHED, 0);
        console_print("hv: guest %s: all vCPUs are halted, nothing will wake them", guest->spec.name);
    }
    yielder[vcpu->core] = result == EXIT_YIELD ? vcpu : NULL;
    over = !guest_runs(guest);
    if (over && guest->domid == DOMID_CONTROL)
        stop_all();
    set_state(vcpu, state_after(vcpu, result));
    vcpu->down_wanted = vcpu->woken = false;
    if (vcpu->state == VCPU_RUNNABLE && !allows(vcpu, vcpu->core))
        find_core(vcpu);
    lock_release(&schedule_lock);
    if (over) {
        event_raise_control(VIRQ_DOM_EXC);
        guest_left(guest);
    }
}

/* ---- Accounting ----------------------------------------------------------------------------------------- */

/* Every alive guest as credit.h wants it. */
static unsigned list_guests(struct credit_account accounts[GUESTS_MAX],
                            struct credit_vcpu *vcpus[GUESTS_MAX][GUEST_VCPUS_MAX])
{
    unsigned count = 0;

    for (unsigned g = 0, places = guest_places(); g < places; g++) {
        if (!guest_is_alive(&guests[g]))
            continue;
        for (unsigned v = 0; v < guests[g].spec.vcpus; v++) {
            vcpus[count][v] = &guests[g].vcpus[v].credit;
            guests[g].vcpus[v].was_parked = vcpus[count][v]->parked;
            vcpus[count][v]->active |= guests[g].vcpus[v].state == VCPU_RUNNABLE;
        }
        accounts[count] = (struct credit_account){ &guests[g].share, vcpus[count], guests[g].spec.vcpus };
        count++;
    }
    return count;
}

/* Those that may go on, and those that may not. */
static void apply_parking(void)
{
    for (unsigned g = 0, places = guest_places(); g < places; g++) {
        for (unsigned v = 0; guest_is_alive(&guests[g]) && v < guests[g].spec.vcpus; v++) {
            struct vcpu *vcpu = &guests[g].vcpus[v];

            if (vcpu->was_parked && can_run(vcpu, vcpu->core))
                find_core(vcpu);
            else if (vcpu->credit.parked)
                kick(vcpu, VECTOR_WAKE);
        }
    }
}

static void account(void *unused)
{
    static struct credit_account accounts[GUESTS_MAX];
    static struct credit_vcpu *vcpus[GUESTS_MAX][GUEST_VCPUS_MAX];

    (void)unused;
    lock_acquire(&schedule_lock);
    for (unsigned core = 0; core < percore_count; core++)
        if (running[core])
            charge(running[core]);
    credit_distribute(accounts, list_guests(accounts, vcpus), percore_count);
    apply_parking();
    lock_release(&schedule_lock);
    timer_set(&accounting_timer, accounting_timer.at + slice_ns);
}

void schedule_set_slice(uint64_t ns)
{
    slice_ns = ns;
}

void schedule_begin(unsigned core)
{
    tick_timers[core] = (struct timer){ .fire = tick, .ctx = &percores[core] };
    if (core != 0)
        return;
    accounting_timer = (struct timer){ .fire = account };
    timer_set(&accounting_timer, clock_now() + slice_ns);
}

/* ---- The end -------------------------------------------------------------------------------------------- */

static bool all_ended(void)
{
    const struct guest *control = guest_by_domid(DOMID_CONTROL);

    if (control)
        return !guest_runs(control);
    for (unsigned i = 0, places = guest_places(); i < places; i++)
        if (guests[i].life != GUEST_FREE && (guests[i].life != GUEST_ALIVE || guest_runs(&guests[i])))
            return false;
    return true;
}

bool schedule_is_over(void)
{
    bool over;

    lock_acquire(&schedule_lock);
    over = all_ended();
    for (unsigned core = 0; core < percore_count; core++)
        over = over && !running[core];
    lock_release(&schedule_lock);
    return over;
}
