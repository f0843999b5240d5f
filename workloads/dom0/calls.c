/* SPDX-License-Identifier: MIT */
#include "workloads/dom0/calls.h"

#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "workloads/dom0/mca.h"
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

static struct shared_info_64 *shared;
static uint32_t console_port, domain_port;

static int64_t call(uintptr_t number, uintptr_t a, uintptr_t b, uintptr_t c)
{
    return guest_hypercall(number, a, b, c);
}

uint32_t calls_bind(uint32_t virq)
{
    struct evtchn_bind_virq op = { .virq = virq };

    if (call(HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_BIND_VIRQ, (uintptr_t)&op, 0))
        guest_fail("dom0: virtual interrupt %u cannot be bound", virq);
    return op.port;
}

void calls_begin(void)
{
    shared = guest_shared_page();
    if (!shared)
        guest_fail("dom0: no shared page");
    console_port = calls_bind(VIRQ_CONSOLE);
    domain_port = calls_bind(VIRQ_DOM_EXC);
}

/* A pending bit is taken before what it announces is looked at, so that nothing is missed. */
static void take(uint32_t port)
{
    __atomic_fetch_and(&shared->evtchn_pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
}

void calls_close(uint32_t port)
{
    struct evtchn_port op = { port };

    call(HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_CLOSE, (uintptr_t)&op, 0);
}

bool calls_came(uint32_t port)
{
    bool came = port && (__atomic_load_n(&shared->evtchn_pending[port / 64], __ATOMIC_SEQ_CST) >> port % 64 & 1);

    if (came)
        take(port);
    return came;
}

void calls_wait(bool for_domain_too)
{
    uint32_t ports[3] = { console_port };
    struct sched_poll_64 op = { .ports = (uintptr_t)ports, .nr_ports = 1 };

    if (for_domain_too)
        ports[op.nr_ports++] = domain_port;
    if (mca_port())
        ports[op.nr_ports++] = mca_port();
    call(HYPERCALL_SCHED_OP, SCHEDOP_POLL, (uintptr_t)&op, 0);
    take(console_port);
    if (for_domain_too)
        take(domain_port);
    if (calls_came(mca_port()))
        mca_event();
}

void calls_write(const char *text, size_t size)
{
    call(HYPERCALL_CONSOLE_IO, CONSOLEIO_WRITE, size, (uintptr_t)text);
}

size_t calls_read(char *to, size_t size)
{
    int64_t count = call(HYPERCALL_CONSOLE_IO, CONSOLEIO_READ, size, (uintptr_t)to);

    return count > 0 ? (size_t)count : 0;
}

void calls_power_off(void)
{
    struct sched_shutdown op = { SHUTDOWN_POWEROFF };

    for (;;)
        call(HYPERCALL_SCHED_OP, SCHEDOP_SHUTDOWN, (uintptr_t)&op, 0);
}

int64_t calls_domctl(uint32_t command, uint16_t domain, struct domctl *op)
{
    op->command = command;
    op->interface_version = CONTROL_INTERFACE_VERSION;
    op->domain = domain;
    return call(HYPERCALL_DOMCTL, (uintptr_t)op, 0, 0);
}

int64_t calls_sysctl(uint32_t command, struct sysctl *op)
{
    op->command = command;
    op->interface_version = CONTROL_INTERFACE_VERSION;
    return call(HYPERCALL_SYSCTL, (uintptr_t)op, 0, 0);
}

int64_t calls_platform(uint32_t command, struct platform_op *op)
{
    op->command = command;
    op->interface_version = PLATFORM_INTERFACE_VERSION;
    return call(HYPERCALL_PLATFORM_OP, (uintptr_t)op, 0, 0);
}

int64_t calls_page_offline(struct sysctl *op, uint32_t command, uint64_t frame, uint32_t *status)
{
    op->page_offline = (struct sysctl_page_offline_op){ .command = command, .start = (uint32_t)frame,
                                                     .end = (uint32_t)frame, .status = (uintptr_t)status };
    return calls_sysctl(SYSCTL_PAGE_OFFLINE, op);
}

int64_t calls_remote_shutdown(uint16_t domain, uint32_t reason)
{
    struct sched_remote_shutdown op = { .domid = domain, .reason = reason };

    return call(HYPERCALL_SCHED_OP, SCHEDOP_REMOTE_SHUTDOWN, (uintptr_t)&op, 0);
}

int64_t calls_version(void)
{
    return call(HYPERCALL_XEN_VERSION, XENVER_VERSION, 0, 0);
}

const char *calls_error(int64_t error)
{
    switch (-error) {
    case XEN_EPERM: return "not allowed";
    case XEN_ENOENT: return "not there";
    case XEN_ESRCH: return "no such domain";
    case XEN_E2BIG: return "too long";
    case XEN_ENOMEM: return "no room";
    case XEN_EACCES: return "another interface version";
    case XEN_EFAULT: return "bad pointer";
    case XEN_EBUSY: return "busy";
    case XEN_EEXIST: return "there already";
    case XEN_EINVAL: return "invalid";
    case XEN_ENOSYS: return "hv cannot do that";
    case XEN_ETIME: return "no answer";
    case XEN_EOPNOTSUPP: return "not supported";
    default: return "failed";
    }
}

bool calls_next_domain(unsigned first, struct domctl_getdomaininfo *info)
{
    struct domctl op = { .command = 0 };

    if (first >= DOMID_FIRST_RESERVED || calls_domctl(DOMCTL_GETDOMAININFO, (uint16_t)first, &op))
        return false;
    *info = op.getdomaininfo;
    return true;
}

bool calls_module(unsigned index, char *to, uint32_t size)
{
    struct sysctl op = { .hv_module = { .index = index, .size = size, .string = (uintptr_t)to } };

    return calls_sysctl(SYSCTL_HV_MODULE, &op) == 0;
}
