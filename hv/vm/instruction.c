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

/* Bytes before the opcode; *rex is the REX prefix or 0. One that does not stand last is ignored (APM3 1.2.7). */
static size_t skip_prefixes(const uint8_t *bytes, size_t count, bool in_64bit, uint8_t *rex)
{
    size_t at = 0;

    *rex = 0;
    for (; at < count; at++) {
        if (in_64bit && (bytes[at] & 0xF0) == 0x40)
            *rex = bytes[at];
        else if (is_legacy_prefix(bytes[at]))
            *rex = 0;
        else
            break;
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
    uint8_t rex;
    size_t at = skip_prefixes(bytes, count, in_64bit, &rex);

    return (unsigned)opcode_end(&opcodes[which], bytes, count, at);
}

unsigned instruction_mov_cr3(const uint8_t *bytes, size_t count, bool in_64bit, unsigned *gpr)
{
    static const struct opcode mov_to_control = OPCODE_MOV_CDQ_RDQ;
    uint8_t rex;
    size_t at = opcode_end(&mov_to_control, bytes, count, skip_prefixes(bytes, count, in_64bit, &rex));

    if (at == 0 || at == count || (bytes[at] >> 3 & 7) != 3 || rex & 4)
        return 0;
    *gpr = (bytes[at] & 7) | (rex & 1u) << 3;
    return (unsigned)at + 1;
}
