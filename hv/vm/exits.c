/* SPDX-License-Identifier: MIT */
#include "hv/vm/exits.h"

#include "hv/vm/devices.h"
#include "hv/vm/hypercall.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/machine_check.h"
#include "hv/vm/paging_shadow.h"
#include "hv/vm/physmap.h"

#define EXC_DE 0
#define EXC_UD 6
#define EXC_DF 8
#define EXC_TS 10
#define EXC_GP 13
#define EXC_PF 14

enum exit_result exit_crash(struct vcpu *vcpu, const char *what)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;

    guest_finish(vcpu->guest, GUEST_CRASHED, 0);
    console_print("hv: guest %s vcpu %u crashed: %s: exitcode %lx info1 %lx info2 %lx rip %lx", vcpu->guest->spec.name,
                  vcpu->id, what, (unsigned long)vmcb->exitcode, (unsigned long)vmcb->exitinfo1,
                  (unsigned long)vmcb->exitinfo2, (unsigned long)vmcb->rip);
    return EXIT_GUEST_OVER;
}

enum exit_result exit_inject_ud(struct vcpu *vcpu)
{
    svm_inject_exception(&vcpu->svm, EXC_UD, false, 0);
    return EXIT_RESUME;
}

enum exit_result exit_inject_gp(struct vcpu *vcpu)
{
    svm_inject_exception(&vcpu->svm, EXC_GP, true, 0);
    return EXIT_RESUME;
}

enum exit_result exit_inject_pf(struct vcpu *vcpu, uint64_t linear, uint32_t code)
{
    svm_set_cr2(&vcpu->svm, linear);
    svm_inject_exception(&vcpu->svm, EXC_PF, true, code);
    return EXIT_RESUME;
}

/* #DE, #TS, #NP, #SS, #GP (APM2 8.2.9, table 8-2). */
static bool is_contributory(unsigned vector)
{
    return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP);
}

enum exit_result exit_raise(struct vcpu *vcpu, unsigned vector, uint32_t code)
{
    unsigned first = svm_event_under_delivery(&vcpu->svm);

    if (first == EXC_DF)
        return exit_crash(vcpu, "triple fault");
    if ((first == EXC_PF && (vector == EXC_PF || is_contributory(vector))) ||
        (is_contributory(first) && is_contributory(vector)))
        svm_inject_exception(&vcpu->svm, EXC_DF, true, 0);
    else
        svm_inject_exception(&vcpu->svm, vector, true, code);
    return EXIT_RESUME;
}

enum exit_result exit_reflect_pf(struct vcpu *vcpu, uint64_t linear, uint32_t code)
{
    svm_set_cr2(&vcpu->svm, linear);
    return exit_raise(vcpu, EXC_PF, code);
}

unsigned exit_fetch(struct vcpu *vcpu, uint8_t bytes[INSTRUCTION_MAX])
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    uint64_t linear = svm_guest_in_64bit(&vcpu->svm) ? vmcb->rip : (uint32_t)(vmcb->cs.base + vmcb->rip);
    struct hypercall memory = { .vcpu = vcpu };

    for (unsigned count = INSTRUCTION_MAX; count > 0; count--) /* less where the next page cannot be read */
        if (hypercall_copy_in(&memory, bytes, linear, count))
            return count;
    return 0;
}

bool exit_skip(struct vcpu *vcpu, enum instruction which)
{
    uint8_t bytes[INSTRUCTION_MAX];
    uint64_t rip;
    unsigned length;

    if (!svm_next_rip(&vcpu->svm, &rip)) {
        length = instruction_length(bytes, exit_fetch(vcpu, bytes), svm_guest_in_64bit(&vcpu->svm), which);
        if (!length) {
            exit_inject_gp(vcpu);
            return false;
        }
        rip = vcpu->svm.vmcb->rip + length;
    }
    svm_set_rip(&vcpu->svm, rip);
    return true;
}

enum exit_result vmexit_npf(struct vcpu *vcpu)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;

    if (exit_is_device(vmcb->exitinfo2) && vmcb->exitinfo1 & NPF_FINAL && !(vmcb->exitinfo1 & NPF_FETCH))
        return exit_device(vcpu, vmcb->exitinfo2);
    switch (physmap_fault(vcpu->guest, vmcb->exitinfo2, vmcb->exitinfo1 & NPF_W)) {
    case PHYSMAP_RESUME:
        return EXIT_RESUME;
    case PHYSMAP_DROP_WRITE:
    case PHYSMAP_EMULATE:
        if (vmcb->exitinfo1 & NPF_FINAL && !(vmcb->exitinfo1 & NPF_FETCH))
            return exit_device(vcpu, vmcb->exitinfo2);
        return exit_crash(vcpu, "page tables or code in read-only memory, or in none");
    default:
        return exit_crash(vcpu, "access outside its memory");
    }
}

/* What comes from here on makes schedule_wake note it; what came before is looked for. */
bool exit_halts(struct vcpu *vcpu)
{
    vcpu->woken = false;
    vcpu->halted = true;
    devices_enter(vcpu); /* an INIT ends it */
    vcpu->halted = vcpu->halted && !interrupts_wake(vcpu);
    return vcpu->halted;
}

static enum exit_result vmexit_hlt(struct vcpu *vcpu)
{
    if (!exit_skip(vcpu, INSTRUCTION_HLT))
        return EXIT_RESUME;
    return exit_halts(vcpu) ? EXIT_BLOCK : EXIT_RESUME;
}

enum exit_result exit_handle(struct vcpu *vcpu)
{
    switch (vcpu->svm.vmcb->exitcode) {
    case VMEXIT_INTR: /* hv's own handlers have run by now */
    case VMEXIT_NMI:
    case VMEXIT_INIT:
    case VMEXIT_VINTR: /* the guest can take an interrupt now: the next entry injects it */
        return EXIT_RESUME;
    case VMEXIT_CR8_READ:
    case VMEXIT_CR8_WRITE:
        return vmexit_cr8(vcpu);
    case VMEXIT_CR0_READ:
    case VMEXIT_CR3_READ:
    case VMEXIT_CR4_READ:
        return vmexit_control_read(vcpu);
    case VMEXIT_CR0_WRITE:
    case VMEXIT_CR3_WRITE:
    case VMEXIT_CR4_WRITE:
        return vmexit_control_write(vcpu);
    case VMEXIT_INVLPG:
        return vmexit_invlpg(vcpu);
    case VMEXIT_EXCP_PF:
        return vmexit_page_fault(vcpu);
    case VMEXIT_EXCP_MC:
        return vmexit_machine_check(vcpu);
    case VMEXIT_TASK_SWITCH: /* it would load CR3 */
        return vmexit_task_switch(vcpu);
    case VMEXIT_CPUID:
        return vmexit_cpuid(vcpu);
    case VMEXIT_IOIO:
        return vmexit_ioio(vcpu);
    case VMEXIT_MSR:
        return vmexit_msr(vcpu);
    case VMEXIT_VMMCALL:
        return vmexit_vmmcall(vcpu);
    case VMEXIT_NPF:
        return vmexit_npf(vcpu);
    case VMEXIT_HLT:
        return vmexit_hlt(vcpu);
    case VMEXIT_IRET: /* carried out at the next entry */
        interrupts_iret(vcpu);
        machine_check_iret(vcpu);
        return EXIT_RESUME;
    case VMEXIT_INVD: /* the guest's caches are the machine's: nothing that may be thrown away */
        exit_skip(vcpu, INSTRUCTION_INVD);
        return EXIT_RESUME;
    case VMEXIT_INVLPGA:
    case VMEXIT_VMRUN:
    case VMEXIT_VMLOAD:
    case VMEXIT_VMSAVE:
    case VMEXIT_STGI:
    case VMEXIT_CLGI:
    case VMEXIT_SKINIT:
    case VMEXIT_MONITOR:
    case VMEXIT_MWAIT:
        return exit_inject_ud(vcpu); /* the guest's CPUID has neither SVM nor MONITOR */
    case VMEXIT_SHUTDOWN:
        return exit_crash(vcpu, "triple fault");
    case VMEXIT_INVALID:
        return exit_crash(vcpu, "VMRUN refused its state");
    default:
        return exit_crash(vcpu, "an exit that hv did not ask for");
    }
}
