/* SPDX-License-Identifier: MIT */
/*
 * Bytes to struct insn, by the generated tables. What the manual calls #UD because of the encoding alone
 * (no row in this mode, LOCK where it is not allowed, a register where memory is required) ends here.
 */
#include <string.h>

#include "sim/cpu/decode/insn.h"

#define MAX_LENGTH 15 /* APM3 1.1: longer instructions raise #GP */

struct decoder {
    const uint8_t *bytes;
    size_t size;
    unsigned at;
    enum decode_result stop; /* DECODE_OK until the bytes end */
    struct decode_mode mode;
    uint8_t rex;
    uint8_t prefix_rep, prefix_segment;
    bool operand_66, address_67, lock;
    unsigned map;
};

/* ---- Bytes ------------------------------------------------------------------------------------------ */

static uint8_t next_byte(struct decoder *d)
{
    if (d->at >= MAX_LENGTH)
        d->stop = DECODE_TOO_LONG;
    else if (d->at >= d->size)
        d->stop = DECODE_TRUNCATED;
    if (d->stop != DECODE_OK)
        return 0;
    return d->bytes[d->at++];
}

static uint64_t next_value(struct decoder *d, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)next_byte(d) << 8 * i;
    return value;
}

static int64_t next_signed(struct decoder *d, unsigned size)
{
    return (int64_t)sign_extend(next_value(d, size), size);
}

/* ---- Prefixes (APM3 1.2) ------------------------------------------------------------------------------ */

static uint8_t segment_of_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26: return SEG_ES;
    case 0x2E: return SEG_CS;
    case 0x36: return SEG_SS;
    case 0x3E: return SEG_DS;
    case 0x64: return SEG_FS;
    case 0x65: return SEG_GS;
    default: return NO_REGISTER;
    }
}

/* Returns the first byte that is no prefix: the opcode. */
static uint8_t read_prefixes(struct decoder *d)
{
    for (;;) {
        uint8_t byte = next_byte(d);

        if (d->mode.code_bits == 64 && (byte & 0xF0) == 0x40 && d->stop == DECODE_OK) {
            d->rex = byte;
            continue;
        }
        if (segment_of_prefix(byte) != NO_REGISTER) {
            /* APM1 2.2.2: 64-bit mode ignores CS, DS, ES and SS overrides. */
            if (d->mode.code_bits != 64 || byte >= 0x64)
                d->prefix_segment = segment_of_prefix(byte);
        } else if (byte == 0x66) {
            d->operand_66 = true;
        } else if (byte == 0x67) {
            d->address_67 = true;
        } else if (byte == 0xF0) {
            d->lock = true;
        } else if (byte == 0xF2 || byte == 0xF3) {
            d->prefix_rep = byte;
        } else {
            return byte;
        }
        d->rex = 0; /* REX counts only right before the opcode */
    }
}

/* ---- Row -------------------------------------------------------------------------------------------- */

static unsigned prefix_class(const struct decoder *d)
{
    if (d->prefix_rep != 0)
        return d->prefix_rep == 0xF3 ? ISA_PREFIX_F3 : ISA_PREFIX_F2;
    return d->operand_66 ? ISA_PREFIX_66 : ISA_PREFIX_NONE;
}

static unsigned mode_bit(struct decode_mode mode)
{
    if (mode.code_bits == 64)
        return ISA_IN_64BIT;
    return mode.real_style ? ISA_IN_REAL_STYLE : ISA_IN_PROTECTED;
}

static bool form_accepts(const struct isa_form *form, const struct decoder *d, unsigned modrm)
{
    if (!(form->modes & mode_bit(d->mode)) || !(form->prefixes & prefix_class(d)))
        return false;
    if (!bit(form->rexw, bit(d->rex, 3)) || !bit(form->rexb, bit(d->rex, 0)))
        return false;
    if (!form->modrm)
        return true;
    if (!bit(form->regs, modrm >> 3 & 7))
        return false;
    return modrm < 0xC0 ? (form->mods & 1) : (form->mods & 2) && bit(form->rms, modrm & 7);
}

/*
 * The row of this opcode, ISA_NO_ROW if there is none. The ModRM byte is looked at, not consumed, unless it is what
 * makes the instruction undefined: it was fetched, and a store to it may define the instruction.
 */
static uint16_t find_row(struct decoder *d, uint8_t opcode)
{
    const uint16_t *candidate = &isa_candidates[isa_first_candidate[d->map][opcode]];
    unsigned modrm = 0, opcode_end = d->at;

    if (*candidate != ISA_NO_ROW && bit(isa_has_modrm[d->map][opcode >> 3], opcode & 7)) {
        modrm = next_byte(d);
        if (d->stop != DECODE_OK)
            return ISA_NO_ROW;
    }
    while (*candidate != ISA_NO_ROW && !form_accepts(&isa_forms[*candidate], d, modrm))
        candidate++;
    if (*candidate != ISA_NO_ROW)
        d->at = opcode_end;
    return *candidate;
}

/* ---- Sizes ------------------------------------------------------------------------------------------ */

static uint8_t address_size(const struct decoder *d)
{
    if (d->mode.code_bits == 64)
        return d->address_67 ? 4 : 8;
    return (d->mode.code_bits == 32) != d->address_67 ? 4 : 2;
}

static void set_sizes(const struct decoder *d, struct insn *insn)
{
    unsigned attributes = insn->row->attributes;

    insn->address_size = address_size(d);
    switch (d->mode.code_bits) {
    case 64:
        if ((attributes & A_F64) || bit(d->rex, 3))
            insn->operand_size = 8;
        else if (d->operand_66)
            insn->operand_size = 2;
        else
            insn->operand_size = (attributes & A_D64) ? 8 : 4;
        break;
    case 32:
        insn->operand_size = d->operand_66 ? 2 : 4;
        break;
    default:
        insn->operand_size = d->operand_66 ? 4 : 2;
        break;
    }
}

/* Bytes of an operand. `memory`: it is the memory form. */
static uint8_t operand_bytes(const struct decoder *d, const struct insn *insn, unsigned size, bool memory)
{
    switch (size) {
    case ISA_SIZE_B: return 1;
    case ISA_SIZE_W: return 2;
    case ISA_SIZE_D: return 4;
    case ISA_SIZE_Q: return 8;
    case ISA_SIZE_DQ: return 16;
    case ISA_SIZE_T: return 10;
    case ISA_SIZE_Z: return insn->operand_size == 2 ? 2 : 4;
    case ISA_SIZE_Y: return bit(d->rex, 3) ? 8 : 4;
    case ISA_SIZE_NATURAL: return d->mode.code_bits == 64 ? 8 : 4;
    case ISA_SIZE_P: return (uint8_t)(insn->operand_size + 2);
    case ISA_SIZE_S: return d->mode.code_bits == 64 ? 10 : 6;
    case ISA_SIZE_A: return (uint8_t)(2 * insn->operand_size);
    case ISA_SIZE_WV: return memory ? 2 : insn->operand_size;
    case ISA_SIZE_V:
    case ISA_SIZE_BS: return insn->operand_size;
    default: return 0;
    }
}

/* ---- ModRM, SIB, displacement (APM3 1.4) -------------------------------------------------------------- */

static void read_memory_16(struct decoder *d, struct insn *insn)
{
    static const struct {
        uint8_t base, index, segment;
    } forms[8] = {
        { RBX, RSI, SEG_DS }, { RBX, RDI, SEG_DS }, { RBP, RSI, SEG_SS }, { RBP, RDI, SEG_SS },
        { RSI, NO_REGISTER, SEG_DS }, { RDI, NO_REGISTER, SEG_DS }, { RBP, NO_REGISTER, SEG_SS },
        { RBX, NO_REGISTER, SEG_DS },
    };
    unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;

    if (mod == 0 && rm == 6) {
        insn->displacement = (int64_t)next_value(d, 2);
        return;
    }
    insn->base = forms[rm].base;
    insn->index = forms[rm].index;
    insn->segment = forms[rm].segment;
    if (mod != 0)
        insn->displacement = next_signed(d, mod == 1 ? 1 : 2);
}

static void read_sib(struct decoder *d, struct insn *insn)
{
    uint8_t sib = next_byte(d);
    unsigned index = (sib >> 3 & 7) | (unsigned)bit(d->rex, 1) << 3;

    insn->scale = sib >> 6;
    if (index != RSP)
        insn->index = (uint8_t)index;
    if ((sib & 7) == RBP && insn->modrm < 0x40)
        insn->displacement = next_signed(d, 4);
    else
        insn->base = (uint8_t)((sib & 7) | (unsigned)bit(d->rex, 0) << 3);
}

static void read_memory(struct decoder *d, struct insn *insn)
{
    unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;

    if (insn->address_size == 2) {
        read_memory_16(d, insn);
        return;
    }
    if (rm == 4) {
        read_sib(d, insn);
    } else if (mod == 0 && rm == 5) {
        insn->rip_relative = d->mode.code_bits == 64;
        insn->displacement = next_signed(d, 4);
    } else {
        insn->base = (uint8_t)(rm | (unsigned)bit(d->rex, 0) << 3);
    }
    if (insn->base == RSP || insn->base == RBP)
        insn->segment = SEG_SS;
    if (mod != 0)
        insn->displacement = next_signed(d, mod == 1 ? 1 : 4);
}

/* A form whose register is named by ModRM.rm has no memory operand whatever mod says (MOV CRn, APM3). */
static bool form_ignores_mod(const struct isa_form *form)
{
    return form && (form->op[0].method == ISA_METHOD_R || form->op[1].method == ISA_METHOD_R);
}

static void read_modrm(struct decoder *d, struct insn *insn, const struct isa_form *form)
{
    insn->modrm = next_byte(d);
    insn->reg = (uint8_t)((insn->modrm >> 3 & 7) | (unsigned)bit(d->rex, 2) << 3);
    if (insn->modrm >= 0xC0 || form_ignores_mod(form)) {
        insn->rm = (uint8_t)((insn->modrm & 7) | (unsigned)bit(d->rex, 0) << 3);
        return;
    }
    insn->modrm_memory = true;
    read_memory(d, insn);
}

/* ---- Operands ------------------------------------------------------------------------------------------ */

static void set_gpr(const struct decoder *d, struct operand *operand, unsigned reg)
{
    operand->kind = OPERAND_GPR;
    operand->reg = (uint8_t)reg;
    if (operand->size == 1 && d->rex == 0 && reg >= 4 && reg < 8) {
        operand->reg = (uint8_t)(reg - 4);
        operand->high_byte = true;
    }
}

static void set_immediate(struct decoder *d, struct insn *insn, struct operand *operand, const struct isa_operand *code,
                          bool second)
{
    unsigned bytes = code->size == ISA_SIZE_BS ? 1 : operand->size;
    uint64_t value = next_value(d, bytes);

    /* A z immediate of a 64-bit instruction is 32 bits, sign-extended (APM3 1.5). */
    if (code->size == ISA_SIZE_Z || code->size == ISA_SIZE_BS) {
        operand->size = insn->operand_size;
        value = zero_extend(sign_extend(value, bytes), operand->size);
    }
    operand->kind = OPERAND_IMMEDIATE;
    operand->reg = second;
    if (second)
        insn->immediate2 = (uint32_t)value;
    else
        insn->immediate = value;
}

/* x87, MMX and XMM registers. There are eight MMX registers: REX bits do not count. */
static void set_media(struct operand *operand, const struct insn *insn, unsigned method)
{
    switch (method) {
    case ISA_METHOD_P:
    case ISA_METHOD_N:
    case ISA_METHOD_Q:
        operand->kind = OPERAND_MMX;
        operand->reg = (method == ISA_METHOD_P ? insn->reg : insn->rm) & 7;
        break;
    case ISA_METHOD_V:
    case ISA_METHOD_U:
    case ISA_METHOD_W:
        operand->kind = OPERAND_XMM;
        operand->reg = method == ISA_METHOD_V ? insn->reg : insn->rm;
        break;
    case ISA_METHOD_ST0:
    case ISA_METHOD_STI:
        operand->kind = OPERAND_ST;
        operand->reg = method == ISA_METHOD_STI ? insn->modrm & 7 : 0;
        break;
    default: return;
    }
    if (insn->modrm_memory && (method == ISA_METHOD_Q || method == ISA_METHOD_W))
        operand->kind = OPERAND_MEMORY;
}

static void set_operand(struct decoder *d, struct insn *insn, unsigned n, const struct isa_form *form)
{
    const struct isa_operand *code = &form->op[n];
    struct operand *operand = &insn->op[n];
    unsigned rex_b = (unsigned)bit(d->rex, 0) << 3;

    operand->size = operand_bytes(d, insn, code->size, insn->modrm_memory);
    switch (code->method) {
    case ISA_METHOD_E:
    case ISA_METHOD_M:
        if (insn->modrm_memory)
            operand->kind = OPERAND_MEMORY;
        else
            set_gpr(d, operand, insn->rm);
        break;
    case ISA_METHOD_R: set_gpr(d, operand, insn->rm); break;
    case ISA_METHOD_G: set_gpr(d, operand, insn->reg); break;
    case ISA_METHOD_Z: set_gpr(d, operand, (insn->opcode & 7) | rex_b); break;
    case ISA_METHOD_GPR: *operand = (struct operand){ OPERAND_GPR, operand->size, code->reg, false }; break;
    case ISA_METHOD_SEGMENT: *operand = (struct operand){ OPERAND_SEGMENT, 2, code->reg, false }; break;
    case ISA_METHOD_S: *operand = (struct operand){ OPERAND_SEGMENT, 2, insn->modrm >> 3 & 7, false }; break;
    case ISA_METHOD_C: *operand = (struct operand){ OPERAND_CONTROL, operand->size, insn->reg, false }; break;
    case ISA_METHOD_D: *operand = (struct operand){ OPERAND_DEBUG, operand->size, insn->reg, false }; break;
    case ISA_METHOD_I: set_immediate(d, insn, operand, code, n > 0 && insn->op[n - 1].kind == OPERAND_IMMEDIATE); break;
    case ISA_METHOD_ONE:
        operand->kind = OPERAND_IMMEDIATE;
        insn->immediate = 1;
        break;
    case ISA_METHOD_J:
        operand->kind = OPERAND_RELATIVE;
        insn->immediate = (uint64_t)next_signed(d, operand->size);
        break;
    case ISA_METHOD_A:
        operand->kind = OPERAND_FAR;
        insn->immediate = next_value(d, insn->operand_size);
        insn->immediate2 = (uint32_t)next_value(d, 2);
        break;
    case ISA_METHOD_O:
        operand->kind = OPERAND_MEMORY;
        insn->displacement = (int64_t)next_value(d, insn->address_size);
        break;
    case ISA_METHOD_X: operand->kind = OPERAND_STRING_SI; break;
    case ISA_METHOD_Y: operand->kind = OPERAND_STRING_DI; break;
    default: set_media(operand, insn, code->method); break;
    }
}

/* ---- Whole instructions ------------------------------------------------------------------------------- */

/* LOCK is legal on rows that say so with memory as destination, and makes CR0 CR8 (APM3 LOCK, MOV CRn). */
static bool lock_is_legal(struct insn *insn)
{
    if (insn->row->attributes & A_LOCK_CR8) {
        if (insn->reg != 0)
            return false;
        insn->reg = 8;
        for (unsigned n = 0; n < 3; n++)
            if (insn->op[n].kind == OPERAND_CONTROL)
                insn->op[n].reg = 8;
        return true;
    }
    return (insn->row->attributes & A_LOCK) && insn->op[0].kind == OPERAND_MEMORY;
}

/* 3DNow! (APM3 appendix A): ModRM and displacement come first, then the byte that says what to do. */
static bool decode_suffix(struct decoder *d, struct insn *insn)
{
    uint16_t number;

    insn->address_size = address_size(d);
    read_modrm(d, insn, NULL);
    d->map = 2;
    insn->opcode = next_byte(d);
    if (d->stop != DECODE_OK)
        return false;
    for (number = isa_first_candidate[2][insn->opcode]; isa_candidates[number] != ISA_NO_ROW; number++) {
        if (!(isa_forms[isa_candidates[number]].modes & mode_bit(d->mode)))
            continue;
        insn->row = &isa_rows[isa_candidates[number]];
        return true;
    }
    return false;
}

static bool decode_opcode(struct decoder *d, struct insn *insn)
{
    uint16_t number;

    insn->opcode = read_prefixes(d);
    if (insn->opcode == 0x0F && d->stop == DECODE_OK) {
        d->map = 1;
        insn->opcode = next_byte(d);
    }
    if (d->stop != DECODE_OK)
        return false;
    if (d->map == 1 && insn->opcode == 0x0F)
        return decode_suffix(d, insn);
    number = find_row(d, insn->opcode);
    if (number == ISA_NO_ROW)
        return false;
    insn->row = &isa_rows[number];
    return true;
}

static void decode_operands(struct decoder *d, struct insn *insn)
{
    const struct isa_form *form = &isa_forms[insn->row - isa_rows];

    set_sizes(d, insn);
    if (form->modrm && d->map != 2)
        read_modrm(d, insn, form);
    if (d->prefix_segment != NO_REGISTER)
        insn->segment = d->prefix_segment;
    for (unsigned n = 0; n < 3 && form->op[n].method != ISA_METHOD_NONE; n++)
        set_operand(d, insn, n, form);
    if (insn->row->attributes & (A_REP | A_REPCC))
        insn->rep = d->prefix_rep;
}

enum decode_result decode(const uint8_t *bytes, size_t size, struct decode_mode mode, struct insn *insn)
{
    struct decoder d = { .bytes = bytes, .size = size, .mode = mode, .prefix_segment = NO_REGISTER };
    enum decode_result result = DECODE_OK;

    memset(insn, 0, sizeof(*insn));
    insn->segment = SEG_DS;
    insn->base = insn->index = NO_REGISTER;
    if (decode_opcode(&d, insn))
        decode_operands(&d, insn);
    else
        result = DECODE_INVALID;
    insn->lock = d.lock;
    if (d.stop != DECODE_OK)
        result = d.stop;
    else if (result == DECODE_OK && insn->lock && !lock_is_legal(insn))
        result = DECODE_INVALID;
    insn->length = (uint8_t)d.at;
    if (result == DECODE_OK) {
        insn->run = insn->row->run;
        insn->cost = isa_cost_cycles(insn->row->cost);
    }
    return result;
}
