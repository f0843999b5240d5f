/* SPDX-License-Identifier: MIT */
/* Hardware task switches of guests under shadow paging: what the exit says (APM2 15.14.1), and the guest's memory. */
#include "hv/vm/exits.h"

#include "hv/core/memory.h"
#include "hv/vm/emulation.h"
#include "hv/vm/paging_shadow.h"
#include "hv/vm/task_switch.h"

#define INFO2_IRET (1ull << 36)
#define INFO2_JUMP (1ull << 38)
#define INFO2_HAS_ERROR (1ull << 44)
#define INFO2_RF (1ull << 48)
#define EFLAGS_RF 0x10000u
#define CR0_TS (1ull << 3)
#define CR0_PG (1ull << 31)
#define EXC_DB 1
#define EXC_PF 14

/* One piece, within a page. */
static enum task_result reach_piece(struct vcpu *vcpu, uint64_t linear, void *data, unsigned size,
                                    enum task_access access, bool user, struct task_fault *fault)
{
    bool write = access == TASK_WRITE || access == TASK_MAY_WRITE, done = true;
    struct emulation_fault failed;
    uint64_t gpa;

    switch (emulation_translate(vcpu, linear, (write ? WALK_W : 0) | (user ? WALK_U : 0), &gpa, &failed)) {
    case EMULATE_DONE: break;
    case EMULATE_FAULT:
        *fault = (struct task_fault){ EXC_PF, failed.code, failed.linear };
        return TASK_FAULTED;
    default: return TASK_CANNOT;
    }
    if (access == TASK_READ)
        done = guest_read(vcpu->guest, gpa, data, size);
    if (access == TASK_WRITE)
        done = guest_write(vcpu->guest, gpa, data, size);
    return done ? TASK_SWITCHED : TASK_CANNOT;
}

static enum task_result reach(void *ctx, uint64_t linear, void *data, unsigned size, enum task_access access, bool user,
                              struct task_fault *fault)
{
    enum task_result result = TASK_SWITCHED;

    for (unsigned done = 0, piece; done < size && result == TASK_SWITCHED; done += piece) {
        uint64_t at = (uint32_t)(linear + done);

        piece = PAGE_SIZE - (unsigned)(at & (PAGE_SIZE - 1));
        piece = piece < size - done ? piece : size - done;
        result = reach_piece(ctx, at, data ? (char *)data + done : NULL, piece, access, user, fault);
    }
    return result;
}

/* As the model has it, a CR3 that stays the same loads no PDPTEs. */
static bool load(void *ctx, const uint32_t *cr3)
{
    struct vcpu *vcpu = ctx;
    struct svm_paging now = svm_guest_paging(&vcpu->svm), other;
    bool loads = cr3 && now.cr0 & CR0_PG && *cr3 != now.cr3;

    now.cr0 |= CR0_TS;
    other = now;
    if (loads)
        other.cr3 = *cr3;
    if (paging_shadow_load(vcpu, &other, loads))
        return true;
    paging_shadow_load(vcpu, &now, false);
    return false;
}

/*
 * An instruction's own switch, INT n too, is taken up again behind it. False: other bytes than those that exited.
 * deviation: INT1 through a task gate, which looks like a debug trap, is taken up again at itself.
 */
static bool saved_eip(struct vcpu *vcpu, bool event, uint32_t *eip)
{
    struct emulate_registers registers;
    struct emulate_insn insn;

    *eip = (uint32_t)vcpu->svm.vmcb->rip;
    if (event && !svm_event_is_software(&vcpu->svm))
        return true;
    if (!emulation_fetch(vcpu, &insn, &registers) || insn.operation < EMULATE_JMP_FAR)
        return false;
    *eip += insn.length;
    return true;
}

static bool describe(struct vcpu *vcpu, struct task_switch *how)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;
    uint64_t info = vmcb->exitinfo2;
    bool event = vmcb->exitintinfo & EVENT_V;

    *how = (struct task_switch){
        .cause = info & INFO2_IRET ? TASK_IRET : info & INFO2_JUMP ? TASK_JUMP : event ? TASK_GATE : TASK_CALL,
        .selector = (uint16_t)vmcb->exitinfo1,
        .eflags = (uint32_t)vmcb->rflags | (info & INFO2_RF ? EFLAGS_RF : 0),
        .external = event && !svm_event_is_software(&vcpu->svm),
        .has_error = info & INFO2_HAS_ERROR,
        .error = (uint32_t)info,
    };
    return saved_eip(vcpu, event, &how->eip);
}

enum exit_result vmexit_task_switch(struct vcpu *vcpu)
{
    struct task_host host = { vcpu, reach, load };
    struct task_fault fault;
    struct task_switch how;
    enum task_result result;
    struct svm_task task;
    bool committed;

    if (!describe(vcpu, &how))
        return exit_inject_gp(vcpu);
    svm_drop_event(&vcpu->svm); /* the event whose gate this is, is delivered by it */
    svm_save_task(&vcpu->svm, &task);
    result = task_switch(&how, &host, &task, &committed, &fault);
    if (committed)
        svm_load_task(&vcpu->svm, &task);
    switch (result) {
    case TASK_TRAPPED: svm_inject_exception(&vcpu->svm, EXC_DB, false, 0); return EXIT_RESUME;
    case TASK_FAULTED:
        if (fault.vector == EXC_PF)
            svm_set_cr2(&vcpu->svm, fault.linear);
        return exit_raise(vcpu, fault.vector, fault.code);
    case TASK_CANNOT: return exit_crash(vcpu, "a task switch whose TSS or tables lie outside its memory");
    default: return EXIT_RESUME;
    }
}
