/* SPDX-License-Identifier: MIT */
/* One instruction, and what its outcome comes to. */
#include "sim/cpu/core_counters.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/interp/interp.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/smm/smm.h"
#include "sim/cpu/svm/svm.h"

#define DR6_BS BIT(14)

/* ---- World switches ------------------------------------------------------------------------------------ */

/* svm asks the watch that a scenario may have set on #VMEXITs, VMEXIT_INVALID included. */
static enum outcome leave_guest(struct core *core)
{
    enum outcome outcome = svm_vmexit(core);

    core_attention(core);
    return outcome;
}

/* Into the guest, or out again at once when its VMCB is inconsistent; then the event that VMRUN injects. */
static enum outcome enter_guest(struct core *core)
{
    enum outcome outcome = svm_vmrun(core);
    uint64_t from;

    core_attention(core);
    if (outcome != OUTCOME_NEXT || !core->svm.inject_valid)
        return outcome;
    core->svm.inject_valid = false;
    from = core->rip;
    outcome = event_inject(core, &core->svm.inject);
    if (outcome == OUTCOME_NEXT)
        record_event(core, from);
    return outcome;
}

/* ---- Settling ------------------------------------------------------------------------------------------ */

/* Triple fault: VMEXIT_SHUTDOWN in a guest that intercepts it, else the processor stops (APM2 15.14.3). */
static enum outcome shut_down(struct core *core)
{
    if (intercepts(core, 0x07F))
        return core_vmexit(core, 0x07F, 0, 0);
    core->shutdown = true;
    core_attention(core);
    return OUTCOME_NEXT;
}

static enum outcome resolve(struct core *core, enum outcome outcome)
{
    bool software = outcome == OUTCOME_SOFT_INT;
    uint64_t from = core->rip;

    if (!software && core->fault.kind == EVENT_EXCEPTION) {
        core->count->exceptions[core->fault.vector & 31]++;
        if (core->fault.vector == EXC_DB)
            debug_exception_taken(core);
    }
    outcome = event_resolve(core, outcome);
    if (outcome == OUTCOME_NEXT) {
        core->cycles += core->model->costs.exception;
        if (software)
            record_branch(core, from);
        else
            record_event(core, from);
    }
    return outcome;
}

void execute_settle(struct core *core, enum outcome outcome)
{
    core_attention(core);
    core->monitor_line = NEVER; /* what comes between MONITOR and MWAIT disarms (APM3 MONITOR) */
    while (outcome != OUTCOME_NEXT) {
        switch (outcome) {
        case OUTCOME_VMEXIT:
            outcome = leave_guest(core);
            break;
        case OUTCOME_SHUTDOWN:
            outcome = shut_down(core);
            break;
        case OUTCOME_VMRUN:
            outcome = enter_guest(core);
            break;
        case OUTCOME_RSM:
            outcome = smm_leave(core);
            break;
        default:
            outcome = resolve(core, outcome);
            break;
        }
    }
}

/* ---- Retiring ------------------------------------------------------------------------------------------ */

/*
 * TF at the start of the instruction counts, so that POPF is not followed by a trap but its successor is;
 * SYSCALL, a transfer that masks TF, is not either. With BTF only transfers are (APM2 13.1.4).
 */
static bool single_step_due(const struct core *core, const struct before *before, bool transfer)
{
    if (!before->tf || (transfer && !(core->rflags & RFLAGS_TF)))
        return false;
    return transfer || !(core->msr->debug_ctl & DEBUG_CTL_BTF);
}

/* The instruction is done: RF is used up (APM2 3.1.6), single step is due. */
static void retire(struct core *core, const struct insn *insn, const struct before *before)
{
    bool transfer = core->next_rip != rip_advance(core, insn->length);
    uint64_t from = core->rip;

    core->rip = core->next_rip;
    core->instructions++;
    if (transfer)
        record_branch(core, from);
    if (before->rf)
        core->rflags &= ~RFLAGS_RF;
    if (single_step_due(core, before, transfer))
        core->pending_dr6 |= DR6_BS;
}

/* A fault or an exit leaves the shadow as it was for EXITINFO and for the next try. */
static void undo_shadow(struct core *core, const struct before *before)
{
    core->interrupt_shadow = before->shadow;
    core->shadow_blocks_debug = before->blocks_debug;
}

/* IRET and hardware task switches: retired if they went through; TF as it was at the start counts. */
static void conclude_transfer(struct core *core, enum outcome outcome, const struct before *before)
{
    bool task = outcome == OUTCOME_TASK;
    uint64_t from = core->rip;

    undo_shadow(core, before);
    outcome = task ? event_resolve(core, outcome) : event_iret(core);
    if (outcome != OUTCOME_NEXT) {
        execute_settle(core, outcome);
        return;
    }
    core->instructions++;
    core->rip = core->next_rip;
    record_branch(core, from);
    core->interrupt_shadow = core->shadow_blocks_debug = false;
    if (task)
        core->cycles += core->model->costs.task_switch;
    else if (before->tf)
        core->pending_dr6 |= DR6_BS;
    core_attention(core);
}

static void conclude_wait(struct core *core, enum outcome outcome)
{
    core->halted = outcome == OUTCOME_HALT;
    core->mwaiting = outcome == OUTCOME_MWAIT;
    if (core->halted)
        cmp_halt_entered(core);
}

void execute_conclude(struct core *core, const struct insn *insn, enum outcome outcome, const struct before *before)
{
    core_attention(core);
    switch (outcome) {
    case OUTCOME_HALT:
    case OUTCOME_MWAIT:
        retire(core, insn, before);
        conclude_wait(core, outcome);
        break;
    case OUTCOME_STOP:
        retire(core, insn, before);
        core->stop_request = true;
        break;
    case OUTCOME_IRET:
    case OUTCOME_TASK:
        conclude_transfer(core, outcome, before);
        break;
    case OUTCOME_VMRUN:
    case OUTCOME_RSM:
        core->instructions++;
        execute_settle(core, outcome);
        break;
    case OUTCOME_TRAP:
    case OUTCOME_SOFT_INT:
        core->instructions++;
        core->rflags &= ~RFLAGS_RF;
        undo_shadow(core, before);
        execute_settle(core, outcome);
        break;
    default: /* a fault, a #VMEXIT, a shutdown */
        undo_shadow(core, before);
        core->pending_dr6 = 0;
        execute_settle(core, outcome);
        break;
    }
}

/* ---- The careful path ---------------------------------------------------------------------------------- */

static struct before begin(struct core *core)
{
    struct before before = {
        .shadow = core->interrupt_shadow,
        .blocks_debug = core->shadow_blocks_debug,
        .tf = (core->rflags & RFLAGS_TF) != 0,
        .rf = (core->rflags & RFLAGS_RF) != 0,
    };

    /* The shadow covers this instruction only; one that arms it sets it anew. */
    core->interrupt_shadow = core->shadow_blocks_debug = false;
    return before;
}

static void run_insn(struct core *core, const struct insn *insn)
{
    struct before before = begin(core);
    enum outcome outcome;

    core->next_rip = rip_advance(core, insn->length);
    outcome = insn->run(core, insn);
    core->cycles += insn->cost;
    core->repeating = outcome == OUTCOME_REPEAT && insn->rep;
    if (outcome == OUTCOME_NEXT)
        retire(core, insn, &before);
    else if (outcome != OUTCOME_REPEAT)
        execute_conclude(core, insn, outcome, &before);
    else if (before.tf)
        core->pending_dr6 |= DR6_BS; /* a trap after each step of a repeated string instruction */
}

void execute_fetched(struct core *core, const struct insn *insn, enum outcome outcome)
{
    if (outcome == OUTCOME_NEXT) {
        run_insn(core, insn);
        return;
    }
    core->next_rip = core->rip;
    core->cycles++; /* assumed: an instruction that cannot even be fetched costs a cycle before its fault */
    core->pending_dr6 = 0;
    execute_settle(core, outcome);
}

void execute_one(struct core *core)
{
    struct insn insn;
    enum outcome outcome = fetch_insn(core, &insn);

    execute_fetched(core, &insn, outcome);
}
