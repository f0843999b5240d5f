/* SPDX-License-Identifier: MIT */
/* x87 exceptions, availability and last-instruction pointers. */
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/x87.h"
#include "sim/cpu/model/msr.h"

#define X87_IRQ 13

/*
 * CR0.NE = 0 (APM2 8.2.17): FERR# asks for IRQ 13 and the processor freezes before the instruction until an
 * interrupt comes; IGNNE#, from the handler's write to port F0h or MSRC001_0115, lets it go on. Frozen, the
 * instruction is tried again and again. An intercept takes the place of freezing.
 */
static enum outcome report_externally(struct core *core)
{
    struct x87 *x87 = &core->x87;

    if (x87->error_ignored || (core->msr != NULL && (core->msr->ignne & 1)))
        return OUTCOME_NEXT;
    if (intercepts(core, VMEXIT_FERR_FREEZE))
        return core_vmexit(core, VMEXIT_FERR_FREEZE, 0, 0);
    if (!x87->error_reported) {
        x87->error_reported = true;
        core_touch_clock(core);
        if (core->numeric_error.set != NULL)
            core->numeric_error.set(core->numeric_error.ctx, X87_IRQ, true);
    }
    return OUTCOME_REPEAT;
}

enum outcome x87_pending(struct core *core)
{
    if (!(core->x87.status & X87_ES))
        return OUTCOME_NEXT;
    return (core->cr0 & CR0_NE) ? core_fault(core, EXC_MF) : report_externally(core);
}

enum outcome x87_ready_no_wait(struct core *core)
{
    if (core->cr0 & (CR0_EM | CR0_TS))
        return core_fault(core, EXC_NM);
    return OUTCOME_NEXT;
}

bool x87_stack_fault(struct core *core, bool overflow)
{
    core->x87.status |= X87_SF;
    x87_merge(core, (uint16_t)(X87_IE | (overflow ? X87_C1 : 0)), X87_C1);
    return core->x87.control & X87_IE;
}

void x87_initialize(struct core *core)
{
    struct x87 *x87 = &core->x87;

    x87->control = X87_CONTROL_INIT;
    x87->status = 0;
    x87_summarize(core);
    x87->full = 0;
    x87->opcode = 0;
    x87->instruction = x87->data = 0;
    x87->code_selector = x87->data_selector = 0;
}
