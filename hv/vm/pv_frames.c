/* SPDX-License-Identifier: MIT */
#include "hv/vm/pv_frames.h"

#include "hv/core/memory.h"
#include "hv/vm/pv_guest.h"

#define PER_PAGE (PAGE_SIZE / sizeof(uint64_t))

/* ---- The guest's list ------------------------------------------------------------------------------------ */

/* A word of a page that the guest could write itself; hv's page that it shares is none of its own frames. */
static uint64_t *word_of(const struct guest *guest, uint64_t frame, uint64_t index)
{
    const struct pv_frame *f = pv_owns(&guest->pv->types, frame) ? pv_machine_frame(frame) : NULL;

    if (!f || frame == (uintptr_t)guest->shared_info / PAGE_SIZE || (f->type != PV_NONE && f->type != PV_WRITABLE))
        return NULL;
    return (uint64_t *)memory_pointer(frame * PAGE_SIZE) + index;
}

uint64_t *pv_p2m_list_place(const struct guest *guest, uint64_t page)
{
    uint64_t lists = guest->shared_info->pfn_to_mfn_frame_list_list;
    const uint64_t *list = page < PER_PAGE * PER_PAGE ? word_of(guest, lists, page / PER_PAGE) : NULL;

    return list ? word_of(guest, *list, page % PER_PAGE) : NULL;
}

static uint64_t list_end(const struct guest *guest)
{
    uint64_t frames = guest->spec.memory / PAGE_SIZE, told = guest->shared_info->max_pfn;

    return told < frames ? told : frames;
}

uint64_t *pv_p2m_place(const struct guest *guest, uint64_t pfn)
{
    const uint64_t *page = pfn < list_end(guest) ? pv_p2m_list_place(guest, pfn / PER_PAGE) : NULL;

    return page ? word_of(guest, *page, pfn % PER_PAGE) : NULL;
}

/* The list's own pages may have moved, too: from the top down. */
static void correct_list(struct guest *guest, uint64_t from, uint64_t to, uint64_t pfn)
{
    uint64_t *lists = &guest->shared_info->pfn_to_mfn_frame_list_list, *place;
    uint64_t pages = (list_end(guest) + PER_PAGE - 1) / PER_PAGE;

    if (*lists == from)
        *lists = to;
    for (uint64_t i = 0; i < (pages + PER_PAGE - 1) / PER_PAGE; i++)
        if ((place = word_of(guest, *lists, i)) && *place == from)
            *place = to;
    for (uint64_t i = 0; i < pages; i++)
        if ((place = pv_p2m_list_place(guest, i)) && *place == from)
            *place = to;
    place = pv_p2m_place(guest, pfn);
    if (place)
        *place = to;
}

/* ---- Another frame for one of them ------------------------------------------------------------------------ */

/* What hv itself writes to at an address of the guest's. */
static void correct_records(struct guest *guest, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < guest->spec.vcpus; i++) {
        struct vcpu *vcpu = &guest->vcpus[i];

        if (vcpu->info_registered && vcpu->info_gpa / PAGE_SIZE == from)
            vcpu->info_gpa = to * PAGE_SIZE + vcpu->info_gpa % PAGE_SIZE;
        if (vcpu->runstate_gpa && vcpu->runstate_gpa / PAGE_SIZE == from)
            vcpu->runstate_gpa = to * PAGE_SIZE + vcpu->runstate_gpa % PAGE_SIZE;
    }
}

int64_t pv_replace_frame(struct guest *guest, uint64_t frame, uint64_t *pfn)
{
    uint64_t address = frame * PAGE_SIZE, at, fresh;
    const uint64_t *place;

    if (!npt_find_spa(&guest->npt, address, &at))
        return -XEN_ENOENT;
    if (memory_marks(address) & PAGE_BROKEN)
        return -XEN_EIO; /* hv must not read them */
    *pfn = pv_m2p(frame); /* which the guest may have written */
    place = pv_p2m_place(guest, *pfn);
    if (!place || *place != frame)
        return -XEN_EINVAL;
    if (pv_guest_add_frames(guest, *pfn, 1, &fresh) != 1)
        return -XEN_ENOMEM;
    lock_acquire(&guest->pv->lock);
    pv_relocate(guest->pv, memory_end() / PAGE_SIZE, frame, fresh);
    lock_release(&guest->pv->lock);
    correct_records(guest, frame, fresh);
    correct_list(guest, frame, fresh, *pfn);
    if (guest->pv->suspend.start_info == frame)
        guest->pv->suspend.start_info = fresh;
    memory_offline(address, false);
    return pv_guest_drop_frame(guest, frame) ? 0 : -XEN_EBUSY; /* it leaves the pool with that */
}
