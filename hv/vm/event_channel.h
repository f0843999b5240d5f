/* SPDX-License-Identifier: MIT */
/*
 * Event channels, Xen's 2-level kind: each guest has ports; one is bound to a port of another guest, to a virtual
 * interrupt, or to its own vCPU (IPI). An event sets the port's pending bit in the shared page and, unless it is
 * masked, makes hv call the vCPU that the port notifies. Functions return 0 or one of Xen's errors, negated.
 */
#ifndef HV_VM_EVENT_CHANNEL_H
#define HV_VM_EVENT_CHANNEL_H

#include "hv/abi/guest_calls.h"
#include "hv/vm/guest.h"

#define EVENT_PORTS 1024 /* 0 is never given; what both widths of shared_info have room for */

/* At creation; false: no memory. At the end: the other sides of its channels become unbound. */
bool event_channels_begin(struct guest *guest);
void event_channels_end(struct guest *guest);

int64_t event_alloc_unbound(struct guest *caller, bool control, struct evtchn_alloc_unbound *op);
int64_t event_bind_interdomain(struct vcpu *caller, struct evtchn_bind_interdomain *op);
int64_t event_bind_virq(struct guest *guest, bool control, struct evtchn_bind_virq *op);
int64_t event_bind_ipi(struct guest *guest, struct evtchn_bind_ipi *op);
int64_t event_close(struct guest *guest, uint32_t port);
int64_t event_send(struct guest *guest, uint32_t port);
int64_t event_status(struct guest *caller, bool control, struct evtchn_status *op);
int64_t event_bind_vcpu(struct guest *guest, uint32_t port, uint32_t vcpu);
int64_t event_unmask(struct guest *guest, uint32_t port);

/* A virtual interrupt for a vCPU; lost if it has not bound it. */
void event_raise_virq(struct vcpu *vcpu, unsigned virq);
/* For vCPU 0 of the control domain, if there is one. */
void event_raise_control(unsigned virq);
/* Whether the vCPU is to be called. */
bool event_is_due(struct vcpu *vcpu);
/* The bit in the guest's shared page. */
bool event_is_pending(const struct guest *guest, uint32_t port);
/* The vCPU waits for events as SCHEDOP_POLL says; false: one of the ports is pending already. */
bool event_poll_begin(struct vcpu *vcpu, const uint32_t *ports, unsigned count);

/* For a guest that moves, paused. Its ports as they are. */
#define EVENT_STATE_BYTES (EVENT_PORTS * 8)
const void *event_channels_state(const struct guest *guest);
/* Whether one of its channels goes to another domain, which would have to be told. */
bool event_channels_lead_elsewhere(const struct guest *guest);
/* Ports of a guest that had this number before, for one that has none yet. False: they could not be. */
bool event_channels_adopt(struct guest *guest, const void *state, uint16_t old_domid);

#endif
