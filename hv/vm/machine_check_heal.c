/* SPDX-License-Identifier: MIT */
#include "hv/vm/machine_check_heal.h"

#include "hv/core/memory.h"
#include "hv/core/percore.h"
#include "hv/vm/paging_shadow.h"
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

/* Shadow tables and log-dirty bitmaps: the owner's kind is Xen, the guest is whose they are made for. */
static bool rebuild(const struct frame_owner *owner, uint64_t spa)
{
    if (paging_shadow_holds(owner->guest, spa)) {
        if (!paging_shadow_rebuild(owner->guest, spa))
            return false;
        memory_offline(spa, true);
        memory_free(spa & ~(uint64_t)(PAGE_SIZE - 1), ORDER_4K); /* that is when it leaves */
        return true;
    }
    if (!physmap_log_dirty_holds(owner->guest, spa) || !physmap_log_dirty_rebuild(owner->guest))
        return false;
    memory_offline(spa, true); /* its owner is nobody any more, who never frees it */
    return true;
}

bool machine_check_heal(const struct mca_heal_row *row, const struct frame_owner *owner, uint64_t spa)
{
    switch (row->heal) {
    case MCA_H1:
        return memory_offline(spa, true); /* at once, or when a domain that has ended is destroyed */
    case MCA_H2:
        return rebuild(owner, spa);
    case MCA_H4:
        return replace_text(spa);
    case MCA_H3:
        return physmap_break(owner->guest, owner->gpa) == 0;
    default:
        return false;
    }
}
