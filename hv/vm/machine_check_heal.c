/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_heal.h"

#include "hv/core/memory.h"
#include "hv/core/percore.h"
#include "hv/vm/physmap.h"
#include "hv/vm/schedule.h"

/* No core sees the bad frame any more, when this returns. */
static bool replace_text(uint64_t spa)
{
    if (!memory_replace_text(spa))
        return false;
    while (!memory_settled(percore_count)) {
        memory_follow(percore_self()->index); /* another core may be here too */
        schedule_call_cores();
    }
    return true;
}

bool machine_check_heal(const struct mca_heal_row *row, const struct frame_owner *owner, uint64_t spa)
{
    switch (row->heal) {
    case MCA_H1:
        return memory_offline(spa, true) & PAGE_OFFLINED;
    case MCA_H4:
        return replace_text(spa);
    case MCA_H3:
        return physmap_break(owner->guest, owner->gpa) == 0;
    default:
        return false;
    }
}
