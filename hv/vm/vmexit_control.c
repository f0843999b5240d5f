/* SPDX-License-Identifier: MIT */
/* Control registers that the guest may not reach itself, and INVLPG. */
#include "hv/vm/exits.h"

#include "hv/vm/control_registers.h"
#include "hv/vm/emulation.h"
#include "hv/vm/paging_shadow.h"

#define CR0_PE (1ull << 0)
#define CR0_TS (1ull << 3)
#define CR0_MACHINE_STATUS 0xFull /* PE MP EM TS: what LMSW writes (APM3 LMSW) */

static uint64_t register_value(const struct svm_paging *now, unsigned reg)
{
    return reg == 0 ? now->cr0 : reg == 3 ? now->cr3 : now->cr4;
}

/* The instruction is over. */
static enum exit_result go_on(struct vcpu *vcpu, const struct emulate_insn *insn)
{
    svm_set_rip(&vcpu->svm, vcpu->svm.vmcb->rip + insn->length);
    return EXIT_RESUME;
}

static enum exit_result memory_failed(struct vcpu *vcpu, enum emulate_status status,
                                      const struct emulation_fault *fault)
{
    if (status == EMULATE_FAULT)
        return exit_inject_pf(vcpu, fault->linear, fault->code);
    return exit_crash(vcpu, "LMSW or SMSW with an operand that hv cannot reach");
}

/* MOV from CR0, CR3 or CR4; SMSW. */
enum exit_result vmexit_control_read(struct vcpu *vcpu)
{
    unsigned reg = (unsigned)(vcpu->svm.vmcb->exitcode - VMEXIT_CR0_READ);
    struct svm_paging now = svm_guest_paging(&vcpu->svm);
    uint64_t value = register_value(&now, reg);
    struct emulate_registers registers;
    struct emulation_fault fault;
    struct emulate_insn insn;
    enum emulate_status status;

    if (!emulation_fetch(vcpu, &insn, &registers) ||
        (insn.operation != EMULATE_MOV_FROM_CONTROL && insn.operation != EMULATE_SMSW))
        return exit_inject_gp(vcpu); /* other bytes than those that exited */
    if (insn.op[0].kind == EMULATE_MEMORY) {
        status = emulation_write(vcpu, emulate_address(&insn, &registers, true), &value, insn.op[0].size, &fault);
        return status == EMULATE_DONE ? go_on(vcpu, &insn) : memory_failed(vcpu, status, &fault);
    }
    emulate_set_register(&registers, &insn.op[0], value);
    emulation_commit(vcpu, &registers);
    return go_on(vcpu, &insn);
}

static bool write_register(struct vcpu *vcpu, unsigned reg, uint64_t value)
{
    struct svm_paging now = svm_guest_paging(&vcpu->svm);
    bool load_pdptes, code64 = vcpu->svm.vmcb->cs.attributes & SEGMENT_L;

    if (!control_register_write(&now, reg, value, code64, &load_pdptes))
        return false;
    if (vcpu->svm.shadow)
        return paging_shadow_load(vcpu, &now, load_pdptes);
    svm_set_guest_paging(&vcpu->svm, &now);
    asid_drop(&vcpu->svm.asid); /* no hardware flush happened */
    return true;
}

/* What MOV, LMSW or CLTS writes. EMULATE_CANNOT without a fault: not one of them. */
static enum emulate_status value_written(struct vcpu *vcpu, const struct emulate_insn *insn,
                                         const struct emulate_registers *registers, uint64_t *value,
                                         struct emulation_fault *fault)
{
    uint64_t cr0 = svm_guest_paging(&vcpu->svm).cr0;
    enum emulate_status status = EMULATE_DONE;

    *value = 0;
    switch (insn->operation) {
    case EMULATE_MOV_TO_CONTROL:
        *value = emulate_register(registers, &insn->op[1]);
        return EMULATE_DONE;
    case EMULATE_CLTS:
        *value = cr0 & ~CR0_TS;
        return EMULATE_DONE;
    case EMULATE_LMSW:
        if (insn->op[0].kind == EMULATE_REGISTER)
            *value = emulate_register(registers, &insn->op[0]);
        else
            status = emulation_read(vcpu, emulate_address(insn, registers, false), value, insn->op[0].size, fault);
        *value = (cr0 & ~CR0_MACHINE_STATUS) | (*value & CR0_MACHINE_STATUS) | (cr0 & CR0_PE);
        return status;
    default:
        return EMULATE_CANNOT;
    }
}

enum exit_result vmexit_control_write(struct vcpu *vcpu)
{
    unsigned reg = (unsigned)(vcpu->svm.vmcb->exitcode - VMEXIT_CR0_WRITE);
    struct emulate_registers registers;
    struct emulation_fault fault;
    struct emulate_insn insn;
    enum emulate_status status = EMULATE_CANNOT;
    uint64_t value;

    if (!emulation_fetch(vcpu, &insn, &registers))
        return exit_inject_gp(vcpu);
    status = value_written(vcpu, &insn, &registers, &value, &fault);
    if (status == EMULATE_FAULT)
        return memory_failed(vcpu, status, &fault);
    if (status == EMULATE_CANNOT || !write_register(vcpu, reg, value))
        return exit_inject_gp(vcpu);
    return go_on(vcpu, &insn);
}

/* Shadow tables are always in step with the guest's: only the processor's copies are old. */
enum exit_result vmexit_invlpg(struct vcpu *vcpu)
{
    struct emulate_registers registers;
    struct emulate_insn insn;

    if (!emulation_fetch(vcpu, &insn, &registers) || insn.operation != EMULATE_INVLPG)
        return exit_inject_gp(vcpu);
    asid_drop(&vcpu->svm.asid);
    return go_on(vcpu, &insn);
}
