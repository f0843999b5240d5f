/* SPDX-License-Identifier: MIT */
/* Compare and exchange. */
#include <string.h>

#include "sim/cpu/exec/alu.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

/*
 * Memory is written in either case, with its old value on a mismatch (APM3 CMPXCHG); a register destination
 * is then left alone, upper half included.
 */
enum outcome exec_cmpxchg(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    uint64_t accumulator = gpr_read(core, RAX, size, false), value, source;
    struct operand_ref ref;
    enum outcome outcome;

    operand_read(core, insn, 1, &source);
    outcome = operand_modify(core, insn, 0, &ref, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    alu_sub(core, size, accumulator, value);
    if (accumulator == value) {
        operand_commit(core, insn, 0, &ref, source);
    } else {
        if (ref.memory)
            operand_commit(core, insn, 0, &ref, value);
        gpr_write(core, RAX, size, false, value);
    }
    return OUTCOME_NEXT;
}

/* assumed: looked at before the segment's checks, as on native processors. CMPXCHG16B exists in 64-bit mode alone. */
static bool pair_is_aligned(const struct core *core, const struct insn *insn)
{
    uint64_t base = insn->segment < SEG_FS ? 0 : core->seg[insn->segment].base;

    return ((base + operand_offset(core, insn)) & 15) == 0;
}

/* CMPXCHG8B and CMPXCHG16B: halves of `half` bytes; m128 must be aligned (#GP, APM3 CMPXCHG16B). */
static enum outcome compare_exchange_pair(struct core *core, const struct insn *insn, unsigned half)
{
    uint8_t bytes[16];
    uint64_t low = 0, high = 0, new_low = core->gpr[RBX], new_high = core->gpr[RCX];
    enum outcome outcome;
    struct mem_ref ref;
    gva_t linear;
    bool equal;

    if (half == 8 && !pair_is_aligned(core, insn))
        return core_fault_code(core, EXC_GP, 0);
    outcome = segment_linear(core, insn->segment, operand_offset(core, insn), 2 * half, MMU_WRITE, &linear);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    outcome = linear_probe(core, linear, 2 * half, core->access | MMU_WRITE, &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_load_bytes(core, &ref, bytes);
    memcpy(&low, bytes, half);
    memcpy(&high, bytes + half, half);
    equal = low == gpr_read(core, RAX, half, false) && high == gpr_read(core, RDX, half, false);
    if (equal) {
        memcpy(bytes, &new_low, half);
        memcpy(bytes + half, &new_high, half);
    } else {
        gpr_write(core, RAX, half, false, low);
        gpr_write(core, RDX, half, false, high);
    }
    ref_store_bytes(core, &ref, bytes);
    rflags_put(core, RFLAGS_ZF, equal ? RFLAGS_ZF : 0);
    return OUTCOME_NEXT;
}

enum outcome exec_cmpxchg8b(struct core *core, const struct insn *insn)
{
    return compare_exchange_pair(core, insn, 4);
}

enum outcome exec_cmpxchg16b(struct core *core, const struct insn *insn)
{
    return compare_exchange_pair(core, insn, 8);
}
