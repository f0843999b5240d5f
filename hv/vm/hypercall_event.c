/* SPDX-License-Identifier: MIT */
/* event_channel_op: arguments in and out; what the commands do is event_channel.c's. */
#include "hv/vm/event_channel.h"
#include "hv/vm/hypercall.h"

#define POINTER(call) ((call)->argument[1])

static int64_t put(const struct hypercall *call, int64_t error, const void *op, uint64_t size)
{
    return !error && !hypercall_copy_out(call, POINTER(call), op, size) ? -XEN_EFAULT : error;
}

static int64_t alloc_unbound(struct hypercall *call)
{
    struct evtchn_alloc_unbound op;

    if (!hypercall_copy_in(call, &op, POINTER(call), sizeof(op)))
        return -XEN_EFAULT;
    return put(call, event_alloc_unbound(call->vcpu->guest, call->control, &op), &op, sizeof(op));
}

static int64_t bind_interdomain(struct hypercall *call)
{
    struct evtchn_bind_interdomain op;

    if (!hypercall_copy_in(call, &op, POINTER(call), sizeof(op)))
        return -XEN_EFAULT;
    return put(call, event_bind_interdomain(call->vcpu, &op), &op, sizeof(op));
}

static int64_t bind_virq(struct hypercall *call)
{
    struct evtchn_bind_virq op;

    if (!hypercall_copy_in(call, &op, POINTER(call), sizeof(op)))
        return -XEN_EFAULT;
    return put(call, event_bind_virq(call->vcpu->guest, call->control, &op), &op, sizeof(op));
}

static int64_t bind_ipi(struct hypercall *call)
{
    struct evtchn_bind_ipi op;

    if (!hypercall_copy_in(call, &op, POINTER(call), sizeof(op)))
        return -XEN_EFAULT;
    return put(call, event_bind_ipi(call->vcpu->guest, &op), &op, sizeof(op));
}

static int64_t status(struct hypercall *call)
{
    struct evtchn_status op;

    if (!hypercall_copy_in(call, &op, POINTER(call), sizeof(op)))
        return -XEN_EFAULT;
    return put(call, event_status(call->vcpu->guest, call->control, &op), &op, sizeof(op));
}

/* Commands whose argument is a port alone. */
static int64_t on_port(struct hypercall *call, int64_t (*act)(struct guest *guest, uint32_t port))
{
    struct evtchn_port op;

    return hypercall_copy_in(call, &op, POINTER(call), sizeof(op)) ? act(call->vcpu->guest, op.port) : -XEN_EFAULT;
}

static int64_t close(struct hypercall *call)
{
    return on_port(call, event_close);
}

static int64_t send(struct hypercall *call)
{
    return on_port(call, event_send);
}

static int64_t unmask(struct hypercall *call)
{
    return on_port(call, event_unmask);
}

static int64_t bind_vcpu(struct hypercall *call)
{
    struct evtchn_bind_vcpu op;

    if (!hypercall_copy_in(call, &op, POINTER(call), sizeof(op)))
        return -XEN_EFAULT;
    return event_bind_vcpu(call->vcpu->guest, op.port, op.vcpu);
}

static const struct hypercall_row commands[] = {
    { EVTCHNOP_BIND_INTERDOMAIN, "bind_interdomain", bind_interdomain, CALLER_ANY },
    { EVTCHNOP_BIND_VIRQ, "bind_virq", bind_virq, CALLER_ANY },
    { EVTCHNOP_CLOSE, "close", close, CALLER_ANY },
    { EVTCHNOP_SEND, "send", send, CALLER_ANY },
    { EVTCHNOP_STATUS, "status", status, CALLER_ANY },
    { EVTCHNOP_ALLOC_UNBOUND, "alloc_unbound", alloc_unbound, CALLER_ANY },
    { EVTCHNOP_BIND_IPI, "bind_ipi", bind_ipi, CALLER_ANY },
    { EVTCHNOP_BIND_VCPU, "bind_vcpu", bind_vcpu, CALLER_ANY },
    { EVTCHNOP_UNMASK, "unmask", unmask, CALLER_ANY },
};

int64_t hypercall_event_channel_op(struct hypercall *call)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(commands), call->argument[0]);
}
