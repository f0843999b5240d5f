/* SPDX-License-Identifier: MIT */
/* A paravirtual vCPU's trap: hv's own business, an instruction to carry out, or the guest kernel's. */
#include "hv/abi/pv32.h"
#include "hv/core/traps.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/pv_guest.h"
#include "hv/vm/shared_info.h"
#include "hv/x86/cpu.h"

#define EXC_DB 1
#define EXC_NMI 2
#define EXC_BP 3
#define EXC_OF 4
#define EXC_UD 6
#define EXC_NM 7
#define EXC_DF 8
#define EXC_GP 13
#define EXC_PF 14
#define EXC_MC 18
#define EXCEPTIONS 32
#define ERROR_USER 4u /* of a #PF */
#define ERROR_IDT 2u  /* of a #GP: a gate of the IDT, INT n */
#define ERROR_EXTERNAL 1u
#define INT_BYTES 2
#define HAS_CODE (1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17)

enum exit_result pv_crash(struct vcpu *vcpu, const char *what)
{
    const struct trap_frame *f = &vcpu->pv->frame;

    guest_finish(vcpu->guest, GUEST_CRASHED, 0);
    console_print("hv: guest %s vcpu %u crashed: %s: vector %lx error %lx rip %lx rsp %lx cr2 %lx",
                  vcpu->guest->spec.name, vcpu->id, what, (unsigned long)f->vector, (unsigned long)f->error_code,
                  (unsigned long)f->rip, (unsigned long)f->rsp, (unsigned long)vcpu->pv->cr2);
    return EXIT_GUEST_OVER;
}

static bool is_narrow(const struct vcpu *vcpu)
{
    return vcpu->pv->guest->types.narrow;
}

enum exit_result pv_trap(struct vcpu *vcpu, unsigned vector, bool has_code, uint64_t code)
{
    struct vcpu_info_64 *info = shared_info_vcpu(vcpu);

    if (vector == EXC_PF) {
        if (is_narrow(vcpu))
            ((struct vcpu_info_32 *)info)->arch_cr2 = (uint32_t)vcpu->pv->cr2;
        else
            info->arch_cr2 = vcpu->pv->cr2;
        code = vcpu->pv->kernel ? code & ~(uint64_t)ERROR_USER : code | ERROR_USER;
    }
    if (pv_bounce_trap(vcpu->pv, info, vector, has_code, code))
        return EXIT_RESUME;
    return pv_crash(vcpu, "a trap that its kernel has no handler or no stack for");
}

/* INT n: the trap table says who may. The kernel's own privilege counts as 1, user code's as 3. */
static enum exit_result software_interrupt(struct vcpu *vcpu, unsigned vector)
{
    const struct pv_trap_info *trap = &vcpu->pv->traps[vector];

    if (vector == PV32_HYPERCALL_VECTOR && is_narrow(vcpu) && vcpu->pv->kernel) {
        vcpu->pv->frame.rip += INT_BYTES;
        return pv32_hypercall(vcpu);
    }
    vcpu->pv->counts.int_n++;
    if (!trap->address || TRAP_INFO_DPL(trap->flags) < (vcpu->pv->kernel ? 1u : 3u))
        return pv_trap(vcpu, EXC_GP, true, vcpu->pv->frame.error_code);
    vcpu->pv->frame.rip += INT_BYTES;
    return pv_trap(vcpu, vector, false, 0);
}

static enum exit_result general_protection(struct vcpu *vcpu)
{
    uint64_t code = vcpu->pv->frame.error_code;
    enum exit_result result;

    if (code & ERROR_IDT && !(code & ERROR_EXTERNAL))
        return software_interrupt(vcpu, code >> 3 & 0xFF);
    if (code == 0 && pv_emulate(vcpu, &result)) {
        vcpu->pv->counts.emulated++;
        return result;
    }
    return pv_trap(vcpu, EXC_GP, true, code);
}

static enum exit_result exception(struct vcpu *vcpu, unsigned vector)
{
    struct pv_vcpu *pv = vcpu->pv;

    pv->counts.traps[vector]++;
    switch (vector) {
    case EXC_NMI:
    case EXC_MC: /* the machine's; what the guest gets of it waits in pv until it is delivered */
        return EXIT_RESUME;
    case EXC_DF:
        return pv_crash(vcpu, "double fault");
    case EXC_UD:
        if (pv_forced_cpuid(vcpu)) {
            pv->counts.emulated++;
            return EXIT_RESUME;
        }
        return pv_trap(vcpu, vector, false, 0);
    case EXC_NM:
        pv->ts = false; /* as the guest's CR0.TS, which its handler need not clear */
        return pv_trap(vcpu, vector, false, 0);
    case EXC_GP:
        return general_protection(vcpu);
    default:
        return pv_trap(vcpu, vector, HAS_CODE >> vector & 1, pv->frame.error_code);
    }
}

static enum exit_result system_call(struct vcpu *vcpu, unsigned type)
{
    vcpu->pv->counts.system_calls++;
    if (pv_bounce_callback(vcpu->pv, shared_info_vcpu(vcpu), type))
        return EXIT_RESUME;
    if (vcpu->pv->callbacks[type].address)
        return pv_crash(vcpu, "a system call, and its kernel's stack is not there");
    vcpu->pv->frame.rip -= 2; /* as if the processor had no such instruction */
    return pv_trap(vcpu, EXC_UD, false, 0);
}

/* A selector, CS, SS or RIP that cannot be loaded: the kernel's failsafe callback is told. */
static enum exit_result not_entered(struct vcpu *vcpu)
{
    struct pv_vcpu *pv = vcpu->pv;

    pv->counts.failsafes++;
    pv->counts.refused[pv->frame.vector % EXCEPTIONS]++;
    if (!pv_bounce_callback(pv, shared_info_vcpu(vcpu), CALLBACKTYPE_FAILSAFE))
        return pv_crash(vcpu, "a segment that cannot be loaded, and no failsafe callback");
    pv->ds = pv->es = pv->fs = pv->gs = 0;
    return EXIT_RESUME;
}

static enum exit_result handle(struct vcpu *vcpu)
{
    uint64_t vector = vcpu->pv->frame.vector;

    switch (vector) {
    case PV_VECTOR_SYSCALL:
        return vcpu->pv->kernel ? pv_hypercall(vcpu) : system_call(vcpu, CALLBACKTYPE_SYSCALL);
    case PV_VECTOR_SYSCALL32:
        return vcpu->pv->kernel ? pv_trap(vcpu, EXC_UD, false, 0) : system_call(vcpu, CALLBACKTYPE_SYSCALL32);
    default:
        if (vector & PV_VECTOR_NOT_ENTERED)
            return not_entered(vcpu);
        if (vector < EXCEPTIONS)
            return exception(vcpu, (unsigned)vector);
        vcpu->pv->counts.interrupts++;
        return EXIT_RESUME;
    }
}

/* ---- Into the guest -------------------------------------------------------------------------------------- */

/* What waits for the vCPU, the most urgent last, so that it runs first. False: a stack is not there. */
static bool deliver(struct vcpu *vcpu)
{
    struct vcpu_info_64 *info = shared_info_vcpu(vcpu);
    struct pv_vcpu *pv = vcpu->pv;
    enum pv_priority rank;

    if (!info)
        return false;
    if (event_is_due(vcpu) && pv->callbacks[CALLBACKTYPE_EVENT].address) {
        pv->counts.upcalls++;
        if (!pv_bounce_callback(pv, info, CALLBACKTYPE_EVENT))
            return false;
    }
    while ((rank = pv_priority_due(pv)) != PV_PRIORITY_NONE) {
        unsigned vector = rank == PV_PRIORITY_MCE ? PV_TRAP_MCE : PV_TRAP_NMI;

        pv_priority_begin(pv, rank);
        if (!pv_has_trap_handler(pv, (uint8_t)vector)) {
            pv_priority_end(pv); /* nobody wants it */
            continue;
        }
        if (!pv_bounce_trap(pv, info, vector, false, 0))
            return false;
    }
    return true;
}

enum exit_result pv_guest_run(struct vcpu *vcpu)
{
    struct trap_frame *f = &vcpu->pv->frame;

    if (!deliver(vcpu)) {
        interrupts_enable();
        return pv_crash(vcpu, "an event, and its kernel's stack is not there");
    }
    if (!pv_is_canonical(f->rip)) {
        interrupts_enable();
        return pv_crash(vcpu, "it goes on at an address that is none");
    }
    pv_run(vcpu->pv);
    if (is_narrow(vcpu)) /* its kernel may return to CPL 3 by itself */
        vcpu->pv->kernel = (f->cs & 3) != 3;
    if ((f->vector >= EXCEPTIONS && f->vector < 256) || f->vector == EXC_NMI || f->vector == EXC_MC)
        trap_handle(f); /* with interrupts off, as when it had come to hv itself */
    interrupts_enable();
    return handle(vcpu);
}
