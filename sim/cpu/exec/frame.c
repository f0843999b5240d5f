/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/frame.h"

#include "sim/cpu/exec/descriptor.h"

void frame_begin(const struct core *core, struct frame *frame, unsigned ext)
{
    frame->ss = core->seg[SEG_SS];
    frame->rsp = core->gpr[RSP];
    frame->width = core->stack_size;
    frame->access = MMU_WRITE | core->access;
    frame->error = ext;
    frame->count = 0;
}

void frame_begin_at(struct frame *frame, const struct segment *ss, uint64_t rsp, unsigned cpl, bool is64,
                    uint32_t error)
{
    frame->ss = *ss;
    frame->rsp = rsp;
    frame->width = is64 ? 8 : bit(ss->attr, ATTR_DB) ? 4 : 2;
    frame->access = MMU_WRITE | (cpl == 3 ? MMU_USER : 0);
    frame->error = error;
    frame->count = 0;
}

bool stack_limit_allows(const struct segment *ss, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;

    if (attr_is_data(ss->attr) && bit(ss->attr, TYPE_EXPAND_DOWN))
        return offset > ss->limit && last <= (bit(ss->attr, ATTR_DB) ? UINT32_MAX : 0xFFFFu);
    return last <= ss->limit;
}

enum outcome frame_push(struct core *core, struct frame *frame, unsigned size, uint64_t value)
{
    struct frame_item *item = &frame->item[frame->count];
    uint64_t offset = zero_extend(frame->rsp - size, frame->width);
    enum outcome outcome;
    gva_t linear;

    if (frame->width == 8) {
        linear = offset;
        if (!is_canonical(offset) || !is_canonical(offset + size - 1))
            return core_fault_code(core, EXC_SS, frame->error);
    } else {
        bool usable = core_in_real_style(core) ||
                      (attr_is_present(frame->ss.attr) && attr_is_writable_data(frame->ss.attr));

        if (!usable || !stack_limit_allows(&frame->ss, offset, size))
            return core_fault_code(core, EXC_SS, frame->error);
        linear = (frame->ss.base + offset) & UINT32_MAX;
    }
    outcome = linear_probe(core, linear, size, frame->access, &item->ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    item->value = zero_extend(value, size);
    frame->count++;
    frame->rsp = frame->width == 2 ? (frame->rsp & ~UINT64_C(0xFFFF)) | offset : offset;
    return OUTCOME_NEXT;
}

void frame_commit(struct core *core, const struct frame *frame)
{
    for (unsigned i = 0; i < frame->count; i++)
        ref_store(core, &frame->item[i].ref, frame->item[i].value);
    core->gpr[RSP] = frame->rsp;
}
