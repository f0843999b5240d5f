/* SPDX-License-Identifier: MIT */
#include "hv/vm/pv_suspend.h"

#include "hv/core/clock.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/pv_guest.h"
#include "hv/vm/schedule.h"

#define LIMIT (100 * CLOCK_MS) /* for its answer */
#define CANCELLED 1

static enum pv_suspend_state state_of(const struct guest *guest)
{
    return __atomic_load_n(&guest->pv->suspend.state, __ATOMIC_ACQUIRE);
}

/* From asked to something else; false: it is not asked (any more). */
static bool answer(struct guest *guest, enum pv_suspend_state state)
{
    enum pv_suspend_state asked = PV_SUSPEND_ASKED;

    return __atomic_compare_exchange_n(&guest->pv->suspend.state, &asked, state, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

bool pv_suspend_can(const struct guest *guest)
{
    return guest->pv && !guest->pv->types.narrow && guest->vcpus[0].virq_port[VIRQ_SUSPEND];
}

int64_t pv_suspend(struct guest *guest)
{
    struct pv_suspend *suspend = &guest->pv->suspend;

    if (state_of(guest) == PV_SUSPENDED && !guest->pauses) /* the operator has let it go on */
        __atomic_store_n(&suspend->state, PV_GOES_ON, __ATOMIC_RELEASE);
    if (state_of(guest) == PV_SUSPENDED)
        return schedule_is_quiet(guest) ? 0 : -XEN_EAGAIN;
    if (!pv_suspend_can(guest) || !guest_runs(guest))
        return -XEN_EOPNOTSUPP;
    if (state_of(guest) == PV_GOES_ON) {
        suspend->deadline = clock_now() + LIMIT;
        __atomic_store_n(&suspend->state, PV_SUSPEND_ASKED, __ATOMIC_RELEASE);
        event_raise_virq(&guest->vcpus[0], VIRQ_SUSPEND);
    } else if (clock_now() >= suspend->deadline && answer(guest, PV_GOES_ON)) {
        return -XEN_ETIME;
    }
    return -XEN_EAGAIN;
}

void pv_suspend_cancel(struct guest *guest)
{
    if (answer(guest, PV_GOES_ON) || state_of(guest) != PV_SUSPENDED)
        return;
    __atomic_store_n(&guest->pv->suspend.state, PV_GOES_ON, __ATOMIC_RELEASE);
    if (guest->pauses) /* else the operator has let it go on */
        schedule_unpause(guest);
}

/* RAX is the call's number until its end: in a multicall what it returns would be somebody else's. */
int64_t pv_suspend_here(struct hypercall *call)
{
    struct guest *guest = call->vcpu->guest;
    struct pv_suspend *suspend = &guest->pv->suspend;

    if ((uint32_t)call->vcpu->pv->frame.rax != HYPERCALL_SCHED_OP || !pv_owns(&guest->pv->types, call->argument[2]))
        return -XEN_EINVAL;
    if (state_of(guest) != PV_SUSPEND_ASKED)
        return CANCELLED;
    suspend->vcpu = call->vcpu->id;
    suspend->start_info = call->argument[2];
    schedule_pause_soon(guest);
    if (!answer(guest, PV_SUSPENDED)) { /* another vCPU, or nobody waits any more */
        schedule_unpause(guest);
        return CANCELLED;
    }
    return CANCELLED; /* when it goes on here; a new domain's vCPU gets 0 */
}
