/* SPDX-License-Identifier: MIT */
/* SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS (APM2 6.1; APM3). */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/segment.h"
#include "sim/cpu/isa/semantics.h"

/* Flat segments, as descriptors would have them: G, P, S, accessed; DPL is added. */
#define ATTR_CODE64 0xA9B
#define ATTR_CODE32 0xC9B
#define ATTR_DATA32 0xC93
#define ATTR_DPL3 0x060

static void set_flat(struct core *core, unsigned which, uint16_t selector, uint16_t attr)
{
    core->seg[which] = (struct segment){ .selector = selector, .attr = attr, .limit = UINT32_MAX };
}

/* To CPL 0: CS and SS from one selector, IF and the rest as the instruction says. */
static void enter_kernel(struct core *core, uint16_t selector, uint16_t code_attr, uint64_t rip, uint64_t cleared)
{
    rflags_write(core, rflags_read(core) & ~(cleared | RFLAGS_RF | RFLAGS_VM));
    set_flat(core, SEG_CS, selector, code_attr);
    set_flat(core, SEG_SS, (uint16_t)(selector + 8), ATTR_DATA32);
    core->cpl = 0;
    core->next_rip = rip;
    core_mode_changed(core, false);
}

enum outcome exec_syscall(struct core *core, const struct insn *insn)
{
    uint16_t selector = (uint16_t)bits(core->star, 47, 32) & 0xFFFC;

    (void)insn;
    if (!(core->efer & EFER_SCE))
        return core_fault(core, EXC_UD);
    if (!core_in_long_mode(core)) {
        core->gpr[RCX] = (uint32_t)core->next_rip;
        enter_kernel(core, selector, ATTR_CODE32, (uint32_t)core->star, RFLAGS_IF);
        return OUTCOME_NEXT;
    }
    core->gpr[RCX] = core->next_rip;
    core->gpr[R11] = rflags_read(core) & ~RFLAGS_RF;
    enter_kernel(core, selector, ATTR_CODE64, core_in_64bit(core) ? core->lstar : core->cstar, core->sfmask);
    return OUTCOME_NEXT;
}

/*
 * SS gets a selector alone, RPL 3 whatever STAR says (AMD 21086); base, limit and attributes stay as the
 * kernel left them (fact sheet 1.6).
 * A non-canonical RCX is no fault here: fetching from it is, at CPL 3.
 */
enum outcome exec_sysret(struct core *core, const struct insn *insn)
{
    uint16_t selector = (uint16_t)bits(core->star, 63, 48);
    bool to64 = core_in_64bit(core) && insn->operand_size == 8;

    if (!(core->efer & EFER_SCE))
        return core_fault(core, EXC_UD);
    if (core_in_real_style(core) || core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    core->seg[SEG_SS].selector = (uint16_t)((selector + 8) | 3);
    set_flat(core, SEG_CS, (uint16_t)((to64 ? selector + 16 : selector) | 3),
             ATTR_DPL3 | (to64 ? ATTR_CODE64 : ATTR_CODE32));
    if (core_in_64bit(core))
        rflags_write(core, core->gpr[R11] & ~(RFLAGS_RF | RFLAGS_VM));
    else
        rflags_write(core, rflags_read(core) | RFLAGS_IF);
    core->cpl = 3;
    core->next_rip = to64 ? core->gpr[RCX] : (uint32_t)core->gpr[RCX];
    core_mode_changed(core, false);
    return OUTCOME_NEXT;
}

/* AMD processors have SYSENTER and SYSEXIT in legacy mode only. */
enum outcome exec_sysenter(struct core *core, const struct insn *insn)
{
    (void)insn;
    if (core_in_long_mode(core))
        return core_fault(core, EXC_UD);
    if (core->mode == MODE_REAL || selector_is_null((uint16_t)core->sysenter_cs))
        return core_fault_code(core, EXC_GP, 0);
    core->gpr[RSP] = (uint32_t)core->sysenter_esp;
    enter_kernel(core, core->sysenter_cs & 0xFFFC, ATTR_CODE32, (uint32_t)core->sysenter_eip, RFLAGS_IF);
    return OUTCOME_NEXT;
}

enum outcome exec_sysexit(struct core *core, const struct insn *insn)
{
    uint16_t selector = (uint16_t)(core->sysenter_cs + 16);

    (void)insn;
    if (core_in_long_mode(core))
        return core_fault(core, EXC_UD);
    if (core_in_real_style(core) || core->cpl != 0 || selector_is_null((uint16_t)core->sysenter_cs))
        return core_fault_code(core, EXC_GP, 0);
    set_flat(core, SEG_CS, selector | 3, ATTR_DPL3 | ATTR_CODE32);
    set_flat(core, SEG_SS, (uint16_t)(selector + 8) | 3, ATTR_DPL3 | ATTR_DATA32);
    core->cpl = 3;
    core->gpr[RSP] = (uint32_t)core->gpr[RCX];
    core->next_rip = (uint32_t)core->gpr[RDX];
    core_mode_changed(core, false);
    return OUTCOME_NEXT;
}

enum outcome exec_swapgs(struct core *core, const struct insn *insn)
{
    uint64_t base = core->seg[SEG_GS].base;

    (void)insn;
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    core->seg[SEG_GS].base = core->kernel_gs_base;
    core->kernel_gs_base = base;
    return OUTCOME_NEXT;
}
