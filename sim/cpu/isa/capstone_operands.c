/* SPDX-License-Identifier: MIT */
/* Operands of struct insn and of capstone in one spelling. */
#include "sim/cpu/isa/capstone_operands_test.h"

#include <inttypes.h>

static const char *const segments[6] = { "es", "cs", "ss", "ds", "fs", "gs" };

static void separate(GString *out)
{
    if (out->len)
        g_string_append(out, " | ");
}

/* ---- Ours -------------------------------------------------------------------------------------------------- */

static void put_gpr(GString *out, unsigned reg, unsigned size, bool high_byte)
{
    static const char *const names[8] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };

    if (high_byte)
        g_string_append_printf(out, "%ch", names[reg][0]);
    else if (reg >= 8)
        g_string_append_printf(out, "r%u%s", reg, size == 8 ? "" : size == 4 ? "d" : size == 2 ? "w" : "b");
    else if (size == 1)
        g_string_append_printf(out, reg < 4 ? "%.1sl" : "%sl", names[reg]);
    else
        g_string_append_printf(out, "%s%s", size == 8 ? "r" : size == 4 ? "e" : "", names[reg]);
}

/* In 64-bit mode FS and GS alone count. */
static void put_segment(GString *out, unsigned segment, unsigned bits)
{
    if (bits != 64 || segment >= SEG_FS)
        g_string_append_printf(out, "%s:", segments[segment]);
}

static void put_address(GString *out, const struct insn *insn, unsigned bits)
{
    unsigned size = insn->address_size;

    put_segment(out, insn->segment, bits);
    g_string_append_c(out, '[');
    if (insn->rip_relative)
        g_string_append(out, "ip+");
    if (insn->base != NO_REGISTER) {
        put_gpr(out, insn->base, size, false);
        g_string_append_c(out, '+');
    }
    if (insn->index != NO_REGISTER) {
        put_gpr(out, insn->index, size, false);
        g_string_append_printf(out, "*%u+", 1u << insn->scale);
    }
    g_string_append_printf(out, "%" PRIx64 "]", zero_extend((uint64_t)insn->displacement, size));
}

static void put_string(GString *out, unsigned segment, unsigned reg, unsigned size, unsigned bits)
{
    put_segment(out, segment, bits);
    g_string_append_c(out, '[');
    put_gpr(out, reg, size, false);
    g_string_append(out, "+0]");
}

/* How wide capstone's number is looked at: immediates count to the operand they go with. */
static unsigned immediate_bytes(const struct insn *insn, const struct operand *operand)
{
    unsigned size = operand->size;

    for (unsigned n = 0; n < 3; n++)
        if (insn->op[n].kind != OPERAND_NONE && insn->op[n].kind != OPERAND_IMMEDIATE && insn->op[n].size &&
            insn->op[n].size < size)
            size = insn->op[n].size;
    return size ? size : 1;
}

static void put_operand(GString *out, const struct insn *insn, const struct operand *operand, unsigned bits,
                        uint64_t at)
{
    switch (operand->kind) {
    case OPERAND_GPR:
        put_gpr(out, operand->reg, operand->size, operand->high_byte);
        break;
    case OPERAND_MEMORY:
        put_address(out, insn, bits);
        break;
    case OPERAND_IMMEDIATE:
        g_string_append_printf(out, "%" PRIx64, zero_extend(operand->reg ? insn->immediate2 : insn->immediate,
                                                            immediate_bytes(insn, operand)));
        break;
    case OPERAND_RELATIVE:
        g_string_append_printf(out, "%" PRIx64, zero_extend(at + insn->length + insn->immediate, insn->operand_size));
        break;
    case OPERAND_SEGMENT: g_string_append(out, segments[operand->reg]); break;
    case OPERAND_CONTROL: g_string_append_printf(out, "cr%u", operand->reg); break;
    case OPERAND_DEBUG: g_string_append_printf(out, "dr%u", operand->reg); break;
    case OPERAND_MMX: g_string_append_printf(out, "mm%u", operand->reg); break;
    case OPERAND_XMM: g_string_append_printf(out, "xmm%u", operand->reg); break;
    case OPERAND_ST: g_string_append_printf(out, "st(%u)", operand->reg); break;
    case OPERAND_FAR:
        g_string_append_printf(out, "%x | %" PRIx64, insn->immediate2, insn->immediate);
        break;
    case OPERAND_STRING_SI:
        put_string(out, insn->segment, RSI, insn->address_size, bits);
        break;
    default:
        put_string(out, SEG_ES, RDI, insn->address_size, bits);
        break;
    }
}

void operands_ours(GString *out, const struct insn *insn, unsigned bits, uint64_t at)
{
    g_string_truncate(out, 0);
    for (unsigned n = 0; n < 3; n++) {
        const struct operand *operand = &insn->op[n];

        if (operand->kind == OPERAND_NONE || (operand->kind == OPERAND_ST && operand->reg == 0))
            continue;
        separate(out);
        put_operand(out, insn, operand, bits, at);
    }
}

/* ---- Capstone's ---------------------------------------------------------------------------------------------- */

static void put_their_memory(GString *out, csh handle, const cs_x86_op *op, const struct insn *insn, unsigned bits,
                             uint8_t prefix, unsigned kind)
{
    const x86_op_mem *mem = &op->mem;
    const char *base = mem->base ? cs_reg_name(handle, mem->base) : NULL;
    bool rip = mem->base == X86_REG_RIP || mem->base == X86_REG_EIP;
    bool stack = base && (strstr(base, "sp") || strstr(base, "bp"));
    const char *segment = mem->segment ? cs_reg_name(handle, mem->segment) : stack ? "ss" : "ds";

    /* capstone takes the last override, though it is ignored in 64-bit mode (APM3 1.2.4) */
    if (bits == 64 && kind != OPERAND_STRING_DI && insn->segment >= SEG_FS && (prefix & 0xE7) == 0x26)
        segment = segments[insn->segment];
    if (bits != 64 || segment[0] == 'f' || segment[0] == 'g')
        g_string_append_printf(out, "%s:", segment);
    g_string_append_c(out, '[');
    if (rip)
        g_string_append(out, "ip+");
    else if (base)
        g_string_append_printf(out, "%s+", base);
    if (mem->index && mem->index != X86_REG_EIZ && mem->index != X86_REG_RIZ)
        g_string_append_printf(out, "%s*%d+", cs_reg_name(handle, mem->index), mem->scale);
    g_string_append_printf(out, "%" PRIx64 "]", zero_extend((uint64_t)mem->disp, insn->address_size));
}

static unsigned their_immediate_bytes(const struct insn *insn)
{
    for (unsigned n = 0; n < 3; n++) {
        if (insn->op[n].kind == OPERAND_IMMEDIATE)
            return immediate_bytes(insn, &insn->op[n]);
        if (insn->op[n].kind == OPERAND_RELATIVE)
            return insn->operand_size;
    }
    return 8;
}

void operands_capstone(GString *out, csh handle, const cs_insn *theirs, const struct insn *insn, unsigned bits)
{
    const cs_x86 *x86 = &theirs->detail->x86;

    g_string_truncate(out, 0);
    for (unsigned n = 0; n < x86->op_count; n++) {
        const cs_x86_op *op = &x86->operands[n];

        if (op->type == X86_OP_REG && op->reg == X86_REG_ST0)
            continue;
        separate(out);
        if (op->type == X86_OP_REG)
            g_string_append(out, cs_reg_name(handle, op->reg));
        else if (op->type == X86_OP_IMM)
            g_string_append_printf(out, "%" PRIx64, zero_extend((uint64_t)op->imm, their_immediate_bytes(insn)));
        else
            put_their_memory(out, handle, op, insn, bits, x86->prefix[1], n < 3 ? insn->op[n].kind : OPERAND_NONE);
    }
}
