/* SPDX-License-Identifier: MIT */
/* The delivery loop: intercepts, CR2 and DR6, what faults during delivery come to. */
#include "sim/cpu/event/event.h"

#include "sim/cpu/event/delivery.h"
#include "sim/cpu/event/machine_check.h"
#include "sim/cpu/exec/debug.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"

/*
 * deviation: a handler at CPL 3 whose own frame raises #AC (or another benign exception) again and again
 * would keep a processor busy for ever; here it ends in a shutdown.
 */
#define MOST_FAULTS_IN_A_ROW 16

/* ---- What two exceptions in a row come to (APM2 8.2.9) ---------------------------------------------- */

enum severity { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };
enum combination { SERIAL, BECOMES_DOUBLE_FAULT, BECOMES_SHUTDOWN };

static enum severity event_severity(const struct event *event)
{
    if (event->kind != EVENT_EXCEPTION)
        return BENIGN;
    switch (event->vector) {
    case EXC_DE:
    case EXC_TS:
    case EXC_NP:
    case EXC_SS:
    case EXC_GP:
    case EXC_SX:
        return CONTRIBUTORY;
    case EXC_PF:
        return PAGE_FAULT;
    case EXC_DF:
        return DOUBLE_FAULT;
    default:
        return BENIGN;
    }
}

static enum combination events_combine(const struct event *first, const struct event *second)
{
    enum severity second_severity = event_severity(second);

    if (second_severity == BENIGN)
        return SERIAL;
    switch (event_severity(first)) {
    case CONTRIBUTORY:
        return second_severity == CONTRIBUTORY ? BECOMES_DOUBLE_FAULT : SERIAL;
    case PAGE_FAULT:
        return BECOMES_DOUBLE_FAULT;
    case DOUBLE_FAULT:
        return BECOMES_SHUTDOWN;
    default:
        return SERIAL;
    }
}

/* ---- One attempt -------------------------------------------------------------------------------------- */

/* Exceptions whose saved rFLAGS have RF set, so that an instruction breakpoint is not taken twice. */
static bool event_sets_rf(const struct event *event)
{
    return event->kind == EVENT_EXCEPTION && !event->breakpoint && event->vector != EXC_DB &&
           event->vector != EXC_DF && event->vector != EXC_MC;
}

static enum outcome deliver_once(struct core *core, const struct event *event, bool injected)
{
    bool software = event->kind == EVENT_SOFT_INT || event->breakpoint;
    bool is_behind = (software || event->icebp) && (!injected || core->model->nrip);
    struct delivery delivery = {
        .event = event,
        .ext = software ? 0 : 1,
        .software = software,
        .rip = is_behind ? core->next_rip : core->rip,
        .rflags = rflags_read(core) | (event_sets_rf(event) || core->repeating ? RFLAGS_RF : 0),
    };

    if (!(core->cr0 & CR0_PE))
        return delivery_real(core, &delivery);
    if (core_in_long_mode(core))
        return delivery_long(core, &delivery);
    return delivery_protected(core, &delivery);
}

static enum outcome shut_down(struct core *core)
{
    if (intercepts(core, VMEXIT_SHUTDOWN))
        return core_vmexit(core, VMEXIT_SHUTDOWN, 0, 0);
    core->svm.delivering_valid = false;
    return OUTCOME_SHUTDOWN;
}

/* An exception has come up: DR6 and MCG_STATUS first, then the intercept, then CR2 (APM2 15.12). */
static enum outcome exception_raised(struct core *core, const struct event *event, bool during_delivery)
{
    if (event->kind != EVENT_EXCEPTION)
        return OUTCOME_NEXT;
    if (event->vector == EXC_DB && !event->icebp)
        debug_record(core, event->address);
    if (event->vector == EXC_MC && !machine_check_begin(core))
        return shut_down(core);
    if (svm_exception_intercepted(core, event)) {
        core->svm.delivering_valid = during_delivery;
        return core_vmexit(core, VMEXIT_EXCP0 + event->vector, event->has_error ? event->error : 0,
                           event->vector == EXC_PF ? event->address : 0);
    }
    if (event->vector == EXC_PF)
        core->cr2 = event->address;
    return OUTCOME_NEXT;
}

/* core->fault came up while *current was being delivered: what is delivered next. */
static enum outcome delivery_faulted(struct core *core, struct event *current)
{
    struct event fault = core->fault;
    enum outcome outcome;

    if (fault.vector == EXC_MC && !svm_exception_intercepted(core, &fault))
        core->mca.raised |= MCA_RAISE_EVENT_LOST; /* an exit keeps it, in EXITINTINFO */
    outcome = exception_raised(core, &fault, core->svm.guest);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    switch (events_combine(current, &fault)) {
    case SERIAL:
        *current = fault;
        return OUTCOME_NEXT;
    case BECOMES_DOUBLE_FAULT:
        *current = (struct event){ .vector = EXC_DF, .kind = EVENT_EXCEPTION, .has_error = true };
        return exception_raised(core, current, false);
    case BECOMES_SHUTDOWN:
        break;
    }
    return shut_down(core);
}

static enum outcome delivered(struct core *core, const struct event *event, bool injected)
{
    core->svm.delivering_valid = false;
    core->interrupt_shadow = false;
    core->shadow_blocks_debug = false;
    if (event->kind == EVENT_NMI && !injected)
        core->nmi_masked = true;
    return OUTCOME_NEXT;
}

static enum outcome deliver_all(struct core *core, const struct event *event, bool injected)
{
    struct event current = *event;
    enum outcome outcome;

    for (unsigned faults = 0; faults < MOST_FAULTS_IN_A_ROW; faults++) {
        core->svm.delivering = current;
        core->svm.delivering_valid = core->svm.guest;
        outcome = deliver_once(core, &current, injected);
        if (outcome == OUTCOME_NEXT)
            return delivered(core, &current, injected);
        if (outcome != OUTCOME_FAULT)
            return outcome; /* #NPF or a task switch intercept: `delivering` is EXITINTINFO */
        outcome = delivery_faulted(core, &current);
        if (outcome != OUTCOME_NEXT)
            return outcome;
        injected = false;
    }
    return shut_down(core);
}

enum outcome event_deliver(struct core *core, const struct event *event)
{
    enum outcome outcome = exception_raised(core, event, false);

    if (event->kind == EVENT_INTR)
        cr8_interrupt_arrives(core, event->vector);
    return outcome == OUTCOME_NEXT ? deliver_all(core, event, false) : outcome;
}

enum outcome event_inject(struct core *core, const struct event *event)
{
    if (event->kind == EVENT_INTR)
        cr8_interrupt_arrives(core, event->vector);
    return deliver_all(core, event, true);
}

/* ---- Outcomes ------------------------------------------------------------------------------------------ */

enum outcome event_resolve(struct core *core, enum outcome outcome)
{
    struct event event;

    if (outcome == OUTCOME_IRET)
        outcome = event_iret(core);
    else if (outcome == OUTCOME_TASK)
        outcome = event_task(core, core->pending.selector, core->pending.is_call ? TASK_CALL : TASK_JUMP);
    if (outcome != OUTCOME_FAULT && outcome != OUTCOME_TRAP && outcome != OUTCOME_SOFT_INT)
        return outcome;
    event = core->fault;
    if (outcome == OUTCOME_SOFT_INT)
        event.kind = EVENT_SOFT_INT;
    if (outcome == OUTCOME_TRAP && !event.breakpoint && !event.icebp)
        core->rip = core->next_rip;
    return event_deliver(core, &event);
}
