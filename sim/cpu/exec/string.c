/* SPDX-License-Identifier: MIT */
/* String instructions, one element a call. */
#include "sim/cpu/exec/alu.h"
#include "sim/cpu/exec/io.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

#define INLINE static inline __attribute__((always_inline))

/* One element: guards, effect, rSI and rDI advanced. */
typedef enum outcome string_step(struct core *core, const struct insn *insn);

INLINE void advance(struct core *core, const struct insn *insn, unsigned reg, unsigned size)
{
    uint64_t step = core->rflags & RFLAGS_DF ? -(uint64_t)size : size;

    gpr_write(core, reg, insn->address_size, false, core->gpr[reg] + step);
}

INLINE uint64_t string_offset(const struct core *core, const struct insn *insn, unsigned reg)
{
    return gpr_read(core, reg, insn->address_size, false);
}

/* One step; with REP another call makes the next, so that every boundary is the same in both engines. */
INLINE enum outcome repeat(struct core *core, const struct insn *insn, string_step *step, bool compares)
{
    enum outcome outcome;
    uint64_t count;

    if (insn->rep == 0)
        return step(core, insn);
    count = gpr_read(core, RCX, insn->address_size, false);
    if (count == 0)
        return OUTCOME_NEXT;
    outcome = step(core, insn);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    gpr_write(core, RCX, insn->address_size, false, --count);
    if (count == 0 || (compares && flag_zf(core) != (insn->rep == 0xF3)))
        return OUTCOME_NEXT;
    return OUTCOME_REPEAT;
}

/* ---- Steps ------------------------------------------------------------------------------------------- */

INLINE enum outcome movs_step(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    enum outcome outcome;
    uint64_t value;

    outcome = memory_read(core, insn->segment, string_offset(core, insn, RSI), size, &value);
    if (outcome == OUTCOME_NEXT)
        outcome = memory_write(core, SEG_ES, string_offset(core, insn, RDI), size, value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    advance(core, insn, RSI, size);
    advance(core, insn, RDI, size);
    return OUTCOME_NEXT;
}

/* assumed: ES:[rDI] is read, and faults, first, as on native processors. */
INLINE enum outcome cmps_step(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    enum outcome outcome;
    uint64_t a, b;

    outcome = memory_read(core, SEG_ES, string_offset(core, insn, RDI), size, &b);
    if (outcome == OUTCOME_NEXT)
        outcome = memory_read(core, insn->segment, string_offset(core, insn, RSI), size, &a);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    alu_sub(core, size, a, b);
    advance(core, insn, RSI, size);
    advance(core, insn, RDI, size);
    return OUTCOME_NEXT;
}

INLINE enum outcome stos_step(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    enum outcome outcome = memory_write(core, SEG_ES, string_offset(core, insn, RDI), size, core->gpr[RAX]);

    if (outcome == OUTCOME_NEXT)
        advance(core, insn, RDI, size);
    return outcome;
}

INLINE enum outcome lods_step(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    enum outcome outcome;
    uint64_t value;

    outcome = memory_read(core, insn->segment, string_offset(core, insn, RSI), size, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    gpr_write(core, RAX, size, false, value);
    advance(core, insn, RSI, size);
    return OUTCOME_NEXT;
}

INLINE enum outcome scas_step(struct core *core, const struct insn *insn)
{
    unsigned size = insn->op[0].size;
    enum outcome outcome;
    uint64_t value;

    outcome = memory_read(core, SEG_ES, string_offset(core, insn, RDI), size, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    alu_sub(core, size, gpr_read(core, RAX, size, false), value);
    advance(core, insn, RDI, size);
    return OUTCOME_NEXT;
}

/* The destination is checked before the port is read: a device must not lose a byte to a page fault. */
INLINE enum outcome ins_step(struct core *core, const struct insn *insn)
{
    uint16_t port = (uint16_t)core->gpr[RDX];
    unsigned size = insn->op[0].size;
    enum outcome outcome;
    struct mem_ref ref;

    outcome = io_check(core, insn, port, size, true, true);
    if (outcome == OUTCOME_NEXT)
        outcome = memory_probe(core, SEG_ES, string_offset(core, insn, RDI), size, MMU_WRITE, &ref);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    ref_store(core, &ref, io_read(core, port, size));
    advance(core, insn, RDI, size);
    return OUTCOME_NEXT;
}

INLINE enum outcome outs_step(struct core *core, const struct insn *insn)
{
    uint16_t port = (uint16_t)core->gpr[RDX];
    unsigned size = insn->op[1].size;
    enum outcome outcome;
    uint64_t value;

    outcome = io_check(core, insn, port, size, false, true);
    if (outcome == OUTCOME_NEXT)
        outcome = memory_read(core, insn->segment, string_offset(core, insn, RSI), size, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    io_write(core, port, size, (uint32_t)value);
    advance(core, insn, RSI, size);
    return OUTCOME_NEXT;
}

/* ---- Instructions --------------------------------------------------------------------------------------- */

enum outcome exec_movs(struct core *core, const struct insn *insn)
{
    return repeat(core, insn, movs_step, false);
}

enum outcome exec_cmps(struct core *core, const struct insn *insn)
{
    return repeat(core, insn, cmps_step, true);
}

enum outcome exec_stos(struct core *core, const struct insn *insn)
{
    return repeat(core, insn, stos_step, false);
}

enum outcome exec_lods(struct core *core, const struct insn *insn)
{
    return repeat(core, insn, lods_step, false);
}

enum outcome exec_scas(struct core *core, const struct insn *insn)
{
    return repeat(core, insn, scas_step, true);
}

enum outcome exec_ins(struct core *core, const struct insn *insn)
{
    return repeat(core, insn, ins_step, false);
}

enum outcome exec_outs(struct core *core, const struct insn *insn)
{
    return repeat(core, insn, outs_step, false);
}
