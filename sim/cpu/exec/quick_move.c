/* SPDX-License-Identifier: MIT */
/* Quick forms of moves, of the stack's instructions and of what has one form only. */
#include "sim/cpu/exec/muldiv.h"
#include "sim/cpu/exec/quick_form.h"
#include "sim/cpu/isa/semantics.h"

/* ---- MOV ------------------------------------------------------------------------------------------------- */

#define MOVE_SIZE(size)                                                               \
    static const struct quick_op *mov_ri_##size(QUICK_PARAMETERS)                     \
    {                                                                                 \
        gpr_write(core, op->reg, size, false, op->immediate);                         \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *mov_mr_##size(QUICK_PARAMETERS)                     \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, true); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        store_native(native, size, core->gpr[op->source]);                            \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *mov_mi_##size(QUICK_PARAMETERS)                     \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, true); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        store_native(native, size, op->immediate);                                    \
        QUICK_NEXT;                                                                   \
    }

MOVE_SIZE(1) MOVE_SIZE(2) MOVE_SIZE(4) MOVE_SIZE(8)

/* A value of `from` bytes, extended, to a register of `to` bytes. */
#define EXTEND_SIZE(name, extend, to, from)                                           \
    static const struct quick_op *name##_rr_##from(QUICK_PARAMETERS)                  \
    {                                                                                 \
        gpr_write(core, op->reg, to, false, extend(core->gpr[op->source], from));     \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *name##_rm_##from(QUICK_PARAMETERS)                  \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), from, false); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        gpr_write(core, op->reg, to, false, extend(load_native(native, from), from)); \
        QUICK_NEXT;                                                                   \
    }

EXTEND_SIZE(load, zero_extend, 1, 1)
EXTEND_SIZE(load, zero_extend, 2, 2)
EXTEND_SIZE(load, zero_extend, 4, 4)
EXTEND_SIZE(load, zero_extend, 8, 8)
EXTEND_SIZE(movzx, zero_extend, 8, 1)
EXTEND_SIZE(movzx, zero_extend, 8, 2)
EXTEND_SIZE(movsx4, sign_extend, 4, 1)
EXTEND_SIZE(movsx4, sign_extend, 4, 2)
EXTEND_SIZE(movsx4, sign_extend, 4, 4)
EXTEND_SIZE(movsx8, sign_extend, 8, 1)
EXTEND_SIZE(movsx8, sign_extend, 8, 2)
EXTEND_SIZE(movsx8, sign_extend, 8, 4)

/* Zero-extension to 32 bits clears the rest of the register too. */
#define EXTEND(run, wide, name, four)                                                                       \
    { run, wide, LAZY_NONE,                                                                                 \
      { [FORM_RR] = { name##_rr_1, name##_rr_2, four##rr_4, NULL },                                         \
        [FORM_RM] = { name##_rm_1, name##_rm_2, four##rm_4, NULL } } }

const struct quick_family quick_moves[] = {
    { exec_mov, 0, LAZY_NONE,
      { [FORM_RR] = QUICK_SIZES(load_rr), [FORM_RI] = QUICK_SIZES(mov_ri), [FORM_RM] = QUICK_SIZES(load_rm),
        [FORM_MR] = QUICK_SIZES(mov_mr), [FORM_MI] = QUICK_SIZES(mov_mi) } },
    EXTEND(exec_movzx, 4, movzx, load_),
    EXTEND(exec_movzx, 8, movzx, load_),
    EXTEND(exec_movsx, 4, movsx4, movsx4_),
    EXTEND(exec_movsx, 8, movsx8, movsx8_),
    EXTEND(exec_movsxd, 4, movsx4, movsx4_),
    EXTEND(exec_movsxd, 8, movsx8, movsx8_),
    { NULL, 0, 0, { { NULL } } },
};

/* ---- LEA, extensions of rAX, NOP ------------------------------------------------------------------------- */

static const struct quick_op *lea_4(QUICK_PARAMETERS)
{
    core->gpr[op->reg] = (uint32_t)quick_address(core, op);
    QUICK_NEXT;
}

static const struct quick_op *lea_8(QUICK_PARAMETERS)
{
    core->gpr[op->reg] = quick_address(core, op);
    QUICK_NEXT;
}

static const struct quick_op *cwde(QUICK_PARAMETERS)
{
    core->gpr[RAX] = (uint32_t)(int16_t)core->gpr[RAX];
    QUICK_NEXT;
}

static const struct quick_op *cdqe(QUICK_PARAMETERS)
{
    core->gpr[RAX] = (uint64_t)(int32_t)core->gpr[RAX];
    QUICK_NEXT;
}

static const struct quick_op *cdq(QUICK_PARAMETERS)
{
    core->gpr[RDX] = (uint32_t)((int32_t)core->gpr[RAX] >> 31);
    QUICK_NEXT;
}

static const struct quick_op *cqo(QUICK_PARAMETERS)
{
    core->gpr[RDX] = (uint64_t)((int64_t)core->gpr[RAX] >> 63);
    QUICK_NEXT;
}

static const struct quick_op *nop(QUICK_PARAMETERS)
{
    QUICK_NEXT;
}

/* ---- Stack ----------------------------------------------------------------------------------------------- */

QUICK_INLINE bool push(struct core *core, struct native_map *map, struct native_slot *slots, uint64_t value)
{
    uint8_t *native = quick_native(map, slots, core->gpr[RSP] - 8, 8, true);

    if (QUICK_MISS(native))
        return false;
    store_native(native, 8, value);
    core->gpr[RSP] -= 8;
    return true;
}

static const struct quick_op *push_r(QUICK_PARAMETERS)
{
    if (!push(core, map, slots, core->gpr[op->reg]))
        return op;
    QUICK_NEXT;
}

static const struct quick_op *push_i(QUICK_PARAMETERS)
{
    if (!push(core, map, slots, op->immediate))
        return op;
    QUICK_NEXT;
}

static const struct quick_op *pop_r(QUICK_PARAMETERS)
{
    uint8_t *native = quick_native(map, slots, core->gpr[RSP], 8, false);

    if (QUICK_MISS(native))
        return op;
    core->gpr[RSP] += 8;
    core->gpr[op->reg] = load_native(native, 8);
    QUICK_NEXT;
}

static const struct quick_op *leave(QUICK_PARAMETERS)
{
    uint8_t *native = quick_native(map, slots, core->gpr[RBP], 8, false);

    if (QUICK_MISS(native))
        return op;
    core->gpr[RSP] = core->gpr[RBP] + 8;
    core->gpr[RBP] = load_native(native, 8);
    QUICK_NEXT;
}

/* ---- IMUL of two and three operands ------------------------------------------------------------------------ */

#define MULTIPLY_SIZE(size)                                                           \
    QUICK_INLINE void multiply_##size(struct core *core, unsigned reg, uint64_t a, uint64_t b) \
    {                                                                                 \
        gpr_write(core, reg, size, false, multiply_signed(core, size, a, b));         \
    }                                                                                 \
    static const struct quick_op *imul_rr_##size(QUICK_PARAMETERS)                    \
    {                                                                                 \
        multiply_##size(core, op->reg, core->gpr[op->source], core->gpr[op->reg]);    \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *imul_rri_##size(QUICK_PARAMETERS)                   \
    {                                                                                 \
        multiply_##size(core, op->reg, core->gpr[op->source], op->immediate);         \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *imul_rm_##size(QUICK_PARAMETERS)                    \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, false); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        multiply_##size(core, op->reg, load_native(native, size), core->gpr[op->reg]); \
        QUICK_NEXT;                                                                   \
    }                                                                                 \
    static const struct quick_op *imul_rmi_##size(QUICK_PARAMETERS)                   \
    {                                                                                 \
        uint8_t *native = quick_native(map, slots, quick_address(core, op), size, false); \
                                                                                      \
        if (QUICK_MISS(native))                                                       \
            return op;                                                                \
        multiply_##size(core, op->reg, load_native(native, size), op->immediate);     \
        QUICK_NEXT;                                                                   \
    }

MULTIPLY_SIZE(4) MULTIPLY_SIZE(8)

static quick_fn *quick_imul(const struct insn *insn)
{
    static quick_fn *const run[2][2][2] = { /* 64 bits; memory; immediate */
        { { imul_rr_4, imul_rri_4 }, { imul_rm_4, imul_rmi_4 } },
        { { imul_rr_8, imul_rri_8 }, { imul_rm_8, imul_rmi_8 } },
    };

    if (insn->op[0].size < 4)
        return NULL;
    return run[insn->op[0].size == 8][insn->op[1].kind == OPERAND_MEMORY][insn->op[2].kind == OPERAND_IMMEDIATE];
}

/* ---- Which --------------------------------------------------------------------------------------------- */

static quick_fn *by_size(unsigned size, quick_fn *four, quick_fn *eight)
{
    return size == 8 ? eight : size == 4 ? four : NULL;
}

/* Of these only pushes and pops of 64 bits, the default, have a quick form. */
static quick_fn *quick_stack(const struct insn *insn)
{
    bool gpr = insn->op[0].kind == OPERAND_GPR;

    if (insn->operand_size != 8)
        return NULL;
    if (insn->run == exec_push)
        return gpr ? push_r : insn->op[0].kind == OPERAND_IMMEDIATE ? push_i : NULL;
    if (insn->run == exec_pop)
        return gpr ? pop_r : NULL;
    return insn->run == exec_leave ? leave : NULL;
}

quick_fn *quick_single(const struct insn *insn)
{
    if (insn->run == exec_nop || insn->run == exec_prefetch || insn->run == exec_fence)
        return nop;
    if (insn->run == exec_lea)
        return insn->segment < SEG_FS ? by_size(insn->op[0].size, lea_4, lea_8) : NULL;
    if (insn->run == exec_imul)
        return quick_imul(insn);
    if (insn->run == exec_cbw)
        return by_size(insn->operand_size, cwde, cdqe);
    if (insn->run == exec_cwd)
        return by_size(insn->operand_size, cdq, cqo);
    return quick_stack(insn);
}
