/* SPDX-License-Identifier: MIT */
/* Descriptor-table registers: LGDT, LIDT, SGDT, SIDT, LLDT, SLDT, LTR, STR (APM3). */
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/exec/segment.h"
#include "sim/cpu/isa/semantics.h"

/* ---- GDTR and IDTR -------------------------------------------------------------------------------------- */

/* Loads need CPL 0; a load or a store looks at its intercept before it looks at memory. */
static enum outcome table_load(struct core *core, const struct insn *insn, unsigned code,
                               struct table_register *table)
{
    unsigned bytes = core_in_64bit(core) ? 8 : 4;
    uint64_t offset, limit, base;
    enum outcome outcome;

    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, code))
        return core_vmexit(core, code, 0, 0);
    offset = operand_offset(core, insn);
    outcome = memory_read(core, insn->segment, offset, 2, &limit);
    if (outcome == OUTCOME_NEXT)
        outcome = memory_read(core, insn->segment, zero_extend(offset + 2, insn->address_size), bytes, &base);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (bytes == 4 && insn->operand_size == 2)
        base &= 0xFFFFFF; /* as on the 80286 */
    if (bytes == 8 && !is_canonical(base))
        return core_fault_code(core, EXC_GP, 0);
    *table = (struct table_register){ .base = base, .limit = (uint16_t)limit };
    return OUTCOME_NEXT;
}

static enum outcome table_store(struct core *core, const struct insn *insn, unsigned code,
                                const struct table_register *table)
{
    unsigned bytes = core_in_64bit(core) ? 8 : 4;
    struct mem_ref limit, base;
    enum outcome outcome;
    uint64_t offset;

    if (intercepts(core, code))
        return core_vmexit(core, code, 0, 0);
    offset = operand_offset(core, insn);
    outcome = memory_modify(core, insn->segment, offset, 2, &limit);
    if (outcome == OUTCOME_NEXT)
        outcome = memory_modify(core, insn->segment, zero_extend(offset + 2, insn->address_size), bytes, &base);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_store(core, &limit, table->limit);
    ref_store(core, &base, table->base);
    return OUTCOME_NEXT;
}

enum outcome exec_lgdt(struct core *core, const struct insn *insn)
{
    return table_load(core, insn, VMEXIT_GDTR_WRITE, &core->gdtr);
}

enum outcome exec_lidt(struct core *core, const struct insn *insn)
{
    return table_load(core, insn, VMEXIT_IDTR_WRITE, &core->idtr);
}

enum outcome exec_sgdt(struct core *core, const struct insn *insn)
{
    return table_store(core, insn, VMEXIT_GDTR_READ, &core->gdtr);
}

enum outcome exec_sidt(struct core *core, const struct insn *insn)
{
    return table_store(core, insn, VMEXIT_IDTR_READ, &core->idtr);
}

/* ---- LDTR and TR ---------------------------------------------------------------------------------------- */

static enum outcome selector_store(struct core *core, const struct insn *insn, unsigned code, unsigned which)
{
    if (intercepts(core, code))
        return core_vmexit(core, code, 0, 0);
    return operand_write(core, insn, 0, core->seg[which].selector);
}

enum outcome exec_sldt(struct core *core, const struct insn *insn)
{
    return selector_store(core, insn, VMEXIT_LDTR_READ, SEG_LDTR);
}

enum outcome exec_str(struct core *core, const struct insn *insn)
{
    return selector_store(core, insn, VMEXIT_TR_READ, SEG_TR);
}

enum outcome exec_lldt(struct core *core, const struct insn *insn)
{
    struct segment ldtr = core->seg[SEG_LDTR];
    uint64_t selector;
    enum outcome outcome;

    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_LDTR_WRITE))
        return core_vmexit(core, VMEXIT_LDTR_WRITE, 0, 0);
    outcome = operand_read(core, insn, 0, &selector);
    if (outcome == OUTCOME_NEXT)
        outcome = segment_check_ldt(core, (uint16_t)selector, EXC_GP, 0, &ldtr);
    if (outcome == OUTCOME_NEXT)
        core->seg[SEG_LDTR] = ldtr;
    return outcome;
}

/* An available TSS in the GDT, which becomes busy. */
static enum outcome task_register_load(struct core *core, uint16_t selector)
{
    uint32_t error = selector_error(selector, 0);
    struct descriptor descriptor;
    struct segment tr;
    enum outcome outcome;
    unsigned type;

    if (selector_is_null(selector) || bit(selector, SELECTOR_TI))
        return core_fault_code(core, EXC_GP, error);
    outcome = descriptor_read(core, selector, EXC_GP, 0, &descriptor);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    type = attr_type(descriptor.attr);
    if (!attr_is_system(descriptor.attr) ||
        (type != TYPE_TSS32 && (type != TYPE_TSS16 || core_in_long_mode(core))))
        return core_fault_code(core, EXC_GP, error);
    if (!attr_is_present(descriptor.attr))
        return core_fault_code(core, EXC_NP, error);
    outcome = core_in_64bit(core) ? descriptor_read_high(core, EXC_GP, 0, &descriptor) : OUTCOME_NEXT;
    if (outcome != OUTCOME_NEXT)
        return outcome;
    tr = descriptor_segment(&descriptor);
    if (!is_canonical(tr.base))
        return core_fault_code(core, EXC_GP, error);
    outcome = linear_write(core, linear_wrap(core, descriptor.address + 5), 1, MMU_WRITE,
                           bits(descriptor.low, 47, 40) | BIT(TYPE_BUSY));
    if (outcome != OUTCOME_NEXT)
        return outcome;
    tr.attr |= BIT(TYPE_BUSY);
    core->seg[SEG_TR] = tr;
    return OUTCOME_NEXT;
}

enum outcome exec_ltr(struct core *core, const struct insn *insn)
{
    uint64_t selector;
    enum outcome outcome;

    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_TR_WRITE))
        return core_vmexit(core, VMEXIT_TR_WRITE, 0, 0);
    outcome = operand_read(core, insn, 0, &selector);
    return outcome == OUTCOME_NEXT ? task_register_load(core, (uint16_t)selector) : outcome;
}
