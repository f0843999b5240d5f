/* SPDX-License-Identifier: MIT */
/*
 * msrinject and mceinject of hypercall 48: machine-check registers of a core made to say something, and #MC by
 * software.
 */
#ifndef HV_VM_MACHINE_CHECK_INJECT_H
#define HV_VM_MACHINE_CHECK_INJECT_H

#include "hv/abi/mca.h"
#include "hv/core/percore.h"

/* Does not wait: the core does it in its loop. 0, or one of Xen's errors, negated. */
int64_t machine_check_inject_registers(const struct mca_msrinject *op);
int64_t machine_check_inject_exception(uint32_t cpu);
/* In the core's loop. */
void machine_check_inject_run(const struct percore *core);

#endif
