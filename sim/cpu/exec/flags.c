/* SPDX-License-Identifier: MIT */
#include "sim/cpu/exec/flags.h"

/* Bits that software can ever see set: the rest reads zero, bit 1 reads one (APM2 3.1.6). */
#define RFLAGS_DEFINED                                                                                      \
    (RFLAGS_ARITH | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM |    \
     RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)

static bool lazy_af(const struct core *core)
{
    const struct lazy_flags *lazy = &core->lazy;

    switch (lazy->kind) {
    case LAZY_LOGIC:
    case LAZY_SHL:
    case LAZY_SHR: return false;
    case LAZY_ADD:
    case LAZY_SUB: return (lazy->a ^ lazy->b ^ lazy->result) & 0x10;
    case LAZY_INC:
    case LAZY_DEC: return (lazy->a ^ lazy->result) & 0x10;
    default: return core->rflags & RFLAGS_AF;
    }
}

static void make_exact(struct core *core)
{
    uint64_t flags = core->rflags & ~RFLAGS_ARITH;

    if (core->lazy.kind == LAZY_NONE)
        return;
    flags |= flag_cf(core) ? RFLAGS_CF : 0;
    flags |= flag_pf(core) ? RFLAGS_PF : 0;
    flags |= lazy_af(core) ? RFLAGS_AF : 0;
    flags |= flag_zf(core) ? RFLAGS_ZF : 0;
    flags |= flag_sf(core) ? RFLAGS_SF : 0;
    flags |= flag_of(core) ? RFLAGS_OF : 0;
    core->rflags = flags;
    core->lazy = (struct lazy_flags){ .kind = LAZY_NONE };
}

uint64_t rflags_read(struct core *core)
{
    make_exact(core);
    return core->rflags;
}

void rflags_write(struct core *core, uint64_t value)
{
    core->lazy = (struct lazy_flags){ .kind = LAZY_NONE };
    core->rflags = (value & RFLAGS_DEFINED) | BIT(1);
}

/* OF AF CF into core->rflags, save those in `replaced`; SF ZF PF still by the result. */
static void make_half_exact(struct core *core, uint64_t replaced)
{
    uint64_t flags = core->rflags & ~(RFLAGS_OF | RFLAGS_AF | RFLAGS_CF);

    flags |= !(replaced & RFLAGS_CF) && flag_cf(core) ? RFLAGS_CF : 0;
    flags |= !(replaced & RFLAGS_AF) && lazy_af(core) ? RFLAGS_AF : 0;
    flags |= !(replaced & RFLAGS_OF) && flag_of(core) ? RFLAGS_OF : 0;
    core->rflags = flags;
    core->lazy.kind = LAZY_RESULT;
}

void rflags_put(struct core *core, uint64_t mask, uint64_t value)
{
    if (mask & (RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF))
        make_exact(core);
    else if (core->lazy.kind > LAZY_RESULT)
        make_half_exact(core, mask);
    core->rflags = (core->rflags & ~mask) | (value & mask);
}
