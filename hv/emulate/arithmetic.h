/* SPDX-License-Identifier: MIT */
/* Results and flags of integer instructions of 1, 2, 4 and 8 bytes (APM3). Pure. */
#ifndef HV_EMULATE_ARITHMETIC_H
#define HV_EMULATE_ARITHMETIC_H

#include "hv/emulate/decode.h"

#define RFLAGS_CF (1u << 0)
#define RFLAGS_PF (1u << 2)
#define RFLAGS_AF (1u << 4)
#define RFLAGS_ZF (1u << 6)
#define RFLAGS_SF (1u << 7)
#define RFLAGS_TF (1u << 8)
#define RFLAGS_DF (1u << 10)
#define RFLAGS_OF (1u << 11)

static inline uint64_t emulate_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
}

/*
 * ADD to NEG, and CMP and TEST (whose results are not stored): a op b, flags into *rflags. AF after logic is cleared,
 * where the manual leaves it undefined.
 */
uint64_t emulate_alu(enum emulate_operation operation, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags);
/* Whether SETcc's condition (the opcode's low four bits) holds. */
bool emulate_condition(unsigned condition, uint64_t rflags);

#endif
