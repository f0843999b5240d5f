/* SPDX-License-Identifier: MIT */
/* INT n, INT3, INTO, ICEBP, IRET, RSM: they name the event; event/ delivers it (APM2 8.6). */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/isa/semantics.h"

enum outcome exec_int(struct core *core, const struct insn *insn)
{
    /* With CR4.VME the redirection bitmap decides first, in event/. */
    if (core->mode == MODE_VIRTUAL_8086 && bits(core->rflags, 13, 12) < 3 && !(core->cr4 & CR4_VME))
        return core_fault_code(core, EXC_GP, 0);
    core->fault = (struct event){ .vector = (uint8_t)insn->immediate, .kind = EVENT_SOFT_INT };
    return OUTCOME_SOFT_INT;
}

enum outcome exec_int3(struct core *core, const struct insn *insn)
{
    (void)insn;
    core->fault = (struct event){ .vector = EXC_BP, .kind = EVENT_EXCEPTION, .breakpoint = true };
    return OUTCOME_TRAP;
}

enum outcome exec_into(struct core *core, const struct insn *insn)
{
    (void)insn;
    if (!flag_of(core))
        return OUTCOME_NEXT;
    core->fault = (struct event){ .vector = EXC_OF, .kind = EVENT_EXCEPTION, .breakpoint = true };
    return OUTCOME_TRAP;
}

enum outcome exec_icebp(struct core *core, const struct insn *insn)
{
    (void)insn;
    core->fault = (struct event){ .vector = EXC_DB, .kind = EVENT_EXCEPTION, .icebp = true };
    return OUTCOME_TRAP;
}

enum outcome exec_rsm(struct core *core, const struct insn *insn)
{
    (void)insn;
    return core->smm.active ? OUTCOME_RSM : core_fault(core, EXC_UD);
}

enum outcome exec_iret(struct core *core, const struct insn *insn)
{
    core->pending = (struct pending){ .size = insn->operand_size };
    return OUTCOME_IRET;
}
