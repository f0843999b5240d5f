/* SPDX-License-Identifier: MIT */
/*
 * A paravirtual kernel knows machine frames: in its list of them, in entries that it is about to write, in registers.
 * So none of its frames can be another one behind its back; as under Xen it must stop itself first, with nothing of
 * that kind in flight, by sched_op shutdown with reason suspend. Here VIRQ_SUSPEND asks it to; a guest that
 * has not bound it is never asked. Its start information's frame is the call's third argument. The call returns 1 in
 * the same domain, 0 in a new one, where the kernel finds new start information and no event channel, timer or
 * registered record of the old one.
 */
#ifndef HV_VM_PV_SUSPEND_H
#define HV_VM_PV_SUSPEND_H

#include "hv/vm/hypercall.h"

/* The guest has said that it will: a 64-bit paravirtual one that has bound VIRQ_SUSPEND. */
bool pv_suspend_can(const struct guest *guest);
/*
 * 0: the guest is suspended and stands still. -EAGAIN: it has been asked; call again. -EOPNOTSUPP: it cannot.
 * -ETIME: it did not answer within 100 ms. The caller holds domctl's lock.
 */
int64_t pv_suspend(struct guest *guest);
/* A suspended guest goes on where it was; one that has only been asked will, when it answers. */
void pv_suspend_cancel(struct guest *guest);
/* The guest's own call. One that nobody has asked for, or waits for any more, returns 1 at once. */
int64_t pv_suspend_here(struct hypercall *call);

#endif
