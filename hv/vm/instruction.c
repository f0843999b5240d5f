/* SPDX-License-Identifier: MIT */
#include "hv/vm/instruction.h"

struct opcode {
    uint8_t size, bytes[3];
};

static const struct opcode opcodes[INSTRUCTION_COUNT] = {
    [INSTRUCTION_CPUID] = { 2, { 0x0F, 0xA2 } },
    [INSTRUCTION_RDMSR] = { 2, { 0x0F, 0x32 } },
    [INSTRUCTION_WRMSR] = { 2, { 0x0F, 0x30 } },
    [INSTRUCTION_HLT] = { 1, { 0xF4 } },
    [INSTRUCTION_VMMCALL] = { 3, { 0x0F, 0x01, 0xD9 } },
    [INSTRUCTION_INVD] = { 2, { 0x0F, 0x08 } },
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

unsigned instruction_length(const uint8_t *bytes, size_t count, bool in_64bit, enum instruction which)
{
    const struct opcode *opcode = &opcodes[which];
    uint8_t rex;
    size_t at = skip_prefixes(bytes, count, in_64bit, &rex);

    if (at + opcode->size > count)
        return 0;
    for (unsigned i = 0; i < opcode->size; i++)
        if (bytes[at + i] != opcode->bytes[i])
            return 0;
    return (unsigned)at + opcode->size;
}

unsigned instruction_mov_cr3(const uint8_t *bytes, size_t count, bool in_64bit, unsigned *gpr)
{
    uint8_t rex;
    size_t at = skip_prefixes(bytes, count, in_64bit, &rex);

    if (at + 3 > count || bytes[at] != 0x0F || bytes[at + 1] != 0x22 || (bytes[at + 2] >> 3 & 7) != 3 || rex & 4)
        return 0;
    *gpr = (bytes[at + 2] & 7) | (rex & 1u) << 3;
    return (unsigned)at + 3;
}
