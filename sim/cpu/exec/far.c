/* SPDX-License-Identifier: MIT */
/* Far JMP and CALL: direct, through call gates, to tasks (APM2 4.11, 12.3; APM3 CALL, JMP far). */
#include "sim/cpu/exec/far.h"

#include "sim/cpu/exec/frame.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/exec/tss.h"
#include "sim/cpu/isa/semantics.h"

struct far_transfer {
    bool is_call;
    unsigned size;      /* of what CALL pushes: the operand size, or the gate's */
    uint16_t selector;
    uint64_t offset;
};

/* ptr16:16, ptr16:32, and the same from memory; mem16:64 does not exist on AMD processors. */
static enum outcome read_pointer(struct core *core, const struct insn *insn, struct far_transfer *far)
{
    unsigned size = insn->operand_size == 2 ? 2 : 4;
    uint64_t offset, selector;
    enum outcome outcome;

    if (insn->op[0].kind == OPERAND_FAR) {
        far->offset = insn->immediate;
        far->selector = (uint16_t)insn->immediate2;
        return OUTCOME_NEXT;
    }
    offset = operand_offset(core, insn);
    outcome = memory_read(core, insn->segment, offset, size, &far->offset);
    if (outcome == OUTCOME_NEXT)
        outcome = memory_read(core, insn->segment, zero_extend(offset + size, insn->address_size), 2, &selector);
    if (outcome == OUTCOME_NEXT)
        far->selector = (uint16_t)selector;
    return outcome;
}

/* CALL's return address, on the current stack; not yet stored. */
static enum outcome push_return(struct core *core, const struct far_transfer *far, struct frame *frame)
{
    enum outcome outcome = OUTCOME_NEXT;

    if (far->size == 8) /* 64-bit code, or a call gate to it from compatibility mode: SS is not looked at */
        frame_begin_at(frame, &core->seg[SEG_SS], zero_extend(core->gpr[RSP], core->stack_size), core->cpl, true, 0);
    else
        frame_begin(core, frame, 0);
    if (far->is_call)
        outcome = frame_push(core, frame, far->size, core->seg[SEG_CS].selector);
    if (far->is_call && outcome == OUTCOME_NEXT)
        outcome = frame_push(core, frame, far->size, core->next_rip);
    return outcome;
}

static void go(struct core *core, const struct segment *cs, uint64_t rip)
{
    core->seg[SEG_CS] = *cs;
    core->cpl = (uint8_t)bits(cs->selector, SELECTOR_RPL);
    core->next_rip = rip;
    core_mode_changed(core, false);
}

/* At the current level; the target is looked at last, after the stack (APM3 CALL far). */
static enum outcome go_same_level(struct core *core, const struct far_transfer *far, const struct segment *cs)
{
    struct frame frame;
    enum outcome outcome = push_return(core, far, &frame);

    if (outcome == OUTCOME_NEXT)
        outcome = far_check_target(core, cs, far->offset);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    frame_commit(core, &frame);
    go(core, cs, far->offset);
    return OUTCOME_NEXT;
}

static enum outcome far_real(struct core *core, const struct far_transfer *far)
{
    struct frame frame;
    enum outcome outcome = push_return(core, far, &frame);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (far->offset > core->seg[SEG_CS].limit)
        return core_fault_code(core, EXC_GP, 0);
    frame_commit(core, &frame);
    segment_load_paragraph(core, SEG_CS, far->selector);
    core->next_rip = far->offset;
    core_mode_changed(core, false);
    return OUTCOME_NEXT;
}

/* ---- To a code segment ----------------------------------------------------------------------------------- */

/* Direct: no change of CPL, whatever the conformance. */
static bool direct_is_allowed(const struct core *core, const struct descriptor *code)
{
    if (core_in_long_mode(core) && bit(code->attr, ATTR_L) && bit(code->attr, ATTR_DB))
        return false;
    if (attr_is_conforming(code->attr))
        return attr_dpl(code->attr) <= core->cpl;
    return attr_dpl(code->attr) == core->cpl && bits(code->selector, SELECTOR_RPL) <= core->cpl;
}

static enum outcome far_direct(struct core *core, const struct far_transfer *far, struct descriptor *code)
{
    struct segment cs;
    enum outcome outcome;

    if (!direct_is_allowed(core, code))
        return core_fault_code(core, EXC_GP, selector_error(far->selector, 0));
    if (!attr_is_present(code->attr))
        return core_fault_code(core, EXC_NP, selector_error(far->selector, 0));
    outcome = descriptor_mark_accessed(core, code);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    cs = descriptor_segment(code);
    cs.selector = (uint16_t)bits_put(cs.selector, SELECTOR_RPL, core->cpl);
    return go_same_level(core, far, &cs);
}

/* ---- Through a call gate (APM2 4.11.2) --------------------------------------------------------------------- */

/* The gate's code segment; `inner` says that a CALL changes the CPL to its DPL. */
static enum outcome gate_code(struct core *core, const struct far_transfer *far, struct segment *cs, bool *inner)
{
    struct descriptor code;
    unsigned dpl;
    bool allowed;
    enum outcome outcome;

    if (selector_is_null(far->selector))
        return core_fault_code(core, EXC_GP, 0);
    outcome = descriptor_read(core, far->selector, EXC_GP, 0, &code);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    dpl = attr_dpl(code.attr);
    *inner = far->is_call && !attr_is_conforming(code.attr) && dpl < core->cpl;
    allowed = far->is_call || attr_is_conforming(code.attr) ? dpl <= core->cpl : dpl == core->cpl;
    if (core_in_long_mode(core) && (!bit(code.attr, ATTR_L) || bit(code.attr, ATTR_DB)))
        allowed = false;
    if (!attr_is_code(code.attr) || !allowed)
        return core_fault_code(core, EXC_GP, selector_error(far->selector, 0));
    if (!attr_is_present(code.attr))
        return core_fault_code(core, EXC_NP, selector_error(far->selector, 0));
    outcome = descriptor_mark_accessed(core, &code);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    *cs = descriptor_segment(&code);
    cs->selector = (uint16_t)bits_put(cs->selector, SELECTOR_RPL, *inner ? dpl : core->cpl);
    return OUTCOME_NEXT;
}

/* The stack of the inner level: from the TSS; in long mode SS becomes null. */
static enum outcome inner_stack(struct core *core, unsigned cpl, struct frame *frame, struct segment *ss)
{
    uint64_t rsp;
    enum outcome outcome;

    if (core_in_long_mode(core)) {
        *ss = segment_null_stack(core, cpl);
        outcome = tss_long_stack(core, TSS64_RSP(cpl), 0, &rsp);
        frame_begin_at(frame, ss, rsp, cpl, true, 0);
    } else {
        outcome = tss_inner_stack(core, cpl, 0, ss, &rsp);
        frame_begin_at(frame, ss, rsp, cpl, false, selector_error(ss->selector, 0));
    }
    return outcome;
}

/* SS:rSP, the copied parameters, CS:rIP. */
static enum outcome push_inner(struct core *core, const struct far_transfer *far, struct frame *frame, unsigned count)
{
    uint64_t value;
    enum outcome outcome = frame_push(core, frame, far->size, core->seg[SEG_SS].selector);

    if (outcome == OUTCOME_NEXT)
        outcome = frame_push(core, frame, far->size, core->gpr[RSP]);
    while (count-- > 0 && outcome == OUTCOME_NEXT) {
        outcome = stack_peek(core, count * far->size, far->size, &value);
        if (outcome == OUTCOME_NEXT)
            outcome = frame_push(core, frame, far->size, value);
    }
    if (outcome == OUTCOME_NEXT)
        outcome = frame_push(core, frame, far->size, core->seg[SEG_CS].selector);
    return outcome == OUTCOME_NEXT ? frame_push(core, frame, far->size, core->next_rip) : outcome;
}

static enum outcome gate_enter_inner(struct core *core, const struct far_transfer *far, const struct segment *cs,
                                     unsigned count)
{
    unsigned cpl = (unsigned)bits(cs->selector, SELECTOR_RPL);
    struct segment ss = { 0 };
    struct frame frame;
    enum outcome outcome = inner_stack(core, cpl, &frame, &ss);

    if (outcome == OUTCOME_NEXT)
        outcome = push_inner(core, far, &frame, count);
    if (outcome == OUTCOME_NEXT)
        outcome = far_check_target(core, cs, far->offset);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    frame_commit(core, &frame);
    core->seg[SEG_SS] = ss;
    go(core, cs, far->offset);
    return OUTCOME_NEXT;
}

static enum outcome far_gate(struct core *core, const struct far_transfer *far, struct descriptor *descriptor)
{
    struct far_transfer through = { .is_call = far->is_call };
    bool long_mode = core_in_long_mode(core), inner;
    enum outcome outcome = long_mode ? descriptor_read_high(core, EXC_GP, 0, descriptor) : OUTCOME_NEXT;
    struct segment cs;
    struct gate gate;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    gate = gate_decode(descriptor->low, descriptor->high);
    if (!gate.present)
        return core_fault_code(core, EXC_NP, selector_error(far->selector, 0));
    through.selector = gate.selector;
    through.offset = gate.type == TYPE_CALL_GATE16 ? gate.offset & 0xFFFF : gate.offset;
    through.size = long_mode ? 8 : gate.type == TYPE_CALL_GATE16 ? 2 : 4;
    outcome = gate_code(core, &through, &cs, &inner);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (inner)
        return gate_enter_inner(core, &through, &cs, long_mode ? 0 : gate.count);
    return go_same_level(core, &through, &cs);
}

/* ---- To a task: event/ switches ------------------------------------------------------------------------------ */

static enum outcome far_task(struct core *core, const struct far_transfer *far, const struct descriptor *descriptor)
{
    if (!attr_is_present(descriptor->attr))
        return core_fault_code(core, EXC_NP, selector_error(far->selector, 0));
    core->pending = (struct pending){
        .selector = attr_type(descriptor->attr) == TYPE_TASK_GATE ? gate_decode(descriptor->low, 0).selector
                                                                  : far->selector,
        .is_call = far->is_call,
        .is_jump = !far->is_call,
    };
    return OUTCOME_TASK;
}

/* ---- All of them --------------------------------------------------------------------------------------------- */

static enum outcome far_system(struct core *core, const struct far_transfer *far, struct descriptor *descriptor)
{
    unsigned type = attr_type(descriptor->attr), dpl = attr_dpl(descriptor->attr);
    bool long_mode = core_in_long_mode(core);
    bool gate = type == TYPE_CALL_GATE32 || (type == TYPE_CALL_GATE16 && !long_mode);
    bool task = !long_mode && (type == TYPE_TASK_GATE || type == TYPE_TSS16 || type == TYPE_TSS32);

    if ((!gate && !task) || dpl < core->cpl || dpl < bits(far->selector, SELECTOR_RPL))
        return core_fault_code(core, EXC_GP, selector_error(far->selector, 0));
    return gate ? far_gate(core, far, descriptor) : far_task(core, far, descriptor);
}

static enum outcome far_transfer(struct core *core, const struct insn *insn, bool is_call)
{
    struct far_transfer far = { .is_call = is_call, .size = insn->operand_size };
    struct descriptor descriptor;
    enum outcome outcome = read_pointer(core, insn, &far);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (core_in_real_style(core))
        return far_real(core, &far);
    if (selector_is_null(far.selector))
        return core_fault_code(core, EXC_GP, 0);
    outcome = descriptor_read(core, far.selector, EXC_GP, 0, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (attr_is_system(descriptor.attr))
        return far_system(core, &far, &descriptor);
    if (!attr_is_code(descriptor.attr))
        return core_fault_code(core, EXC_GP, selector_error(far.selector, 0));
    return far_direct(core, &far, &descriptor);
}

enum outcome exec_jmp_far(struct core *core, const struct insn *insn)
{
    return far_transfer(core, insn, false);
}

enum outcome exec_call_far(struct core *core, const struct insn *insn)
{
    return far_transfer(core, insn, true);
}
