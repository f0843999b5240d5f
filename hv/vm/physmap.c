/* SPDX-License-Identifier: MIT */
#include "hv/vm/physmap.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/hypercall.h"
#include "hv/vm/paging.h"
#include "hv/vm/schedule.h"

static uint64_t page_of(uint64_t gpa)
{
    return gpa & ~(uint64_t)(PAGE_SIZE - 1);
}

/* ---- Faults ---------------------------------------------------------------------------------------------- */

/*
 * A larger page that becomes small ones leaves its old translation in TLBs. It is right still, but Family 10h must not
 * have both sizes there (erratum 383), so that a split flushes.
 */
static void log_dirty_write(struct guest *guest, uint64_t gpa)
{
    if (log_dirty_fault(&guest->log, &guest->npt, gpa))
        paging_lowered(guest, page_of(gpa), PAGE_SIZE);
}

/* Another vCPU may have been faster: what is decided is decided under the lock. */
static enum physmap_fault decide(struct guest *guest, uint64_t gpa, bool write)
{
    struct npt_page page;

    if (!npt_find(&guest->npt, gpa, &page))
        return PHYSMAP_OUTSIDE;
    switch (page.type) {
    case NPT_LOG_DIRTY:
        if (write)
            log_dirty_write(guest, gpa);
        return PHYSMAP_RESUME;
    case NPT_READ_ONLY:
        return write ? PHYSMAP_DROP_WRITE : PHYSMAP_RESUME;
    case NPT_BALLOONED:
    case NPT_MMIO:
        return PHYSMAP_EMULATE;
    default:
        return PHYSMAP_RESUME;
    }
}

enum physmap_fault physmap_fault(struct guest *guest, uint64_t gpa, bool write)
{
    enum physmap_fault result;

    lock_acquire(&guest->memory_lock);
    result = decide(guest, gpa, write);
    lock_release(&guest->memory_lock);
    if (result == PHYSMAP_OUTSIDE && guest_populate(guest, gpa))
        return PHYSMAP_RESUME; /* what was not present is in no TLB: nothing to flush */
    return result;
}

/* ---- Log-dirty ------------------------------------------------------------------------------------------- */

uint64_t physmap_frames(const struct guest *guest)
{
    return guest_top(guest) >> PAGE_SHIFT;
}

static unsigned bitmap_order(const struct guest *guest)
{
    unsigned order = 0;

    while ((uint64_t)PAGE_SIZE << order < log_dirty_bytes(physmap_frames(guest)))
        order++;
    return order;
}

int64_t physmap_log_dirty_begin(struct guest *guest)
{
    uint64_t room;

    if (guest->log.on)
        return -XEN_EBUSY;
    room = (uintptr_t)guest->log_room;
    if (!room) /* kept until the guest's end: hv's own writes mark frames without a lock */
        room = memory_alloc(bitmap_order(guest));
    if (!room)
        return -XEN_ENOMEM;
    guest->log_room = text_zero(memory_pointer(room), log_dirty_bytes(physmap_frames(guest)));
    lock_acquire(&guest->memory_lock);
    log_dirty_begin(&guest->log, &guest->npt, memory_pointer(room), physmap_frames(guest));
    paging_lowered(guest, 0, guest_top(guest));
    lock_release(&guest->memory_lock);
    return 0;
}

static void peek(const struct log_dirty *log, uint64_t *bitmap)
{
    for (uint64_t i = 0; i < log_dirty_bytes(log->frames) / 8; i++)
        bitmap[i] = __atomic_load_n(&log->bitmap[i], __ATOMIC_ACQUIRE);
}

int64_t physmap_log_dirty_take(struct guest *guest, uint64_t *bitmap, bool clean)
{
    if (!guest->log.on)
        return -XEN_EINVAL;
    lock_acquire(&guest->memory_lock);
    if (clean) {
        log_dirty_take(&guest->log, &guest->npt, bitmap);
        paging_lowered(guest, 0, guest_top(guest));
    } else {
        peek(&guest->log, bitmap);
    }
    lock_release(&guest->memory_lock);
    return 0;
}

int64_t physmap_log_dirty_end(struct guest *guest)
{
    if (!guest->log.on)
        return -XEN_EINVAL;
    lock_acquire(&guest->memory_lock);
    log_dirty_end(&guest->log, &guest->npt);
    lock_release(&guest->memory_lock);
    return 0;
}

bool physmap_log_dirty_holds(const struct guest *guest, uint64_t spa)
{
    uint64_t room = (uintptr_t)guest->log_room;

    return room && spa - room < (uint64_t)PAGE_SIZE << bitmap_order(guest);
}

/*
 * Other cores mark frames without a lock, perhaps in the old bitmap still: nobody gets that memory, and all bits
 * are set.
 */
bool physmap_log_dirty_rebuild(struct guest *guest)
{
    uint64_t room = memory_alloc(bitmap_order(guest)), frames = physmap_frames(guest);
    uint64_t *bitmap = memory_pointer(room);

    if (!room)
        return false;
    text_zero(bitmap, log_dirty_bytes(frames));
    for (uint64_t frame = 0; frame < frames; frame++)
        bitmap[frame / 64] |= 1ull << frame % 64;
    lock_acquire(&guest->memory_lock);
    guest->log_room = bitmap;
    if (guest->log.on) {
        __atomic_store_n(&guest->log.bitmap, bitmap, __ATOMIC_RELEASE);
        guest->log.dirty = frames;
    }
    lock_release(&guest->memory_lock);
    return true;
}

/* ---- Single frames --------------------------------------------------------------------------------------- */

static bool is_own(enum npt_type type)
{
    return npt_is_present(type) && type != NPT_FOREIGN;
}

/* Put a frame or a type without one at gpa; the guest's own frame that was there is free once no core reaches it. */
static int64_t replace(struct guest *guest, uint64_t gpa, uint64_t spa, enum npt_type type, enum npt_cause cause)
{
    struct npt_page old;
    bool had, placed;

    gpa = page_of(gpa);
    lock_acquire(&guest->memory_lock);
    had = npt_find(&guest->npt, gpa, &old);
    placed = npt_place(&guest->npt, gpa, spa, type, cause);
    if (placed && had)
        paging_lowered(guest, gpa, PAGE_SIZE);
    log_dirty_mark(&guest->log, gpa >> PAGE_SHIFT);
    lock_release(&guest->memory_lock);
    if (!placed)
        return -XEN_ENOMEM;
    if (had && is_own(old.type))
        memory_free(old.spa, ORDER_4K);
    return 0;
}

int64_t physmap_balloon_out(struct guest *guest, uint64_t gpa)
{
    struct npt_page page;

    if (!npt_find(&guest->npt, gpa, &page) || !is_own(page.type))
        return -XEN_EINVAL;
    return replace(guest, gpa, 0, NPT_BALLOONED, NPT_FOR_BALLOON);
}

int64_t physmap_balloon_in(struct guest *guest, uint64_t gpa)
{
    struct npt_page page;

    if (npt_find(&guest->npt, gpa, &page) && page.type != NPT_BALLOONED)
        return -XEN_EINVAL;
    return physmap_back(guest, gpa);
}

int64_t physmap_back(struct guest *guest, uint64_t gpa)
{
    struct npt_page page;
    uint64_t frame;
    int64_t result;

    if (!guest_is_ram(guest, gpa) || (npt_find(&guest->npt, gpa, &page) && npt_is_present(page.type)))
        return -XEN_EINVAL;
    frame = guest_alloc(guest, ORDER_4K);
    if (!frame)
        return -XEN_ENOMEM;
    text_zero(memory_pointer(frame), PAGE_SIZE); /* it may have been another guest's */
    result = replace(guest, gpa, frame, NPT_RAM, NPT_FOR_BALLOON);
    if (result)
        memory_free(frame, ORDER_4K);
    return result;
}

int64_t physmap_share(struct guest *guest, uint64_t gpa, uint64_t spa)
{
    return replace(guest, gpa, spa, NPT_FOREIGN, NPT_FOR_SHARING);
}

int64_t physmap_set_type(struct guest *guest, uint64_t gpa, enum npt_type type)
{
    enum npt_cause cause = type == NPT_MMIO        ? NPT_FOR_MMIO
                           : type == NPT_BALLOONED ? NPT_FOR_BALLOON
                                                   : NPT_FOR_READ_ONLY;
    struct npt_page page;
    bool done;

    if (!npt_is_present(type))
        return replace(guest, gpa, 0, type, cause);
    if (!npt_find(&guest->npt, gpa, &page) || !is_own(page.type))
        return -XEN_EINVAL;
    lock_acquire(&guest->memory_lock);
    /* RAM that is not yet noted as written must be noted, or its write would not be. */
    log_dirty_mark(&guest->log, gpa >> PAGE_SHIFT);
    done = npt_set_type(&guest->npt, gpa, type, cause);
    if (done)
        paging_lowered(guest, page_of(gpa), PAGE_SIZE);
    lock_release(&guest->memory_lock);
    return done ? 0 : -XEN_ENOMEM;
}

int64_t physmap_break(struct guest *guest, uint64_t gpa)
{
    struct npt_page page;
    bool done = false;

    if (guest->pv) /* its own tables map the frame */
        return -XEN_EOPNOTSUPP;
    gpa = page_of(gpa);
    lock_acquire(&guest->memory_lock);
    if (npt_find(&guest->npt, gpa, &page) && is_own(page.type))
        done = npt_place(&guest->npt, gpa, 0, NPT_BALLOONED, NPT_FOR_RETIREMENT);
    if (done)
        paging_lowered(guest, gpa, PAGE_SIZE);
    lock_release(&guest->memory_lock);
    return done ? 0 : -XEN_EINVAL;
}

int64_t physmap_retire(struct guest *guest, uint64_t gpa)
{
    struct npt_page page;
    uint64_t fresh = guest->pv ? 0 : guest_alloc(guest, ORDER_4K);
    bool done = false;

    if (guest->pv) /* its kernel knows machine frames: it must exchange them itself */
        return -XEN_EOPNOTSUPP;
    if (!fresh)
        return -XEN_ENOMEM;
    gpa = page_of(gpa);
    if (npt_find(&guest->npt, gpa, &page) && memory_marks(page.spa) & PAGE_BROKEN) {
        memory_free(fresh, ORDER_4K);
        return -XEN_EIO; /* its contents are lost: hv must not read them */
    }
    schedule_pause(guest);
    lock_acquire(&guest->memory_lock);
    if (npt_find(&guest->npt, gpa, &page) && is_own(page.type)) {
        memcpy(memory_pointer(fresh), memory_pointer(page.spa), PAGE_SIZE);
        done = npt_place(&guest->npt, gpa, fresh, page.type, NPT_FOR_RETIREMENT);
        if (done)
            paging_lowered(guest, gpa, PAGE_SIZE);
    }
    lock_release(&guest->memory_lock);
    schedule_unpause(guest);
    if (done)
        memory_offline(page.spa, false);
    memory_free(done ? page.spa : fresh, ORDER_4K); /* the old one leaves the pool with that */
    return done ? 0 : -XEN_EINVAL;
}

/* ---- Promotion ------------------------------------------------------------------------------------------- */

/*
 * The guest is paused: hv's own readers of the map take no lock, and a table is free at once after the flush. Walk
 * caches hold it under the vCPUs' old ASIDs only.
 */
int64_t physmap_promote(struct guest *guest)
{
    int64_t joined = 0;

    if (guest->log.on)
        return -XEN_EBUSY;
    schedule_pause(guest);
    lock_acquire(&guest->memory_lock);
    for (enum npt_size size = NPT_2M; size <= guest->spec.backing; size++) {
        for (uint64_t gpa = 0; gpa < guest_top(guest); gpa += npt_bytes(size)) {
            uint64_t table = npt_promote(&guest->npt, gpa, size);

            if (!table)
                continue;
            paging_lowered(guest, gpa, npt_bytes(size));
            memory_free(table, ORDER_4K);
            joined++;
        }
    }
    lock_release(&guest->memory_lock);
    schedule_unpause(guest);
    return joined;
}

void physmap_free(struct guest *guest)
{
    if (guest->log_room)
        memory_free((uintptr_t)guest->log_room, bitmap_order(guest));
    guest->log = (struct log_dirty){ 0 };
    guest->log_room = NULL;
}
