/* SPDX-License-Identifier: MIT */
/* Quick forms of near branches and of what else asks for a condition. */
#include "sim/cpu/exec/quick_form.h"
#include "sim/cpu/isa/semantics.h"

/* ---- Conditions ------------------------------------------------------------------------------------------ */

/* The signed values compare as their bytes do at the top of a word. */
QUICK_INLINE int64_t at_top(uint64_t value, unsigned size)
{
    return (int64_t)(value << (64 - 8 * size));
}

/* After a comparison or subtraction of `size` bytes without a borrow: its operands say it all. */
QUICK_INLINE bool compared(const struct core *core, unsigned size, unsigned nibble)
{
    uint64_t a = core->lazy.a, b = core->lazy.b;

    switch (nibble) {
    case 2: return a < b;
    case 3: return a >= b;
    case 4: return a == b;
    case 5: return a != b;
    case 6: return a <= b;
    case 7: return a > b;
    case 8: return at_top(core->lazy.result, size) < 0;
    case 9: return at_top(core->lazy.result, size) >= 0;
    case 12: return at_top(a, size) < at_top(b, size);
    case 13: return at_top(a, size) >= at_top(b, size);
    case 14: return at_top(a, size) <= at_top(b, size);
    case 15: return at_top(a, size) > at_top(b, size);
    default: return condition_holds(core, nibble);
    }
}

/* After AND, OR, XOR, TEST: OF and CF are 0. */
QUICK_INLINE bool tested(const struct core *core, unsigned size, unsigned nibble)
{
    uint64_t result = core->lazy.result;

    switch (nibble) {
    case 0: case 2: return false;
    case 1: case 3: return true;
    case 4: case 6: return result == 0;
    case 5: case 7: return result != 0;
    case 8: case 12: return at_top(result, size) < 0;
    case 9: case 13: return at_top(result, size) >= 0;
    case 14: return at_top(result, size) <= 0;
    case 15: return at_top(result, size) > 0;
    default: return condition_holds(core, nibble);
    }
}

/* After any operation that left its result. */
QUICK_INLINE bool resulted(const struct core *core, unsigned size, unsigned nibble)
{
    uint64_t result = core->lazy.result;

    switch (nibble) {
    case 4: return result == 0;
    case 5: return result != 0;
    case 8: return at_top(result, size) < 0;
    case 9: return at_top(result, size) >= 0;
    default: return condition_holds(core, nibble);
    }
}

QUICK_INLINE bool unknown(const struct core *core, unsigned size, unsigned nibble)
{
    (void)size;
    return condition_holds(core, nibble);
}

/* ---- Jcc, SETcc, CMOVcc ---------------------------------------------------------------------------------- */

/* Any target that is not canonical is the semantics' business: a #GP here, or at the next fetch. */
QUICK_INLINE bool go(struct core *core, uint64_t target)
{
    if (QUICK_MISS(is_canonical(target)))
        return false;
    core->rip = target;
    return true;
}

#define JUMP_IF(holds, size, nibble)                                                 \
    static const struct quick_op *jump_##holds##_##size##_##nibble(QUICK_PARAMETERS) \
    {                                                                                 \
        (void)map, (void)slots;                                                       \
        return go(core, core->rip + (holds(core, size, nibble) ? op->immediate : op->end)) ? op + 1 : op; \
    }

#define SET_IF(holds, size, nibble)                                                  \
    static const struct quick_op *set_##holds##_##size##_##nibble(QUICK_PARAMETERS)  \
    {                                                                                 \
        gpr_write(core, op->reg, 1, false, holds(core, size, nibble));               \
        QUICK_NEXT;                                                                   \
    }

/* The source is read whatever the condition; 32-bit forms always clear the upper half. */
#define MOVE_IF(holds, size, nibble)                                                 \
    static const struct quick_op *move_##holds##_##size##_##nibble(QUICK_PARAMETERS) \
    {                                                                                 \
        unsigned reg = holds(core, 0, nibble) ? op->source : op->reg;                \
                                                                                      \
        gpr_write(core, op->reg, size, false, core->gpr[reg]);                        \
        QUICK_NEXT;                                                                   \
    }

#define EACH_CONDITION(form, holds, size)                                            \
    form(holds, size, 0) form(holds, size, 1) form(holds, size, 2) form(holds, size, 3) \
    form(holds, size, 4) form(holds, size, 5) form(holds, size, 6) form(holds, size, 7) \
    form(holds, size, 8) form(holds, size, 9) form(holds, size, 10) form(holds, size, 11) \
    form(holds, size, 12) form(holds, size, 13) form(holds, size, 14) form(holds, size, 15)
#define EACH_SIZE(form, holds)                                                       \
    EACH_CONDITION(form, holds, 1) EACH_CONDITION(form, holds, 2)                   \
    EACH_CONDITION(form, holds, 4) EACH_CONDITION(form, holds, 8)

EACH_SIZE(JUMP_IF, compared)
EACH_SIZE(JUMP_IF, tested)
EACH_SIZE(JUMP_IF, resulted)
EACH_CONDITION(JUMP_IF, unknown, 0)
EACH_SIZE(SET_IF, compared)
EACH_SIZE(SET_IF, tested)
EACH_CONDITION(SET_IF, unknown, 0)
EACH_CONDITION(MOVE_IF, unknown, 4)
EACH_CONDITION(MOVE_IF, unknown, 8)

#define CONDITIONS(name)                                                              \
    { name##_0, name##_1, name##_2, name##_3, name##_4, name##_5, name##_6, name##_7, name##_8, name##_9, \
      name##_10, name##_11, name##_12, name##_13, name##_14, name##_15 }
#define SIZES(name) { CONDITIONS(name##_1), CONDITIONS(name##_2), CONDITIONS(name##_4), CONDITIONS(name##_8) }

/* By what the flags come from, and log2 of its operands' size; `flags->kind` is not LAZY_NONE. */
#define BY_FLAGS(flags, compared, tested, other, nibble)                              \
    ((flags)->kind == LAZY_SUB ? compared : (flags)->kind == LAZY_LOGIC ? tested : other) \
        [__builtin_ctz((flags)->size)][nibble]

static quick_fn *jump_if(unsigned nibble, const struct quick_flags *flags)
{
    static quick_fn *const plain[16] = CONDITIONS(jump_unknown_0), *const compared[4][16] = SIZES(jump_compared),
                   *const tested[4][16] = SIZES(jump_tested), *const resulted[4][16] = SIZES(jump_resulted);

    return flags->kind == LAZY_NONE ? plain[nibble] : BY_FLAGS(flags, compared, tested, resulted, nibble);
}

static quick_fn *set_if(unsigned nibble, const struct quick_flags *flags)
{
    static quick_fn *const plain[16] = CONDITIONS(set_unknown_0), *const compared[4][16] = SIZES(set_compared),
                   *const tested[4][16] = SIZES(set_tested);

    if (flags->kind == LAZY_SUB || flags->kind == LAZY_LOGIC)
        return BY_FLAGS(flags, compared, tested, tested, nibble);
    return plain[nibble];
}

static quick_fn *move_if(unsigned nibble, unsigned size)
{
    static quick_fn *const four[16] = CONDITIONS(move_unknown_4), *const eight[16] = CONDITIONS(move_unknown_8);

    return size == 8 ? eight[nibble] : size == 4 ? four[nibble] : NULL;
}

quick_fn *quick_conditional(const struct insn *insn, const struct quick_flags *flags, enum quick_form form)
{
    unsigned nibble = insn->opcode & 15;

    if (insn->run == exec_jcc)
        return insn->operand_size == 8 ? jump_if(nibble, flags) : NULL;
    if (insn->run == exec_setcc && form == FORM_R)
        return set_if(nibble, flags);
    return insn->run == exec_cmovcc && form == FORM_RR ? move_if(nibble, insn->op[0].size) : NULL;
}

/* ---- JMP, CALL, RET -------------------------------------------------------------------------------------- */

static const struct quick_op *jump_relative(QUICK_PARAMETERS)
{
    (void)map, (void)slots;
    return go(core, core->rip + op->immediate) ? op + 1 : op;
}

static const struct quick_op *jump_register(QUICK_PARAMETERS)
{
    (void)map, (void)slots;
    return go(core, core->gpr[op->reg]) ? op + 1 : op;
}

QUICK_INLINE bool call(QUICK_PARAMETERS, uint64_t target)
{
    uint8_t *native = NULL;

    if (is_canonical(target))
        native = quick_native(map, slots, core->gpr[RSP] - 8, 8, true);
    if (QUICK_MISS(native))
        return false;
    store_native(native, 8, core->rip + op->end);
    core->gpr[RSP] -= 8;
    core->rip = target;
    return true;
}

static const struct quick_op *call_relative(QUICK_PARAMETERS)
{
    return call(op, core, map, slots, core->rip + op->immediate) ? op + 1 : op;
}

static const struct quick_op *call_register(QUICK_PARAMETERS)
{
    return call(op, core, map, slots, core->gpr[op->reg]) ? op + 1 : op;
}

/* The target that an aligned quadword holds: read before its lookup is counted, because it may not be canonical. */
QUICK_INLINE bool go_indirect(struct core *core, struct native_map *map, struct native_slot *slots, gva_t address)
{
    struct native_slot *slot = &slots[native_index(address)];
    uint64_t target;

    if (slot->tag_read != (address & (~PAGE_MASK | 7)))
        return false;
    memcpy(&target, (const uint8_t *)(slot->delta + address), 8);
    if (!go(core, target))
        return false;
    native_hit(map, slot, address);
    return true;
}

static const struct quick_op *jump_memory(QUICK_PARAMETERS)
{
    return go_indirect(core, map, slots, quick_address(core, op)) ? op + 1 : op;
}

static const struct quick_op *ret(QUICK_PARAMETERS)
{
    if (!go_indirect(core, map, slots, core->gpr[RSP]))
        return op;
    core->gpr[RSP] += 8 + op->immediate; /* RET imm16 drops its arguments */
    return op + 1;
}

quick_fn *quick_branch(const struct insn *insn)
{
    bool gpr = insn->op[0].kind == OPERAND_GPR;

    if (insn->operand_size != 8)
        return NULL;
    if (insn->run == exec_jmp_rel)
        return jump_relative;
    if (insn->run == exec_call_rel)
        return call_relative;
    if (insn->run == exec_ret_near)
        return ret;
    if (insn->run == exec_jmp_near)
        return gpr ? jump_register : jump_memory;
    return insn->run == exec_call_near && gpr ? call_register : NULL;
}
