/* SPDX-License-Identifier: MIT */
#include "hv/vm/instruction.h"

#include "hv/vm/opcodes.h" /* generated from the simulator's instruction table */

struct opcode {
    uint8_t size, bytes[3];
};

static const struct opcode opcodes[INSTRUCTION_COUNT] = {
    [INSTRUCTION_CPUID] = OPCODE_CPUID,
    [INSTRUCTION_RDMSR] = OPCODE_RDMSR,
    [INSTRUCTION_WRMSR] = OPCODE_WRMSR,
    [INSTRUCTION_HLT] = OPCODE_HLT,
    [INSTRUCTION_VMMCALL] = OPCODE_VMMCALL,
    [INSTRUCTION_INVD] = OPCODE_INVD,
};

static bool is_legacy_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26: case 0x2E: case 0x36: case 0x3E: case 0x64: case 0x65: case 0x66: case 0x67: case 0xF0: case 0xF2:
    case 0xF3:
        return true;
    default:
        return false;
    }
}

struct prefixes {
    uint8_t rex;
    bool lock, operand_size, address_size;
};

/* Bytes before the opcode; the REX prefix or 0. One that does not stand last is ignored (APM3 1.2.7). */
static size_t skip_prefixes(const uint8_t *bytes, size_t count, bool in_64bit, struct prefixes *seen)
{
    size_t at = 0;

    *seen = (struct prefixes){ 0 };
    for (; at < count; at++) {
        if (in_64bit && (bytes[at] & 0xF0) == 0x40)
            seen->rex = bytes[at];
        else if (is_legacy_prefix(bytes[at]))
            seen->rex = 0;
        else
            break;
        seen->lock |= bytes[at] == 0xF0;
        seen->operand_size |= bytes[at] == 0x66;
        seen->address_size |= bytes[at] == 0x67;
    }
    return at;
}

/* Where the opcode ends, or 0: it does not stand at `at`. */
static size_t opcode_end(const struct opcode *opcode, const uint8_t *bytes, size_t count, size_t at)
{
    if (at + opcode->size > count)
        return 0;
    for (unsigned i = 0; i < opcode->size; i++)
        if (bytes[at + i] != opcode->bytes[i])
            return 0;
    return at + opcode->size;
}

unsigned instruction_length(const uint8_t *bytes, size_t count, bool in_64bit, enum instruction which)
{
    struct prefixes seen;
    size_t at = skip_prefixes(bytes, count, in_64bit, &seen);

    return (unsigned)opcode_end(&opcodes[which], bytes, count, at);
}

unsigned instruction_mov_cr3(const uint8_t *bytes, size_t count, bool in_64bit, unsigned *gpr)
{
    static const struct opcode mov_to_control = OPCODE_MOV_CDQ_RDQ;
    struct prefixes seen;
    size_t at = opcode_end(&mov_to_control, bytes, count, skip_prefixes(bytes, count, in_64bit, &seen));

    if (at == 0 || at == count || (bytes[at] >> 3 & 7) != 3 || seen.rex & 4)
        return 0;
    *gpr = (bytes[at] & 7) | (seen.rex & 1u) << 3;
    return (unsigned)at + 1;
}

unsigned instruction_mov_cr8(const uint8_t *bytes, size_t count, bool in_64bit, struct instruction_cr8 *mov)
{
    static const struct opcode to_control = OPCODE_MOV_CDQ_RDQ, from_control = OPCODE_MOV_RDQ_CDQ;
    struct prefixes seen;
    size_t start = skip_prefixes(bytes, count, in_64bit, &seen), at = opcode_end(&to_control, bytes, count, start);

    mov->is_write = at != 0;
    if (!at)
        at = opcode_end(&from_control, bytes, count, start);
    if (at == 0 || at == count || (bytes[at] >> 3 & 7) != 0 || !(seen.rex & 4 || seen.lock))
        return 0;
    mov->gpr = (bytes[at] & 7) | (seen.rex & 1u) << 3;
    return (unsigned)at + 1;
}

/* Where ModRM, SIB and displacement end, or 0: they name no memory, or are cut off (APM3 1.4). */
static size_t memory_operand_end(const uint8_t *bytes, size_t count, size_t at)
{
    unsigned mod, base;

    if (at >= count)
        return 0;
    mod = bytes[at] >> 6;
    base = bytes[at++] & 7;
    if (mod == 3)
        return 0;
    if (base == 4) {
        if (at >= count)
            return 0;
        base = bytes[at++] & 7;
    }
    at += mod == 1 ? 1 : mod == 2 || base == 5 ? 4 : 0;
    return at <= count ? at : 0;
}

static size_t moffs_end(size_t count, size_t at, bool in_64bit, bool address_size)
{
    at += in_64bit && !address_size ? 8 : 4;
    return at <= count ? at : 0;
}

/* C7 /0: after the operand, 32 bits. */
static size_t immediate_end(const uint8_t *bytes, size_t count, size_t at, uint32_t *value)
{
    if (at == 0 || at + 4 > count)
        return 0;
    *value = bytes[at] | (uint32_t)bytes[at + 1] << 8 | (uint32_t)bytes[at + 2] << 16 | (uint32_t)bytes[at + 3] << 24;
    return at + 4;
}

unsigned instruction_move(const uint8_t *bytes, size_t count, bool in_64bit, struct instruction_move *move)
{
    static const struct opcode load = OPCODE_MOV_GV_EV, store = OPCODE_MOV_EV_GV, load_rax = OPCODE_MOV_RAX_OV,
                               store_rax = OPCODE_MOV_OV_RAX, store_immediate = { 1, { 0xC7 } };
    struct prefixes seen;
    size_t start = skip_prefixes(bytes, count, in_64bit, &seen), at;

    *move = (struct instruction_move){ 0 };
    if (seen.rex & 8 || seen.operand_size || (seen.address_size && !in_64bit) || seen.lock)
        return 0;
    if (opcode_end(&load_rax, bytes, count, start) || opcode_end(&store_rax, bytes, count, start)) {
        move->is_write = bytes[start] == store_rax.bytes[0];
        return (unsigned)moffs_end(count, start + 1, in_64bit, seen.address_size);
    }
    if ((at = opcode_end(&store_immediate, bytes, count, start)) != 0) {
        move->is_write = move->immediate = true;
        if (at == count || bytes[at] >> 3 & 7)
            return 0;
        return (unsigned)immediate_end(bytes, count, memory_operand_end(bytes, count, at), &move->value);
    }
    at = opcode_end(&store, bytes, count, start);
    move->is_write = at != 0;
    if (!at)
        at = opcode_end(&load, bytes, count, start);
    if (at == 0 || at == count)
        return 0;
    move->gpr = (bytes[at] >> 3 & 7) | (seen.rex & 4u) << 1;
    return (unsigned)memory_operand_end(bytes, count, at);
}
