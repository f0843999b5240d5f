/* SPDX-License-Identifier: MIT */
/*
 * What may happen between two instructions, highest priority first (fact sheet 3.11): #MC, SMI, INIT,
 * #DB traps of the instruction before, NMI, physical INTR, virtual INTR. GIF gates all but trace traps
 * (fact sheet 3.8). An intercepted one exits and stays pending.
 */
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/core_counters.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/interp/interp.h"
#include "sim/cpu/model/msr.h"
#include "sim/cpu/model/perf.h"
#include "sim/cpu/smm/smm.h"
#include "sim/cpu/svm/svm.h"

#define DR6_B bits_mask(3, 0)

/* ---- Helpers ------------------------------------------------------------------------------------------ */

static void deliver(struct core *core, struct event event, unsigned cost)
{
    uint64_t from = core->rip;
    enum outcome outcome;

    core->next_rip = core->rip;
    outcome = event_deliver(core, &event);
    if (outcome == OUTCOME_NEXT) {
        core->cycles += cost;
        record_event(core, from);
    }
    execute_settle(core, outcome);
}

static void deliver_exception(struct core *core, struct event event)
{
    event.kind = EVENT_EXCEPTION;
    core->count->exceptions[event.vector]++;
    deliver(core, event, core->model->costs.exception);
}

static bool exit_if_intercepted(struct core *core, unsigned code, uint64_t info1)
{
    if (!intercepts(core, code))
        return false;
    core->next_rip = core->rip;
    execute_settle(core, core_vmexit(core, code, info1, 0));
    return true;
}

/* ---- In order ------------------------------------------------------------------------------------------ */

static bool take_machine_check(struct core *core)
{
    if (!core->mc_pending || !core->svm.gif)
        return false;
    deliver_exception(core, (struct event){ .vector = EXC_MC });
    return true;
}

/*
 * External ones wait for GIF, and stay pending when they are intercepted. One that an I/O trap raised is lost under
 * GIF = 0, and gone when it exits (APM2 15.13.3, 15.17). With SmmLock nothing is intercepted.
 */
static bool take_smi(struct core *core)
{
    if (!core->svm.gif || core->smm.active)
        core->smm.internal = false;
    if (!smm_smi_ready(core) || core->interrupt_shadow)
        return false;
    if (!(core->hwcr & HWCR_SMM_LOCK) && intercepts(core, VMEXIT_SMI)) {
        struct vmexit exit = smm_exit_info(core);

        core->smm.internal = false;
        core->next_rip = core->rip;
        execute_settle(core, core_vmexit(core, exit.code, exit.info1, exit.info2));
        return true;
    }
    smm_enter(core);
    core_attention(core);
    return true;
}

static bool take_init(struct core *core)
{
    if (!core->init_pending || !core->svm.gif || core->smm.active)
        return false;
    if (exit_if_intercepted(core, VMEXIT_INIT, 0))
        return true;
    core->init_pending = false;
    if ((core->svm.vm_cr & VM_CR_R_INIT) && !core->waiting_for_sipi)
        deliver_exception(core, (struct event){ .vector = EXC_SX, .has_error = true, .error = 1 });
    else
        core_reset(core, CORE_RESET_INIT);
    return true;
}

static bool take_debug_trap(struct core *core)
{
    uint64_t conditions = core->pending_dr6;

    if (!conditions || core->shadow_blocks_debug)
        return false;
    core->pending_dr6 = 0;
    if (!core->svm.gif)
        conditions &= ~DR6_B; /* DR matches are lost, trace traps are not */
    if (!conditions)
        return false;
    debug_exception_taken(core);
    deliver_exception(core, (struct event){ .vector = EXC_DB, .address = conditions });
    return true;
}

/* Either shadow holds an NMI off for its one instruction: the VMCB has a single bit for both. */
static bool nmi_ready(const struct core *core)
{
    return core->nmi_pending && !core->nmi_masked && core->svm.gif && !core->interrupt_shadow;
}

static bool take_nmi(struct core *core)
{
    if (!nmi_ready(core))
        return false;
    if (exit_if_intercepted(core, VMEXIT_NMI, 0))
        return true;
    core->nmi_pending = false;
    core->count->nmis++;
    deliver(core, (struct event){ .vector = EXC_NMI, .kind = EVENT_NMI }, core->model->costs.interrupt);
    return true;
}

static bool intr_ready(const struct core *core)
{
    return svm_physical_interrupts_enabled(core) && apic_interrupt_ready(core);
}

static bool take_intr(struct core *core)
{
    struct event event = { .kind = EVENT_INTR };

    if (!intr_ready(core))
        return false;
    if (exit_if_intercepted(core, VMEXIT_INTR, 0))
        return true;
    core_touch_clock(core);
    event.vector = apic_interrupt_acknowledge(core);
    core->count->interrupts++;
    deliver(core, event, core->model->costs.interrupt);
    return true;
}

static bool take_virtual_intr(struct core *core)
{
    struct event event = { .kind = EVENT_INTR };

    if (!svm_virtual_interrupt_ready(core))
        return false;
    if (exit_if_intercepted(core, VMEXIT_VINTR, 0))
        return true;
    event.vector = svm_virtual_interrupt_take(core);
    core->count->virtual_interrupts++;
    deliver(core, event, core->model->costs.interrupt);
    return true;
}

/* A counter with INT overflowed: an event of LVT_PERFORMANCE (fact sheet 2.3). */
static void raise_overflow(struct core *core)
{
    if (core->perf.interrupts)
        perf_sync(core);
    if (!core->perf.overflowed)
        return;
    core->perf.overflowed = false;
    core_touch_clock(core);
    apic_lvt_event(core, LVT_PERFORMANCE);
}

bool boundary_take_event(struct core *core)
{
    bool taken;

    if (core->perf.interrupts || core->perf.overflowed)
        raise_overflow(core);
    taken = take_machine_check(core) || take_smi(core) || take_init(core) || take_debug_trap(core) ||
            take_nmi(core) || take_intr(core) || take_virtual_intr(core);
    core->smm.io_valid = core->smm.was_halted = false; /* true of this boundary alone */
    return taken;
}

/* HLT ends with anything that would be taken; MWAIT with ECX[0] with a masked INTR too. */
bool core_wakes(const struct core *core)
{
    if (core->shutdown)
        return false;
    if (core->waiting_for_sipi)
        return core->init_pending && core->svm.gif; /* taken, and the core waits on; assumed: an NMI is held */
    if (core->pending_dr6 && !core->shadow_blocks_debug)
        return true; /* the trap of a single-stepped HLT */
    if (core->mc_pending && core->svm.gif)
        return true;
    if ((core->smi_pending || core->init_pending) && core->svm.gif && !core->smm.active)
        return true;
    if (core->mwaiting && core->mwait_breaks && apic_interrupt_ready(core) && core->svm.gif)
        return true;
    return nmi_ready(core) || intr_ready(core) || svm_virtual_interrupt_ready(core);
}

/* ---- Before the instruction ------------------------------------------------------------------------------ */

/* DR7.R/Wn = 0, LENn = 0 and the linear address of rIP (APM2 13.1.2). RF and GIF = 0 suppress it. */
bool boundary_code_breakpoint(struct core *core)
{
    gva_t linear = core_linear_rip(core);
    uint64_t hit = 0;

    if (!core->code_breakpoints || (core->rflags & RFLAGS_RF) || !core->svm.gif)
        return false;
    for (unsigned n = 0; n < 4; n++)
        if (bits(core->dr7, 2 * n + 1, 2 * n) && bits(core->dr7, 19 + 4 * n, 16 + 4 * n) == 0 &&
            core->dr[n] == linear)
            hit |= BIT(n);
    if (!hit)
        return false;
    debug_exception_taken(core);
    deliver_exception(core, (struct event){ .vector = EXC_DB, .address = hit });
    return true;
}

bool boundary_is_careful(const struct core *core)
{
    return (core->rflags & RFLAGS_TF) || core->interrupt_shadow || core->shadow_blocks_debug ||
           core->code_breakpoints || core->data_breakpoints || core->pending_dr6 || core->hooks.breakpoints ||
           (core->msr->debug_ctl & DEBUG_CTL_LBR);
}
