/* SPDX-License-Identifier: MIT */
/*
 * Last-branch recording (APM2 13.1.1.5 to 13.1.1.8, 13.1.5). Control transfers are branches that were taken, far
 * transfers, interrupts and exceptions. assumed: what is recorded is rIP, not a linear address; SMI, RSM, VMRUN and
 * #VMEXIT are no control transfers. deviation: a branch to the instruction behind it counts as not taken.
 */
#include "sim/cpu/interp/interp.h"
#include "sim/cpu/model/msr.h"

void record_branch(struct core *core, uint64_t from)
{
    struct msr_storage *msr = core->msr;

    if (!(msr->debug_ctl & DEBUG_CTL_LBR))
        return;
    msr->br_from = from;
    msr->br_to = core->rip;
}

/* The last branch before it is kept apart. */
static void keep_last_branch(struct msr_storage *msr)
{
    msr->last_exc_from = msr->br_from;
    msr->last_exc_to = msr->br_to;
}

void record_event(struct core *core, uint64_t from)
{
    if (!(core->msr->debug_ctl & DEBUG_CTL_LBR))
        return;
    keep_last_branch(core->msr);
    record_branch(core, from);
}

/* Recording and branch stepping stop, so that a debugger finds the branch that led to the exception. */
void debug_exception_taken(struct core *core)
{
    if (core->msr->debug_ctl & DEBUG_CTL_LBR)
        keep_last_branch(core->msr);
    core->msr->debug_ctl &= ~(DEBUG_CTL_BTF | DEBUG_CTL_LBR);
}
