/* SPDX-License-Identifier: MIT */
/* Decimal adjustment (not in 64-bit mode). Undefined OF is cleared; AAA and AAS keep SF ZF PF. */
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

static void set_al(struct core *core, unsigned al)
{
    gpr_write(core, RAX, 1, false, al);
}

/* SF ZF PF by AL. */
static void set_flags(struct core *core, unsigned al, bool af, bool cf)
{
    lazy_set_result(core, 1, (uint8_t)al, (af ? RFLAGS_AF : 0) | (cf ? RFLAGS_CF : 0));
}

/* DAA, DAS: sign +1 or -1 (APM3 DAA, DAS). */
static void adjust_packed(struct core *core, int sign)
{
    unsigned old = core->gpr[RAX] & 0xFF, al = old;
    uint64_t flags = rflags_read(core);
    bool af = (flags & RFLAGS_AF) || (old & 15) > 9;
    bool cf = (flags & RFLAGS_CF) || old > 0x99;

    if (af)
        al = al + (unsigned)(sign * 6);
    if (cf)
        al = al + (unsigned)(sign * 0x60);
    /* DAS borrows out of the low digit too: AL < 6 with AF. */
    if (sign < 0 && af && old < 6)
        cf = true;
    set_al(core, al);
    set_flags(core, al, af, cf);
}

enum outcome exec_daa(struct core *core, const struct insn *insn)
{
    (void)insn;
    adjust_packed(core, 1);
    return OUTCOME_NEXT;
}

enum outcome exec_das(struct core *core, const struct insn *insn)
{
    (void)insn;
    adjust_packed(core, -1);
    return OUTCOME_NEXT;
}

/* AAA, AAS: AX moves by 106h, so that a carry out of AL+6 reaches AH (APM3 AAA). */
static void adjust_unpacked(struct core *core, int sign)
{
    bool adjust = (core->gpr[RAX] & 15) > 9 || (rflags_read(core) & RFLAGS_AF);
    uint64_t ax = core->gpr[RAX] & 0xFFFF;

    if (adjust)
        ax += (uint64_t)(int64_t)(sign * 0x106);
    gpr_write(core, RAX, 2, false, ax & 0xFF0F);
    rflags_put(core, RFLAGS_OF | RFLAGS_AF | RFLAGS_CF, adjust ? RFLAGS_AF | RFLAGS_CF : 0);
}

enum outcome exec_aaa(struct core *core, const struct insn *insn)
{
    (void)insn;
    adjust_unpacked(core, 1);
    return OUTCOME_NEXT;
}

enum outcome exec_aas(struct core *core, const struct insn *insn)
{
    (void)insn;
    adjust_unpacked(core, -1);
    return OUTCOME_NEXT;
}

enum outcome exec_aam(struct core *core, const struct insn *insn)
{
    unsigned base = insn->immediate & 0xFF, al = core->gpr[RAX] & 0xFF;

    if (base == 0)
        return core_fault(core, EXC_DE);
    gpr_write(core, RAX, 2, false, (al / base) << 8 | al % base);
    set_flags(core, al % base, false, false);
    return OUTCOME_NEXT;
}

enum outcome exec_aad(struct core *core, const struct insn *insn)
{
    unsigned al = core->gpr[RAX] & 0xFF, ah = core->gpr[RAX] >> 8 & 0xFF;

    al = (al + ah * (unsigned)(insn->immediate & 0xFF)) & 0xFF;
    gpr_write(core, RAX, 2, false, al);
    set_flags(core, al, false, false);
    return OUTCOME_NEXT;
}
