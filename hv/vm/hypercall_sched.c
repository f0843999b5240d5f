/* SPDX-License-Identifier: MIT */
/* sched_op: a vCPU gives up its core, or its guest its life. */
#include "hv/vm/hypercall.h"

#include "hv/vm/event_channel.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/pv_suspend.h"
#include "hv/vm/schedule.h"
#include "hv/vm/shared_info.h"
#include "hv/vm/vcpu_timer.h"

static int64_t yield(struct hypercall *call)
{
    call->result = EXIT_YIELD;
    return 0;
}

static int64_t block(struct hypercall *call)
{
    struct vcpu_info_64 *info = shared_info_vcpu(call->vcpu);

    if (call->vcpu->pv && info)
        info->evtchn_upcall_mask = 0; /* as STI before HLT */
    if (!event_is_due(call->vcpu) && !interrupts_wake(call->vcpu))
        call->result = EXIT_BLOCK;
    return 0;
}

/* The pointer may be missing in older guests: then it is a power-off. */
static int64_t shutdown(struct hypercall *call)
{
    struct sched_shutdown op = { SHUTDOWN_POWEROFF };

    if (call->argument[1] && !hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    if (op.reason == SHUTDOWN_SUSPEND && pv_suspend_can(call->vcpu->guest))
        return pv_suspend_here(call);
    guest_shutdown(call->vcpu->guest, op.reason);
    call->result = EXIT_GUEST_OVER;
    return 0;
}

static int64_t remote_shutdown(struct hypercall *call)
{
    struct sched_remote_shutdown op;
    struct guest *guest;

    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    guest = hypercall_guest(call, op.domid);
    if (!guest || guest == call->vcpu->guest)
        return -XEN_ESRCH;
    guest_shutdown(guest, op.reason);
    schedule_kick(guest);
    return 0;
}

static int64_t poll(struct hypercall *call)
{
    struct sched_poll_64 op;
    struct sched_poll_32 narrow;
    uint32_t ports[SCHED_POLL_PORTS];

    if (call->in_64bit) {
        if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
            return -XEN_EFAULT;
    } else {
        if (!hypercall_copy_in(call, &narrow, call->argument[1], sizeof(narrow)))
            return -XEN_EFAULT;
        op = (struct sched_poll_64){ narrow.ports, narrow.nr_ports, 0, narrow.timeout };
    }
    if (op.nr_ports > SCHED_POLL_PORTS)
        return -XEN_EINVAL;
    if (!hypercall_copy_in(call, ports, op.ports, op.nr_ports * sizeof(ports[0])))
        return -XEN_EFAULT;
    for (uint32_t i = 0; i < op.nr_ports; i++)
        if (ports[i] >= EVENT_PORTS)
            return -XEN_EINVAL;
    if (!event_poll_begin(call->vcpu, ports, op.nr_ports))
        return 0;
    if (op.timeout)
        vcpu_timer_poll(call->vcpu, op.timeout);
    call->result = EXIT_BLOCK;
    return 0;
}

static const struct hypercall_row commands[] = {
    { SCHEDOP_YIELD, "yield", yield, CALLER_ANY },
    { SCHEDOP_BLOCK, "block", block, CALLER_ANY },
    { SCHEDOP_SHUTDOWN, "shutdown", shutdown, CALLER_ANY },
    { SCHEDOP_POLL, "poll", poll, CALLER_ANY },
    { SCHEDOP_REMOTE_SHUTDOWN, "remote_shutdown", remote_shutdown, CALLER_CONTROL },
};

int64_t hypercall_sched_op(struct hypercall *call)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(commands), call->argument[0]);
}
