/* SPDX-License-Identifier: MIT */
/*
 * Several instructions in a row, 2 to 16, straight on or with branches forward. Memory operands go through
 * pointer registers that no instruction of the sequence writes; flags that an instruction leaves undefined
 * are not read before another defines them. What faults ends the sequence on both sides.
 */
#include "sim/cpu/isa/semantics.h"
#include "tests/silicon/silicon.h"

#define TRIES 12
#define LONGEST 15

static bool is_pointer(unsigned reg)
{
    return reg == RBX || reg == RBP || reg == R14 || reg == RSP;
}

static bool reads_flags(const struct isa_row *row)
{
    static exec_fn *const list[] = {
        exec_jcc, exec_setcc, exec_cmovcc, exec_adc, exec_sbb, exec_rcl, exec_rcr, exec_pushf, exec_lahf, exec_salc,
        exec_daa, exec_das, exec_aaa, exec_aas, exec_cmc, exec_fcmov, exec_into, exec_loope, exec_loopne,
        exec_cmps, exec_scas,
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        if (row->run == list[i])
            return true;
    return false;
}

/* Flags that the row certainly defines: not those of shifts and strings, whose count may be 0. */
static uint64_t defines(const struct isa_row *row)
{
    static const uint64_t flag[6] = { RFLAGS_OF, RFLAGS_SF, RFLAGS_ZF, RFLAGS_AF, RFLAGS_PF, RFLAGS_CF };
    uint64_t mask = 0;

    if (strstr(row->operands, "CL") || strchr(row->operands, 'I') || (row->attributes & (A_REP | A_REPCC)))
        if (strchr(row->flags, 'm') || (row->attributes & (A_REP | A_REPCC)))
            return 0;
    for (unsigned i = 0; i < 6; i++)
        if (row->flags[i] == 'M' || row->flags[i] == '0' || row->flags[i] == '1')
            mask |= flag[i];
    return mask;
}

static bool row_fits(const struct isa_row *row, unsigned bits, uint64_t tainted)
{
    static exec_fn *const left_out[] = {
        exec_call_rel, exec_push_segment, exec_enter, exec_leave, exec_pusha, exec_popa, exec_popf, exec_pop_segment,
        exec_mov_to_segment, exec_les, exec_lds, exec_lss, exec_lfs, exec_lgs, exec_int, exec_int3, exec_into,
        exec_icebp, exec_loop, exec_loope, exec_loopne, exec_call_near, exec_jmp_near, exec_ret_near, exec_pop,
        exec_lsl, exec_ldmxcsr, exec_fxrstor,
        exec_fnstenv, exec_fnsave, /* Intel keeps no selectors, nor FOP but of exceptions (CPUID 7 EBX bits 13, 6) */
    };

    if (!(row->modes & (bits == 64 ? ISA_IN_64BIT : ISA_IN_PROTECTED)) || row_has_exception(row))
        return false;
    if ((row->attributes & A_END) && row->run != exec_jcc && row->run != exec_jmp_rel && row->run != exec_jcxz)
        return false;
    if (row->attributes & A_NEVER_RETIRES)
        return false;
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if (row->run == left_out[i])
            return false;
    return !(tainted && reads_flags(row));
}

/* No pointer is written, memory is reached through one alone (or absolutely). */
static bool operands_fit(const struct insn *insn, unsigned bits)
{
    for (unsigned n = 0; n < 3; n++)
        if (insn->op[n].kind == OPERAND_GPR && is_pointer(insn->op[n].reg))
            return false;
    if ((insn->row->attributes & (A_REP | A_REPCC)) && insn->address_size == 4 && bits == 64)
        return false; /* see string_32_in_64 */
    if (insn->modrm_memory && insn->index != NO_REGISTER)
        return false;
    return !insn->modrm_memory || insn->base == NO_REGISTER || is_pointer(insn->base);
}

/* Pointers point to the same place throughout: displacements may move a little around it. */
static bool place_in_sequence(struct silicon_case *c, struct draft *draft, struct random *r,
                              const struct native_processor *processor)
{
    const struct insn *insn = &draft->insn;
    struct silicon_case before = *c;
    int8_t near = (int8_t)random_next(r);

    if (!insn->modrm_memory || insn->base == NO_REGISTER) {
        bool good = insn->op[0].kind == OPERAND_RELATIVE || (insn->row->attributes & (A_REP | A_REPCC)) ||
                    place_operands(c, draft, r, processor);

        memcpy(c->in.gpr, before.in.gpr, sizeof(c->in.gpr)); /* registers belong to the beginning */
        return good;
    }
    if (insn->modrm >> 6 == 2 || insn->modrm >> 6 == 1) {
        int32_t displacement = near;

        memcpy(draft->bytes + draft->displacement_at, &displacement, insn->modrm >> 6 == 1 ? 1 : 4);
        return insn->address_size != 2 && draft_decode(draft, c->bits);
    }
    return insn->address_size != 2;
}

static void point(struct silicon_case *c, struct random *r)
{
    static const uint8_t pointers[] = { RBX, RBP, R14, RSP };

    for (unsigned i = 0; i < sizeof(pointers); i++)
        c->in.gpr[pointers[i]] = windows[1].address + 256 + (random_below(r, 1024) & ~(random_one_in(r, 3) ? 0u : 15u));
    c->in.gpr[RSP] &= ~UINT64_C(7);
    c->in.gpr[RSI] = windows[1].address + random_below(r, 1024);
    c->in.gpr[RDI] = windows[1].address + random_below(r, 1024);
    c->in.gpr[RCX] = random_below(r, 20);
    c->in.rflags &= ~(random_one_in(r, 8) ? 0 : RFLAGS_AC);
}

/* Branches lead to one of the later instructions, or to the end. */
static bool resolve_branches(struct silicon_case *c, struct random *r)
{
    for (unsigned i = 0; i < c->count; i++) {
        const struct isa_row *row = &isa_rows[c->row[i]];
        unsigned next = c->at[i + 1], target = i + 1 + random_below(r, c->count - i);
        bool byte = strchr(row->operands, 'b') != NULL;
        int32_t distance = (int32_t)c->at[target] - (int32_t)next;
        struct insn insn;

        if (row->run != exec_jcc && row->run != exec_jmp_rel && row->run != exec_jcxz)
            continue;
        if (decode(c->code + c->at[i], 15, (struct decode_mode){ c->bits, false }, &insn) != DECODE_OK ||
            insn.operand_size == 2 || (byte && distance > 127))
            return false;
        memcpy(c->code + next - (byte ? 1 : 4), &distance, byte ? 1 : 4);
    }
    return true;
}

static bool append(struct silicon_case *c, const struct native_processor *processor, struct random *r,
                   const uint16_t *rows, unsigned row_count, uint64_t *tainted)
{
    struct draft draft;
    const struct isa_row *row;
    unsigned number, at = c->at[c->count];
    bool branches = false; /* what defines a flag may be jumped over */

    for (unsigned i = 0; i < c->count; i++)
        branches |= (isa_rows[c->row[i]].attributes & A_BRANCH) != 0;

    for (unsigned tries = 0; tries < TRIES; tries++) {
        number = rows[random_below(r, row_count)];
        row = &isa_rows[number];
        if (!row_fits(row, c->bits, *tainted) || !draft_make(&draft, r, number, c->bits, c->in.rip + at))
            continue;
        if (!operands_fit(&draft.insn, c->bits) || !place_in_sequence(c, &draft, r, processor) ||
            !operands_fit(&draft.insn, c->bits))
            continue;
        if ((row->attributes & A_BRANCH && draft.insn.operand_size == 2) || !vendors_agree(c, &draft, processor))
            continue;
        memcpy(c->code + at, draft.bytes, draft.insn.length);
        c->row[c->count++] = (uint16_t)number;
        c->at[c->count] = (uint16_t)(at + draft.insn.length);
        branches |= (row->attributes & A_BRANCH) != 0;
        *tainted = (branches ? *tainted : *tainted & ~defines(row)) | undefined_flags(row);
        return true;
    }
    return false;
}

bool sequence_make(struct silicon_case *c, const struct native_processor *processor, struct random *r,
                   const uint16_t *rows, unsigned row_count)
{
    unsigned want = 2 + random_below(r, MOST_INSNS - 1);
    uint64_t tainted = 0;

    point(c, r);
    if (c->in.rip + MOST_INSNS * LONGEST + 16 > CODE_LAST)
        c->in.rip -= 0x200;
    c->count = 0;
    c->at[0] = 0;
    for (unsigned i = 0; i < want; i++)
        append(c, processor, r, rows, row_count, &tainted);
    c->size = c->at[c->count];
    for (unsigned i = 0; i < c->count; i++)
        c->media |= uses_media(&isa_rows[c->row[i]]);
    if (c->media)
        random_fp(c, r);
    return c->count >= 2 && resolve_branches(c, r);
}
