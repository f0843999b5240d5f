/* SPDX-License-Identifier: MIT */
/*
 * A free frame leaves the pool at once; one that somebody has is marked and leaves when it is given back; hv's
 * own cannot be
 * offlined. Broken frames (hv has seen an uncorrected error in them) never come back.
 */
#include "hv/vm/page_offline.h"

#include "hv/abi/control.h"
#include "hv/abi/mca.h"
#include "hv/core/memory.h"
#include "hv/vm/frame_owner.h"
#include "hv/vm/machine_check_case.h"

#define FRAMES_MAX 1024u /* in one call */

static uint32_t status_of(unsigned marks)
{
    return (marks & PAGE_OFFLINED ? PAGE_STATUS_OFFLINED : 0) | (marks & PAGE_PENDING ? PAGE_STATUS_PENDING : 0) |
           (marks & PAGE_BROKEN ? PAGE_STATUS_BROKEN : 0);
}

static uint32_t offline(uint64_t address)
{
    struct frame_owner owner;

    if (address >= memory_end())
        return PAGE_STATUS_FAILED | PAGE_STATUS_NOT_RAM;
    if (memory_marks(address) & PAGE_OFFLINED)
        return status_of(memory_marks(address));
    frame_owner_find(address, &owner);
    if (owner.kind == MCA_OWNER_XEN)
        return PAGE_STATUS_FAILED | PAGE_STATUS_XENPAGE;
    if (owner.kind == MCA_OWNER_FREE)
        return status_of(memory_offline(address, false));
    return status_of(memory_offline(address, false)) | PAGE_STATUS_OWNED |
           (owner.kind == MCA_OWNER_DOM0 ? PAGE_STATUS_DOM0PAGE : 0) |
           (uint32_t)owner.guest->domid << PAGE_STATUS_OWNER_SHIFT;
}

static uint32_t online(uint64_t address)
{
    if (memory_marks(address) & PAGE_BROKEN)
        return PAGE_ONLINE_FAILED | PAGE_ONLINE_BROKEN;
    return memory_online(address) ? PAGE_ONLINE_ONLINED : PAGE_ONLINE_FAILED;
}

static uint32_t query(uint64_t address)
{
    unsigned marks = memory_marks(address);

    uint32_t broken = marks & PAGE_BROKEN ? PAGE_QUERY_BROKEN : 0;

    if (marks & PAGE_OFFLINED)
        return PAGE_QUERY_OFFLINED | broken;
    return (marks & PAGE_PENDING ? PAGE_QUERY_PENDING : PAGE_QUERY_ONLINE) | broken;
}

uint32_t page_offline_one(uint32_t command, uint64_t frame)
{
    uint64_t address = frame << PAGE_SHIFT;

    return command == PAGE_OFFLINE ? offline(address) : command == PAGE_ONLINE ? online(address) : query(address);
}

/* An answer to the record of an open case, if the frame is the case's. */
static void note_answer(uint64_t frame, uint32_t status)
{
    struct frame_owner owner;

    frame_owner_find(frame << PAGE_SHIFT, &owner);
    if (owner.guest)
        machine_check_operation("offline-page", owner.guest, frame << PAGE_SHIFT,
                                status & PAGE_STATUS_FAILED ? -XEN_EINVAL : 0, false);
}

int64_t sysctl_page_offline(struct hypercall *call)
{
    struct sysctl op;
    struct sysctl_page_offline_op *page = &op.page_offline;

    if (!hypercall_copy_in(call, &op, call->argument[0], sizeof(op)))
        return -XEN_EFAULT;
    if (page->command < PAGE_OFFLINE || page->command > PAGE_QUERY || page->start > page->end ||
        page->end - page->start >= FRAMES_MAX)
        return -XEN_EINVAL;
    for (uint32_t frame = page->start, i = 0; i <= page->end - page->start; i++) {
        uint32_t status = page_offline_one(page->command, (uint64_t)frame + i);

        if (!hypercall_copy_out(call, page->status + i * sizeof(status), &status, sizeof(status)))
            return -XEN_EFAULT;
        if (page->command == PAGE_OFFLINE)
            note_answer((uint64_t)frame + i, status);
    }
    return 0;
}
