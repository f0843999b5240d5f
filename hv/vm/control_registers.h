/* SPDX-License-Identifier: MIT */
/* MOV to CR0, CR3, CR4 as the processor checks them (APM2 3.1), for writes that hv carries out. Pure. */
#ifndef HV_VM_CONTROL_REGISTERS_H
#define HV_VM_CONTROL_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/svm/svm.h"

/*
 * Write `value` to CR0, CR3 or CR4 (`reg`): *now becomes what the registers are then, LMA included. `code64`: CS.L is
 * set. *load_pdptes: outside long mode with PAE this write loads the PDPTEs. False: #GP, *now is as before.
 */
bool control_register_write(struct svm_paging *now, unsigned reg, uint64_t value, bool code64, bool *load_pdptes);

#endif
