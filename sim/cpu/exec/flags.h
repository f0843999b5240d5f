/* SPDX-License-Identifier: MIT */
/*
 * RFLAGS with lazily computed arithmetic flags. An operation stores its result and operands; OF SF ZF AF
 * PF CF are worked out when somebody asks. All values in core->lazy are zero-extended from `size`.
 */
#ifndef FAM10H_CPU_EXEC_FLAGS_H
#define FAM10H_CPU_EXEC_FLAGS_H

#include "sim/cpu/core.h"

enum lazy_kind {
    LAZY_NONE,   /* core->rflags is exact */
    LAZY_RESULT, /* SF ZF PF from result; OF AF CF are in core->rflags */
    LAZY_LOGIC,  /* SF ZF PF from result; OF AF CF are 0 */
    LAZY_ADD,    /* result = a + b (+ carry) */
    LAZY_SUB,    /* result = a - b (- borrow) */
    LAZY_INC,    /* result = a + 1; CF is in core->rflags */
    LAZY_DEC,    /* result = a - 1; CF is in core->rflags */
    LAZY_SHL,    /* result = a << b, b masked and not 0; AF is 0 */
    LAZY_SHR,    /* result = a >> b, likewise */
};

/* The architectural value (bit 1 set, arithmetic flags computed). Leaves the core exact. */
uint64_t rflags_read(struct core *core);
/* Replace the whole register; reserved bits are forced. Does not recompute the mode (RFLAGS.VM). */
void rflags_write(struct core *core, uint64_t value);
/* Replace some arithmetic flags (bits of RFLAGS_ARITH), keep all other flags. */
void rflags_put(struct core *core, uint64_t mask, uint64_t value);

/* ---- Setting ------------------------------------------------------------------------------------- */

static inline void lazy_set(struct core *core, enum lazy_kind kind, unsigned size, uint64_t result, uint64_t a,
                            uint64_t b)
{
    core->lazy.kind = (uint8_t)kind;
    core->lazy.size = (uint8_t)size;
    core->lazy.result = result;
    core->lazy.a = a;
    core->lazy.b = b;
}

/* SF ZF PF by `result`, the others given (bits of RFLAGS_OF, RFLAGS_AF, RFLAGS_CF). */
static inline void lazy_set_result(struct core *core, unsigned size, uint64_t result, uint64_t flags)
{
    core->rflags = (core->rflags & ~(RFLAGS_OF | RFLAGS_AF | RFLAGS_CF)) | flags;
    lazy_set(core, LAZY_RESULT, size, result, 0, 0);
}

/* ---- Asking for one flag -------------------------------------------------------------------------- */

static inline uint64_t lazy_sign(const struct core *core, uint64_t value)
{
    return value >> (8 * core->lazy.size - 1) & 1;
}

static inline bool flag_cf(const struct core *core)
{
    const struct lazy_flags *lazy = &core->lazy;

    switch (lazy->kind) {
    case LAZY_LOGIC: return false;
    case LAZY_ADD: return lazy_sign(core, (lazy->a & lazy->b) | ((lazy->a | lazy->b) & ~lazy->result));
    case LAZY_SUB: return lazy_sign(core, (~lazy->a & lazy->b) | ((~lazy->a | lazy->b) & lazy->result));
    case LAZY_SHL: return lazy->b <= 8u * lazy->size && (lazy->a >> (8u * lazy->size - lazy->b) & 1);
    case LAZY_SHR: return lazy->a >> (lazy->b - 1) & 1;
    default: return core->rflags & RFLAGS_CF;
    }
}

static inline bool flag_of(const struct core *core)
{
    const struct lazy_flags *lazy = &core->lazy;

    switch (lazy->kind) {
    case LAZY_LOGIC: return false;
    case LAZY_ADD: return lazy_sign(core, (lazy->a ^ lazy->result) & (lazy->b ^ lazy->result));
    case LAZY_SUB: return lazy_sign(core, (lazy->a ^ lazy->b) & (lazy->a ^ lazy->result));
    case LAZY_INC: return lazy_sign(core, ~lazy->a & lazy->result);
    case LAZY_DEC: return lazy_sign(core, lazy->a & ~lazy->result);
    case LAZY_SHL: return lazy_sign(core, lazy->result) != flag_cf(core);
    /* The top two bits of the result differ: for a count of 1 the original sign. */
    case LAZY_SHR: return lazy_sign(core, lazy->result ^ lazy->result << 1);
    default: return core->rflags & RFLAGS_OF;
    }
}

static inline bool flag_zf(const struct core *core)
{
    return core->lazy.kind == LAZY_NONE ? (core->rflags & RFLAGS_ZF) != 0 : core->lazy.result == 0;
}

static inline bool flag_sf(const struct core *core)
{
    return core->lazy.kind == LAZY_NONE ? (core->rflags & RFLAGS_SF) != 0 : lazy_sign(core, core->lazy.result);
}

static inline bool flag_pf(const struct core *core)
{
    if (core->lazy.kind == LAZY_NONE)
        return core->rflags & RFLAGS_PF;
    return !__builtin_parity((unsigned)core->lazy.result & 0xFF);
}

/* The condition that an opcode's low nibble names (O B Z BE S P L LE; bit 0 negates). */
static inline bool condition_holds(const struct core *core, unsigned nibble)
{
    bool holds;

    switch (nibble >> 1 & 7) {
    case 0: holds = flag_of(core); break;
    case 1: holds = flag_cf(core); break;
    case 2: holds = flag_zf(core); break;
    case 3: holds = flag_cf(core) || flag_zf(core); break;
    case 4: holds = flag_sf(core); break;
    case 5: holds = flag_pf(core); break;
    case 6: holds = flag_sf(core) != flag_of(core); break;
    default: holds = flag_zf(core) || flag_sf(core) != flag_of(core); break;
    }
    return holds != (nibble & 1);
}

#endif
