/* SPDX-License-Identifier: MIT */
#include "hv/emulate/execute.h"

#include "hv/emulate/arithmetic.h"

#define RAX 0
#define RCX 1
#define RDX 2
#define RBX 3
#define RSI 6
#define RDI 7

struct step {
    const struct emulate_insn *insn;
    struct emulate_registers *registers;
    const struct emulate_memory *memory;
};

/* ---- Operands ----------------------------------------------------------------------------------------------- */

uint64_t emulate_register(const struct emulate_registers *registers, const struct emulate_operand *op)
{
    uint64_t value = registers->gpr[op->reg];

    return (op->high ? value >> 8 : value) & emulate_mask(op->size);
}

/* A 32-bit result clears the upper half, smaller ones keep the rest (APM1 3.1.2). */
void emulate_set_register(struct emulate_registers *registers, const struct emulate_operand *op, uint64_t value)
{
    uint64_t *at = &registers->gpr[op->reg], mask = emulate_mask(op->size);

    value &= mask;
    if (op->size == 4)
        *at = value;
    else if (op->high)
        *at = (*at & ~0xFF00ull) | value << 8;
    else
        *at = (*at & ~mask) | value;
}

static uint64_t linear_of(const struct emulate_insn *insn, const struct emulate_registers *registers,
                          enum emulate_segment segment, uint64_t offset)
{
    offset &= emulate_mask(insn->address_size);
    if (insn->width == 64)
        return segment >= EMULATE_FS ? offset + registers->base[segment] : offset;
    return (uint32_t)(offset + registers->base[segment]);
}

static bool is_string(const struct emulate_insn *insn)
{
    return insn->operation == EMULATE_MOVS || insn->operation == EMULATE_STOS || insn->operation == EMULATE_LODS;
}

uint64_t emulate_address(const struct emulate_insn *insn, const struct emulate_registers *registers, bool destination)
{
    uint64_t offset = (uint64_t)insn->displacement;

    if (is_string(insn) && destination)
        return linear_of(insn, registers, EMULATE_ES, registers->gpr[RDI]);
    if (is_string(insn))
        return linear_of(insn, registers, insn->segment, registers->gpr[RSI]);
    if (insn->rip_relative)
        offset += registers->rip + insn->length;
    if (insn->base != EMULATE_NO_REGISTER)
        offset += registers->gpr[insn->base];
    if (insn->index != EMULATE_NO_REGISTER)
        offset += registers->gpr[insn->index] << insn->scale;
    return linear_of(insn, registers, insn->segment, offset);
}

static enum emulate_status read_operand(const struct step *s, unsigned n, bool written, uint64_t *value)
{
    const struct emulate_operand *op = &s->insn->op[n];

    *value = 0;
    switch (op->kind) {
    case EMULATE_REGISTER:
        *value = emulate_register(s->registers, op);
        return EMULATE_DONE;
    case EMULATE_IMMEDIATE:
        *value = op->value;
        return EMULATE_DONE;
    case EMULATE_MEMORY:
        return s->memory->read(s->memory->ctx, emulate_address(s->insn, s->registers, false), value, op->size, written);
    default:
        return EMULATE_CANNOT;
    }
}

static enum emulate_status write_operand(const struct step *s, unsigned n, uint64_t value)
{
    const struct emulate_operand *op = &s->insn->op[n];

    if (op->kind == EMULATE_MEMORY)
        return s->memory->write(s->memory->ctx, emulate_address(s->insn, s->registers, false), &value, op->size);
    if (op->kind != EMULATE_REGISTER)
        return EMULATE_CANNOT;
    emulate_set_register(s->registers, op, value);
    return EMULATE_DONE;
}

/* ---- Instructions ------------------------------------------------------------------------------------------- */

static enum emulate_status run_alu(const struct step *s)
{
    bool stores = s->insn->operation != EMULATE_CMP && s->insn->operation != EMULATE_TEST;
    uint64_t a, b = 0, flags = s->registers->rflags;
    enum emulate_status status = read_operand(s, 0, stores, &a);

    if (status == EMULATE_DONE && s->insn->op[1].kind != EMULATE_NO_OPERAND)
        status = read_operand(s, 1, false, &b);
    if (status != EMULATE_DONE)
        return status;
    a = emulate_alu(s->insn->operation, a, b, s->insn->op[0].size, &flags);
    if (stores)
        status = write_operand(s, 0, a);
    if (status == EMULATE_DONE)
        s->registers->rflags = flags;
    return status;
}

/* XCHG, XADD: the second operand, a register, gets the first one's old value. */
static enum emulate_status run_exchange(const struct step *s)
{
    uint64_t a, b, flags = s->registers->rflags, result;
    enum emulate_status status = read_operand(s, 0, true, &a);

    if (status != EMULATE_DONE)
        return status;
    b = emulate_register(s->registers, &s->insn->op[1]);
    result = s->insn->operation == EMULATE_XADD ? emulate_alu(EMULATE_XADD, a, b, s->insn->op[0].size, &flags) : b;
    if (s->insn->op[0].kind == EMULATE_REGISTER) { /* the destination is written last (APM3 XADD) */
        emulate_set_register(s->registers, &s->insn->op[1], a);
        status = write_operand(s, 0, result);
    } else {
        status = write_operand(s, 0, result);
        if (status == EMULATE_DONE)
            emulate_set_register(s->registers, &s->insn->op[1], a);
    }
    if (status == EMULATE_DONE)
        s->registers->rflags = flags;
    return status;
}

static enum emulate_status run_cmpxchg(const struct step *s)
{
    struct emulate_operand accumulator = { .kind = EMULATE_REGISTER, .size = s->insn->op[0].size, .reg = RAX };
    uint64_t flags = s->registers->rflags, expected = emulate_register(s->registers, &accumulator), old;
    enum emulate_status status = read_operand(s, 0, true, &old);

    if (status != EMULATE_DONE)
        return status;
    emulate_alu(EMULATE_CMP, expected, old, s->insn->op[0].size, &flags);
    /* the destination is written in either case (APM3 CMPXCHG) */
    status = write_operand(s, 0, flags & RFLAGS_ZF ? emulate_register(s->registers, &s->insn->op[1]) : old);
    if (status != EMULATE_DONE)
        return status;
    if (!(flags & RFLAGS_ZF))
        emulate_set_register(s->registers, &accumulator, old);
    s->registers->rflags = flags;
    return EMULATE_DONE;
}

/* CMPXCHG8B, CMPXCHG16B: RDX:RAX against memory, RCX:RBX into it. */
static enum emulate_status run_cmpxchg_pair(const struct step *s)
{
    unsigned size = s->insn->op[0].size, half = size / 2;
    uint64_t linear = emulate_address(s->insn, s->registers, false), mask = emulate_mask(half);
    uint64_t *gpr = s->registers->gpr;
    uint64_t memory[2] = { 0, 0 }, low, high, swapped[2];
    enum emulate_status status = s->memory->read(s->memory->ctx, linear, memory, size, true);
    bool equal;

    if (status != EMULATE_DONE)
        return status;
    low = size == 8 ? (uint32_t)memory[0] : memory[0];
    high = size == 8 ? memory[0] >> 32 : memory[1];
    equal = low == (gpr[RAX] & mask) && high == (gpr[RDX] & mask);
    if (equal) {
        swapped[0] = size == 8 ? (gpr[RBX] & mask) | gpr[RCX] << 32 : gpr[RBX];
        swapped[1] = gpr[RCX];
    }
    status = s->memory->write(s->memory->ctx, linear, equal ? swapped : memory, size);
    if (status != EMULATE_DONE)
        return status;
    if (!equal) {
        gpr[RAX] = low;
        gpr[RDX] = high;
    }
    s->registers->rflags = equal ? s->registers->rflags | RFLAGS_ZF : s->registers->rflags & ~(uint64_t)RFLAGS_ZF;
    return EMULATE_DONE;
}

/* The bit number of a register operand reaches beyond the operand, to both sides (APM3 BT). */
static enum emulate_status run_bit(const struct step *s)
{
    const struct emulate_operand *op = &s->insn->op[0];
    struct emulate_insn moved = *s->insn;
    struct step at = { &moved, s->registers, s->memory };
    uint64_t bits = 8u * op->size, number, value, bit;
    bool stores = s->insn->operation != EMULATE_BT;
    enum emulate_status status = read_operand(s, 1, false, &number);

    if (status != EMULATE_DONE)
        return status;
    if (op->kind == EMULATE_MEMORY && s->insn->op[1].kind == EMULATE_REGISTER) {
        int64_t offset = (int64_t)(number << (64 - bits)) >> (64 - bits);

        moved.displacement += (offset >> (bits == 64 ? 6 : bits == 32 ? 5 : 4)) * (int64_t)op->size;
    }
    status = read_operand(&at, 0, stores, &value);
    if (status != EMULATE_DONE)
        return status;
    bit = 1ull << (number & (bits - 1));
    number = value & bit ? RFLAGS_CF : 0;
    value = s->insn->operation == EMULATE_BTS ? value | bit : s->insn->operation == EMULATE_BTR ? value & ~bit
                                                                                                : value ^ bit;
    if (stores)
        status = write_operand(&at, 0, value);
    if (status == EMULATE_DONE)
        s->registers->rflags = (s->registers->rflags & ~(uint64_t)RFLAGS_CF) | number;
    return status;
}

static enum emulate_status run_move(const struct step *s)
{
    const struct emulate_operand *from = &s->insn->op[1];
    enum emulate_status status;
    uint64_t value;

    if (s->insn->operation == EMULATE_SETCC)
        return write_operand(s, 0, emulate_condition(s->insn->condition, s->registers->rflags));
    status = read_operand(s, 1, false, &value);
    if (status != EMULATE_DONE)
        return status;
    if (s->insn->operation == EMULATE_MOVSX || s->insn->operation == EMULATE_MOVSXD)
        value = (uint64_t)((int64_t)(value << (64 - 8 * from->size)) >> (64 - 8 * from->size));
    return write_operand(s, 0, value);
}

/* ---- Strings ------------------------------------------------------------------------------------------------ */

static void step_index(const struct step *s, unsigned number, unsigned size)
{
    struct emulate_operand index = { .kind = EMULATE_REGISTER, .size = s->insn->address_size, .reg = (uint8_t)number };
    uint64_t by = s->registers->rflags & RFLAGS_DF ? (uint64_t)0 - size : size;

    emulate_set_register(s->registers, &index, emulate_register(s->registers, &index) + by);
}

/* One step. True: it was the last one, so that RIP moves on. */
static bool count_down(const struct step *s)
{
    struct emulate_operand count = { .kind = EMULATE_REGISTER, .size = s->insn->address_size, .reg = RCX };

    if (!s->insn->rep)
        return true;
    emulate_set_register(s->registers, &count, emulate_register(s->registers, &count) - 1);
    return emulate_register(s->registers, &count) == 0;
}

static enum emulate_status run_string(const struct step *s, bool *last)
{
    const struct emulate_insn *insn = s->insn;
    struct emulate_operand count = { .kind = EMULATE_REGISTER, .size = insn->address_size, .reg = RCX };
    unsigned size = insn->op[0].size;
    enum emulate_status status;
    uint64_t value;

    *last = true;
    if (insn->rep && emulate_register(s->registers, &count) == 0)
        return EMULATE_DONE;
    status = read_operand(s, 1, false, &value);
    if (status == EMULATE_DONE && insn->operation != EMULATE_LODS)
        status = s->memory->write(s->memory->ctx, emulate_address(insn, s->registers, true), &value, size);
    if (status != EMULATE_DONE)
        return status;
    if (insn->operation == EMULATE_LODS)
        emulate_set_register(s->registers, &insn->op[0], value);
    if (insn->operation != EMULATE_STOS)
        step_index(s, RSI, size);
    if (insn->operation != EMULATE_LODS)
        step_index(s, RDI, size);
    *last = count_down(s);
    return EMULATE_DONE;
}

enum emulate_status emulate_execute(const struct emulate_insn *insn, struct emulate_registers *registers,
                                    const struct emulate_memory *memory)
{
    struct step s = { insn, registers, memory };
    enum emulate_status status;
    bool last = true;

    switch (insn->operation) {
    case EMULATE_XADD:
    case EMULATE_XCHG: status = run_exchange(&s); break;
    case EMULATE_CMPXCHG: status = run_cmpxchg(&s); break;
    case EMULATE_CMPXCHG8B:
    case EMULATE_CMPXCHG16B: status = run_cmpxchg_pair(&s); break;
    case EMULATE_BT:
    case EMULATE_BTS:
    case EMULATE_BTR:
    case EMULATE_BTC: status = run_bit(&s); break;
    case EMULATE_SETCC:
    case EMULATE_MOV:
    case EMULATE_MOVZX:
    case EMULATE_MOVSX:
    case EMULATE_MOVSXD: status = run_move(&s); break;
    case EMULATE_MOVS:
    case EMULATE_STOS:
    case EMULATE_LODS: status = run_string(&s, &last); break;
    case EMULATE_MOV_FROM_CONTROL:
    case EMULATE_MOV_TO_CONTROL:
    case EMULATE_SMSW:
    case EMULATE_LMSW:
    case EMULATE_CLTS:
    case EMULATE_INVLPG:
    case EMULATE_JMP_FAR:
    case EMULATE_CALL_FAR:
    case EMULATE_INT3:
    case EMULATE_INT:
    case EMULATE_INTO:
    case EMULATE_IRET: return EMULATE_CANNOT;
    default: status = run_alu(&s); break;
    }
    if (status == EMULATE_DONE && last) {
        registers->rip += insn->length;
        if (insn->width != 64)
            registers->rip = (uint32_t)registers->rip;
    }
    return status;
}
