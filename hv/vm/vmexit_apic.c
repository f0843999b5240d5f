/* SPDX-License-Identifier: MIT */
/* The guest's local APIC: CR8, and the register page, which no nested entry maps. */
#include "hv/vm/exits.h"

#include "hv/vm/interrupts.h"

enum exit_result vmexit_cr8(struct vcpu *vcpu)
{
    uint8_t bytes[INSTRUCTION_MAX];
    struct instruction_cr8 mov;
    unsigned length = instruction_mov_cr8(bytes, exit_fetch(vcpu, bytes), svm_guest_in_64bit(&vcpu->svm), &mov);

    if (!length || mov.is_write != (vcpu->svm.vmcb->exitcode == VMEXIT_CR8_WRITE))
        return exit_inject_gp(vcpu);
    if (mov.is_write)
        interrupts_set_tpr(vcpu, (uint8_t)(svm_gpr(&vcpu->svm, mov.gpr) << 4)); /* above 15 was #GP, no exit */
    else
        svm_set_gpr(&vcpu->svm, mov.gpr, vcpu->apic.tpr >> 4);
    svm_set_rip(&vcpu->svm, vcpu->svm.vmcb->rip + length);
    return EXIT_RESUME;
}

enum exit_result vmexit_apic_page(struct vcpu *vcpu)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    unsigned offset = vmcb->exitinfo2 & 0xFFF, length;
    uint8_t bytes[INSTRUCTION_MAX];
    struct instruction_move move;

    length = instruction_move(bytes, exit_fetch(vcpu, bytes), svm_guest_in_64bit(&vcpu->svm), &move);
    if (!length || move.is_write != !!(vmcb->exitinfo1 & NPF_W))
        return exit_crash(vcpu, "an APIC access by an instruction that hv does not know");
    if (!move.is_write) {
        svm_set_gpr(&vcpu->svm, move.gpr, vlapic_read(&vcpu->apic, offset));
    } else {
        uint32_t value = move.immediate ? move.value : (uint32_t)svm_gpr(&vcpu->svm, move.gpr);

        if (!vlapic_write(&vcpu->apic, offset, value))
            return exit_crash(vcpu, "an interrupt message that hv does not deliver");
        svm_set_v_tpr(&vcpu->svm, vcpu->apic.tpr >> 4);
    }
    svm_set_rip(&vcpu->svm, vmcb->rip + length);
    return EXIT_RESUME;
}
