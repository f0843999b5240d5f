/* SPDX-License-Identifier: MIT */
/* What comes before x87 and media instructions are modelled: their availability checks, WAIT. */
#include "sim/cpu/decode/insn.h"
#include "sim/cpu/isa/semantics.h"

/* No x87 state is modelled, so that no unmasked exception can be pending. */
enum outcome exec_wait(struct core *core, const struct insn *insn)
{
    (void)insn;
    if ((core->cr0 & CR0_MP) && (core->cr0 & CR0_TS))
        return core_fault(core, EXC_NM);
    return OUTCOME_NEXT;
}

static enum outcome unmodelled(struct core *core, const struct insn *insn)
{
    unmodelled_note(core->unmodelled, "instruction %s, opcode %02X", insn->row->name, insn->opcode);
    return core_fault(core, EXC_UD);
}

/* deviation: #UD where the instruction would execute. CR0.EM or TS: #NM (APM2 3.1.1). */
enum outcome exec_x87_unmodelled(struct core *core, const struct insn *insn)
{
    if (core->cr0 & (CR0_EM | CR0_TS))
        return core_fault(core, EXC_NM);
    return unmodelled(core, insn);
}

/* deviation: #UD where the instruction would execute. CR0.EM: #UD, TS: #NM. */
enum outcome exec_media_unmodelled(struct core *core, const struct insn *insn)
{
    if (core->cr0 & CR0_EM)
        return core_fault(core, EXC_UD);
    if (core->cr0 & CR0_TS)
        return core_fault(core, EXC_NM);
    return unmodelled(core, insn);
}
