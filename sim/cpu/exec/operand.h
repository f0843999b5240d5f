/* SPDX-License-Identifier: MIT */
/* The one operand driver: reads, writes and modifies whatever an operand is, and faults. */
#ifndef FAM10H_CPU_EXEC_OPERAND_H
#define FAM10H_CPU_EXEC_OPERAND_H

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/memory.h"

/* General registers by operand size; a 4-byte write clears the upper half (APM1 3.1.2). */
static inline uint64_t gpr_read(const struct core *core, unsigned reg, unsigned size, bool high_byte)
{
    if (__builtin_expect(high_byte, 0))
        return core->gpr[reg] >> 8 & 0xFF;
    return zero_extend(core->gpr[reg], size);
}

static inline void gpr_write(struct core *core, unsigned reg, unsigned size, bool high_byte, uint64_t value)
{
    uint64_t *gpr = &core->gpr[reg];

    if (size >= 4)
        *gpr = zero_extend(value, size);
    else if (size == 2)
        *gpr = (*gpr & ~UINT64_C(0xFFFF)) | (uint16_t)value;
    else if (high_byte)
        *gpr = (*gpr & ~UINT64_C(0xFF00)) | (uint64_t)(uint8_t)value << 8;
    else
        *gpr = (*gpr & ~UINT64_C(0xFF)) | (uint8_t)value;
}

/*
 * Offset of the memory operand inside its segment, cut to the address size. Relies on core->next_rip being
 * rip + length while the semantics run.
 */
static inline uint64_t operand_offset(const struct core *core, const struct insn *insn)
{
    uint64_t offset = (uint64_t)insn->displacement;

    if (insn->base != NO_REGISTER)
        offset += core->gpr[insn->base];
    if (insn->index != NO_REGISTER)
        offset += core->gpr[insn->index] << insn->scale;
    if (insn->rip_relative)
        offset += core->next_rip;
    return zero_extend(offset, insn->address_size);
}

static inline enum outcome operand_read(struct core *core, const struct insn *insn, unsigned n, uint64_t *value)
{
    const struct operand *operand = &insn->op[n];

    if (operand->kind == OPERAND_GPR)
        *value = gpr_read(core, operand->reg, operand->size, operand->high_byte);
    else if (operand->kind == OPERAND_MEMORY)
        return memory_read(core, insn->segment, operand_offset(core, insn), operand->size, value);
    else if (operand->kind == OPERAND_SEGMENT)
        *value = core->seg[operand->reg].selector;
    else /* OPERAND_IMMEDIATE */
        *value = operand->reg ? insn->immediate2 : insn->immediate;
    return OUTCOME_NEXT;
}

/* To a general register or memory. */
static inline enum outcome operand_write(struct core *core, const struct insn *insn, unsigned n, uint64_t value)
{
    const struct operand *operand = &insn->op[n];

    if (operand->kind == OPERAND_GPR) {
        gpr_write(core, operand->reg, operand->size, operand->high_byte, value);
        return OUTCOME_NEXT;
    }
    return memory_write(core, insn->segment, operand_offset(core, insn), operand->size, value);
}

/* Read-modify-write: begin checks for write and reads; commit cannot fail. */
struct operand_ref {
    bool memory;
    struct mem_ref ref;
};

static inline enum outcome operand_modify(struct core *core, const struct insn *insn, unsigned n,
                                          struct operand_ref *ref, uint64_t *value)
{
    const struct operand *operand = &insn->op[n];
    enum outcome outcome;

    ref->memory = operand->kind == OPERAND_MEMORY;
    if (!ref->memory) {
        *value = gpr_read(core, operand->reg, operand->size, operand->high_byte);
        return OUTCOME_NEXT;
    }
    outcome = memory_modify(core, insn->segment, operand_offset(core, insn), operand->size, &ref->ref);
    if (outcome == OUTCOME_NEXT)
        *value = ref_load(core, &ref->ref);
    return outcome;
}

static inline void operand_commit(struct core *core, const struct insn *insn, unsigned n,
                                  const struct operand_ref *ref, uint64_t value)
{
    const struct operand *operand = &insn->op[n];

    if (ref->memory)
        ref_store(core, &ref->ref, value);
    else
        gpr_write(core, operand->reg, operand->size, operand->high_byte, value);
}

#endif
