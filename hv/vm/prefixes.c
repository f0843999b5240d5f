/* SPDX-License-Identifier: MIT */
#include "hv/vm/prefixes.h"

static bool take_legacy(uint8_t byte, struct prefixes *seen)
{
    switch (byte) {
    case 0x26: seen->segment = PREFIX_ES; return true;
    case 0x2E: seen->segment = PREFIX_CS; return true;
    case 0x36: seen->segment = PREFIX_SS; return true;
    case 0x3E: seen->segment = PREFIX_DS; return true;
    case 0x64: seen->segment = PREFIX_FS; return true;
    case 0x65: seen->segment = PREFIX_GS; return true;
    case 0x66: seen->operand_size = true; return true;
    case 0x67: seen->address_size = true; return true;
    case 0xF0: seen->lock = true; return true;
    case 0xF2:
    case 0xF3: seen->repeat = true; return true;
    default: return false;
    }
}

size_t prefixes_skip(const uint8_t *bytes, size_t count, bool in_64bit, struct prefixes *seen)
{
    size_t at = 0;

    *seen = (struct prefixes){ .segment = PREFIX_NO_SEGMENT };
    for (; at < count; at++) {
        if (in_64bit && (bytes[at] & 0xF0) == 0x40)
            seen->rex = bytes[at];
        else if (take_legacy(bytes[at], seen))
            seen->rex = 0;
        else
            break;
    }
    return at;
}
