/* SPDX-License-Identifier: MIT */
/*
 * memory_op of translated guests: where the shared page is, how much memory there is. grant_table_op: version 1, four
 * frames.
 */
#include "hv/vm/hypercall.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/physmap.h"
#include "hv/vm/shared_info.h"

#define GRANT_STATUS_OKAY 0

/* The guest's grant frames are made when the first is asked for. Nobody maps or copies a grant yet. */
bool guest_make_grant_frames(struct guest *guest)
{
    if (guest->grant_frames)
        return true;
    guest->grant_frames = memory_alloc(GUEST_GRANT_ORDER);
    if (guest->grant_frames)
        text_zero(memory_pointer(guest->grant_frames), GUEST_GRANT_FRAMES * PAGE_SIZE);
    return guest->grant_frames != 0;
}

static int64_t map_grant_frame(struct guest *guest, uint64_t index, uint64_t gpa)
{
    if (index >= GUEST_GRANT_FRAMES)
        return -XEN_EINVAL;
    if (!guest_make_grant_frames(guest))
        return -XEN_ENOMEM;
    return physmap_share(guest, gpa, guest->grant_frames + index * PAGE_SIZE);
}

static int64_t add_to_physmap(struct hypercall *call)
{
    struct memory_add_to_physmap_64 op;
    struct memory_add_to_physmap_32 narrow;
    struct guest *guest;

    if (call->in_64bit) {
        if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
            return -XEN_EFAULT;
    } else {
        if (!hypercall_copy_in(call, &narrow, call->argument[1], sizeof(narrow)))
            return -XEN_EFAULT;
        op = (struct memory_add_to_physmap_64){ narrow.domid, narrow.size, narrow.space, narrow.index, narrow.gpfn };
    }
    guest = hypercall_guest(call, op.domid);
    if (!guest)
        return -XEN_ESRCH;
    if (op.gpfn >= GUEST_MEMORY_MAX / PAGE_SIZE)
        return -XEN_EINVAL;
    if (op.space == PHYSMAP_GRANT_TABLE)
        return map_grant_frame(guest, op.index, op.gpfn * PAGE_SIZE);
    if (op.space != PHYSMAP_SHARED_INFO || op.index != 0)
        return -XEN_EINVAL;
    if (!shared_info_map(guest, op.gpfn * PAGE_SIZE))
        return -XEN_ENOMEM;
    guest->shared_info_32 = !call->in_64bit; /* as Xen: the layout of the mode that asks */
    return 0;
}

static int64_t pages_of(struct hypercall *call)
{
    uint16_t domid;
    const struct guest *guest;

    if (!hypercall_copy_in(call, &domid, call->argument[1], sizeof(domid)))
        return -XEN_EFAULT;
    guest = hypercall_guest(call, domid);
    return guest ? (int64_t)guest_pages(guest) : -XEN_ESRCH;
}

static int64_t maximum_of(struct hypercall *call)
{
    uint16_t domid;
    const struct guest *guest;

    if (!hypercall_copy_in(call, &domid, call->argument[1], sizeof(domid)))
        return -XEN_EFAULT;
    guest = hypercall_guest(call, domid);
    return guest ? (int64_t)(guest->spec.memory / PAGE_SIZE) : -XEN_ESRCH;
}

static int64_t maximum_ram_page(struct hypercall *call)
{
    (void)call;
    return (int64_t)(memory_end() / PAGE_SIZE) - 1;
}

static int64_t memory_map(struct hypercall *call)
{
    const struct guest *guest = call->vcpu->guest;
    struct memory_map_64 op;
    struct memory_map_32 narrow;
    struct guest_ram ram[GUEST_RAM_PIECES];
    uint32_t count = guest_ram_told(guest, ram);

    if (call->in_64bit) {
        if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
            return -XEN_EFAULT;
    } else {
        if (!hypercall_copy_in(call, &narrow, call->argument[1], sizeof(narrow)))
            return -XEN_EFAULT;
        op = (struct memory_map_64){ .nr_entries = narrow.nr_entries, .buffer = narrow.buffer };
    }
    if (op.nr_entries < count)
        return -XEN_EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        struct memory_map_entry entry = { ram[i].start, ram[i].end - ram[i].start, 1 };

        if (!hypercall_copy_out(call, op.buffer + i * sizeof(entry), &entry, sizeof(entry)))
            return -XEN_EFAULT;
    }
    return hypercall_copy_out(call, call->argument[1], &count, sizeof(count)) ? 0 : -XEN_EFAULT;
}

static const struct hypercall_row memory_commands[] = {
    { MEMORY_MAXIMUM_RAM_PAGE, "maximum_ram_page", maximum_ram_page, CALLER_ANY },
    { MEMORY_CURRENT_RESERVATION, "current_reservation", pages_of, CALLER_ANY },
    { MEMORY_MAXIMUM_RESERVATION, "maximum_reservation", maximum_of, CALLER_ANY },
    { MEMORY_ADD_TO_PHYSMAP, "add_to_physmap", add_to_physmap, CALLER_ANY },
    { MEMORY_MEMORY_MAP, "memory_map", memory_map, CALLER_ANY },
};

int64_t hypercall_memory_op(struct hypercall *call)
{
    return hypercall_dispatch(call, HYPERCALL_ROWS(memory_commands), call->argument[0]);
}

/* ---- Grants: a table that nobody else reads -------------------------------------------------------------- */

static int64_t query_size(struct hypercall *call)
{
    struct gnttab_query_size op;

    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    if (!hypercall_guest(call, op.domid))
        return -XEN_ESRCH;
    op.nr_frames = op.max_nr_frames = GUEST_GRANT_FRAMES;
    op.status = GRANT_STATUS_OKAY;
    return hypercall_copy_out(call, call->argument[1], &op, sizeof(op)) ? 0 : -XEN_EFAULT;
}

static int64_t set_version(struct hypercall *call)
{
    struct gnttab_version op;

    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    if (op.version != 1)
        return -XEN_EINVAL;
    return 0;
}

static int64_t get_version(struct hypercall *call)
{
    struct gnttab_get_version op;

    if (!hypercall_copy_in(call, &op, call->argument[1], sizeof(op)))
        return -XEN_EFAULT;
    if (!hypercall_guest(call, op.domid))
        return -XEN_ESRCH;
    op.version = 1;
    return hypercall_copy_out(call, call->argument[1], &op, sizeof(op)) ? 0 : -XEN_EFAULT;
}

static const struct hypercall_row grant_commands[] = {
    { GNTTABOP_QUERY_SIZE, "query_size", query_size, CALLER_ANY },
    { GNTTABOP_SET_VERSION, "set_version", set_version, CALLER_ANY },
    { GNTTABOP_GET_VERSION, "get_version", get_version, CALLER_ANY },
};

/* Command, pointer, how many: hv takes one at a time. */
int64_t hypercall_grant_table_op(struct hypercall *call)
{
    if (call->argument[2] > 1)
        return -XEN_EINVAL;
    return hypercall_dispatch(call, HYPERCALL_ROWS(grant_commands), call->argument[0]);
}
