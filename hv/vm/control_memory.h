/* SPDX-License-Identifier: MIT */
/* domctl commands on another domain's memory: Xen's shadow_op, and hv's own. Called with domctl's lock held. */
#ifndef HV_VM_CONTROL_MEMORY_H
#define HV_VM_CONTROL_MEMORY_H

#include "hv/abi/control.h"
#include "hv/vm/hypercall.h"

int64_t control_shadow_op(const struct hypercall *call, struct guest *guest, struct domctl_shadow_op *op);
int64_t control_hv_memory(struct guest *guest, struct domctl_hv_memory *op);
/* What of it there is for a paravirtual guest: retiring a frame. Repeats itself until the guest is suspended. */
int64_t control_pv_memory(struct hypercall *call, struct guest *guest, struct domctl_hv_memory *op);

#endif
