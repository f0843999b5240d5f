/* SPDX-License-Identifier: MIT */
#include "hv/emulate/decode.h"

enum method { METHOD_NONE, METHOD_E, METHOD_G, METHOD_M, METHOD_R, METHOD_C, METHOD_Z, METHOD_I, METHOD_O, METHOD_X,
              METHOD_Y, METHOD_GPR, METHOD_A };
enum size { SIZE_NONE, SIZE_B, SIZE_W, SIZE_D, SIZE_Q, SIZE_DQ, SIZE_V, SIZE_Z, SIZE_Y, SIZE_NATURAL, SIZE_BS,
            SIZE_WV, SIZE_P };

/* One row of the instruction table; columns as sim/cpu/isa/isa.h describes them. */
struct form {
    uint8_t operation, map, first, last, regs, mods, modes, rexw, rexb;
    bool lock;
    struct {
        uint8_t method, size;
    } op[2];
};

#define FORM(operation, map, first, last, regs, mods, modes, rexw, rexb, lock, method0, size0, method1, size1) \
    { EMULATE_##operation, map, first, last, regs, mods, modes, rexw, rexb, lock, \
      { { METHOD_##method0, SIZE_##size0 }, { METHOD_##method1, SIZE_##size1 } } },
static const struct form forms[] = {
#include "hv/emulate/forms.h"
};
#undef FORM

#define MODE_64BIT 4 /* ISA_IN_64BIT; the other two bits are legacy modes */
#define MODES_LEGACY 3
#define RSP 4
#define RBP 5

struct cursor {
    const uint8_t *bytes;
    size_t count, at;
    bool cut; /* more was wanted than there is */
};

struct prefixes {
    uint8_t rex;
    bool lock, rep, operand_size, address_size, segment_given;
    enum emulate_segment segment;
};

static uint8_t next(struct cursor *cursor)
{
    if (cursor->at >= cursor->count || cursor->at >= EMULATE_INSN_MAX) {
        cursor->cut = true;
        return 0;
    }
    return cursor->bytes[cursor->at++];
}

/* Little-endian, sign-extended. */
static int64_t next_signed(struct cursor *cursor, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)next(cursor) << 8 * i;
    return size == 8 ? (int64_t)value : (int64_t)(value << (64 - 8 * size)) >> (64 - 8 * size);
}

/* ---- Prefixes (APM3 1.2) ---------------------------------------------------------------------------------- */

/* ES, CS, SS and DS prefixes are ignored in 64-bit mode (APM3 1.2.4). */
static void take_segment(struct prefixes *seen, enum emulate_segment segment, unsigned width)
{
    if (width == 64 && segment < EMULATE_FS)
        return;
    seen->segment = segment;
    seen->segment_given = true;
}

static bool take_prefix(struct prefixes *seen, uint8_t byte, unsigned width)
{
    switch (byte) {
    case 0x26: take_segment(seen, EMULATE_ES, width); return true;
    case 0x2E: take_segment(seen, EMULATE_CS, width); return true;
    case 0x36: take_segment(seen, EMULATE_SS, width); return true;
    case 0x3E: take_segment(seen, EMULATE_DS, width); return true;
    case 0x64: take_segment(seen, EMULATE_FS, width); return true;
    case 0x65: take_segment(seen, EMULATE_GS, width); return true;
    case 0x66: seen->operand_size = true; return true;
    case 0x67: seen->address_size = true; return true;
    case 0xF0: seen->lock = true; return true;
    case 0xF2:
    case 0xF3: seen->rep = true; return true;
    default: return false;
    }
}

/* A REX prefix that does not stand last is ignored (APM3 1.2.7). */
static uint8_t read_prefixes(struct cursor *cursor, unsigned width, struct prefixes *seen)
{
    for (;;) {
        uint8_t byte = next(cursor);

        if (cursor->cut)
            return 0;
        if (width == 64 && (byte & 0xF0) == 0x40)
            seen->rex = byte;
        else if (take_prefix(seen, byte, width))
            seen->rex = 0;
        else
            return byte;
    }
}

/* ---- ModRM, SIB, displacement (APM3 1.4) ------------------------------------------------------------------- */

struct decoder {
    struct cursor cursor;
    struct prefixes prefixes;
    uint8_t opcode, modrm, operand_size;
    bool lock_allowed;
    struct emulate_insn *insn;
};

static unsigned rex_bit(const struct decoder *d, unsigned bit)
{
    return (unsigned)(d->prefixes.rex >> bit & 1) << 3;
}

static void decode_address_16(struct decoder *d)
{
    static const uint8_t bases[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
    static const uint8_t indices[8] = { 6, 7, 6, 7, EMULATE_NO_REGISTER, EMULATE_NO_REGISTER, EMULATE_NO_REGISTER,
                                        EMULATE_NO_REGISTER };
    unsigned mod = d->modrm >> 6, rm = d->modrm & 7;

    d->insn->base = bases[rm];
    d->insn->index = indices[rm];
    if (mod == 0 && rm == 6) {
        d->insn->base = EMULATE_NO_REGISTER;
        d->insn->displacement = next_signed(&d->cursor, 2);
    } else if (mod != 0) {
        d->insn->displacement = next_signed(&d->cursor, mod == 1 ? 1 : 2);
    }
    if (d->insn->base == RBP)
        d->insn->segment = EMULATE_SS;
}

static void decode_address(struct decoder *d)
{
    struct emulate_insn *insn = d->insn;
    unsigned mod = d->modrm >> 6, base = d->modrm & 7;

    if (insn->address_size == 2) {
        decode_address_16(d);
        return;
    }
    if (base == 4) {
        uint8_t sib = next(&d->cursor);
        unsigned index = (sib >> 3 & 7) | rex_bit(d, 1);

        base = sib & 7;
        insn->scale = sib >> 6;
        if (index != 4)
            insn->index = (uint8_t)index;
        if (base != 5 || mod != 0)
            insn->base = (uint8_t)(base | rex_bit(d, 0));
    } else if (base == 5 && mod == 0) {
        insn->rip_relative = insn->width == 64;
    } else {
        insn->base = (uint8_t)(base | rex_bit(d, 0));
    }
    if (mod == 1)
        insn->displacement = next_signed(&d->cursor, 1);
    else if (mod == 2 || (mod == 0 && base == 5))
        insn->displacement = next_signed(&d->cursor, 4);
    if (insn->base == RSP || insn->base == RBP)
        insn->segment = EMULATE_SS;
}

/* ---- Operands ----------------------------------------------------------------------------------------------- */

static uint8_t size_of(const struct decoder *d, enum size size, bool memory)
{
    switch (size) {
    case SIZE_B: return 1;
    case SIZE_W: return 2;
    case SIZE_D: return 4;
    case SIZE_Q: return 8;
    case SIZE_DQ: return 16;
    case SIZE_Z: return d->operand_size < 4 ? d->operand_size : 4;
    case SIZE_Y: return d->prefixes.rex & 8 ? 8 : 4;
    case SIZE_NATURAL: return d->insn->width == 64 ? 8 : 4;
    case SIZE_WV: return memory ? 2 : d->operand_size;
    case SIZE_P: return d->operand_size + 2;
    case SIZE_V:
    case SIZE_BS: return d->operand_size;
    default: return 0;
    }
}

static void put_register(const struct decoder *d, struct emulate_operand *op, unsigned number)
{
    op->kind = EMULATE_REGISTER;
    op->high = op->size == 1 && !d->prefixes.rex && number >= 4;
    op->reg = (uint8_t)(op->high ? number - 4 : number);
}

/* Movs: the source's segment may be overridden, the destination is ES:[rDI] always. */
static void put_string_operand(struct decoder *d, struct emulate_operand *op, bool source)
{
    op->kind = EMULATE_MEMORY;
    if (source)
        d->insn->segment = EMULATE_DS;
}

static void put_immediate(struct decoder *d, struct emulate_operand *op, enum size size)
{
    op->kind = EMULATE_IMMEDIATE;
    op->value = (uint64_t)next_signed(&d->cursor, size == SIZE_BS ? 1 : op->size);
}

static void decode_operand(struct decoder *d, struct emulate_operand *op, enum method method, enum size size)
{
    bool memory = method == METHOD_M || method == METHOD_O || (method == METHOD_E && d->modrm >> 6 != 3);

    op->size = size_of(d, size, memory);
    switch (method) {
    case METHOD_E:
    case METHOD_M:
    case METHOD_R:
        if (memory)
            op->kind = EMULATE_MEMORY;
        else
            put_register(d, op, (d->modrm & 7) | rex_bit(d, 0));
        break;
    case METHOD_G: put_register(d, op, (d->modrm >> 3 & 7) | rex_bit(d, 2)); break;
    case METHOD_Z: put_register(d, op, (d->opcode & 7) | rex_bit(d, 0)); break;
    case METHOD_GPR: put_register(d, op, 0); break; /* AL, rAX: the only ones among the forms */
    case METHOD_C:
        op->kind = EMULATE_CONTROL;
        op->reg = (uint8_t)((d->modrm >> 3 & 7) | rex_bit(d, 2));
        d->lock_allowed = op->reg == 0; /* AltMovCr8: LOCK MOV CR0 is CR8 */
        if (d->prefixes.lock)
            op->reg = 8;
        break;
    case METHOD_I:
    case METHOD_A: put_immediate(d, op, size); break; /* A: selector:offset */
    case METHOD_O:
        op->kind = EMULATE_MEMORY;
        d->insn->displacement = next_signed(&d->cursor, d->insn->address_size);
        break;
    case METHOD_X:
    case METHOD_Y: put_string_operand(d, op, method == METHOD_X); break;
    default: break;
    }
}

/* ---- Forms --------------------------------------------------------------------------------------------------- */

static bool has_modrm(const struct form *form)
{
    for (unsigned n = 0; n < 2; n++)
        if (form->op[n].method >= METHOD_E && form->op[n].method <= METHOD_C)
            return true;
    return false;
}

static const struct form *find_form(const struct decoder *d, unsigned map)
{
    unsigned mode = d->insn->width == 64 ? MODE_64BIT : MODES_LEGACY;
    uint8_t modrm = d->cursor.at < d->cursor.count ? d->cursor.bytes[d->cursor.at] : 0;

    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct form *form = &forms[i];

        if (form->map != map || d->opcode < form->first || d->opcode > form->last || !(form->modes & mode))
            continue;
        if (!(form->rexw & (d->prefixes.rex & 8 ? 2 : 1)) || !(form->rexb & (d->prefixes.rex & 1 ? 2 : 1)))
            continue;
        if (!has_modrm(form) || (form->regs >> (modrm >> 3 & 7) & 1 && form->mods & (modrm >> 6 == 3 ? 2 : 1)))
            return form;
    }
    return NULL;
}

static bool decode_form(struct decoder *d, const struct form *form)
{
    struct emulate_insn *insn = d->insn;
    bool control = form->op[0].method == METHOD_C || form->op[1].method == METHOD_C;

    insn->operation = (enum emulate_operation)form->operation;
    insn->condition = d->opcode & 15;
    if (has_modrm(form)) {
        d->modrm = next(&d->cursor);
        if (d->modrm >> 6 != 3 && !control)
            decode_address(d);
    }
    for (unsigned n = 0; n < 2; n++)
        decode_operand(d, &insn->op[n], (enum method)form->op[n].method, (enum size)form->op[n].size);
    if (d->prefixes.segment_given)
        insn->segment = d->prefixes.segment;
    insn->lock = d->prefixes.lock && !control;
    d->lock_allowed |= form->lock && insn->op[0].kind == EMULATE_MEMORY;
    insn->rep = d->prefixes.rep;
    insn->length = (uint8_t)d->cursor.at;
    return !d->cursor.cut && (!d->prefixes.lock || d->lock_allowed);
}

bool emulate_decode(const uint8_t *bytes, size_t count, unsigned width, struct emulate_insn *insn)
{
    struct decoder d = { .cursor = { .bytes = bytes, .count = count }, .insn = insn };
    const struct form *form;
    unsigned map = 0;

    *insn = (struct emulate_insn){ .width = (uint8_t)width, .segment = EMULATE_DS, .base = EMULATE_NO_REGISTER,
                                   .index = EMULATE_NO_REGISTER };
    d.opcode = read_prefixes(&d.cursor, width, &d.prefixes);
    if (d.opcode == 0x0F) {
        map = 1;
        d.opcode = next(&d.cursor);
    }
    if (d.cursor.cut)
        return false;
    if (width == 64) {
        d.operand_size = d.prefixes.rex & 8 ? 8 : d.prefixes.operand_size ? 2 : 4;
        insn->address_size = d.prefixes.address_size ? 4 : 8;
    } else {
        d.operand_size = (width == 16) != d.prefixes.operand_size ? 2 : 4;
        insn->address_size = (width == 16) != d.prefixes.address_size ? 2 : 4;
    }
    form = find_form(&d, map);
    return form && decode_form(&d, form);
}
