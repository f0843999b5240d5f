/* SPDX-License-Identifier: MIT */
/* Online spare memory (BKDG10 F3xB0): the spare rank takes over a chip-select that has become bad. */
#ifndef HV_VM_ONLINE_SPARE_H
#define HV_VM_ONLINE_SPARE_H

#include "hv/vm/hypercall.h"

/* platform_op's hv_spare. */
int64_t platform_spare(struct hypercall *call);

#endif
