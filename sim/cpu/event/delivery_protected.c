/* SPDX-License-Identifier: MIT */
/* Delivery through a legacy IDT: task, interrupt and trap gates of 16 and 32 bits (APM2 8.7). */
#include "sim/cpu/event/task.h"

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/segment.h"

enum outcome delivery_code(struct core *core, const struct delivery *delivery, uint16_t selector, bool is64,
                           struct segment *cs, bool *inner)
{
    uint32_t error = selector_error(selector, delivery->ext);
    struct descriptor descriptor;
    enum outcome outcome;

    if (selector_is_null(selector))
        return core_fault_code(core, EXC_GP, delivery->ext);
    outcome = descriptor_read(core, selector, EXC_GP, delivery->ext, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (!attr_is_code(descriptor.attr) || attr_dpl(descriptor.attr) > core->cpl ||
        (is64 && (!bit(descriptor.attr, ATTR_L) || bit(descriptor.attr, ATTR_DB)))) /* see delivery.h */
        return core_fault_code(core, EXC_GP, error);
    if (!attr_is_present(descriptor.attr))
        return core_fault_code(core, EXC_NP, error);
    *inner = !attr_is_conforming(descriptor.attr) && attr_dpl(descriptor.attr) < core->cpl;
    outcome = descriptor_mark_accessed(core, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    *cs = descriptor_segment(&descriptor);
    cs->selector = (uint16_t)bits_put(selector, SELECTOR_RPL, *inner ? attr_dpl(cs->attr) : core->cpl);
    return OUTCOME_NEXT;
}

void delivery_enter(struct core *core, const struct segment *cs, unsigned cpl, uint64_t rip, bool mask_interrupts)
{
    uint64_t cleared = RFLAGS_TF | RFLAGS_NT | RFLAGS_VM | RFLAGS_RF | (mask_interrupts ? RFLAGS_IF : 0);

    core->seg[SEG_CS] = *cs;
    core->cpl = (uint8_t)cpl;
    core->rip = core->next_rip = rip;
    rflags_write(core, rflags_read(core) & ~cleared);
    core_mode_changed(core, false);
}

/* Read and check the IDT entry. */
static enum outcome read_gate(struct core *core, const struct delivery *delivery, struct gate *gate)
{
    unsigned offset = delivery->event->vector * 8u;
    enum outcome outcome;
    uint64_t low;

    if (offset + 7 > core->idtr.limit)
        return core_fault_code(core, EXC_GP, delivery_idt_error(delivery));
    outcome = linear_read(core, linear_wrap(core, core->idtr.base + offset), 8, MMU_READ, &low);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    *gate = gate_decode(low, 0);
    if (gate->type != TYPE_TASK_GATE && gate->type != TYPE_INTERRUPT_GATE16 && gate->type != TYPE_TRAP_GATE16 &&
        gate->type != TYPE_INTERRUPT_GATE32 && gate->type != TYPE_TRAP_GATE32)
        return core_fault_code(core, EXC_GP, delivery_idt_error(delivery));
    if (delivery->software && gate->dpl < core->cpl)
        return core_fault_code(core, EXC_GP, delivery_idt_error(delivery));
    if (!gate->present)
        return core_fault_code(core, EXC_NP, delivery_idt_error(delivery));
    return OUTCOME_NEXT;
}

static enum outcome push_list(struct core *core, struct frame *frame, unsigned size, const uint64_t *values,
                              unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        enum outcome outcome = frame_push(core, frame, size, values[i]);

        if (outcome != OUTCOME_NEXT)
            return outcome;
    }
    return OUTCOME_NEXT;
}

/* rFLAGS, CS, rIP and the error code, which every frame ends with. */
static enum outcome push_return(struct core *core, const struct delivery *delivery, struct frame *frame, unsigned size)
{
    const uint64_t values[] = { delivery->rflags, core->seg[SEG_CS].selector, delivery->rip, delivery->event->error };

    return push_list(core, frame, size, values, delivery->event->has_error ? 4 : 3);
}

static enum outcome push_outer_stack(struct core *core, struct frame *frame, unsigned size)
{
    const uint64_t data[] = { core->seg[SEG_GS].selector, core->seg[SEG_FS].selector, core->seg[SEG_DS].selector,
                              core->seg[SEG_ES].selector };
    const uint64_t stack[] = { core->seg[SEG_SS].selector, core->gpr[RSP] };
    enum outcome outcome = OUTCOME_NEXT;

    if (core->mode == MODE_VIRTUAL_8086)
        outcome = push_list(core, frame, size, data, 4);
    return outcome == OUTCOME_NEXT ? push_list(core, frame, size, stack, 2) : outcome;
}

/* The handler must lie inside its segment: looked at last, after the stack (APM3 INT). */
static enum outcome check_offset(struct core *core, const struct delivery *delivery, const struct gate *gate,
                                 const struct segment *cs)
{
    return gate->offset <= cs->limit ? OUTCOME_NEXT : core_fault_code(core, EXC_GP, delivery->ext);
}

/* A more privileged handler: the stack comes from the TSS (APM2 8.7.3, from virtual-8086 mode 8.7.5). */
static enum outcome enter_inner(struct core *core, const struct delivery *delivery, const struct gate *gate,
                                const struct segment *cs)
{
    static const uint8_t data[] = { SEG_GS, SEG_FS, SEG_DS, SEG_ES };
    unsigned cpl = attr_dpl(cs->attr), size = gate->type & 8 ? 4 : 2;
    struct segment ss;
    struct frame frame;
    uint64_t sp;
    enum outcome outcome = tss_inner_stack(core, cpl, delivery->ext, &ss, &sp);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    frame_begin_at(&frame, &ss, sp, cpl, false, selector_error(ss.selector, delivery->ext));
    outcome = push_outer_stack(core, &frame, size);
    if (outcome == OUTCOME_NEXT)
        outcome = push_return(core, delivery, &frame, size);
    if (outcome == OUTCOME_NEXT)
        outcome = check_offset(core, delivery, gate, cs);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (core->mode == MODE_VIRTUAL_8086)
        for (unsigned i = 0; i < sizeof(data); i++)
            segment_make_null(&core->seg[data[i]], 0);
    frame_commit(core, &frame);
    core->seg[SEG_SS] = ss;
    delivery_enter(core, cs, cpl, gate->offset, !(gate->type & 1));
    return OUTCOME_NEXT;
}

static enum outcome enter_same(struct core *core, const struct delivery *delivery, const struct gate *gate,
                               const struct segment *cs)
{
    struct frame frame;
    enum outcome outcome;

    frame_begin(core, &frame, delivery->ext);
    outcome = push_return(core, delivery, &frame, gate->type & 8 ? 4 : 2);
    if (outcome == OUTCOME_NEXT)
        outcome = check_offset(core, delivery, gate, cs);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    frame_commit(core, &frame);
    delivery_enter(core, cs, core->cpl, gate->offset, !(gate->type & 1));
    return OUTCOME_NEXT;
}

enum outcome delivery_protected(struct core *core, const struct delivery *delivery)
{
    bool virtual_8086 = core->mode == MODE_VIRTUAL_8086, done = false, inner;
    enum outcome outcome = OUTCOME_NEXT;
    struct segment cs;
    struct gate gate;

    if (virtual_8086 && delivery->event->kind == EVENT_SOFT_INT)
        outcome = delivery_virtual_8086(core, delivery, &done);
    if (outcome != OUTCOME_NEXT || done)
        return outcome;
    outcome = read_gate(core, delivery, &gate);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (gate.type == TYPE_TASK_GATE)
        return task_gate(core, delivery, gate.selector);
    if (!(gate.type & 8))
        gate.offset &= 0xFFFF; /* 16-bit gates: the upper word is reserved */
    gate.offset &= UINT32_MAX;
    outcome = delivery_code(core, delivery, gate.selector, false, &cs, &inner);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (virtual_8086 && (!inner || attr_dpl(cs.attr) != 0))
        return core_fault_code(core, EXC_GP, selector_error(gate.selector, delivery->ext));
    return inner ? enter_inner(core, delivery, &gate, &cs) : enter_same(core, delivery, &gate, &cs);
}
