/* SPDX-License-Identifier: MIT */
#include "hv/emulate/arithmetic.h"

#define ALL_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t result_flags(uint64_t result, unsigned size)
{
    return (result == 0 ? RFLAGS_ZF : 0) | (result >> (8 * size - 1) & 1 ? RFLAGS_SF : 0) |
           (__builtin_parity(result & 0xFF) ? 0 : RFLAGS_PF);
}

static void put_flags(uint64_t *rflags, uint64_t which, uint64_t value)
{
    *rflags = (*rflags & ~which) | (value & which);
}

static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, unsigned size, uint64_t *flags)
{
    uint64_t result = (a + b + carry) & emulate_mask(size), sign = 1ull << (8 * size - 1);

    *flags = result_flags(result, size);
    *flags |= result < a || (carry && result == a) ? RFLAGS_CF : 0;
    *flags |= (a ^ b ^ result) & 0x10 ? RFLAGS_AF : 0;
    *flags |= (a ^ result) & (b ^ result) & sign ? RFLAGS_OF : 0;
    return result;
}

static uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned size, uint64_t *flags)
{
    uint64_t result = (a - b - borrow) & emulate_mask(size), sign = 1ull << (8 * size - 1);

    *flags = result_flags(result, size);
    *flags |= a < b || (borrow && a == b) ? RFLAGS_CF : 0;
    *flags |= (a ^ b ^ result) & 0x10 ? RFLAGS_AF : 0;
    *flags |= (a ^ b) & (a ^ result) & sign ? RFLAGS_OF : 0;
    return result;
}

uint64_t emulate_alu(enum emulate_operation operation, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags)
{
    uint64_t mask = emulate_mask(size), carry = *rflags & RFLAGS_CF, which = ALL_FLAGS, flags = 0, result;

    a &= mask;
    b &= mask;
    switch (operation) {
    case EMULATE_ADD:
    case EMULATE_XADD: result = add(a, b, 0, size, &flags); break;
    case EMULATE_ADC: result = add(a, b, carry, size, &flags); break;
    case EMULATE_SBB: result = subtract(a, b, carry, size, &flags); break;
    case EMULATE_SUB:
    case EMULATE_CMP: result = subtract(a, b, 0, size, &flags); break;
    case EMULATE_NEG: result = subtract(0, a, 0, size, &flags); break;
    case EMULATE_INC: result = add(a, 1, 0, size, &flags); which &= ~(uint64_t)RFLAGS_CF; break;
    case EMULATE_DEC: result = subtract(a, 1, 0, size, &flags); which &= ~(uint64_t)RFLAGS_CF; break;
    case EMULATE_OR: result = a | b; flags = result_flags(result, size); break;
    case EMULATE_XOR: result = a ^ b; flags = result_flags(result, size); break;
    case EMULATE_AND:
    case EMULATE_TEST: result = a & b; flags = result_flags(result, size); break;
    default: /* NOT */ result = ~a & mask; which = 0; break;
    }
    put_flags(rflags, which, flags);
    return result;
}

/* O, B, Z, BE, S, P, L, LE; an odd number is the opposite (APM3 SETcc). */
bool emulate_condition(unsigned condition, uint64_t rflags)
{
    bool less = !(rflags & RFLAGS_SF) != !(rflags & RFLAGS_OF);
    const bool holds[8] = { rflags & RFLAGS_OF, rflags & RFLAGS_CF, rflags & RFLAGS_ZF,
                            rflags & (RFLAGS_CF | RFLAGS_ZF), rflags & RFLAGS_SF, rflags & RFLAGS_PF, less,
                            less || rflags & RFLAGS_ZF };

    return holds[condition >> 1 & 7] != (condition & 1);
}
