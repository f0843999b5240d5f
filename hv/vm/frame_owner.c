/* SPDX-License-Identifier: MIT */
#include "hv/vm/frame_owner.h"

#include "hv/core/memory.h"
#include "hv/vm/paging_shadow.h"
#include "hv/vm/physmap.h"

static struct guest *find_guest(uint64_t spa, uint64_t *gpa)
{
    for (unsigned g = 0; g < guest_count; g++)
        if (guest_is_alive(&guests[g]) && npt_find_spa(&guests[g].npt, spa, gpa))
            return &guests[g];
    return NULL;
}

/* Made by hv of what the guest's own memory tells: shadow tables, the log-dirty bitmap. */
static struct guest *find_rebuildable(uint64_t spa)
{
    for (unsigned g = 0; g < guest_count; g++)
        if (guest_is_alive(&guests[g]) &&
            (paging_shadow_holds(&guests[g], spa) || physmap_log_dirty_holds(&guests[g], spa)))
            return &guests[g];
    return NULL;
}

void frame_owner_find(uint64_t spa, struct frame_owner *owner)
{
    *owner = (struct frame_owner){ .kind = MCA_OWNER_XEN, .content = MCA_HOLDS_OTHER };
    owner->guest = find_guest(spa, &owner->gpa);
    if (owner->guest) {
        bool control = owner->guest->domid == DOMID_CONTROL;

        owner->kind = control ? MCA_OWNER_DOM0 : MCA_OWNER_DOMU;
        owner->content = control ? MCA_HOLDS_DOM0 : MCA_HOLDS_OTHER;
    } else if (memory_is_free(spa) || memory_marks(spa) & PAGE_OFFLINED) {
        owner->kind = MCA_OWNER_FREE;
        owner->content = MCA_HOLDS_NOTHING;
    } else if (memory_is_text(spa)) {
        owner->content = MCA_HOLDS_TEXT;
    } else if ((owner->guest = find_rebuildable(spa))) {
        owner->content = MCA_HOLDS_REBUILDABLE;
    }
}

uint64_t frame_owner_gpa(void *guest, uint64_t spa)
{
    uint64_t gpa;

    return npt_find_spa(&((struct guest *)guest)->npt, spa, &gpa) ? gpa : ~0ull;
}
