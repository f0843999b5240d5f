/* SPDX-License-Identifier: MIT */
/* Self-healing (step 2b), carried out. */
#ifndef HV_VM_MACHINE_CHECK_HEAL_H
#define HV_VM_MACHINE_CHECK_HEAL_H

#include "hv/mca/heal.h"
#include "hv/vm/frame_owner.h"

/* False: it was not possible after all. */
bool machine_check_heal(const struct mca_heal_row *row, const struct frame_owner *owner, uint64_t spa);

#endif
