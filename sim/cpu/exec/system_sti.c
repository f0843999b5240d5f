/* SPDX-License-Identifier: MIT */
/* CLI and STI, with the virtual-mode extensions (APM2 8.10; APM3). */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/isa/semantics.h"

static unsigned iopl(const struct core *core)
{
    return (unsigned)bits(core->rflags, 13, 12);
}

/* Who may not touch IF touches VIF instead: virtual-8086 mode with CR4.VME, CPL 3 with CR4.PVI. */
static bool virtual_interrupts(const struct core *core)
{
    if (core->mode == MODE_VIRTUAL_8086)
        return (core->cr4 & CR4_VME) != 0;
    return core->cpl == 3 && (core->cr4 & CR4_PVI);
}

enum outcome exec_cli(struct core *core, const struct insn *insn)
{
    (void)insn;
    if (core->cpl <= iopl(core))
        core->rflags &= ~RFLAGS_IF;
    else if (virtual_interrupts(core))
        core->rflags &= ~RFLAGS_VIF;
    else
        return core_fault_code(core, EXC_GP, 0);
    return OUTCOME_NEXT;
}

enum outcome exec_sti(struct core *core, const struct insn *insn)
{
    (void)insn;
    if (core->cpl <= iopl(core)) {
        if (!(core->rflags & RFLAGS_IF))
            core->interrupt_shadow = true;
        core->rflags |= RFLAGS_IF;
    } else if (virtual_interrupts(core) && !(core->rflags & RFLAGS_VIP)) {
        core->rflags |= RFLAGS_VIF;
    } else {
        return core_fault_code(core, EXC_GP, 0);
    }
    core_attention(core);
    return OUTCOME_NEXT;
}
