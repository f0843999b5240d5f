/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_case.h"

#include "hv/core/clock.h"
#include "hv/core/memory.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/machine_check.h"
#include "hv/vm/machine_check_log.h"
#include "hv/vm/machine_check_trap.h"
#include "hv/vm/schedule.h"

#define CASES 32

/* What is known of domain 0's answer so far. */
enum phase { CASE_FREE, CASE_WAITING, CASE_CANNOT, CASE_NOTIFIED };

struct open_case {
    enum phase phase;
    uint32_t record;
    uint16_t domid, vcpu;
    unsigned core;
    enum mca_domu domu;
    uint64_t frame; /* spa, ~0: none */
    bool final;
    uint64_t due; /* clock_now() of the deadline */
    struct timer timer;
};

static struct open_case cases[CASES];
static struct lock case_lock; /* before the scheduler's */
static uint64_t deadline_ns;

void machine_check_case_init(uint32_t deadline_ms)
{
    deadline_ns = deadline_ms * CLOCK_MS;
}

static const char *step_of(enum mca_domu domu)
{
    return domu == MCA_DOMU_HVM ? "3b" : "3a";
}

static const struct mca_row *row_of(const struct open_case *c, enum mca_answer answer)
{
    struct mca_inputs inputs = { .impact = MCA_IMPACT_DOMU, .domu = c->domu, .dom0_trap = answer != MCA_NO_HANDLER,
                                 .answer = answer };

    return mca_decide(&inputs);
}

static struct vcpu *vcpu_of(const struct open_case *c)
{
    struct guest *guest = guest_by_domid(c->domid);

    return guest && c->vcpu < guest->spec.vcpus ? &guest->vcpus[c->vcpu] : NULL;
}

/* ---- Endings ------------------------------------------------------------------------------------------------ */

void machine_check_kill(uint32_t record, const char *step, struct guest *guest, const char *row, const char *why)
{
    machine_check_say(record, step, "kill", "domain=dom%u row=%s why=%s", guest->domid, row, why);
    guest_shutdown(guest, SHUTDOWN_CRASH);
    schedule_kick(guest);
    event_raise_control(VIRQ_DOM_EXC);
}

/* Another case may hold it still. */
static bool is_held(const struct open_case *but, const struct vcpu *vcpu)
{
    for (unsigned i = 0; i < CASES; i++)
        if (&cases[i] != but && (cases[i].phase == CASE_WAITING || cases[i].phase == CASE_CANNOT) &&
            vcpu_of(&cases[i]) == vcpu)
            return true;
    return false;
}

static void let_go(const struct open_case *c, struct vcpu *vcpu, const char *into)
{
    machine_check_say(c->record, step_of(c->domu), "resume", "vcpu=dom%u.%u into=%s", c->domid, c->vcpu, into);
    if (!is_held(c, vcpu))
        schedule_hold(vcpu, false);
}

static bool is_gone(uint16_t domid)
{
    return !guest_by_domid(domid);
}

/* As dom0's notifydomain would. */
static void trap_without_dom0(const struct open_case *c, struct vcpu *vcpu)
{
    struct mca_notified overwritten;
    bool sent;

    machine_check_lock();
    if (mca_ring_notify(&machine_check_ring, c->record, c->domid, c->vcpu, is_gone, &overwritten))
        machine_check_dump_info(&overwritten.info);
    machine_check_unlock();
    sent = machine_check_send(vcpu, c->core, c->record, step_of(c->domu));
    machine_check_say(c->record, step_of(c->domu), "notify", "to=dom%u.%u by=trap from=hv result=%s", c->domid, c->vcpu,
                      sent ? "OK" : "NOTDELIVERED");
}

/* The vCPU goes on where it was, if anybody can. */
static void resume_program(const struct open_case *c, struct vcpu *vcpu, const struct mca_row *row)
{
    if (c->final)
        machine_check_kill(c->record, step_of(c->domu), vcpu->guest, row->id, "not_restartable");
    else
        let_go(c, vcpu, "program");
}

/* ---- Deadline ------------------------------------------------------------------------------------------------ */

static void end_at_deadline(struct open_case *c, struct vcpu *vcpu)
{
    const struct mca_row *row = row_of(c, c->phase == CASE_CANNOT ? MCA_ANSWER_NOTIFY : MCA_ANSWER_NONE);

    machine_check_say(c->record, step_of(c->domu), "deadline", "row=%s", row->id);
    if (row->end == MCA_END_FALLBACK) {
        trap_without_dom0(c, vcpu);
        let_go(c, vcpu, "handler");
    } else {
        machine_check_kill(c->record, step_of(c->domu), vcpu->guest, row->id, "deadline");
    }
}

static void deadline(void *ctx)
{
    struct open_case *c = ctx;
    struct vcpu *vcpu;

    lock_acquire(&case_lock);
    if (c->phase == CASE_FREE || clock_now() < c->due) { /* it was answered, or is another case by now */
        lock_release(&case_lock);
        return;
    }
    vcpu = vcpu_of(c);
    if (vcpu && (c->phase == CASE_WAITING || c->phase == CASE_CANNOT))
        end_at_deadline(c, vcpu);
    c->phase = CASE_FREE;
    lock_release(&case_lock);
}

static void start_deadline(struct open_case *c)
{
    c->due = clock_now() + deadline_ns;
    timer_set(&c->timer, c->due);
}

/* ---- Beginning and answers ------------------------------------------------------------------------------------ */

static struct open_case *find_place(void)
{
    for (unsigned i = 0; i < CASES; i++)
        if (cases[i].phase == CASE_FREE)
            return &cases[i];
    return NULL;
}

void machine_check_case_begin(const struct mca_error *error, struct vcpu *vcpu, enum mca_domu domu, uint64_t frame,
                              const char *step)
{
    struct open_case *c;

    lock_acquire(&case_lock);
    c = find_place();
    if (!c) {
        machine_check_kill(error->record, step, vcpu->guest, "-", "too_many_errors");
        lock_release(&case_lock);
        return;
    }
    *c = (struct open_case){ CASE_WAITING, error->record, vcpu->guest->domid, (uint16_t)vcpu->id, error->core, domu,
                             frame, mca_is_final(error), 0, { .fire = deadline, .ctx = c } };
    schedule_hold(vcpu, true);
    machine_check_say(c->record, step, "hold", "vcpu=dom%u.%u deadline_ms=%lu", c->domid, c->vcpu,
                      (unsigned long)(deadline_ns / CLOCK_MS));
    start_deadline(c);
    lock_release(&case_lock);
}

static void answer(const struct open_case *c, enum mca_answer given)
{
    machine_check_say(c->record, step_of(c->domu), "answer", "dom0=%s row=%s", mca_answer_names[given],
                      row_of(c, given)->id);
}

/* The second time the deadline runs from here: an operation must follow, or may. */
static void note_notified(struct open_case *c, struct vcpu *vcpu, uint32_t result)
{
    answer(c, MCA_ANSWER_NOTIFY);
    if (result == MCA_CANNOTHANDLE) {
        c->phase = CASE_CANNOT;
    } else {
        c->phase = CASE_NOTIFIED;
        let_go(c, vcpu, "handler");
    }
    start_deadline(c);
}

void machine_check_case_notified(uint32_t record, const struct vcpu *vcpu, uint32_t result)
{
    lock_acquire(&case_lock);
    for (unsigned i = 0; i < CASES; i++)
        if (cases[i].phase == CASE_WAITING && cases[i].record == record && vcpu_of(&cases[i]) == vcpu)
            note_notified(&cases[i], (struct vcpu *)(uintptr_t)vcpu, result);
    lock_release(&case_lock);
}

unsigned machine_check_case_core(uint32_t record, const struct vcpu *vcpu)
{
    unsigned core = vcpu->core;

    lock_acquire(&case_lock);
    for (unsigned i = 0; i < CASES; i++)
        if (cases[i].phase != CASE_FREE && cases[i].record == record)
            core = cases[i].core;
    lock_release(&case_lock);
    return core;
}

static void note_operation(struct open_case *c, struct vcpu *vcpu, bool ended)
{
    bool held = c->phase != CASE_NOTIFIED;
    enum mca_answer given = c->phase == CASE_WAITING ? MCA_ANSWER_OPERATION : MCA_ANSWER_BOTH;

    answer(c, given);
    c->phase = CASE_FREE;
    timer_stop(&c->timer);
    if (held && !ended)
        resume_program(c, vcpu, row_of(c, given));
}

static void operate(struct open_case *c, struct vcpu *vcpu, const char *operation, int64_t result, bool ended)
{
    machine_check_say(c->record, "II", "operation", "op=%s domain=dom%u frame=%lx result=%ld", operation, c->domid,
                      (unsigned long)(c->frame >> PAGE_SHIFT), (long)result);
    if (result >= 0)
        note_operation(c, vcpu, ended);
}

void machine_check_operation_on_core(const char *operation, unsigned core)
{
    lock_acquire(&case_lock);
    for (unsigned i = 0; i < CASES; i++) {
        struct vcpu *vcpu = cases[i].phase == CASE_FREE || cases[i].core != core ? NULL : vcpu_of(&cases[i]);

        if (vcpu)
            operate(&cases[i], vcpu, operation, 0, false);
    }
    lock_release(&case_lock);
}

void machine_check_operation(const char *operation, struct guest *guest, uint64_t frame, int64_t result, bool ended)
{
    lock_acquire(&case_lock);
    for (unsigned i = 0; i < CASES; i++) {
        struct open_case *c = &cases[i];
        struct vcpu *vcpu = c->phase == CASE_FREE ? NULL : vcpu_of(c);

        if (!vcpu || vcpu->guest != guest ||
            (frame != MACHINE_CHECK_ALL_FRAMES && frame >> PAGE_SHIFT != c->frame >> PAGE_SHIFT))
            continue;
        operate(c, vcpu, operation, result, ended);
    }
    lock_release(&case_lock);
}
