/* SPDX-License-Identifier: MIT */
/* Hardware task switches: the checks, the intercept, and the outgoing half (APM2 12.3). */
#include "sim/cpu/event/task.h"

#include "sim/cpu/exec/debug.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/intercept.h"

struct task_switch {
    enum task_cause cause;
    const struct event *event; /* NULL but for TASK_GATE */
    unsigned ext;
    uint64_t rip, rflags;      /* to be saved in the outgoing TSS */
    uint16_t selector;
    struct segment tr;         /* of the incoming task */
    bool wide;
    /* What commit moves, translated beforehand. */
    struct mem_ref saved, link, image, old_busy, new_busy;
};

static bool switch_nests(const struct task_switch *task)
{
    return task->cause == TASK_CALL || task->cause == TASK_GATE;
}

/* The TSS descriptor: in the GDT, available (for IRET: busy), present, long enough (APM2 12.3, table). */
static enum outcome check_incoming(struct core *core, struct task_switch *task, struct descriptor *descriptor)
{
    uint8_t vector = task->cause == TASK_IRET ? EXC_TS : EXC_GP;
    uint32_t error = selector_error(task->selector, task->ext);
    unsigned type, expected = task->cause == TASK_IRET ? TYPE_TSS16_BUSY : TYPE_TSS16;
    enum outcome outcome;

    if (bit(task->selector, SELECTOR_TI) || selector_is_null(task->selector))
        return core_fault_code(core, vector, error);
    outcome = descriptor_read(core, task->selector, vector, task->ext, descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    type = attr_type(descriptor->attr);
    if (!attr_is_system(descriptor->attr) || (type & 7) != expected)
        return core_fault_code(core, vector, error);
    if (!attr_is_present(descriptor->attr))
        return core_fault_code(core, EXC_NP, error);
    task->wide = type & 8;
    task->tr = descriptor_segment(descriptor);
    if (task->tr.limit < (task->wide ? TSS32_BYTES : TSS16_BYTES) - 1)
        return core_fault_code(core, EXC_TS, error);
    return OUTCOME_NEXT;
}

static enum outcome intercepted(struct core *core, const struct task_switch *task)
{
    uint64_t info2 = 0;

    if (task->event && task->event->has_error)
        info2 = task->event->error | BIT(TASK_SWITCH_HAS_ERROR);
    info2 |= task->cause == TASK_IRET ? BIT(TASK_SWITCH_IRET) : 0;
    info2 |= task->cause == TASK_JUMP ? BIT(TASK_SWITCH_JUMP) : 0;
    info2 |= task->rflags & RFLAGS_RF ? BIT(TASK_SWITCH_RF) : 0;
    return core_vmexit(core, VMEXIT_TASK_SWITCH, task->selector, info2);
}

/* Translate everything the switch will read and write: a page fault here is still the old task's. */
static enum outcome probe(struct core *core, struct task_switch *task, const struct descriptor *descriptor)
{
    const struct segment *old = &core->seg[SEG_TR];
    bool wide = tss_is_wide(core);
    unsigned saved = wide ? TSS32_SAVED : TSS16_SAVED, bytes = wide ? TSS32_SAVED_BYTES : TSS16_SAVED_BYTES;
    uint64_t old_entry = core->gdtr.base + (old->selector & 0xFFF8u) + 5;
    enum outcome outcome;

    if (saved + bytes - 1 > old->limit) /* assumed: the state to be saved must fit */
        return core_fault_code(core, EXC_TS, selector_error(old->selector, task->ext));
    outcome = linear_probe(core, linear_wrap(core, old->base + saved), bytes, MMU_WRITE, &task->saved);
    if (outcome == OUTCOME_NEXT)
        outcome = linear_probe(core, linear_wrap(core, task->tr.base), task->wide ? TSS32_BYTES : TSS16_BYTES,
                               MMU_READ, &task->image);
    if (outcome == OUTCOME_NEXT && switch_nests(task))
        outcome = linear_probe(core, linear_wrap(core, task->tr.base), 2, MMU_WRITE, &task->link);
    if (outcome == OUTCOME_NEXT && !switch_nests(task))
        outcome = linear_probe(core, linear_wrap(core, old_entry), 1, MMU_WRITE, &task->old_busy);
    if (outcome == OUTCOME_NEXT && task->cause != TASK_IRET)
        outcome = linear_probe(core, linear_wrap(core, descriptor->address + 5), 1, MMU_WRITE, &task->new_busy);
    return outcome;
}

static void save_outgoing(struct core *core, const struct task_switch *task)
{
    uint8_t bytes[TSS32_SAVED_BYTES];
    struct task_image image = { .rip = task->rip, .rflags = task->rflags };

    if (task->cause == TASK_IRET)
        image.rflags &= ~RFLAGS_NT;
    for (unsigned i = 0; i < 8; i++)
        image.gpr[i] = core->gpr[i];
    for (unsigned i = 0; i < 6; i++)
        image.selector[i] = core->seg[i].selector;
    task_image_encode(&image, bytes, tss_is_wide(core));
    ref_store_bytes(core, &task->saved, bytes);
}

/* The outgoing state, the busy bits, the back link, TR, CR0.TS and DR7: none of it can fail. */
static void commit_outgoing(struct core *core, struct task_switch *task, struct task_image *image)
{
    uint8_t bytes[TSS32_BYTES];

    save_outgoing(core, task);
    if (!switch_nests(task))
        ref_store(core, &task->old_busy, bit_put(ref_load(core, &task->old_busy), TYPE_BUSY, false));
    if (task->cause != TASK_IRET)
        ref_store(core, &task->new_busy, bit_put(ref_load(core, &task->new_busy), TYPE_BUSY, true));
    if (switch_nests(task))
        ref_store(core, &task->link, core->seg[SEG_TR].selector);
    ref_load_bytes(core, &task->image, bytes);
    task_image_decode(image, bytes, task->wide);
    if (switch_nests(task))
        image->rflags |= RFLAGS_NT;
    task->tr.attr |= BIT(TYPE_BUSY);
    core->seg[SEG_TR] = task->tr;
    core->cr0 |= CR0_TS;
    core->dr7 &= ~DR7_LOCAL;
    core_debug_changed(core);
}

/* The error code goes to the new task's stack, in the width of its TSS. */
static enum outcome push_error(struct core *core, const struct task_switch *task)
{
    struct frame frame;
    enum outcome outcome;

    if (!task->event || !task->event->has_error)
        return OUTCOME_NEXT;
    frame_begin(core, &frame, 0);
    outcome = frame_push(core, &frame, task->wide ? 4 : 2, task->event->error);
    if (outcome == OUTCOME_NEXT)
        frame_commit(core, &frame);
    return outcome;
}

static enum outcome task_switch(struct core *core, struct task_switch *task)
{
    struct descriptor descriptor;
    struct task_image image;
    enum outcome outcome = check_incoming(core, task, &descriptor);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (intercepts(core, VMEXIT_TASK_SWITCH))
        return intercepted(core, task);
    outcome = probe(core, task, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    commit_outgoing(core, task, &image);
    if (image.trap)
        core->pending_dr6 |= DR6_BT;
    core_attention(core);
    outcome = task_enter(core, &image, task->wide);
    if (outcome == OUTCOME_NEXT)
        outcome = push_error(core, task);
    return outcome;
}

enum outcome event_task(struct core *core, uint16_t selector, enum task_cause cause)
{
    struct task_switch task = { .cause = cause, .rip = core->next_rip, .rflags = rflags_read(core),
                                .selector = selector };

    return task_switch(core, &task);
}

enum outcome task_gate(struct core *core, const struct delivery *delivery, uint16_t selector)
{
    struct task_switch task = { .cause = TASK_GATE, .event = delivery->event, .ext = delivery->ext,
                                .rip = delivery->rip, .rflags = delivery->rflags, .selector = selector };

    return task_switch(core, &task);
}
