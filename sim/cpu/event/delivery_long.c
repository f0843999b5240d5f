/* SPDX-License-Identifier: MIT */
/* Delivery in long mode: 16-byte gates to 64-bit code, IST, always a full frame (APM2 8.9). */
#include "sim/cpu/event/delivery.h"

#include "sim/cpu/exec/segment.h"

static enum outcome read_gate(struct core *core, const struct delivery *delivery, struct gate *gate)
{
    unsigned offset = delivery->event->vector * 16u;
    uint64_t low, high;
    enum outcome outcome;

    if (offset + 15 > core->idtr.limit)
        return core_fault_code(core, EXC_GP, delivery_idt_error(delivery));
    outcome = linear_read(core, core->idtr.base + offset, 8, MMU_READ, &low);
    if (outcome == OUTCOME_NEXT)
        outcome = linear_read(core, core->idtr.base + offset + 8, 8, MMU_READ, &high);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    *gate = gate_decode(low, high);
    if (gate->type != TYPE_INTERRUPT_GATE32 && gate->type != TYPE_TRAP_GATE32) /* byte +12 is ignored (APM2 4.8.4) */
        return core_fault_code(core, EXC_GP, delivery_idt_error(delivery));
    if (delivery->software && gate->dpl < core->cpl)
        return core_fault_code(core, EXC_GP, delivery_idt_error(delivery));
    if (!gate->present)
        return core_fault_code(core, EXC_NP, delivery_idt_error(delivery));
    return OUTCOME_NEXT;
}

/* IST wins, else RSPn on a change of CPL, else the current rSP; aligned down to 16 (APM2 8.9.3, 8.9.4). */
static enum outcome pick_stack(struct core *core, const struct delivery *delivery, const struct gate *gate,
                               unsigned cpl, uint64_t *rsp)
{
    enum outcome outcome = OUTCOME_NEXT;

    if (gate->ist)
        outcome = tss_long_stack(core, TSS64_IST(gate->ist), delivery->ext, rsp);
    else if (cpl != core->cpl)
        outcome = tss_long_stack(core, TSS64_RSP(cpl), delivery->ext, rsp);
    else
        *rsp = zero_extend(core->gpr[RSP], core->stack_size);
    *rsp &= ~UINT64_C(15);
    return outcome;
}

static enum outcome push_frame(struct core *core, const struct delivery *delivery, struct frame *frame)
{
    const uint64_t values[] = { core->seg[SEG_SS].selector, core->gpr[RSP], delivery->rflags,
                                core->seg[SEG_CS].selector, delivery->rip, delivery->event->error };
    unsigned count = delivery->event->has_error ? 6 : 5;

    for (unsigned i = 0; i < count; i++) {
        enum outcome outcome = frame_push(core, frame, 8, values[i]);

        if (outcome != OUTCOME_NEXT)
            return outcome;
    }
    return OUTCOME_NEXT;
}

enum outcome delivery_long(struct core *core, const struct delivery *delivery)
{
    struct segment cs, ss = core->seg[SEG_SS];
    struct gate gate;
    struct frame frame;
    uint64_t rsp = 0;
    unsigned cpl;
    bool inner;
    enum outcome outcome = read_gate(core, delivery, &gate);

    if (outcome == OUTCOME_NEXT)
        outcome = delivery_code(core, delivery, gate.selector, true, &cs, &inner);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    cpl = inner ? attr_dpl(cs.attr) : core->cpl;
    outcome = pick_stack(core, delivery, &gate, cpl, &rsp);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (inner)
        ss = segment_null_stack(core, cpl);
    frame_begin_at(&frame, &ss, rsp, cpl, true, delivery->ext);
    outcome = push_frame(core, delivery, &frame);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (!is_canonical(gate.offset)) /* looked at last (APM3 INT) */
        return core_fault_code(core, EXC_GP, delivery->ext);
    frame_commit(core, &frame);
    core->seg[SEG_SS] = ss;
    delivery_enter(core, &cs, cpl, gate.offset, !(gate.type & 1));
    return OUTCOME_NEXT;
}
