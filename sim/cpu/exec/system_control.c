/* SPDX-License-Identifier: MIT */
/* MOV to and from CRn and DRn, LMSW, SMSW, CLTS (APM3). Order of checks: fact sheet 3.11. */
#include "sim/cpu/exec/control.h"
#include "sim/cpu/exec/debug.h"
#include "sim/cpu/exec/intercept.h"
#include "sim/cpu/exec/operand.h"
#include "sim/cpu/isa/semantics.h"

static bool control_register_exists(unsigned reg)
{
    return reg == 0 || reg == 2 || reg == 3 || reg == 4 || reg == 8;
}

/* ---- Control registers -------------------------------------------------------------------------------- */

enum outcome exec_mov_from_control(struct core *core, const struct insn *insn)
{
    unsigned reg = insn->op[1].reg;
    uint64_t value;

    if (!control_register_exists(reg))
        return core_fault(core, EXC_UD);
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_CR0_READ + reg))
        return core_vmexit(core, VMEXIT_CR0_READ + reg, 0, 0);
    switch (reg) {
    case 0: value = core->cr0; break;
    case 2: value = core->cr2; break;
    case 3: value = core->cr3; break;
    case 4: value = core->cr4; break;
    default:
        value = cr8_read(core);
        cr8_count(core, false);
        break;
    }
    return operand_write(core, insn, 0, value);
}

static bool control_value_is_legal(const struct core *core, unsigned reg, uint64_t value)
{
    switch (reg) {
    case 0: return cr0_is_legal(core, value);
    case 3: return cr3_is_legal(core, value);
    case 4: return cr4_is_legal(core, value);
    case 8: return value <= 15;
    default: return true;
    }
}

static enum outcome control_write(struct core *core, unsigned reg, uint64_t value)
{
    switch (reg) {
    case 0: return cr0_write(core, value);
    case 3: return cr3_write(core, value);
    case 4: return cr4_write(core, value);
    case 8:
        cr8_count(core, true);
        cr8_write(core, value);
        break;
    default: core->cr2 = value; break;
    }
    return OUTCOME_NEXT;
}

enum outcome exec_mov_to_control(struct core *core, const struct insn *insn)
{
    unsigned reg = insn->op[0].reg;
    uint64_t value = 0, code = VMEXIT_CR0_WRITE + reg;

    if (!control_register_exists(reg))
        return core_fault(core, EXC_UD);
    operand_read(core, insn, 1, &value); /* a register: cannot fail */
    if (core->cpl != 0 || !control_value_is_legal(core, reg, value))
        return core_fault_code(core, EXC_GP, 0);
    if (reg == 8)
        cr8_write_begins(core);
    if (reg == 0 ? svm_cr0_write_intercepted(core, value, CR0_BY_MOV, &code) : intercepts(core, (unsigned)code))
        return core_vmexit(core, code, 0, 0);
    return control_write(core, reg, value);
}

enum outcome exec_clts(struct core *core, const struct insn *insn)
{
    uint64_t value = core->cr0 & ~CR0_TS, code;

    (void)insn;
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (svm_cr0_write_intercepted(core, value, CR0_BY_CLTS, &code))
        return core_vmexit(core, code, 0, 0);
    core->cr0 = value;
    core_mode_changed(core, true);
    return OUTCOME_NEXT;
}

/* PE, MP, EM and TS alone; PE can be set, not cleared (APM3 LMSW). */
enum outcome exec_lmsw(struct core *core, const struct insn *insn)
{
    uint64_t value, code;
    enum outcome outcome;

    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (svm_cr0_write_intercepted(core, core->cr0, CR0_BY_LMSW, &code))
        return core_vmexit(core, code, 0, 0);
    outcome = operand_read(core, insn, 0, &value);
    if (outcome != OUTCOME_NEXT)
        return outcome;
    value = (value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)) | (core->cr0 & CR0_PE);
    return cr0_write(core, (core->cr0 & ~(CR0_PE | CR0_MP | CR0_EM | CR0_TS)) | value);
}

enum outcome exec_smsw(struct core *core, const struct insn *insn)
{
    if (intercepts(core, VMEXIT_CR0_READ))
        return core_vmexit(core, VMEXIT_CR0_READ, 0, 0);
    return operand_write(core, insn, 0, core->cr0);
}

/* ---- Debug registers ---------------------------------------------------------------------------------- */

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE; above 7 there is nothing. */
static bool debug_register_number(const struct core *core, unsigned reg, unsigned *number)
{
    *number = reg == 4 || reg == 5 ? reg + 2 : reg;
    return reg < 8 && (*number == reg || !(core->cr4 & CR4_DE));
}

/* What reads and writes have in common: #UD, #GP(0), then general detect (APM2 13.1.1.4). */
static enum outcome debug_register_access(struct core *core, unsigned reg, unsigned *number)
{
    if (!debug_register_number(core, reg, number))
        return core_fault(core, EXC_UD);
    if (core->cpl != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (core->dr7 & DR7_GD) {
        core->fault = (struct event){ .vector = EXC_DB, .kind = EVENT_EXCEPTION, .address = DR6_BD };
        return OUTCOME_FAULT;
    }
    return OUTCOME_NEXT;
}

enum outcome exec_mov_from_debug(struct core *core, const struct insn *insn)
{
    unsigned number, reg = insn->op[1].reg;
    enum outcome outcome = debug_register_access(core, reg, &number);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    if (intercepts(core, VMEXIT_DR0_READ + reg))
        return core_vmexit(core, VMEXIT_DR0_READ + reg, 0, 0);
    return operand_write(core, insn, 0, number < 4 ? core->dr[number] : number == 6 ? core->dr6 : core->dr7);
}

enum outcome exec_mov_to_debug(struct core *core, const struct insn *insn)
{
    unsigned number, reg = insn->op[0].reg;
    uint64_t value = 0;
    enum outcome outcome = debug_register_access(core, reg, &number);

    if (outcome != OUTCOME_NEXT)
        return outcome;
    operand_read(core, insn, 1, &value); /* a register: cannot fail */
    if (number >= 6 && value >> 32 != 0)
        return core_fault_code(core, EXC_GP, 0);
    if (intercepts(core, VMEXIT_DR0_WRITE + reg))
        return core_vmexit(core, VMEXIT_DR0_WRITE + reg, 0, 0);
    if (number < 4)
        core->dr[number] = value;
    else if (number == 6)
        core->dr6 = (value & DR6_WRITABLE) | DR6_FIXED;
    else
        core->dr7 = (value & DR7_WRITABLE) | DR7_FIXED;
    core_debug_changed(core);
    return OUTCOME_NEXT;
}
