/* SPDX-License-Identifier: MIT */
/* Far RET, and the checks that it shares with IRET (APM2 4.11.3). */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/far.h"
#include "sim/cpu/exec/memory.h"
#include "sim/cpu/isa/semantics.h"

enum outcome far_check_target(struct core *core, const struct segment *cs, uint64_t rip)
{
    bool good = code_is_64bit(core, cs) ? is_canonical(rip) : rip <= cs->limit;

    return good ? OUTCOME_NEXT : core_fault_code(core, EXC_GP, 0);
}

enum outcome far_return_code(struct core *core, uint16_t selector, struct segment *cs)
{
    unsigned rpl = (unsigned)bits(selector, SELECTOR_RPL);
    struct descriptor descriptor;
    enum outcome outcome;

    if (selector_is_null(selector))
        return core_fault_code(core, EXC_GP, 0);
    outcome = descriptor_read(core, selector, EXC_GP, 0, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (rpl < core->cpl || !attr_is_code(descriptor.attr) ||
        (attr_is_conforming(descriptor.attr) ? attr_dpl(descriptor.attr) > rpl : attr_dpl(descriptor.attr) != rpl) ||
        (core_in_long_mode(core) && bit(descriptor.attr, ATTR_L) && bit(descriptor.attr, ATTR_DB)))
        return core_fault_code(core, EXC_GP, selector_error(selector, 0));
    if (!attr_is_present(descriptor.attr))
        return core_fault_code(core, EXC_NP, selector_error(selector, 0));
    outcome = descriptor_mark_accessed(core, &descriptor);
    if (outcome == OUTCOME_NEXT)
        *cs = descriptor_segment(&descriptor);
    return outcome;
}

enum outcome far_return_stack(struct core *core, uint16_t selector, const struct segment *cs, struct segment *ss)
{
    unsigned cpl = (unsigned)bits(cs->selector, SELECTOR_RPL);

    /* The target's mode and CPL decide, not the RPL that the null selector has, which MOV SS looks at (4.10.2). */
    if (selector_is_null(selector) && cpl != 3 && code_is_64bit(core, cs)) {
        *ss = segment_null_stack(core, cpl);
        ss->selector = selector;
        return OUTCOME_NEXT;
    }
    return segment_check_stack(core, selector, cpl, EXC_GP, 0, ss);
}

void stack_replace(struct core *core, uint64_t rsp)
{
    core->gpr[RSP] = core->stack_size == 2 ? bits_put(core->gpr[RSP], 15, 0, rsp) : zero_extend(rsp, core->stack_size);
}

static enum outcome return_paragraph(struct core *core, unsigned size, uint64_t rip, uint16_t selector, unsigned extra)
{
    if (rip > core->seg[SEG_CS].limit)
        return core_fault_code(core, EXC_GP, 0);
    stack_adjust(core, 2 * size + extra);
    segment_load_paragraph(core, SEG_CS, selector);
    core->next_rip = rip;
    core_mode_changed(core, false);
    return OUTCOME_NEXT;
}

/* To an outer level: SS:rSP follow the parameters; `extra` is released on both stacks. */
static enum outcome return_outer(struct core *core, unsigned size, uint64_t rip, const struct segment *cs,
                                 unsigned extra)
{
    uint64_t rsp, selector;
    struct segment ss;
    enum outcome outcome = stack_peek(core, 2 * size + extra, size, &rsp);

    if (outcome == OUTCOME_NEXT)
        outcome = stack_peek(core, 3 * size + extra, size, &selector);
    if (outcome == OUTCOME_NEXT)
        outcome = far_return_stack(core, (uint16_t)selector, cs, &ss);
    if (outcome == OUTCOME_NEXT)
        outcome = far_check_target(core, cs, rip);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    core->seg[SEG_CS] = *cs;
    core->seg[SEG_SS] = ss;
    core->cpl = (uint8_t)bits(cs->selector, SELECTOR_RPL);
    core->next_rip = rip;
    core_mode_changed(core, false);
    stack_replace(core, rsp);
    stack_adjust(core, extra);
    segment_null_inner(core);
    return OUTCOME_NEXT;
}

/* assumed: the selector is read, and faults, first, and two bytes of it alone, as on native processors. */
enum outcome exec_retf(struct core *core, const struct insn *insn)
{
    unsigned size = insn->operand_size, extra = insn->op[0].kind == OPERAND_IMMEDIATE ? (uint16_t)insn->immediate : 0;
    uint64_t rip, selector;
    struct segment cs;
    enum outcome outcome = stack_peek(core, size, 2, &selector);

    if (outcome == OUTCOME_NEXT)
        outcome = stack_peek(core, 0, size, &rip);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (core_in_real_style(core))
        return return_paragraph(core, size, rip, (uint16_t)selector, extra);
    outcome = far_return_code(core, (uint16_t)selector, &cs);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (bits(cs.selector, SELECTOR_RPL) > core->cpl)
        return return_outer(core, size, rip, &cs, extra);
    outcome = far_check_target(core, &cs, rip);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    stack_adjust(core, 2 * size + extra);
    core->seg[SEG_CS] = cs;
    core->next_rip = rip;
    core_mode_changed(core, false);
    return OUTCOME_NEXT;
}
