/* SPDX-License-Identifier: MIT */
/* Fuzz entry for the decoder: the bytes as one instruction in every mode. */
#include <stdlib.h>

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/decode/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct decode_mode modes[] = {
        { 16, true }, { 16, false }, { 32, true }, { 32, false }, { 64, false },
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct insn insn;
        char name[64];
        enum decode_result result = decode(data, size, modes[i], &insn);

        if (result == DECODE_OK && (insn.length == 0 || insn.length > 15 || insn.length > size || !insn.run))
            abort();
        if (result == DECODE_TRUNCATED && size >= 15)
            abort(); /* fifteen bytes decide */
        if (result == DECODE_OK)
            isa_mnemonic(&insn, name, sizeof(name));
    }
    return 0;
}
