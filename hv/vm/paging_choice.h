/* SPDX-License-Identifier: MIT */
/* Nested or shadow: the decision of a guest's creation. Pure. */
#ifndef HV_VM_PAGING_CHOICE_H
#define HV_VM_PAGING_CHOICE_H

#include <stdbool.h>

enum paging_mode { PAGING_NESTED, PAGING_SHADOW };

/* What the processor has (CPUID 8000_000A EDX[0]), hv's hap=, the guest's hap=. */
enum paging_mode paging_choose(bool processor, bool boot, bool guest);
/* The boot log's line on it. */
const char *paging_boot_line(bool processor, bool boot);

#endif
