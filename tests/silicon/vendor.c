/* SPDX-License-Identifier: MIT */
/*
 * Instances that are not made because the native processor or its kernel documents something else than Family
 * 10h does. Each line is a condition on one kind of row, with its reason; the expectations for Family 10h are
 * cited vectors in the unit tests named.
 */
#include "sim/cpu/isa/semantics.h"
#include "tests/silicon/silicon.h"

static bool has_rexw(const struct draft *draft)
{
    const struct insn *insn = &draft->insn;
    unsigned opcode_at = isa_forms[insn->row - isa_rows].modrm ? draft->modrm_at - 1 : draft->modrm_at;

    for (unsigned i = 0; i < opcode_at; i++)
        if ((draft->bytes[i] & 0xF8) == 0x48)
            return true;
    return false;
}

/*
 * Intel ignores 66 on near branches in 64-bit mode, AMD takes a 16-bit displacement or target (APM3 JMP near):
 * branch_test.c.
 */
static bool branch_66(const struct draft *draft, unsigned bits)
{
    const struct isa_row *row = draft->insn.row;

    return bits == 64 && (row->attributes & A_BRANCH) && (row->attributes & A_D64) && draft->insn.operand_size == 2;
}

/* Far pointers of 16:64 exist on Intel alone; AMD ignores REX.W there (APM3 LSS, JMP far): far_test.c. */
static bool far_pointer_64(const struct draft *draft, unsigned bits)
{
    const struct isa_form *form = &isa_forms[draft->insn.row - isa_rows];

    return bits == 64 && (form->op[0].size == ISA_SIZE_P || form->op[1].size == ISA_SIZE_P) && has_rexw(draft);
}

/* Intel moves two bytes to and from the stack (SDM PUSH), AMD the operand size: segment_test.c. */
static bool segment_on_stack(const struct silicon_case *c, const struct insn *insn)
{
    if (insn->run != exec_push_segment && insn->run != exec_pop_segment)
        return false;
    return (c->in.gpr[RSP] & 7) != 0;
}

/* Intel clears the upper halves of rSI, rDI, rCX even where no step is done, when addresses have 32 bits. */
static bool string_32_in_64(const struct silicon_case *c, const struct insn *insn)
{
    if (c->bits != 64 || insn->address_size != 4 || !(insn->row->attributes & (A_REP | A_REPCC)))
        return false;
    return (c->in.gpr[RSI] | c->in.gpr[RDI] | c->in.gpr[RCX]) >> 32 != 0;
}

/*
 * #AC of operands that are no single number: AMD's table (APM2 8.2.18) and Intel's agree on the sizes, but
 * processors do not check unaligned vector loads alike, nor FXSAVE images (#GP or #AC).
 */
static bool wide_alignment(const struct silicon_case *c, const struct insn *insn)
{
    exec_fn *run = insn->run;

    return (c->in.rflags & RFLAGS_AC) && ((insn->row->attributes & A_UNALIGNED) || run == exec_fxsave ||
           run == exec_fxrstor || run == exec_maskmovq || run == exec_maskmovdqu);
}

/* In 64-bit mode ES CS SS DS overrides are ignored, but Intel takes them for the choice between #SS and #GP. */
static bool override_of_non_canonical(const struct silicon_case *c, const struct draft *draft)
{
    const struct isa_form *form = &isa_forms[draft->insn.row - isa_rows];
    uint64_t address = effective_address(c, draft);
    bool override = false;

    for (unsigned i = 0; i < 4 && i < draft->modrm_at; i++)
        override |= (draft->bytes[i] & 0xE7) == 0x26;
    return c->bits == 64 && form->modrm && override && address + (UINT64_C(1) << 47) >= UINT64_C(1) << 48;
}

/* REP INS and OUTS with rCX = 0: Intel looks at the I/O permission first. */
static bool no_io(const struct silicon_case *c, const struct insn *insn)
{
    return (insn->run == exec_ins || insn->run == exec_outs) && insn->rep && (uint32_t)c->in.gpr[RCX] == 0;
}

/*
 * A far call from 64-bit to 32-bit code: Intel cuts the stack's address to 32 bits before the pushes. And pushes
 * that wrap around 4 GiB hang the native processor under KVM.
 */
static bool call_to_32(const struct silicon_case *c, const struct insn *insn)
{
    uint64_t stack = c->in.gpr[RSP];

    return insn->run == exec_call_far && (c->bits == 64 ? stack >> 32 != 0 : stack < 64);
}

/* A frame that is neither aligned nor mapped: #AC or #PF first. */
static bool misaligned_frame(const struct silicon_case *c, const struct insn *insn)
{
    return (insn->run == exec_retf || insn->run == exec_iret) && (c->in.rflags & RFLAGS_AC) && (c->in.gpr[RSP] & 7);
}

/* A far return from 64-bit to 32-bit code: Intel cuts rIP to 32 bits, the model compares all of it with the limit. */
static bool return_to_32(const struct silicon_case *c, const struct insn *insn)
{
    return (insn->run == exec_retf || insn->run == exec_iret) && insn->operand_size == 8 &&
           window_get(c, c->in.gpr[RSP], 8) >> 32 != 0;
}

/*
 * Stores in several pieces of which a later one faults: which bytes of the writable page have changed by then
 * no manual says (the model changes none).
 */
static bool torn_store(const struct silicon_case *c, const struct draft *draft)
{
    const struct insn *insn = &draft->insn;
    uint64_t stack = c->in.gpr[RSP], address = effective_address(c, draft);

    if (insn->run == exec_pusha || insn->run == exec_call_far)
        return stack >= DATA_FIRST && stack < DATA_FIRST + 32;
    return (insn->run == exec_fstp_80 || insn->run == exec_fbstp) && (address & PAGE_MASK) + 10 > PAGE_BYTES;
}

bool vendors_agree(const struct silicon_case *c, const struct draft *draft, const struct native_processor *processor)
{
    if (!processor->intel)
        return true;
    return !branch_66(draft, c->bits) && !far_pointer_64(draft, c->bits) && !segment_on_stack(c, &draft->insn) &&
           !string_32_in_64(c, &draft->insn) && !wide_alignment(c, &draft->insn) &&
           !override_of_non_canonical(c, draft) && !no_io(c, &draft->insn) &&
           !call_to_32(c, &draft->insn) && !return_to_32(c, &draft->insn) &&
           !torn_store(c, draft) && !misaligned_frame(c, &draft->insn);
}
