/* SPDX-License-Identifier: MIT */
#include "hv/vm/control_memory.h"

#include "hv/core/memory.h"
#include "hv/vm/machine_check_case.h"
#include "hv/vm/physmap.h"
#include "hv/vm/pv_frames.h"
#include "hv/vm/pv_suspend.h"

static uint64_t shared_page; /* what HV_MEMORY_SHARE maps: one page of hv's for all, atomic */

/* ---- shadow_op ------------------------------------------------------------------------------------------- */

static unsigned room_order(uint64_t bytes)
{
    unsigned order = 0;

    while ((uint64_t)PAGE_SIZE << order < bytes)
        order++;
    return order;
}

static int64_t take(const struct hypercall *call, struct guest *guest, struct domctl_shadow_op *op)
{
    uint64_t frames = physmap_frames(guest), bytes = log_dirty_bytes(frames);
    uint64_t room = memory_alloc(room_order(bytes));
    int64_t result;

    if (!room)
        return -XEN_ENOMEM;
    op->fault_count = (uint32_t)__atomic_load_n(&guest->log.faults, __ATOMIC_RELAXED);
    result = physmap_log_dirty_take(guest, memory_pointer(room), op->op == SHADOW_OP_CLEAN);
    if (op->pages > frames)
        op->pages = frames;
    op->dirty_count = 0;
    for (uint64_t i = 0; i < frames && !result; i++)
        op->dirty_count += ((const uint64_t *)memory_pointer(room))[i / 64] >> i % 64 & 1;
    if (!result && op->dirty_bitmap &&
        !hypercall_copy_out(call, op->dirty_bitmap, memory_pointer(room), (op->pages + 7) / 8))
        result = -XEN_EFAULT;
    memory_free(room, room_order(bytes));
    return result;
}

int64_t control_shadow_op(const struct hypercall *call, struct guest *guest, struct domctl_shadow_op *op)
{
    switch (op->op) {
    case SHADOW_OP_ENABLE_LOGDIRTY:
        return physmap_log_dirty_begin(guest);
    case SHADOW_OP_OFF:
        return physmap_log_dirty_end(guest);
    case SHADOW_OP_CLEAN:
    case SHADOW_OP_PEEK:
        return take(call, guest, op);
    default:
        return -XEN_ENOSYS;
    }
}

/* ---- hv's own -------------------------------------------------------------------------------------------- */

static int64_t share(struct guest *guest, uint64_t gpa)
{
    uint64_t page = __atomic_load_n(&shared_page, __ATOMIC_ACQUIRE), none = 0;

    if (!page) {
        page = (uintptr_t)memory_alloc_page();
        if (!__atomic_compare_exchange_n(&shared_page, &none, page, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            memory_free(page, ORDER_4K);
            page = none;
        }
    }
    return physmap_share(guest, gpa, page);
}

static int64_t promote(struct guest *guest, uint64_t *joined)
{
    int64_t result = physmap_promote(guest);

    *joined = result < 0 ? 0 : (uint64_t)result;
    return result < 0 ? result : 0;
}

/* Whose frame it was: an answer to a machine check there. */
static int64_t retire(struct guest *guest, uint64_t gpa)
{
    struct npt_page page = { .spa = MACHINE_CHECK_NO_FRAME };
    bool had = npt_find(&guest->npt, gpa, &page);
    int64_t result = physmap_retire(guest, gpa);

    if (had)
        machine_check_operation("retire", guest, page.spa, result, false);
    return result;
}

static int64_t retire_frame(struct guest *guest, struct domctl_hv_memory *op)
{
    uint64_t gpa;

    if (!npt_find_spa(&guest->npt, op->gfn << PAGE_SHIFT, &gpa))
        return -XEN_ENOENT;
    op->result = gpa >> PAGE_SHIFT;
    return retire(guest, gpa);
}

int64_t control_hv_memory(struct guest *guest, struct domctl_hv_memory *op)
{
    uint64_t gpa = op->gfn << PAGE_SHIFT;

    if (op->op == HV_MEMORY_PROMOTE)
        return promote(guest, &op->result);
    if (op->op == HV_MEMORY_ENTRIES && op->gfn < NPT_SIZE_COUNT) {
        op->result = npt_entries(&guest->npt, (enum npt_size)op->gfn);
        return 0;
    }
    if (op->op == HV_MEMORY_RETIRE_FRAME)
        return retire_frame(guest, op);
    if (op->gfn >= physmap_frames(guest))
        return -XEN_EINVAL;
    switch (op->op) {
    case HV_MEMORY_BALLOON_OUT:
        return physmap_balloon_out(guest, gpa);
    case HV_MEMORY_BALLOON_IN:
        return physmap_balloon_in(guest, gpa);
    case HV_MEMORY_SHARE:
        return share(guest, gpa);
    case HV_MEMORY_MMIO:
        return physmap_set_type(guest, gpa, NPT_MMIO);
    case HV_MEMORY_READ_ONLY:
        return physmap_set_type(guest, gpa, NPT_READ_ONLY);
    case HV_MEMORY_RAM:
        return physmap_set_type(guest, gpa, NPT_RAM);
    case HV_MEMORY_RETIRE:
        return retire(guest, gpa);
    default:
        return -XEN_ENOSYS;
    }
}

int64_t control_pv_memory(struct hypercall *call, struct guest *guest, struct domctl_hv_memory *op)
{
    uint64_t frame = op->gfn;
    int64_t result;

    if (op->op != HV_MEMORY_RETIRE_FRAME)
        return -XEN_EOPNOTSUPP; /* its own tables map its memory */
    result = pv_suspend(guest);
    if (result == -XEN_EAGAIN) {
        call->again = true;
        return 0;
    }
    if (!result) {
        result = pv_replace_frame(guest, frame, &op->result);
        pv_suspend_cancel(guest);
    }
    machine_check_operation("retire", guest, frame << PAGE_SHIFT, result, false);
    return result;
}
