/* SPDX-License-Identifier: MIT */
/* The bytes before an opcode (APM3 1.2). Pure. */
#ifndef HV_VM_PREFIXES_H
#define HV_VM_PREFIXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum prefix_segment { PREFIX_NO_SEGMENT = -1, PREFIX_ES, PREFIX_CS, PREFIX_SS, PREFIX_DS, PREFIX_FS, PREFIX_GS };

struct prefixes {
    uint8_t rex; /* 0: none, or one that did not stand last and so counts for nothing */
    bool lock, repeat, operand_size, address_size;
    enum prefix_segment segment;
};

/* Returns where the opcode begins; `count` if there is none. */
size_t prefixes_skip(const uint8_t *bytes, size_t count, bool in_64bit, struct prefixes *seen);

#endif
