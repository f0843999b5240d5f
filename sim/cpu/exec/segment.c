/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/segment.h"

/* Attributes of every segment in virtual-8086 mode: present, DPL 3, writable, accessed (APM2 2.4.1). */
#define ATTR_VIRTUAL_8086 0xF3

void segment_load_paragraph(struct core *core, unsigned which, uint16_t selector)
{
    struct segment *segment = &core->seg[which];

    segment->selector = selector;
    segment->base = (uint64_t)selector << 4;
    if (core->cr0 & CR0_PE) { /* virtual-8086; real mode keeps limit and attributes ("unreal" mode) */
        segment->limit = 0xFFFF;
        segment->attr = ATTR_VIRTUAL_8086;
    }
}

struct segment segment_null_stack(const struct core *core, unsigned cpl)
{
    struct segment segment = core->seg[SEG_SS];

    segment.selector = (uint16_t)cpl;
    segment.attr = (uint16_t)(cpl << 5);
    return segment;
}

void segment_make_null(struct segment *segment, uint16_t selector)
{
    segment->selector = selector;
    segment->attr = 0;
}

enum outcome segment_check_stack(struct core *core, uint16_t selector, unsigned cpl, uint8_t vector,
                                 unsigned ext, struct segment *segment)
{
    struct descriptor descriptor;
    enum outcome outcome;

    if (selector_is_null(selector))
        return core_fault_code(core, vector, ext);
    outcome = descriptor_read(core, selector, vector, ext, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (bits(selector, SELECTOR_RPL) != cpl || attr_dpl(descriptor.attr) != cpl ||
        !attr_is_writable_data(descriptor.attr))
        return core_fault_code(core, vector, selector_error(selector, ext));
    if (!attr_is_present(descriptor.attr))
        return core_fault_code(core, EXC_SS, selector_error(selector, ext));
    outcome = descriptor_mark_accessed(core, &descriptor);
    if (outcome == OUTCOME_NEXT)
        *segment = descriptor_segment(&descriptor);
    return outcome;
}

enum outcome segment_check_data(struct core *core, uint16_t selector, unsigned cpl, uint8_t vector,
                                unsigned ext, struct segment *segment)
{
    struct descriptor descriptor;
    unsigned rpl = (unsigned)bits(selector, SELECTOR_RPL);
    enum outcome outcome;

    if (selector_is_null(selector)) {
        segment_make_null(segment, selector);
        return OUTCOME_NEXT;
    }
    outcome = descriptor_read(core, selector, vector, ext, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (!attr_is_readable(descriptor.attr) ||
        (!attr_is_conforming(descriptor.attr) && attr_dpl(descriptor.attr) < (rpl > cpl ? rpl : cpl)))
        return core_fault_code(core, vector, selector_error(selector, ext));
    if (!attr_is_present(descriptor.attr))
        return core_fault_code(core, EXC_NP, selector_error(selector, ext));
    outcome = descriptor_mark_accessed(core, &descriptor);
    if (outcome == OUTCOME_NEXT)
        *segment = descriptor_segment(&descriptor);
    return outcome;
}

enum outcome segment_check_ldt(struct core *core, uint16_t selector, uint8_t vector, unsigned ext,
                               struct segment *segment)
{
    struct descriptor descriptor;
    enum outcome outcome;

    if (selector_is_null(selector)) {
        segment_make_null(segment, selector);
        return OUTCOME_NEXT;
    }
    if (bit(selector, SELECTOR_TI))
        return core_fault_code(core, vector, selector_error(selector, ext));
    outcome = descriptor_read(core, selector, vector, ext, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (!attr_is_system(descriptor.attr) || attr_type(descriptor.attr) != TYPE_LDT)
        return core_fault_code(core, vector, selector_error(selector, ext));
    if (!attr_is_present(descriptor.attr)) /* a task switch calls it #TS, LLDT #NP (APM2 8.2.11) */
        return core_fault_code(core, vector == EXC_TS ? EXC_TS : EXC_NP, selector_error(selector, ext));
    if (core_in_64bit(core)) {
        outcome = descriptor_read_high(core, vector, ext, &descriptor);
        if (outcome != OUTCOME_NEXT)
            return outcome;
    }
    *segment = descriptor_segment(&descriptor);
    if (!is_canonical(segment->base))
        return core_fault_code(core, vector, selector_error(selector, ext));
    return OUTCOME_NEXT;
}

enum outcome segment_load(struct core *core, unsigned which, uint16_t selector)
{
    struct segment segment = core->seg[which];
    enum outcome outcome;

    if (core_in_real_style(core)) {
        segment_load_paragraph(core, which, selector);
        if (which == SEG_SS)
            core_mode_changed(core, false);
        return OUTCOME_NEXT;
    }
    if (which != SEG_SS)
        outcome = segment_check_data(core, selector, core->cpl, EXC_GP, 0, &segment);
    else if (selector_is_null(selector) && core_in_64bit(core) && core->cpl != 3 && selector == core->cpl) {
        segment = segment_null_stack(core, core->cpl);
        outcome = OUTCOME_NEXT;
    } else
        outcome = segment_check_stack(core, selector, core->cpl, EXC_GP, 0, &segment);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->seg[which] = segment;
    if (which == SEG_SS)
        core_mode_changed(core, false);
    return OUTCOME_NEXT;
}

void segment_null_inner(struct core *core)
{
    static const uint8_t data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

    for (unsigned i = 0; i < sizeof(data); i++) {
        struct segment *segment = &core->seg[data[i]];

        if (attr_is_present(segment->attr) && attr_dpl(segment->attr) < core->cpl &&
            !attr_is_conforming(segment->attr))
            segment_make_null(segment, 0);
    }
}
