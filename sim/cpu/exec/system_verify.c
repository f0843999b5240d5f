/* SPDX-License-Identifier: MIT */
/* LAR, LSL, VERR, VERW, ARPL: looking at selectors without faulting over them (APM3). */
#include "sim/cpu/exec/descriptor.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

/* System types that LAR and LSL accept, a bit each: in legacy mode, and in long mode. */
#define LAR_LEGACY 0x1A3E /* 1-5, 9, B, C */
#define LAR_LONG 0x1A04   /* 2, 9, B, C */
#define LSL_LEGACY 0x0A0E /* 1-3, 9, B */
#define LSL_LONG 0x0A04

/*
 * The descriptor that operand n names, or *found = false: null, beyond the table, or of a type outside
 * `system_types`, or not visible at this CPL and RPL. Only the memory accesses may fault.
 */
static enum outcome look(struct core *core, const struct insn *insn, unsigned n, unsigned system_types,
                         struct descriptor *descriptor, bool *found)
{
    unsigned rpl, dpl;
    uint64_t selector;
    enum outcome outcome = operand_read(core, insn, n, &selector);

    *found = false;
    if (outcome != OUTCOME_NEXT || selector_is_null((uint16_t)selector) ||
        !descriptor_in_table(core, (uint16_t)selector))
        return outcome;
    outcome = descriptor_read(core, (uint16_t)selector, EXC_GP, 0, descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (attr_is_system(descriptor->attr) && !bit(system_types, attr_type(descriptor->attr)))
        return OUTCOME_NEXT;
    rpl = (unsigned)bits(selector, SELECTOR_RPL);
    dpl = attr_dpl(descriptor->attr);
    *found = attr_is_conforming(descriptor->attr) || (dpl >= core->cpl && dpl >= rpl);
    return OUTCOME_NEXT;
}

static void set_zf(struct core *core, bool value)
{
    rflags_write(core, (rflags_read(core) & ~RFLAGS_ZF) | (value ? RFLAGS_ZF : 0));
}

enum outcome exec_lar(struct core *core, const struct insn *insn)
{
    struct descriptor descriptor;
    bool found;
    enum outcome outcome = look(core, insn, 1, core_in_long_mode(core) ? LAR_LONG : LAR_LEGACY, &descriptor, &found);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    set_zf(core, found);
    return found ? operand_write(core, insn, 0, descriptor.low >> 32 & 0x00FFFF00) : OUTCOME_NEXT;
}

enum outcome exec_lsl(struct core *core, const struct insn *insn)
{
    struct descriptor descriptor;
    bool found;
    enum outcome outcome = look(core, insn, 1, core_in_long_mode(core) ? LSL_LONG : LSL_LEGACY, &descriptor, &found);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    set_zf(core, found);
    return found ? operand_write(core, insn, 0, descriptor_limit(descriptor.low)) : OUTCOME_NEXT;
}

enum outcome exec_verr(struct core *core, const struct insn *insn)
{
    struct descriptor descriptor;
    bool found;
    enum outcome outcome = look(core, insn, 0, 0, &descriptor, &found);

    if (outcome == OUTCOME_NEXT)
        set_zf(core, found && attr_is_readable(descriptor.attr));
    return outcome;
}

enum outcome exec_verw(struct core *core, const struct insn *insn)
{
    struct descriptor descriptor;
    bool found;
    enum outcome outcome = look(core, insn, 0, 0, &descriptor, &found);

    if (outcome == OUTCOME_NEXT)
        set_zf(core, found && attr_is_writable_data(descriptor.attr));
    return outcome;
}

/* assumed: memory is written, and checked for writing, only if RPL rises, as native processors do. */
enum outcome exec_arpl(struct core *core, const struct insn *insn)
{
    uint64_t selector, rpl;
    enum outcome outcome = operand_read(core, insn, 0, &selector);
    bool raises;

    if (outcome != OUTCOME_NEXT)
        return outcome;
    rpl = bits(core->gpr[insn->op[1].reg], SELECTOR_RPL);
    raises = bits(selector, SELECTOR_RPL) < rpl;
    if (raises)
        outcome = operand_write(core, insn, 0, bits_put(selector, SELECTOR_RPL, rpl));
    if (outcome != OUTCOME_NEXT)
        return outcome;
    set_zf(core, raises);
    return OUTCOME_NEXT;
}
