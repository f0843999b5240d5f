/* SPDX-License-Identifier: MIT */
/* More than one vCPU under hv, by Xen's vcpu_op. */
#ifndef WORKLOADS_LIB_VCPU_H
#define WORKLOADS_LIB_VCPU_H

#include <stdbool.h>
#include <stdint.h>

/* vCPUs that hv gave this guest; 1 on the bare machine. */
unsigned vcpu_count(void);
/* Start vCPU `id` in main(id), in this program's own mode, on the stack that ends at stack_end. False: hv refused. */
bool vcpu_start(unsigned id, void (*main)(unsigned id), void *stack_end);
/* Let other vCPUs run. */
void vcpu_yield(void);

#endif
