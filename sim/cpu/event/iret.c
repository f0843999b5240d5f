/* SPDX-License-Identifier: MIT */
/* IRET in every mode (APM2 8.6, 8.7.4, 8.9.4, 12.3; APM3 IRET). */
#include "sim/cpu/event/event.h"

#include "sim/cpu/exec/far.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/memory.h"
#include "sim/cpu/exec/tss.h"

struct return_frame {
    unsigned size;  /* of each item: the operand size */
    uint64_t rip, cs, rflags, rsp, ss;
};

/* assumed: from the top, so that a frame that is not mapped faults at rFLAGS, as on native processors. */
static enum outcome read_frame(struct core *core, struct return_frame *frame, unsigned size)
{
    enum outcome outcome = stack_peek(core, 2 * size, size, &frame->rflags);

    frame->size = size;
    if (outcome == OUTCOME_NEXT)
        outcome = stack_peek(core, size, size, &frame->cs);
    return outcome == OUTCOME_NEXT ? stack_peek(core, 0, size, &frame->rip) : outcome;
}

static enum outcome read_stack_pointer(struct core *core, struct return_frame *frame)
{
    enum outcome outcome = stack_peek(core, 3 * frame->size, frame->size, &frame->rsp);

    return outcome == OUTCOME_NEXT ? stack_peek(core, 4 * frame->size, frame->size, &frame->ss) : outcome;
}

/* Flags that the image may change, by operand size, CPL and IOPL; RF, VM, VIF and VIP come on top. */
static uint64_t flags_loadable(const struct core *core, unsigned size)
{
    uint64_t mask = RFLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;

    if (size > 2)
        mask |= RFLAGS_AC | RFLAGS_ID;
    if (core->cpl == 0)
        mask |= RFLAGS_IOPL;
    if (core->cpl <= bits(core->rflags, 13, 12))
        mask |= RFLAGS_IF;
    return mask;
}

/* The new RFLAGS: `mask` from the image, RF too unless the operand size is 16. */
static void load_flags(struct core *core, const struct return_frame *frame, uint64_t mask)
{
    if (frame->size > 2)
        mask |= RFLAGS_RF;
    rflags_write(core, (rflags_read(core) & ~(mask | RFLAGS_RF)) | (frame->rflags & mask));
}

static void go(struct core *core, uint64_t rip)
{
    core->rip = core->next_rip = rip;
    core_mode_changed(core, false);
}

/* ---- Real and virtual-8086 mode ------------------------------------------------------------------------- */

static enum outcome iret_real(struct core *core, unsigned size)
{
    struct return_frame frame;
    enum outcome outcome = read_frame(core, &frame, size);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (frame.rip > core->seg[SEG_CS].limit)
        return core_fault_code(core, EXC_GP, 0);
    stack_adjust(core, 3 * size);
    segment_load_paragraph(core, SEG_CS, (uint16_t)frame.cs);
    load_flags(core, &frame, flags_loadable(core, size));
    go(core, frame.rip);
    return OUTCOME_NEXT;
}

/* IOPL below 3: only with the virtual-mode extensions, 16-bit, and the image's IF goes to VIF. */
static enum outcome iret_virtual_if(struct core *core)
{
    struct return_frame frame;
    enum outcome outcome;

    if (!(core->cr4 & CR4_VME) || core->pending.size != 2)
        return core_fault_code(core, EXC_GP, 0);
    outcome = read_frame(core, &frame, 2);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if ((frame.rflags & RFLAGS_TF) || ((frame.rflags & RFLAGS_IF) && (core->rflags & RFLAGS_VIP)))
        return core_fault_code(core, EXC_GP, 0);
    stack_adjust(core, 6);
    segment_load_paragraph(core, SEG_CS, (uint16_t)frame.cs);
    frame.rflags |= frame.rflags & RFLAGS_IF ? RFLAGS_VIF : 0;
    load_flags(core, &frame, (flags_loadable(core, 2) & ~(RFLAGS_IF | RFLAGS_IOPL)) | RFLAGS_VIF);
    go(core, frame.rip);
    return OUTCOME_NEXT;
}

/* ---- Protected and long mode ------------------------------------------------------------------------------ */

/* Back to virtual-8086 mode, at CPL 0 with VM in the image: ESP, SS, ES, DS, FS, GS follow. */
static enum outcome iret_to_virtual_8086(struct core *core, struct return_frame *frame)
{
    static const uint8_t order[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
    uint64_t selector[4];
    enum outcome outcome = read_stack_pointer(core, frame);

    for (unsigned i = 0; i < 4 && outcome == OUTCOME_NEXT; i++)
        outcome = stack_peek(core, 20 + 4 * i, 4, &selector[i]);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (frame->rip > 0xFFFF)
        return core_fault_code(core, EXC_GP, 0);
    core->gpr[RSP] = frame->rsp;
    load_flags(core, frame, flags_loadable(core, 4) | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP);
    core->cpl = 3;
    segment_load_paragraph(core, SEG_CS, (uint16_t)frame->cs);
    segment_load_paragraph(core, SEG_SS, (uint16_t)frame->ss);
    for (unsigned i = 0; i < 4; i++)
        segment_load_paragraph(core, order[i], (uint16_t)selector[i]);
    go(core, frame->rip);
    return OUTCOME_NEXT;
}

/* The task that TSS.link names, in legacy mode alone. */
static enum outcome iret_nested_task(struct core *core)
{
    uint64_t link;
    enum outcome outcome;

    if (core_in_long_mode(core))
        return core_fault_code(core, EXC_GP, 0);
    outcome = tss_read(core, 0, 2, 0, &link);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    return event_task(core, (uint16_t)link, TASK_IRET);
}

static void commit_return(struct core *core, const struct return_frame *frame, const struct segment *cs)
{
    uint64_t mask = flags_loadable(core, frame->size);

    if (core->cpl == 0 && frame->size > 2)
        mask |= RFLAGS_VIF | RFLAGS_VIP;
    load_flags(core, frame, mask);
    core->seg[SEG_CS] = *cs;
    core->cpl = (uint8_t)bits(cs->selector, SELECTOR_RPL);
}

static enum outcome iret_protected(struct core *core, unsigned size)
{
    struct return_frame frame;
    struct segment cs, ss;
    bool outer, pops_stack;
    enum outcome outcome = read_frame(core, &frame, size);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (size == 4 && (frame.rflags & RFLAGS_VM) && core->cpl == 0 && !core_in_long_mode(core))
        return iret_to_virtual_8086(core, &frame);
    outcome = far_return_code(core, (uint16_t)frame.cs, &cs);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    outer = bits(cs.selector, SELECTOR_RPL) > core->cpl;
    pops_stack = outer || core_in_64bit(core);
    if (pops_stack)
        outcome = read_stack_pointer(core, &frame);
    if (pops_stack && outcome == OUTCOME_NEXT)
        outcome = far_return_stack(core, (uint16_t)frame.ss, &cs, &ss);
    if (outcome == OUTCOME_NEXT)
        outcome = far_check_target(core, &cs, frame.rip);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    commit_return(core, &frame, &cs);
    if (pops_stack) {
        core->seg[SEG_SS] = ss;
        core_mode_changed(core, false);
        stack_replace(core, frame.rsp);
    } else {
        stack_adjust(core, 3 * size);
    }
    if (outer)
        segment_null_inner(core);
    go(core, frame.rip);
    return OUTCOME_NEXT;
}

enum outcome event_iret(struct core *core)
{
    unsigned size = core->pending.size;

    core->nmi_masked = false; /* assumed: even if the return then faults */
    if (core->mode == MODE_VIRTUAL_8086 && bits(core->rflags, 13, 12) < 3)
        return iret_virtual_if(core);
    if (core_in_real_style(core))
        return iret_real(core, size);
    if (core->rflags & RFLAGS_NT)
        return iret_nested_task(core);
    return iret_protected(core, size);
}
