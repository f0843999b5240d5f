/* SPDX-License-Identifier: MIT */
/*
 * Which entries lead to a frame is written nowhere: counts say how many do. So every table of the guest's is looked
 * through, which for one frame is less than keeping a reverse map of all would be.
 */
#include "hv/pv/pv.h"

#include "hv/core/text.h"

#define FRAME_BYTES 4096
#define VCPU_TABLE_ENTRIES 32 /* of a vCPU's GDT and LDT */

static void redirect(uint64_t *entry, uint64_t from, uint64_t to)
{
    if (*entry & PTE_P && (*entry & PTE_ADDRESS) == from * FRAME_BYTES)
        *entry = (*entry & ~PTE_ADDRESS) | to * FRAME_BYTES;
}

void pv_types_relocate(struct pv_types *types, uint64_t limit, uint64_t from, uint64_t to)
{
    struct pv_frame *old = types->frame(types->ctx, from), *new = types->frame(types->ctx, to);

    memcpy(types->memory(types->ctx, to), types->memory(types->ctx, from), FRAME_BYTES);
    *new = *old;
    *old = (struct pv_frame){ .owner = types->owner };
    for (uint64_t frame = 0; frame < limit; frame++) {
        const struct pv_frame *f = types->frame(types->ctx, frame);
        uint64_t *table;

        if (!f || f->owner != types->owner || f->type < PV_L1 || f->type > PV_L4)
            continue;
        table = types->memory(types->ctx, frame);
        for (unsigned i = 0; i < PV_TABLE_ENTRIES; i++) /* hv's own entries lead to no frame of a guest's */
            redirect(&table[i], from, to);
    }
}

void pv_relocate(struct pv_guest *guest, uint64_t limit, uint64_t from, uint64_t to)
{
    pv_types_relocate(&guest->types, limit, from, to);
    for (unsigned v = 0; v < guest->vcpu_count; v++) {
        struct pv_vcpu *vcpu = guest->vcpus[v];

        if (vcpu->kernel_root == from * FRAME_BYTES)
            vcpu->kernel_root = to * FRAME_BYTES;
        if (vcpu->user_root == from * FRAME_BYTES)
            vcpu->user_root = to * FRAME_BYTES;
        for (unsigned i = 0; i < PV_GDT_FRAMES; i++)
            if (vcpu->gdt_frames[i] == from)
                vcpu->gdt_frames[i] = to;
        for (unsigned i = 0; i < VCPU_TABLE_ENTRIES; i++)
            redirect(&vcpu->tables[i], from, to);
    }
}
