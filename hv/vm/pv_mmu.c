/* SPDX-License-Identifier: MIT */
/* Page tables and memory of paravirtual guests: mmu_update, update_va_mapping, mmuext_op, memory_op. */
#include "hv/vm/pv_guest.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/schedule.h"

#define UPDATE_COMMAND(ptr) ((ptr) & 3)
#define UPDATE_ADDRESS(ptr) ((ptr) & ~7ull)
#define UPDATE_PREEMPTED 0x80000000u
#define BATCH 512 /* entries of one call that hv works on before interrupts and other vCPUs get their turn */
#define FRAMES_MAX (1ull << 20)

static struct pv_guest *guest_of(const struct hypercall *call)
{
    return call->vcpu->pv->guest;
}

/* Own memory alone, so far. */
static bool is_self(const struct hypercall *call, uint64_t domid)
{
    return (domid & 0xFFFF) == DOMID_SELF || (domid & 0xFFFF) == call->vcpu->guest->domid;
}

/* ---- mmu_update: list, count, where the number done goes, whose memory ----------------------------------- */

static int64_t machphys(struct pv_guest *guest, uint64_t frame, uint64_t value)
{
    if (!pv_owns(&guest->types, frame))
        return -XEN_EINVAL;
    pv_m2p_set(frame, value);
    return 0;
}

static int64_t update(struct pv_guest *guest, const struct pv_mmu_update *op)
{
    int64_t error;

    lock_acquire(&guest->lock);
    switch (UPDATE_COMMAND(op->ptr)) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_PRESERVE_AD:
        error = pv_entry_write(&guest->types, UPDATE_ADDRESS(op->ptr), op->value,
                               UPDATE_COMMAND(op->ptr) == MMU_PT_UPDATE_PRESERVE_AD);
        break;
    case MMU_MACHPHYS_UPDATE:
        error = machphys(guest, op->ptr / PAGE_SIZE, op->value);
        break;
    default:
        error = -XEN_ENOSYS;
    }
    lock_release(&guest->lock);
    return error;
}

/*
 * The number done so far: after a batch the call repeats itself with the rest of its list, and its count says so in bit
 * 31, as Xen's does.
 */
static bool done_before(struct hypercall *call, uint32_t *done)
{
    *done = 0;
    if (!(call->argument[1] & UPDATE_PREEMPTED) || !call->argument[2])
        return true;
    return hypercall_copy_in(call, done, call->argument[2], sizeof(*done));
}

int64_t pv_mmu_update(struct hypercall *call)
{
    uint32_t count = (uint32_t)call->argument[1] & ~UPDATE_PREEMPTED, i, done;
    int64_t error = is_self(call, call->argument[3]) ? 0 : -XEN_ESRCH;

    if (!done_before(call, &done))
        return -XEN_EFAULT;
    for (i = 0; !error && i < count && i < BATCH; i += !error) {
        struct pv_mmu_update op;

        if (hypercall_copy_in(call, &op, call->argument[0] + i * sizeof(op), sizeof(op)))
            error = update(guest_of(call), &op);
        else
            error = -XEN_EFAULT;
    }
    done += i;
    if (call->argument[2] && !hypercall_copy_out(call, call->argument[2], &done, sizeof(done)) && !error)
        error = -XEN_EFAULT;
    if (!error && i < count) {
        call->argument[0] += i * sizeof(struct pv_mmu_update);
        call->argument[1] = (count - i) | UPDATE_PREEMPTED;
        call->again = true;
    }
    return error;
}

/* ---- Flushes --------------------------------------------------------------------------------------------- */

/*
 * The caller's own translations go with each entry of hv, which loads CR3; other vCPUs are called out of the guest, all
 * of them: one that was not asked for loses nothing but time.
 */
static void flush_others(struct pv_guest *guest)
{
    pv_flush(guest, NULL);
}

/* Linear address, value, flags. */
int64_t pv_update_va_mapping(struct hypercall *call)
{
    struct pv_guest *guest = guest_of(call);
    uint64_t address;
    int64_t error = -XEN_EINVAL;

    if ((call->argument[2] & UVMF_TYPE) > UVMF_INVLPG)
        return -XEN_ENOSYS;
    lock_acquire(&guest->lock);
    if (pv_walk_entry(call->vcpu->pv->kernel_root, call->argument[0], &address))
        error = pv_entry_write(&guest->types, address, call->argument[1], false);
    lock_release(&guest->lock);
    if (!error && call->argument[2] & UVMF_TYPE && call->argument[2] & UVMF_WHERE)
        flush_others(guest);
    return error;
}

/* ---- mmuext_op: list, count, where the number done goes, whose memory ------------------------------------ */

static int64_t writable_page(struct pv_guest *guest, uint64_t frame, const void *from)
{
    int64_t error = pv_type_get(&guest->types, frame, PV_WRITABLE);
    void *to = memory_pointer(frame * PAGE_SIZE);

    if (error)
        return error;
    if (from)
        memcpy(to, from, PAGE_SIZE);
    else
        text_zero(to, PAGE_SIZE);
    pv_type_put(&guest->types, frame);
    return 0;
}

int64_t pv_mmuext_one(struct pv_vcpu *pv, const struct pv_mmuext *op)
{
    struct pv_guest *guest = pv->guest;
    struct pv_types *types = &guest->types;

    switch (op->command) {
    case MMUEXT_UNPIN_TABLE:
        return pv_unpin(types, op->arg1);
    case MMUEXT_NEW_BASEPTR:
        return pv_set_root(pv, true, op->arg1);
    case MMUEXT_NEW_USER_BASEPTR:
        return pv_set_root(pv, false, op->arg1);
    case MMUEXT_SET_LDT:
        return pv_set_ldt(pv, op->arg1, op->arg2 <= 8192 ? (unsigned)op->arg2 : 8193);
    case MMUEXT_CLEAR_PAGE:
        return writable_page(guest, op->arg1, NULL);
    case MMUEXT_COPY_PAGE:
        if (!pv_owns(types, op->arg2))
            return -XEN_EINVAL;
        return writable_page(guest, op->arg1, memory_pointer(op->arg2 * PAGE_SIZE));
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_FLUSH_CACHE: /* nothing that a guest has is not coherent */
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        flush_others(guest);
        return 0;
    default:
        if (op->command <= MMUEXT_PIN_L4_TABLE)
            return pv_pin(types, op->arg1, (enum pv_type)(PV_L1 + op->command));
        return -XEN_ENOSYS;
    }
}

int64_t pv_mmuext_op(struct hypercall *call)
{
    struct pv_guest *guest = guest_of(call);
    uint64_t count = (uint32_t)call->argument[1];
    uint32_t done = 0;
    int64_t error = is_self(call, call->argument[3]) ? 0 : -XEN_ESRCH;

    if (count > BATCH)
        return -XEN_E2BIG;
    while (!error && done < count) {
        struct pv_mmuext op;

        if (!hypercall_copy_in(call, &op, call->argument[0] + done * sizeof(op), sizeof(op))) {
            error = -XEN_EFAULT;
        } else {
            lock_acquire(&guest->lock);
            error = pv_mmuext_one(call->vcpu->pv, &op);
            lock_release(&guest->lock);
        }
        done += !error;
    }
    if (call->argument[2] && !hypercall_copy_out(call, call->argument[2], &done, sizeof(done)) && !error)
        error = -XEN_EFAULT;
    return error;
}

/* ---- memory_op ------------------------------------------------------------------------------------------- */

static int64_t read_reservation(struct hypercall *call, struct memory_reservation *op)
{
    if (!hypercall_copy_in(call, op, call->argument[1], sizeof(*op)))
        return -XEN_EFAULT;
    if (!is_self(call, op->domid))
        return -XEN_ESRCH;
    return op->extent_order == 0 && op->nr_extents <= FRAMES_MAX ? 0 : -XEN_EINVAL;
}

/* Frame numbers come from the list; how many went. */
static int64_t decrease(struct hypercall *call)
{
    struct memory_reservation op;
    int64_t error = read_reservation(call, &op), done = 0;

    for (uint64_t i = 0; !error && i < op.nr_extents; i++, done++) {
        uint64_t frame;

        if (!hypercall_copy_in(call, &frame, op.extent_start + i * sizeof(frame), sizeof(frame)) ||
            !pv_guest_drop_frame(call->vcpu->guest, frame))
            return done;
    }
    return error ? error : done;
}

static bool may_grow(const struct guest *guest)
{
    return guest_pages(guest) < guest->spec.memory / PAGE_SIZE;
}

/* increase: new frames, unnumbered; populate: for the guest's numbers in the list, which gets the machine's. */
static int64_t grow(struct hypercall *call, bool numbered)
{
    struct guest *guest = call->vcpu->guest;
    struct memory_reservation op;
    int64_t error = read_reservation(call, &op), done = 0;

    for (uint64_t i = 0; !error && i < op.nr_extents && may_grow(guest); i++, done++) {
        uint64_t at = op.extent_start + i * sizeof(uint64_t), pfn = ~0ull, frame;

        if (numbered && !hypercall_copy_in(call, &pfn, at, sizeof(pfn)))
            return done;
        lock_acquire(&guest->pv->lock);
        error = pv_guest_add_frames(guest, pfn, 1, &frame) == 1 ? 0 : -XEN_ENOMEM;
        lock_release(&guest->pv->lock);
        if (error)
            return done;
        if (op.extent_start && !hypercall_copy_out(call, at, &frame, sizeof(frame)))
            return done + 1;
    }
    return error ? error : done;
}

static int64_t increase(struct hypercall *call)
{
    return grow(call, false);
}

static int64_t populate(struct hypercall *call)
{
    return grow(call, true);
}

/* One frame for another, as many as asked for; no larger extents, and hv has no bound on addresses to keep. */
static int64_t exchange_one(struct hypercall *call, const struct memory_exchange *op, uint64_t i)
{
    struct guest *guest = call->vcpu->guest;
    uint64_t old, pfn, frame;
    bool added;

    if (!hypercall_copy_in(call, &old, op->in.extent_start + i * sizeof(old), sizeof(old)) ||
        !hypercall_copy_in(call, &pfn, op->out.extent_start + i * sizeof(pfn), sizeof(pfn)))
        return -XEN_EFAULT;
    if (!pv_guest_drop_frame(guest, old))
        return -XEN_EINVAL;
    lock_acquire(&guest->pv->lock);
    added = pv_guest_add_frames(guest, pfn, 1, &frame) == 1;
    lock_release(&guest->pv->lock);
    if (!added)
        return -XEN_ENOMEM;
    return hypercall_copy_out(call, op->out.extent_start + i * sizeof(frame), &frame, sizeof(frame)) ? 0 : -XEN_EFAULT;
}

static int64_t exchange(struct hypercall *call)
{
    struct memory_exchange op;
    uint64_t done = 0, at;
    int64_t error = 0;

    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    if (!is_self(call, op.in.domid) || !is_self(call, op.out.domid))
        return -XEN_ESRCH;
    if (op.in.extent_order || op.out.extent_order || op.in.nr_extents != op.out.nr_extents || op.nr_exchanged ||
        op.in.nr_extents > FRAMES_MAX)
        return -XEN_EINVAL;
    while (!error && done < op.in.nr_extents) {
        error = exchange_one(call, &op, done);
        done += !error;
    }
    at = call->argument[1] + offsetof(struct memory_exchange, nr_exchanged);
    if (!hypercall_copy_out(call, at, &done, sizeof(done)))
        error = -XEN_EFAULT;
    return error;
}

static int64_t machphys_mapping(struct hypercall *call)
{
    struct memory_machphys_mapping op = { PV_M2P_START, PV_M2P_END, memory_end() / PAGE_SIZE - 1 };

    return hypercall_copy_out(call, call->argument[1], &op, sizeof(op)) ? 0 : -XEN_EFAULT;
}

/* All of its memory in one piece: a paravirtual guest's own numbering has no holes. */
static int64_t memory_map(struct hypercall *call)
{
    struct memory_map_64 op;
    struct memory_map_entry entry = { 0, call->vcpu->guest->spec.memory, 1 };
    uint32_t count = 1;

    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    if (op.nr_entries < count)
        return -XEN_EINVAL;
    return hypercall_copy_out(call, op.buffer, &entry, sizeof(entry)) &&
                   hypercall_copy_out(call, call->argument[1], &count, sizeof(count))
               ? 0
               : -XEN_EFAULT;
}

static const struct hypercall_row memory_commands[] = {
    { MEMORY_INCREASE_RESERVATION, "increase_reservation", increase, CALLER_ANY },
    { MEMORY_DECREASE_RESERVATION, "decrease_reservation", decrease, CALLER_ANY },
    { MEMORY_MAXIMUM_RAM_PAGE, "maximum_ram_page", hypercall_memory_op, CALLER_ANY },
    { MEMORY_CURRENT_RESERVATION, "current_reservation", hypercall_memory_op, CALLER_ANY },
    { MEMORY_MAXIMUM_RESERVATION, "maximum_reservation", hypercall_memory_op, CALLER_ANY },
    { MEMORY_POPULATE_PHYSMAP, "populate_physmap", populate, CALLER_ANY },
    { MEMORY_MEMORY_MAP, "memory_map", memory_map, CALLER_ANY },
    { MEMORY_EXCHANGE, "exchange", exchange, CALLER_ANY },
    { MEMORY_MACHPHYS_MAPPING, "machphys_mapping", machphys_mapping, CALLER_ANY },
};

int64_t pv_memory_op(struct hypercall *call)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(memory_commands), call->argument[0]);
}
