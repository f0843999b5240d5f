/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_heal.h"

#include "hv/core/memory.h"
#include "hv/vm/physmap.h"

bool machine_check_heal(const struct mca_heal_row *row, const struct frame_owner *owner, uint64_t spa)
{
    switch (row->heal) {
    case MCA_H1:
        return memory_retire(spa);
    case MCA_H3:
        return physmap_break(owner->guest, owner->gpa) == 0;
    default:
        return false;
    }
}
