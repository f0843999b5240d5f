/* SPDX-License-Identifier: MIT */
/*
 * hv seen from its guest (64-bit, 2 vCPUs): the shared page, event channels with their upcall by a vector, the
 * single-shot timer and the clock, polls, and what hypercalls say to wrong arguments (Xen's public interface as of
 * 4.17, hv/abi; the tables of doc/hv.md).
 *
 * Debian's kernel lives on these calls with xen=on: events by a callback vector, Xen's timer and clock. An event
 * that is lost or comes twice is hard to see there.
 *
 * An upcall comes in as any other vector does, so exception_try tells it: the program lets interrupts in for a
 * moment, or sleeps in HLT, and compares the vector with that of the callback, F3h. Errors are compared as numbers.
 *
 * The shared page takes the place of what was there. A port without a partner loses what is sent to it; a bound one
 * begins with an event, refuses a third party, and when masked gets its event without a call until it is unmasked,
 * then one; closing one end leaves the other unbound. VIRQ_TIMER is bound once; a timer ends HLT no sooner than its
 * 2 ms and within one more, by the guest's own clock; a time that has passed is -ETIME. A poll ends at its time
 * limit, or at once if a port is pending, be it masked; an IPI ends that of vCPU 1. There are 1023 ports, then
 * -ENOSPC, and closed ones come back. A registered vcpu_info lies within one page and is taken once. Last come 36
 * wrong calls, each with its one right error: -ENOSYS for no such command, -EFAULT for a bad pointer, -EPERM for the
 * control domain's.
 *
 * Runs as a guest of hv on both engines. On the bare machine there is nothing to see, and the test skips.
 * platform_op and mca are not asked.
 */
#include "hv/abi/control.h"
#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/vcpu.h"

#define NOT_MAPPED 0x8000000000ull
#define CALLBACK 0xF3
#define PORTS 1024
#define MS 1000000ull
#define NO_SUCH_DOMAIN 77

static uint8_t shared_page[4096] __attribute__((aligned(4096)));
static struct shared_info_64 *const shared = (struct shared_info_64 *)shared_page;
static uint8_t record_page[4096] __attribute__((aligned(4096)));
static uint8_t stack[4096] __attribute__((aligned(16)));
static volatile uint32_t other_port, other_seen;

static int64_t event(uint32_t command, void *op)
{
    return hypercall3(HYPERCALL_EVENT_CHANNEL_OP, command, (uintptr_t)op, 0);
}

static int64_t on_port(uint32_t command, uint32_t port)
{
    struct evtchn_port op = { port };

    return event(command, &op);
}

static bool pending(uint32_t port)
{
    return shared->evtchn_pending[port / 64] >> port % 64 & 1;
}

static void mask(uint32_t port, bool on)
{
    if (on)
        __atomic_fetch_or(&shared->evtchn_mask[port / 64], 1ull << port % 64, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&shared->evtchn_mask[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
}

/* What a guest does in its upcall. */
static void acknowledge(uint32_t port)
{
    shared->vcpu_info[0].evtchn_upcall_pending = 0;
    __atomic_exchange_n(&shared->vcpu_info[0].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&shared->evtchn_pending[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
}

/* A moment with interrupts on; the instruction behind STI is still in its shadow. */
static void look(void *unused)
{
    (void)unused;
    __asm__ volatile("sti; nop; nop; cli");
}

static void sleep(void *unused)
{
    (void)unused;
    __asm__ volatile("sti; hlt; cli");
}

static void shared_info(void)
{
    struct memory_add_to_physmap_64 op = { .domid = DOMID_SELF, .space = PHYSMAP_SHARED_INFO,
                                           .gpfn = (uintptr_t)shared_page >> 12 };
    struct hvm_param callback = { .domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ,
                                  .value = (uint64_t)CALLBACK_TYPE_VECTOR << 56 | CALLBACK };

    shared_page[4000] = 1;
    check_equal((uint64_t)hypercall3(HYPERCALL_MEMORY_OP, MEMORY_ADD_TO_PHYSMAP, (uintptr_t)&op, 0), 0,
                "the shared page can be mapped");
    check_equal(shared_page[4000], 0, "in place of what was there");
    check(shared->vcpu_info[0].time.tsc_to_system_mul >> 31, "it has a clock");
    check_equal((uint64_t)hypercall3(HYPERCALL_HVM_OP, HVMOP_SET_PARAM, (uintptr_t)&callback, 0), 0,
                "the callback is a vector");
    callback.value = 0;
    check_equal((uint64_t)hypercall3(HYPERCALL_HVM_OP, HVMOP_GET_PARAM, (uintptr_t)&callback, 0), 0, "it can be read");
    check_equal(callback.value & 0xFF, CALLBACK, "and is what was written");
}

/* Both ends are this guest's. */
static void loopback(void)
{
    struct evtchn_alloc_unbound open = { .domid = DOMID_SELF, .remote_domid = DOMID_SELF };
    struct evtchn_bind_interdomain bind = { .remote_domid = DOMID_SELF };
    struct evtchn_status status = { .domid = DOMID_SELF };

    check_equal((uint64_t)event(EVTCHNOP_ALLOC_UNBOUND, &open), 0, "a port without a partner");
    check_equal((uint64_t)on_port(EVTCHNOP_SEND, open.port), 0, "sending there is lost");
    check(!pending(open.port), "without a trace");
    bind.remote_port = open.port;
    check_equal((uint64_t)event(EVTCHNOP_BIND_INTERDOMAIN, &bind), 0, "a second port is bound to it");
    check_equal((uint64_t)event(EVTCHNOP_BIND_INTERDOMAIN, &bind), (uint64_t)-XEN_EINVAL, "but not a third");
    check(pending(bind.local_port), "the new port begins with an event");
    acknowledge(bind.local_port);
    mask(open.port, true);
    on_port(EVTCHNOP_SEND, bind.local_port);
    check(pending(open.port), "an event arrives at the other end");
    check_equal(exception_try(look, NULL).vector, EXC_NONE, "which is masked: nobody is called");
    check_equal((uint64_t)on_port(EVTCHNOP_UNMASK, open.port), 0, "unmasked");
    check_equal(exception_try(look, NULL).vector, CALLBACK, "the callback's vector comes in");
    acknowledge(open.port);
    check_equal(exception_try(look, NULL).vector, EXC_NONE, "once");
    status.port = open.port;
    check_equal((uint64_t)event(EVTCHNOP_STATUS, &status), 0, "status");
    check_equal(status.status, EVTCHNSTAT_INTERDOMAIN, "says interdomain");
    check_equal(status.interdomain.port, bind.local_port, "and the other end");
    check_equal((uint64_t)on_port(EVTCHNOP_CLOSE, bind.local_port), 0, "one end is closed");
    event(EVTCHNOP_STATUS, &status);
    check_equal(status.status, EVTCHNSTAT_UNBOUND, "the other waits for a partner again");
    check_equal((uint64_t)on_port(EVTCHNOP_SEND, bind.local_port), (uint64_t)-XEN_EINVAL, "a closed one sends nothing");
    on_port(EVTCHNOP_CLOSE, open.port);
}

static uint64_t clock_ns(void)
{
    const volatile struct vcpu_time_info *time = &shared->vcpu_info[0].time;
    uint32_t low, high, version;
    uint64_t ns;

    do {
        version = time->version;
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        ns = ((uint64_t)high << 32 | low) - time->tsc_timestamp;
        ns = time->tsc_shift < 0 ? ns >> -time->tsc_shift : ns << time->tsc_shift;
        ns = (uint64_t)((unsigned __int128)ns * time->tsc_to_system_mul >> 32) + time->system_time;
    } while (version & 1 || version != time->version);
    return ns;
}

static void timer(void)
{
    struct evtchn_bind_virq bind = { .virq = VIRQ_TIMER, .vcpu = 0 };
    struct vcpu_singleshot_timer shot = { .timeout_ns = clock_ns() + 2 * MS, .flags = SINGLESHOT_FUTURE };
    uint64_t woke;

    check_equal((uint64_t)event(EVTCHNOP_BIND_VIRQ, &bind), 0, "VIRQ_TIMER is bound");
    check_equal((uint64_t)event(EVTCHNOP_BIND_VIRQ, &bind), (uint64_t)-XEN_EEXIST, "once");
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_SET_SINGLESHOT_TIMER, 0, (uintptr_t)&shot), 0,
                "a timer 2 ms from now");
    check_equal(exception_try(sleep, NULL).vector, CALLBACK, "ends a HLT by the callback");
    woke = clock_ns();
    check(pending(bind.port), "the timer's port has the event");
    check(woke >= shot.timeout_ns && woke < shot.timeout_ns + MS, "at its time, by the guest's own clock");
    acknowledge(bind.port);
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_SET_SINGLESHOT_TIMER, 0, (uintptr_t)&shot),
                (uint64_t)-XEN_ETIME, "a time that has passed: -ETIME, where that is asked for");
    on_port(EVTCHNOP_CLOSE, bind.port);
}

static void poll(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = 0 };
    struct sched_poll_64 op = { .ports = (uintptr_t)&bind.port, .nr_ports = 1 };
    uint64_t began = clock_ns();

    event(EVTCHNOP_BIND_IPI, &bind);
    mask(bind.port, true);
    op.timeout = began + MS;
    check_equal((uint64_t)hypercall3(HYPERCALL_SCHED_OP, SCHEDOP_POLL, (uintptr_t)&op, 0), 0, "a poll ends");
    check(clock_ns() >= op.timeout, "after its time limit");
    on_port(EVTCHNOP_SEND, bind.port);
    check_equal((uint64_t)hypercall3(HYPERCALL_SCHED_OP, SCHEDOP_POLL, (uintptr_t)&op, 0), 0, "or at once");
    check(pending(bind.port), "if a port is pending, be it masked");
    acknowledge(bind.port);
    on_port(EVTCHNOP_CLOSE, bind.port);
    mask(bind.port, false);
}

static void other_main(unsigned id)
{
    struct sched_poll_64 op = { .ports = (uintptr_t)&other_port, .nr_ports = 1 };

    (void)id;
    hypercall3(HYPERCALL_SCHED_OP, SCHEDOP_POLL, (uintptr_t)&op, 0);
    other_seen = pending(other_port);
    for (;;)
        cpu_halt();
}

/* An IPI from vCPU 0 ends the poll of vCPU 1. */
static void between_vcpus(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = 1 };

    check_equal((uint64_t)event(EVTCHNOP_BIND_IPI, &bind), 0, "an IPI to vCPU 1");
    other_port = bind.port;
    check(vcpu_start(1, other_main, stack + sizeof(stack)), "vCPU 1 polls");
    for (unsigned i = 0; i < 100 && !other_seen; i++)
        vcpu_yield();
    check_equal(other_seen, 0, "and waits");
    on_port(EVTCHNOP_SEND, bind.port);
    while (!other_seen)
        vcpu_yield();
    check_equal(other_seen, 1, "until the event");
}

static void all_ports(void)
{
    struct evtchn_alloc_unbound op = { .domid = DOMID_SELF, .remote_domid = DOMID_SELF };
    uint32_t count = 0, first = 0;

    while (event(EVTCHNOP_ALLOC_UNBOUND, &op) == 0) {
        first = first ? first : op.port;
        count++;
    }
    check_equal((uint64_t)event(EVTCHNOP_ALLOC_UNBOUND, &op), (uint64_t)-XEN_ENOSPC, "no port left: -ENOSPC");
    check_equal(count + (first - 1), PORTS - 1, "after 1023");
    for (uint32_t port = first; port < PORTS; port++)
        on_port(EVTCHNOP_CLOSE, port);
    check_equal((uint64_t)event(EVTCHNOP_ALLOC_UNBOUND, &op), 0, "closed ones can be had again");
    on_port(EVTCHNOP_CLOSE, op.port);
}

static void registered_info(void)
{
    struct vcpu_register_info op = { .gfn = (uintptr_t)record_page >> 12, .offset = 4096 - 32 };

    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_REGISTER_VCPU_INFO, 1, (uintptr_t)&op),
                (uint64_t)-XEN_EINVAL, "a vcpu_info across two pages: -EINVAL");
    op.offset = 128;
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_REGISTER_VCPU_INFO, 1, (uintptr_t)&op), 0,
                "within one it is taken");
    check(((struct vcpu_info_64 *)(record_page + 128))->time.tsc_to_system_mul, "with its clock");
    check_equal((uint64_t)hypercall3(HYPERCALL_VCPU_OP, VCPUOP_REGISTER_VCPU_INFO, 1, (uintptr_t)&op),
                (uint64_t)-XEN_EINVAL, "once");
}

/* ---- Wrong arguments -------------------------------------------------------------------------------------- */

static struct evtchn_status foreign_status = { .domid = NO_SUCH_DOMAIN, .port = 1 };
static struct evtchn_status far_status = { .domid = DOMID_SELF, .port = PORTS };
static struct evtchn_bind_virq no_virq = { .virq = VIRQ_COUNT }, no_vcpu = { .virq = VIRQ_TIMER, .vcpu = 9 };
static struct evtchn_bind_virq global_virq = { .virq = VIRQ_CONSOLE };
static struct evtchn_bind_interdomain nobody = { .remote_domid = NO_SUCH_DOMAIN, .remote_port = 1 };
static struct evtchn_bind_vcpu no_port = { .port = 900, .vcpu = 0 };
static struct memory_add_to_physmap_64 far_frame = { .domid = DOMID_SELF, .gpfn = ~0ull };
static struct memory_add_to_physmap_64 grant_frame = { .domid = DOMID_SELF, .space = PHYSMAP_GRANT_TABLE,
                                                          .index = 4 };
static struct hvm_param no_param = { .domid = DOMID_SELF, .index = HVM_PARAM_COUNT };
static struct hvm_param low_vector = { .domid = DOMID_SELF, .value = (uint64_t)CALLBACK_TYPE_VECTOR << 56 | 3 };
static struct hvm_param foreign_param = { .domid = 0, .index = HVM_PARAM_STORE_PFN };
static struct sched_poll_64 many_ports = { .nr_ports = SCHED_POLL_PORTS + 1 };
static struct sched_poll_64 no_ports = { .ports = NOT_MAPPED, .nr_ports = 4 };
static struct domctl any_domctl = { .command = DOMCTL_DESTROYDOMAIN, .interface_version = CONTROL_INTERFACE_VERSION };
static struct sysctl old_sysctl = { .command = SYSCTL_PERFC_OP, .interface_version = 3 };
static struct sysctl its_sysctl = { .command = SYSCTL_READCONSOLE, .interface_version = CONTROL_INTERFACE_VERSION };
static struct gnttab_version version_2 = { 2 };

static const struct wrong {
    const char *what;
    uintptr_t number, argument[3];
    int error;
} wrongs[] = {
    { "memory_op 99", HYPERCALL_MEMORY_OP, { 99 }, XEN_ENOSYS },
    { "memory_op, no pointer", HYPERCALL_MEMORY_OP, { MEMORY_ADD_TO_PHYSMAP, NOT_MAPPED }, XEN_EFAULT },
    { "a frame beyond all memory", HYPERCALL_MEMORY_OP, { MEMORY_ADD_TO_PHYSMAP, (uintptr_t)&far_frame }, XEN_EINVAL },
    { "a fifth grant frame", HYPERCALL_MEMORY_OP, { MEMORY_ADD_TO_PHYSMAP, (uintptr_t)&grant_frame }, XEN_EINVAL },
    { "xen_version 99", HYPERCALL_XEN_VERSION, { 99 }, XEN_ENOSYS },
    { "xen_version's features, no pointer", HYPERCALL_XEN_VERSION, { XENVER_GET_FEATURES, NOT_MAPPED }, XEN_EFAULT },
    { "console_io write, no pointer", HYPERCALL_CONSOLE_IO, { CONSOLEIO_WRITE, 10, NOT_MAPPED }, XEN_EFAULT },
    { "console_io write of everything", HYPERCALL_CONSOLE_IO, { CONSOLEIO_WRITE, ~0ul, 0 }, XEN_E2BIG },
    { "console_io read is dom0's", HYPERCALL_CONSOLE_IO, { CONSOLEIO_READ, 1, 0 }, XEN_EPERM },
    { "grant version 2", HYPERCALL_GRANT_TABLE_OP, { GNTTABOP_SET_VERSION, (uintptr_t)&version_2, 1 }, XEN_EINVAL },
    { "grants by the dozen", HYPERCALL_GRANT_TABLE_OP, { GNTTABOP_GET_VERSION, 0, 12 }, XEN_EINVAL },
    { "vcpu_op 99", HYPERCALL_VCPU_OP, { 99, 0 }, XEN_ENOSYS },
    { "another vCPU's timer", HYPERCALL_VCPU_OP, { VCPUOP_STOP_SINGLESHOT_TIMER, 1 }, XEN_EINVAL },
    { "runstate, no pointer", HYPERCALL_VCPU_OP, { VCPUOP_GET_RUNSTATE_INFO, 0, NOT_MAPPED }, XEN_EFAULT },
    { "sched_op 99", HYPERCALL_SCHED_OP, { 99 }, XEN_ENOSYS },
    { "shutdown, no pointer", HYPERCALL_SCHED_OP, { SCHEDOP_SHUTDOWN, NOT_MAPPED }, XEN_EFAULT },
    { "a poll of 129 ports", HYPERCALL_SCHED_OP, { SCHEDOP_POLL, (uintptr_t)&many_ports }, XEN_EINVAL },
    { "a poll of ports nowhere", HYPERCALL_SCHED_OP, { SCHEDOP_POLL, (uintptr_t)&no_ports }, XEN_EFAULT },
    { "remote_shutdown is dom0's", HYPERCALL_SCHED_OP, { SCHEDOP_REMOTE_SHUTDOWN }, XEN_EPERM },
    { "event_channel_op 11", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_INIT_CONTROL }, XEN_ENOSYS },
    { "event_channel_op, no pointer", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_SEND, NOT_MAPPED }, XEN_EFAULT },
    { "another domain's port", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_STATUS, (uintptr_t)&foreign_status }, XEN_EPERM },
    { "port 1024", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_STATUS, (uintptr_t)&far_status }, XEN_EINVAL },
    { "virq 24", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_BIND_VIRQ, (uintptr_t)&no_virq }, XEN_EINVAL },
    { "a virq of vCPU 9", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_BIND_VIRQ, (uintptr_t)&no_vcpu }, XEN_ENOENT },
    { "dom0's virq", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_BIND_VIRQ, (uintptr_t)&global_virq }, XEN_EPERM },
    { "a bind to nobody", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_BIND_INTERDOMAIN, (uintptr_t)&nobody }, XEN_ESRCH },
    { "a closed port's vCPU", HYPERCALL_EVENT_CHANNEL_OP, { EVTCHNOP_BIND_VCPU, (uintptr_t)&no_port }, XEN_EINVAL },
    { "hvm_op 99", HYPERCALL_HVM_OP, { 99 }, XEN_ENOSYS },
    { "parameter 40", HYPERCALL_HVM_OP, { HVMOP_SET_PARAM, (uintptr_t)&no_param }, XEN_EINVAL },
    { "a callback below 16", HYPERCALL_HVM_OP, { HVMOP_SET_PARAM, (uintptr_t)&low_vector }, XEN_EINVAL },
    { "dom0's parameter", HYPERCALL_HVM_OP, { HVMOP_GET_PARAM, (uintptr_t)&foreign_param }, XEN_ESRCH },
    { "sysctl of another version", HYPERCALL_SYSCTL, { (uintptr_t)&old_sysctl }, XEN_EACCES },
    { "dom0's sysctl", HYPERCALL_SYSCTL, { (uintptr_t)&its_sysctl }, XEN_EPERM },
    { "domctl is dom0's", HYPERCALL_DOMCTL, { (uintptr_t)&any_domctl }, XEN_EPERM },
    { "domctl without a pointer, too", HYPERCALL_DOMCTL, { NOT_MAPPED }, XEN_EPERM },
};

static void wrong_arguments(void)
{
    for (unsigned i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        const struct wrong *w = &wrongs[i];
        int64_t got = hypercall3(w->number, w->argument[0], w->argument[1], w->argument[2]);

        check_format(got == -w->error, "%s: -%d (%ld)", w->what, w->error, (long)got);
    }
}

void guest_main(void)
{
    exceptions_init();
    if (!guest_under_hv) {
        check_skip("events", "hv is not below");
        check_end();
    }
    shared_info();
    loopback();
    timer();
    poll();
    between_vcpus();
    all_ports();
    registered_info();
    wrong_arguments();
    check_end();
}
