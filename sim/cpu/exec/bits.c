/* SPDX-License-Identifier: MIT */
/* Bit tests, scans and counts, byte on condition. Undefined flags are kept, as the rows say. */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

/* ---- Bit test --------------------------------------------------------------------------------------- */

/*
 * A register bit index reaches beyond the addressed unit in memory: it is signed and selects the unit of
 * operand size that holds the bit (APM3 BT).
 */
static uint64_t bit_unit_offset(const struct core *core, const struct insn *insn, uint64_t index)
{
    unsigned size = insn->op[0].size;
    int64_t units = (int64_t)sign_extend(index, size) >> __builtin_ctz(8 * size);

    return zero_extend(operand_offset(core, insn) + (uint64_t)units * size, insn->address_size);
}

typedef uint64_t bit_operator(uint64_t value, uint64_t mask);

static uint64_t bit_keep(uint64_t value, uint64_t mask)
{
    (void)mask;
    return value;
}

static uint64_t bit_set(uint64_t value, uint64_t mask)
{
    return value | mask;
}

static uint64_t bit_reset(uint64_t value, uint64_t mask)
{
    return value & ~mask;
}

static uint64_t bit_complement(uint64_t value, uint64_t mask)
{
    return value ^ mask;
}

static enum outcome bit_test(struct core *core, const struct insn *insn, bit_operator *operate, bool write)
{
    unsigned size = insn->op[0].size;
    struct operand_ref ref = { .memory = insn->op[0].kind == OPERAND_MEMORY };
    enum outcome outcome = OUTCOME_NEXT;
    uint64_t index, value, mask;

    operand_read(core, insn, 1, &index);
    if (ref.memory) {
        uint64_t offset = insn->op[1].kind == OPERAND_GPR ? bit_unit_offset(core, insn, index)
                                                          : operand_offset(core, insn);

        outcome = memory_probe(core, insn->segment, offset, size, write ? MMU_WRITE : MMU_READ, &ref.ref);
        if (outcome != OUTCOME_NEXT)
            return outcome;
        value = ref_load(core, &ref.ref);
    } else {
        operand_read(core, insn, 0, &value);
    }
    mask = BIT(index & (8 * size - 1));
    rflags_put(core, RFLAGS_CF, value & mask ? RFLAGS_CF : 0);
    if (write)
        operand_commit(core, insn, 0, &ref, operate(value, mask));
    return outcome;
}

enum outcome exec_bt(struct core *core, const struct insn *insn)
{
    return bit_test(core, insn, bit_keep, false);
}

enum outcome exec_bts(struct core *core, const struct insn *insn)
{
    return bit_test(core, insn, bit_set, true);
}

enum outcome exec_btr(struct core *core, const struct insn *insn)
{
    return bit_test(core, insn, bit_reset, true);
}

enum outcome exec_btc(struct core *core, const struct insn *insn)
{
    return bit_test(core, insn, bit_complement, true);
}

/* ---- Scans and counts ------------------------------------------------------------------------------- */

/* A zero source sets ZF and leaves the destination, upper half included, as it was (APM3 BSF). */
static enum outcome bit_scan(struct core *core, const struct insn *insn, bool reverse)
{
    enum outcome outcome;
    uint64_t value;

    outcome = operand_read(core, insn, 1, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    rflags_put(core, RFLAGS_ZF, value == 0 ? RFLAGS_ZF : 0);
    if (value != 0)
        operand_write(core, insn, 0, (uint64_t)(reverse ? 63 - __builtin_clzll(value) : __builtin_ctzll(value)));
    return OUTCOME_NEXT;
}

enum outcome exec_bsf(struct core *core, const struct insn *insn)
{
    return bit_scan(core, insn, false);
}

enum outcome exec_bsr(struct core *core, const struct insn *insn)
{
    return bit_scan(core, insn, true);
}

enum outcome exec_lzcnt(struct core *core, const struct insn *insn)
{
    unsigned width = 8 * insn->op[0].size;
    enum outcome outcome;
    uint64_t value, count;

    if (core->model->absent >> ISA_FEATURE_ABM & 1) /* the prefix then means nothing (fact sheet 1.6) */
        return exec_bsr(core, insn);
    outcome = operand_read(core, insn, 1, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    count = value == 0 ? width : (unsigned)__builtin_clzll(value) - (64 - width);
    rflags_put(core, RFLAGS_CF | RFLAGS_ZF, (value == 0 ? RFLAGS_CF : 0) | (count == 0 ? RFLAGS_ZF : 0));
    return operand_write(core, insn, 0, count);
}

enum outcome exec_popcnt(struct core *core, const struct insn *insn)
{
    enum outcome outcome;
    uint64_t value;

    outcome = operand_read(core, insn, 1, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    rflags_put(core, RFLAGS_ARITH, value == 0 ? RFLAGS_ZF : 0);
    return operand_write(core, insn, 0, (uint64_t)__builtin_popcountll(value));
}

enum outcome exec_setcc(struct core *core, const struct insn *insn)
{
    return operand_write(core, insn, 0, condition_holds(core, insn->opcode & 15));
}

/* The source is read, and may fault, whatever the condition; 32-bit forms always clear the upper half. */
enum outcome exec_cmovcc(struct core *core, const struct insn *insn)
{
    enum outcome outcome;
    uint64_t value;

    outcome = operand_read(core, insn, 1, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (!condition_holds(core, insn->opcode & 15))
        operand_read(core, insn, 0, &value);
    return operand_write(core, insn, 0, value);
}

/* ---- Single flags ----------------------------------------------------------------------------------- */

enum outcome exec_clc(struct core *core, const struct insn *insn)
{
    (void)insn;
    rflags_put(core, RFLAGS_CF, 0);
    return OUTCOME_NEXT;
}

enum outcome exec_stc(struct core *core, const struct insn *insn)
{
    (void)insn;
    rflags_put(core, RFLAGS_CF, RFLAGS_CF);
    return OUTCOME_NEXT;
}

enum outcome exec_cmc(struct core *core, const struct insn *insn)
{
    (void)insn;
    rflags_put(core, RFLAGS_CF, flag_cf(core) ? 0 : RFLAGS_CF);
    return OUTCOME_NEXT;
}

enum outcome exec_cld(struct core *core, const struct insn *insn)
{
    (void)insn;
    core->rflags &= ~RFLAGS_DF;
    return OUTCOME_NEXT;
}

enum outcome exec_std(struct core *core, const struct insn *insn)
{
    (void)insn;
    core->rflags |= RFLAGS_DF;
    return OUTCOME_NEXT;
}

enum outcome exec_lahf(struct core *core, const struct insn *insn)
{
    (void)insn;
    gpr_write(core, RAX, 1, true, rflags_read(core));
    return OUTCOME_NEXT;
}

enum outcome exec_sahf(struct core *core, const struct insn *insn)
{
    (void)insn;
    rflags_put(core, RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF | RFLAGS_CF, core->gpr[RAX] >> 8);
    return OUTCOME_NEXT;
}

/* Undocumented SALC: AL = CF ? FFh : 0. */
enum outcome exec_salc(struct core *core, const struct insn *insn)
{
    (void)insn;
    gpr_write(core, RAX, 1, false, flag_cf(core) ? 0xFF : 0);
    return OUTCOME_NEXT;
}
