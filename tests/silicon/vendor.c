/* SPDX-License-Identifier: MIT */
/*
 * Instances that are not made because the native processor or its kernel documents something else than Family
 * 10h does. Each is a condition with a name; its reason, and what Family 10h does, as vectors with citations, are
 * blocks of vectors.list (vectors.c): a condition without them fails the test.
 */
#include "sim/cpu/isa/semantics.h"
#include "tests/silicon/silicon.h"

struct situation {
    const struct silicon_case *c;
    const struct draft *draft;
    const struct insn *insn;
    exec_fn *run;
};

/* Bytes before the opcode. */
static unsigned prefix_bytes(const struct draft *draft)
{
    return draft->modrm_at - (isa_forms[draft->insn.row - isa_rows].map ? 2 : 1);
}

static bool has_rexw(const struct draft *draft)
{
    for (unsigned i = 0; i < prefix_bytes(draft); i++)
        if ((draft->bytes[i] & 0xF8) == 0x48)
            return true;
    return false;
}

static bool near_branch_66(const struct situation *s)
{
    uint32_t attributes = s->insn->row->attributes;

    return s->c->bits == 64 && (attributes & A_BRANCH) && (attributes & A_D64) && s->insn->operand_size == 2;
}

static bool far_pointer_rexw(const struct situation *s)
{
    const struct isa_form *form = &isa_forms[s->insn->row - isa_rows];

    return s->c->bits == 64 && (form->op[0].size == ISA_SIZE_P || form->op[1].size == ISA_SIZE_P) && has_rexw(s->draft);
}

/* Where the bytes beyond the first two can be told: by their alignment, or on another page. */
static bool segment_on_stack(const struct situation *s)
{
    uint64_t stack = s->c->in.gpr[RSP], offset = stack & PAGE_MASK;
    bool both_misaligned = stack & 1;

    if ((s->run != exec_push_segment && s->run != exec_pop_segment) || !(stack & 7))
        return false;
    return ((s->c->in.rflags & RFLAGS_AC) && !both_misaligned) || offset < 8 || offset > PAGE_BYTES - 8;
}

static bool string_32_in_64(const struct situation *s)
{
    const uint64_t *gpr = s->c->in.gpr;
    bool upper = (gpr[RSI] | gpr[RDI] | gpr[RCX]) >> 32;

    if (s->c->bits != 64 || s->insn->address_size != 4 || !s->insn->rep || !upper)
        return false;
    return (uint32_t)gpr[RCX] == 0 || s->run == exec_movs || s->run == exec_stos;
}

static bool wide_alignment(const struct situation *s)
{
    if (!(s->c->in.rflags & RFLAGS_AC))
        return false;
    if (s->run == exec_fxsave || s->run == exec_fxrstor || s->run == exec_maskmovq || s->run == exec_maskmovdqu)
        return true;
    return (s->insn->row->attributes & A_UNALIGNED) && (effective_address(s->c, s->draft) & 15);
}

static bool ignored_override(const struct situation *s)
{
    uint64_t address = effective_address(s->c, s->draft);
    bool override = false;

    for (unsigned i = 0; i < prefix_bytes(s->draft); i++)
        override |= (s->draft->bytes[i] & 0xE7) == 0x26;
    return s->c->bits == 64 && isa_forms[s->insn->row - isa_rows].modrm && override && !is_canonical(address);
}

static bool io_zero_times(const struct situation *s)
{
    return (s->run == exec_ins || s->run == exec_outs) && s->insn->rep && (uint32_t)s->c->in.gpr[RCX] == 0;
}

static bool far_call_to_32(const struct situation *s)
{
    uint64_t stack = s->c->in.gpr[RSP];

    return s->run == exec_call_far && (s->c->bits == 64 ? stack >> 32 != 0 : stack < 64);
}

static bool far_return_to_32(const struct situation *s)
{
    return (s->run == exec_retf || s->run == exec_iret) && s->insn->operand_size == 8 &&
           window_get(s->c, s->c->in.gpr[RSP], 8) >> 32 != 0;
}

/* place.c puts the word where these read it. */
static bool mxcsr_mm(const struct situation *s)
{
    uint64_t address = effective_address(s->c, s->draft);

    if (s->run == exec_ldmxcsr)
        return window_get(s->c, address, 4) >> 17 & 1;
    return s->run == exec_fxrstor && (window_get(s->c, address + 24, 4) >> 17 & 1);
}

/* Made, but for the state that compare.c lets differ. */
static bool mmx_at_fault(const struct situation *s)
{
    (void)s;
    return false;
}

static const struct {
    const char *name;
    bool (*applies)(const struct situation *s);
} conditions[] = {
    { "near-branch-66", near_branch_66 },     { "far-pointer-rexw", far_pointer_rexw },
    { "segment-on-stack", segment_on_stack }, { "string-32-in-64", string_32_in_64 },
    { "wide-alignment", wide_alignment },     { "ignored-override", ignored_override },
    { "io-zero-times", io_zero_times },       { "far-call-to-32", far_call_to_32 },
    { "far-return-to-32", far_return_to_32 }, { "mxcsr-mm", mxcsr_mm },
    { "mmx-at-fault", mmx_at_fault },
};

const char *vendor_condition(unsigned number)
{
    return number < G_N_ELEMENTS(conditions) ? conditions[number].name : NULL;
}

bool vendors_agree(const struct silicon_case *c, const struct draft *draft, const struct native_processor *processor)
{
    const struct situation s = { c, draft, &draft->insn, draft->insn.run };

    if (!processor->intel)
        return true;
    for (unsigned i = 0; i < G_N_ELEMENTS(conditions); i++)
        if (conditions[i].applies(&s))
            return false;
    return true;
}
