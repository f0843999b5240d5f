/* SPDX-License-Identifier: MIT */
/* Which quick form an instruction has. */
#include "sim/cpu/exec/quick.h"

#include <stddef.h>

#include "sim/cpu/exec/quick_form.h"

/* No quick form: the runner's turn. */
static const struct quick_op *not_quick(QUICK_PARAMETERS)
{
    (void)core, (void)map, (void)slots;
    return op;
}

/* ---- Operands ------------------------------------------------------------------------------------------ */

static unsigned size_index(unsigned size)
{
    return (unsigned)__builtin_ctz(size);
}

static bool is_simple_size(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static uint16_t register_place(unsigned reg)
{
    return (uint16_t)(reg == NO_REGISTER ? offsetof(struct core, zero) : offsetof(struct core, gpr) + 8 * reg);
}

/* The base of FS or GS takes the place of the index. false: such an address has no quick form. */
static bool set_address(struct quick_op *op, const struct insn *insn)
{
    int64_t displacement = insn->displacement + (insn->rip_relative ? op->end : 0);

    if (insn->address_size != 8 || displacement != (int32_t)displacement)
        return false;
    op->displacement = (int32_t)displacement;
    op->base = insn->rip_relative ? (uint16_t)offsetof(struct core, rip) : register_place(insn->base);
    op->index = register_place(insn->index);
    op->factor = (uint8_t)(1u << insn->scale);
    if (insn->segment < SEG_FS)
        return true;
    if (insn->index != NO_REGISTER)
        return false;
    op->index = (uint16_t)(offsetof(struct core, seg) + sizeof(struct segment) * insn->segment +
                           offsetof(struct segment, base));
    op->factor = 1;
    return true;
}

static bool operand_is_quick(const struct operand *operand)
{
    switch (operand->kind) {
    case OPERAND_NONE:
    case OPERAND_MEMORY:
    case OPERAND_RELATIVE:
        return true;
    case OPERAND_GPR:
        return !operand->high_byte;
    case OPERAND_IMMEDIATE:
        return operand->reg == 0;
    default:
        return false;
    }
}

static bool operands_are_quick(struct quick_op *op, const struct insn *insn)
{
    bool memory = false;

    for (unsigned n = 0; n < 3; n++) {
        if (!operand_is_quick(&insn->op[n]))
            return false;
        memory |= insn->op[n].kind == OPERAND_MEMORY;
    }
    op->reg = insn->op[0].reg;
    op->source = insn->op[1].reg;
    op->immediate = insn->immediate;
    return !memory || set_address(op, insn);
}

/* FORM_COUNT: none of them. */
static enum quick_form form_of(const struct insn *insn)
{
    bool memory = insn->op[0].kind == OPERAND_MEMORY;

    if (!memory && insn->op[0].kind != OPERAND_GPR)
        return FORM_COUNT;
    switch (insn->op[1].kind) {
    case OPERAND_NONE: return memory ? FORM_M : FORM_R;
    case OPERAND_GPR: return memory ? FORM_MR : FORM_RR;
    case OPERAND_IMMEDIATE: return memory ? FORM_MI : FORM_RI;
    case OPERAND_MEMORY: return memory ? FORM_COUNT : FORM_RM;
    default: return FORM_COUNT;
    }
}

/* ---- Looking up ---------------------------------------------------------------------------------------- */

static const struct quick_family *family_of(const struct insn *insn)
{
    static const struct quick_family *const lists[] = { quick_moves, quick_alu, quick_shifts };

    for (unsigned i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        for (const struct quick_family *family = lists[i]; family->run; family++)
            if (family->run == insn->run && (!family->wide || family->wide == insn->op[0].size))
                return family;
    return NULL;
}

static quick_fn *in_family(const struct insn *insn, enum quick_form form, struct quick_flags *flags)
{
    const struct quick_family *family = family_of(insn);
    unsigned size = family ? insn->op[family->wide ? 1 : 0].size : 0;

    if (!family || form == FORM_COUNT || !is_simple_size(size) || insn->op[2].kind != OPERAND_NONE)
        return NULL;
    if (family->flags != LAZY_NONE)
        *flags = (struct quick_flags){ family->flags, (uint8_t)size };
    return family->form[form][size_index(size)];
}

/* Instructions without operands of their own, or with one. */
static quick_fn *choose(const struct insn *insn, struct quick_flags *flags)
{
    enum quick_form form = form_of(insn);
    quick_fn *run = quick_single(insn);

    if (!run)
        run = quick_branch(insn);
    if (!run)
        run = quick_conditional(insn, flags, form);
    return run ? run : in_family(insn, form, flags);
}

/* What only a boundary can follow is never quick. */
static bool may_have_quick_form(const struct insn *insn)
{
    const struct isa_row *row = insn->row;

    return row && insn->run == row->run && !insn->rep && (!isa_row_ends_block(row) || (row->attributes & A_BRANCH));
}

static bool keeps_flags(const struct insn *insn)
{
    const char *flags = insn->row->flags;

    for (unsigned i = 0; i < 6; i++)
        if (flags[i] != '-')
            return false;
    return true;
}

void quick_choose(struct quick_op *op, const struct insn *insn, unsigned end, struct quick_flags *flags)
{
    struct quick_flags unknown = { LAZY_NONE, 0 }, after = unknown;
    quick_fn *run = NULL;

    op->end = (uint16_t)end;
    if (may_have_quick_form(insn) && operands_are_quick(op, insn)) {
        after = keeps_flags(insn) ? *flags : unknown;
        run = choose(insn, keeps_flags(insn) ? flags : &after);
    }
    if (insn->op[1].kind == OPERAND_RELATIVE || insn->op[0].kind == OPERAND_RELATIVE)
        op->immediate = insn->immediate + end;
    op->run = run ? run : not_quick;
    op->has_form = run != NULL;
    *flags = run ? after : unknown;
}

static const struct quick_op *finish(QUICK_PARAMETERS)
{
    (void)map, (void)slots;
    core->rip += op->end;
    return op;
}

void quick_finish(struct quick_op *op, unsigned bytes)
{
    *op = (struct quick_op){ .run = finish, .end = (uint16_t)bytes };
}
