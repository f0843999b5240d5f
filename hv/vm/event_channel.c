/* SPDX-License-Identifier: MIT */
#include "hv/vm/event_channel.h"

#include "hv/abi/xen.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/schedule.h"
#include "hv/vm/shared_info.h"

#define PORTS_ORDER 2

struct event_port {
    uint8_t state; /* EVTCHNSTAT_ */
    uint8_t vcpu;  /* that is called */
    uint16_t remote_domid;
    uint16_t remote_port;
    uint16_t virq;
};

_Static_assert(EVENT_PORTS * sizeof(struct event_port) <= (size_t)PAGE_SIZE << PORTS_ORDER, "room for all ports");

static struct lock event_lock; /* ports of all guests; taken before the scheduler's */

/* ---- Bits that the guest sees --------------------------------------------------------------------------- */

static bool set_bit(void *word, unsigned bit)
{
    uint8_t mask = (uint8_t)(1u << bit % 8);

    return __atomic_fetch_or((uint8_t *)word + bit / 8, mask, __ATOMIC_SEQ_CST) & mask;
}

static bool test_bit(const void *word, unsigned bit)
{
    return __atomic_load_n((const uint8_t *)word + bit / 8, __ATOMIC_SEQ_CST) >> bit % 8 & 1;
}

static uint8_t *pending_bits(const struct guest *guest)
{
    return (uint8_t *)guest->shared_info + SHARED_INFO_EVENTS_64;
}

static uint8_t *mask_bits(const struct guest *guest)
{
    return pending_bits(guest) + (guest->shared_info_32 ? EVENT_WORDS_32 * 4 : EVENT_WORDS_64 * 8);
}

/* One bit of pending_sel for each word of pending bits. */
static bool set_selector(struct vcpu *vcpu, void *info, uint32_t port)
{
    if (vcpu->guest->shared_info_32)
        return set_bit(&((struct vcpu_info_32 *)info)->evtchn_pending_sel, port / 32);
    return set_bit(&((struct vcpu_info_64 *)info)->evtchn_pending_sel, port / 64);
}

static void call_vcpu(struct vcpu *vcpu, uint32_t port)
{
    struct vcpu_info_64 *info = shared_info_vcpu(vcpu);

    if (info && !set_selector(vcpu, info, port) &&
        !__atomic_exchange_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        schedule_wake(vcpu);
}

static void wake_pollers(struct guest *guest, uint32_t port)
{
    for (unsigned i = 0; i < guest->spec.vcpus; i++) {
        struct vcpu *vcpu = &guest->vcpus[i];

        if (vcpu->polling && (!vcpu->poll_port || vcpu->poll_port == port))
            schedule_wake(vcpu);
    }
}

/* event_lock held. */
static void set_pending(struct guest *guest, uint32_t port)
{
    if (set_bit(pending_bits(guest), port))
        return;
    if (!test_bit(mask_bits(guest), port))
        call_vcpu(&guest->vcpus[guest->ports[port].vcpu], port);
    wake_pollers(guest, port);
}

bool event_is_due(struct vcpu *vcpu)
{
    const struct vcpu_info_64 *info = shared_info_vcpu(vcpu);

    return info && info->evtchn_upcall_pending && !info->evtchn_upcall_mask;
}

bool event_is_pending(const struct guest *guest, uint32_t port)
{
    return port < EVENT_PORTS && test_bit(pending_bits(guest), port);
}

bool event_poll_begin(struct vcpu *vcpu, const uint32_t *ports, unsigned count)
{
    bool wait = true;

    lock_acquire(&event_lock);
    for (unsigned i = 0; i < count; i++)
        wait = wait && !event_is_pending(vcpu->guest, ports[i]);
    vcpu->polling = wait;
    vcpu->poll_port = count == 1 ? ports[0] : 0;
    lock_release(&event_lock);
    return wait;
}

/* ---- Ports ---------------------------------------------------------------------------------------------- */

bool event_channels_begin(struct guest *guest)
{
    uint64_t room = memory_alloc(PORTS_ORDER);

    if (!room)
        return false;
    guest->ports = text_zero(memory_pointer(room), (size_t)PAGE_SIZE << PORTS_ORDER);
    return true;
}

static struct event_port *port_of(const struct guest *guest, uint32_t port)
{
    if (!port || port >= EVENT_PORTS || guest->ports[port].state == EVTCHNSTAT_CLOSED)
        return NULL;
    return &guest->ports[port];
}

/* The lowest free one, 0: none. A bound port may end a HLT. */
static uint32_t take_port(struct guest *guest, uint8_t state)
{
    for (uint32_t port = 1; port < EVENT_PORTS; port++) {
        if (guest->ports[port].state != EVTCHNSTAT_CLOSED)
            continue;
        guest->ports[port] = (struct event_port){ .state = state };
        __atomic_fetch_and(&pending_bits(guest)[port / 8], (uint8_t)~(1u << port % 8), __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&guest->wakers, 1, __ATOMIC_RELEASE);
        return port;
    }
    return 0;
}

static void close_port(struct guest *guest, uint32_t number)
{
    struct event_port *port = &guest->ports[number];
    struct guest *remote = port->state == EVTCHNSTAT_INTERDOMAIN ? guest_by_domid(port->remote_domid) : NULL;

    if (port->state == EVTCHNSTAT_VIRQ)
        guest->vcpus[port->vcpu].virq_port[port->virq] = 0;
    if (port->state == EVTCHNSTAT_INTERDOMAIN && port->remote_domid == guest->domid)
        remote = guest; /* also while it is dying */
    if (remote && remote->ports) {
        struct event_port *other = &remote->ports[port->remote_port];

        other->state = EVTCHNSTAT_UNBOUND;
        other->remote_domid = guest->domid;
        other->remote_port = 0;
    }
    port->state = EVTCHNSTAT_CLOSED;
    __atomic_fetch_sub(&guest->wakers, 1, __ATOMIC_RELEASE);
}

void event_channels_end(struct guest *guest)
{
    if (!guest->ports)
        return;
    lock_acquire(&event_lock);
    for (uint32_t port = 1; port < EVENT_PORTS; port++)
        if (guest->ports[port].state != EVTCHNSTAT_CLOSED)
            close_port(guest, port);
    memory_free((uintptr_t)guest->ports, PORTS_ORDER);
    guest->ports = NULL;
    lock_release(&event_lock);
}

/* DOMID_SELF, the caller's own number, or, for the control domain, any alive guest's. event_lock held. */
static int64_t find_guest(struct guest *caller, bool control, uint16_t domid, struct guest **found)
{
    if (domid == DOMID_SELF || domid == caller->domid) {
        *found = caller;
        return 0;
    }
    if (!control)
        return -XEN_EPERM;
    *found = guest_by_domid(domid);
    return *found && (*found)->ports ? 0 : -XEN_ESRCH;
}

int64_t event_alloc_unbound(struct guest *caller, bool control, struct evtchn_alloc_unbound *op)
{
    struct guest *guest;
    int64_t error;

    lock_acquire(&event_lock);
    error = find_guest(caller, control, op->domid, &guest);
    if (!error) {
        op->port = take_port(guest, EVTCHNSTAT_UNBOUND);
        if (op->port)
            guest->ports[op->port].remote_domid = op->remote_domid == DOMID_SELF ? caller->domid : op->remote_domid;
        else
            error = -XEN_ENOSPC;
    }
    lock_release(&event_lock);
    return error;
}

static int64_t bind_interdomain(struct vcpu *caller, struct evtchn_bind_interdomain *op)
{
    struct guest *guest = caller->guest;
    uint16_t domid = op->remote_domid == DOMID_SELF ? guest->domid : op->remote_domid;
    struct guest *remote = domid == guest->domid ? guest : guest_by_domid(domid);
    struct event_port *other;

    if (!remote || !remote->ports)
        return -XEN_ESRCH;
    other = port_of(remote, op->remote_port);
    if (!other || other->state != EVTCHNSTAT_UNBOUND || other->remote_domid != guest->domid)
        return -XEN_EINVAL;
    op->local_port = take_port(guest, EVTCHNSTAT_INTERDOMAIN);
    if (!op->local_port)
        return -XEN_ENOSPC;
    guest->ports[op->local_port].remote_domid = domid;
    guest->ports[op->local_port].remote_port = (uint16_t)op->remote_port;
    other->state = EVTCHNSTAT_INTERDOMAIN;
    other->remote_port = (uint16_t)op->local_port;
    /* The other side may have sent while nobody was there: the new port begins with an event. */
    set_pending(guest, op->local_port);
    return 0;
}

int64_t event_bind_interdomain(struct vcpu *caller, struct evtchn_bind_interdomain *op)
{
    int64_t error;

    lock_acquire(&event_lock);
    error = bind_interdomain(caller, op);
    lock_release(&event_lock);
    return error;
}

/* Those above VIRQ_DEBUG concern the whole machine and go to the control domain's vCPU 0 alone. */
int64_t event_bind_virq(struct guest *guest, bool control, struct evtchn_bind_virq *op)
{
    int64_t error = 0;

    if (op->virq >= VIRQ_COUNT)
        return -XEN_EINVAL;
    if (op->vcpu >= guest->spec.vcpus)
        return -XEN_ENOENT;
    if (op->virq > VIRQ_DEBUG && op->vcpu != 0)
        return -XEN_EINVAL;
    if (op->virq > VIRQ_DEBUG && op->virq != VIRQ_SUSPEND && !control)
        return -XEN_EPERM;
    lock_acquire(&event_lock);
    op->port = 0;
    if (guest->vcpus[op->vcpu].virq_port[op->virq])
        error = -XEN_EEXIST;
    else if (!(op->port = take_port(guest, EVTCHNSTAT_VIRQ)))
        error = -XEN_ENOSPC;
    if (!error) {
        guest->ports[op->port].vcpu = (uint8_t)op->vcpu;
        guest->ports[op->port].virq = (uint16_t)op->virq;
        guest->vcpus[op->vcpu].virq_port[op->virq] = (uint16_t)op->port;
    }
    lock_release(&event_lock);
    return error;
}

int64_t event_bind_ipi(struct guest *guest, struct evtchn_bind_ipi *op)
{
    if (op->vcpu >= guest->spec.vcpus)
        return -XEN_ENOENT;
    lock_acquire(&event_lock);
    op->port = take_port(guest, EVTCHNSTAT_IPI);
    if (op->port)
        guest->ports[op->port].vcpu = (uint8_t)op->vcpu;
    lock_release(&event_lock);
    return op->port ? 0 : -XEN_ENOSPC;
}

int64_t event_close(struct guest *guest, uint32_t port)
{
    int64_t error = -XEN_EINVAL;

    lock_acquire(&event_lock);
    if (port_of(guest, port)) {
        close_port(guest, port);
        error = 0;
    }
    lock_release(&event_lock);
    return error;
}

static int64_t send(struct guest *guest, uint32_t number)
{
    const struct event_port *port = port_of(guest, number);
    struct guest *remote;

    if (!port)
        return -XEN_EINVAL;
    switch (port->state) {
    case EVTCHNSTAT_INTERDOMAIN:
        remote = guest_by_domid(port->remote_domid);
        if (remote && remote->ports)
            set_pending(remote, port->remote_port);
        return 0;
    case EVTCHNSTAT_IPI:
        set_pending(guest, number);
        return 0;
    case EVTCHNSTAT_UNBOUND:
        return 0; /* nobody there yet */
    default:
        return -XEN_EINVAL;
    }
}

int64_t event_send(struct guest *guest, uint32_t port)
{
    int64_t error;

    lock_acquire(&event_lock);
    error = send(guest, port);
    lock_release(&event_lock);
    return error;
}

static void describe(const struct event_port *port, struct evtchn_status *op)
{
    op->status = port ? port->state : EVTCHNSTAT_CLOSED;
    op->vcpu = port ? port->vcpu : 0;
    op->interdomain.domid = op->interdomain.pad = 0;
    op->interdomain.port = 0;
    switch (op->status) {
    case EVTCHNSTAT_UNBOUND:
        op->unbound.domid = port->remote_domid;
        break;
    case EVTCHNSTAT_INTERDOMAIN:
        op->interdomain.domid = port->remote_domid;
        op->interdomain.port = port->remote_port;
        break;
    case EVTCHNSTAT_VIRQ:
        op->virq = port->virq;
        break;
    default:
        break;
    }
}

int64_t event_status(struct guest *caller, bool control, struct evtchn_status *op)
{
    struct guest *guest;
    int64_t error;

    lock_acquire(&event_lock);
    error = find_guest(caller, control, op->domid, &guest);
    if (!error && op->port >= EVENT_PORTS)
        error = -XEN_EINVAL;
    if (!error)
        describe(port_of(guest, op->port), op);
    lock_release(&event_lock);
    return error;
}

int64_t event_bind_vcpu(struct guest *guest, uint32_t number, uint32_t vcpu)
{
    struct event_port *port;
    int64_t error = 0;

    if (vcpu >= guest->spec.vcpus)
        return -XEN_ENOENT;
    lock_acquire(&event_lock);
    port = port_of(guest, number);
    if (!port || port->state == EVTCHNSTAT_IPI || (port->state == EVTCHNSTAT_VIRQ && port->virq <= VIRQ_DEBUG))
        error = -XEN_EINVAL; /* those belong to one vCPU */
    else
        port->vcpu = (uint8_t)vcpu;
    lock_release(&event_lock);
    return error;
}

int64_t event_unmask(struct guest *guest, uint32_t number)
{
    const struct event_port *port;
    uint8_t bit = (uint8_t)(1u << number % 8);

    if (number >= EVENT_PORTS)
        return -XEN_EINVAL;
    lock_acquire(&event_lock);
    port = port_of(guest, number);
    if (port && __atomic_fetch_and(&mask_bits(guest)[number / 8], (uint8_t)~bit, __ATOMIC_SEQ_CST) & bit &&
        event_is_pending(guest, number))
        call_vcpu(&guest->vcpus[port->vcpu], number);
    lock_release(&event_lock);
    return port ? 0 : -XEN_EINVAL;
}

void event_raise_virq(struct vcpu *vcpu, unsigned virq)
{
    lock_acquire(&event_lock);
    if (vcpu->guest->ports && vcpu->virq_port[virq])
        set_pending(vcpu->guest, vcpu->virq_port[virq]);
    lock_release(&event_lock);
}

void event_raise_control(unsigned virq)
{
    struct guest *control = guest_by_domid(DOMID_CONTROL);

    if (control)
        event_raise_virq(&control->vcpus[0], virq);
}

/* ---- A guest that moves ---------------------------------------------------------------------------------- */

_Static_assert(EVENT_PORTS * sizeof(struct event_port) == EVENT_STATE_BYTES, "what event_channels_state says");

const void *event_channels_state(const struct guest *guest)
{
    return guest->ports;
}

bool event_channels_lead_elsewhere(const struct guest *guest)
{
    for (uint32_t port = 1; port < EVENT_PORTS; port++)
        if (guest->ports[port].state == EVTCHNSTAT_INTERDOMAIN && guest->ports[port].remote_domid != guest->domid)
            return true;
    return false;
}

static bool port_could_be(const struct event_port *ports, uint32_t number, const struct guest *guest,
                          uint16_t old_domid)
{
    const struct event_port *port = &ports[number];

    switch (port->state) {
    case EVTCHNSTAT_CLOSED:
        return true;
    case EVTCHNSTAT_UNBOUND:
    case EVTCHNSTAT_IPI:
        return port->vcpu < guest->spec.vcpus;
    case EVTCHNSTAT_VIRQ: /* those of the whole machine are the control domain's, which does not move */
        return port->vcpu < guest->spec.vcpus && port->virq <= VIRQ_DEBUG &&
               !guest->vcpus[port->vcpu].virq_port[port->virq];
    case EVTCHNSTAT_INTERDOMAIN:
        return port->vcpu < guest->spec.vcpus && port->remote_domid == old_domid && port->remote_port < EVENT_PORTS &&
               ports[port->remote_port].state == EVTCHNSTAT_INTERDOMAIN &&
               ports[port->remote_port].remote_port == number;
    default:
        return false;
    }
}

/* Ports are adopted from the lowest up, so that one that could not be finds the others counted. */
bool event_channels_adopt(struct guest *guest, const void *state, uint16_t old_domid)
{
    const struct event_port *ports = state;
    bool sound = true;

    lock_acquire(&event_lock);
    for (uint32_t number = 1; number < EVENT_PORTS && sound; number++) {
        struct event_port *port = &guest->ports[number];

        sound = port->state == EVTCHNSTAT_CLOSED && port_could_be(ports, number, guest, old_domid);
        if (!sound || ports[number].state == EVTCHNSTAT_CLOSED)
            continue;
        *port = ports[number];
        if (port->remote_domid == old_domid)
            port->remote_domid = guest->domid;
        if (port->state == EVTCHNSTAT_VIRQ)
            guest->vcpus[port->vcpu].virq_port[port->virq] = (uint16_t)number;
        __atomic_fetch_add(&guest->wakers, 1, __ATOMIC_RELEASE);
    }
    lock_release(&event_lock);
    return sound;
}
