/* SPDX-License-Identifier: MIT */
#include "hv/vm/instruction.h"

#include "hv/vm/prefixes.h"
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
    size_t at = prefixes_skip(bytes, count, in_64bit, &seen);

    return (unsigned)opcode_end(&opcodes[which], bytes, count, at);
}

unsigned instruction_mov_cr8(const uint8_t *bytes, size_t count, bool in_64bit, struct instruction_cr8 *mov)
{
    static const struct opcode to_control = OPCODE_MOV_CDQ_RDQ, from_control = OPCODE_MOV_RDQ_CDQ;
    struct prefixes seen;
    size_t start = prefixes_skip(bytes, count, in_64bit, &seen), at = opcode_end(&to_control, bytes, count, start);

    mov->is_write = at != 0;
    if (!at)
        at = opcode_end(&from_control, bytes, count, start);
    if (at == 0 || at == count || (bytes[at] >> 3 & 7) != 0 || !(seen.rex & 4 || seen.lock))
        return 0;
    mov->gpr = (bytes[at] & 7) | (seen.rex & 1u) << 3;
    return (unsigned)at + 1;
}
