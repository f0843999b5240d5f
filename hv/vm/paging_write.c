/* SPDX-License-Identifier: MIT */
#include "hv/vm/paging_write.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/emulate/arithmetic.h"
#include "hv/vm/emulation.h"
#include "hv/vm/paging.h"

#define DR7_ENABLED 0xFFu
#define TIMES_WITHOUT_PROGRESS 32

/* Under shadow_lock from the first access to the last: to the guest's other vCPUs the instruction is atomic. */
struct table_write {
    struct vcpu *vcpu;
    struct emulation_fault fault;
};

/* Where the operand lies; the same rules as for the processor. */
static enum emulate_status find(struct table_write *write, uint64_t linear, unsigned size, unsigned access,
                                uint8_t **at, uint64_t *gpa)
{
    struct shadow *shadow = &write->vcpu->guest->shadow;
    struct guest_walk walk;
    uint8_t *frame;

    if ((linear & (PAGE_SIZE - 1)) + size > PAGE_SIZE)
        return EMULATE_CANNOT;
    if (write->vcpu->svm.vmcb->cpl == 3)
        access |= WALK_U;
    switch (guest_walk(&write->vcpu->shadow.paging, &shadow->frames, linear, access, &walk)) {
    case GUEST_WALK_OK: break;
    case GUEST_WALK_FAULT:
        write->fault = (struct emulation_fault){ linear, walk.code };
        return EMULATE_FAULT;
    default: return EMULATE_CANNOT;
    }
    *gpa = walk.gpa;
    frame = shadow->frames.frame(shadow->frames.ctx, walk.gpa >> PAGE_SHIFT, access & WALK_W);
    if (!frame)
        return EMULATE_CANNOT;
    /* A frame that is no table any more can be written by other vCPUs at the same time: let the processor do it. */
    if (access & WALK_W && !shadow_is_table(shadow, walk.gpa >> PAGE_SHIFT))
        return EMULATE_CANNOT;
    *at = frame + (walk.gpa & (PAGE_SIZE - 1));
    return EMULATE_DONE;
}

static enum emulate_status read_memory(void *ctx, uint64_t linear, void *data, unsigned size, bool written)
{
    uint8_t *at;
    uint64_t gpa;
    enum emulate_status status = find(ctx, linear, size, written ? WALK_W : 0, &at, &gpa);

    if (status == EMULATE_DONE)
        memcpy(data, at, size);
    return status;
}

/* Entries are written whole: other vCPUs read the table while they walk. */
static void store(uint8_t *at, const void *data, unsigned size)
{
    uint64_t value = 0;

    if (size == 8 && !((uintptr_t)at & 7)) {
        memcpy(&value, data, 8);
        __atomic_store_n((uint64_t *)(void *)at, value, __ATOMIC_RELEASE);
    } else if (size == 4 && !((uintptr_t)at & 3)) {
        memcpy(&value, data, 4);
        __atomic_store_n((uint32_t *)(void *)at, (uint32_t)value, __ATOMIC_RELEASE);
    } else {
        memcpy(at, data, size);
    }
}

static enum emulate_status write_memory(void *ctx, uint64_t linear, const void *data, unsigned size)
{
    struct table_write *write = ctx;
    uint8_t *at;
    uint64_t gpa;
    enum emulate_status status = find(write, linear, size, WALK_W, &at, &gpa);

    if (status != EMULATE_DONE)
        return status;
    store(at, data, size);
    shadow_written(&write->vcpu->guest->shadow, gpa, size, true);
    return EMULATE_DONE;
}

/* The event under delivery wrote, not the instruction; and what a debugger waits for is the processor's to see. */
static bool may_emulate(const struct vcpu *vcpu)
{
    const struct vmcb *vmcb = vcpu->svm.vmcb;

    return !(vmcb->exitintinfo & EVENT_V) && !(vmcb->rflags & RFLAGS_TF) && !(vmcb->dr7 & DR7_ENABLED);
}

/* FNV-1a by words. */
static uint64_t sum_of_registers(const struct svm_vcpu *vcpu)
{
    const struct svm_registers *r = &vcpu->registers;
    const uint64_t words[] = { vcpu->vmcb->rax, r->rcx, r->rdx, r->rbx, vcpu->vmcb->rsp, r->rbp, r->rsi, r->rdi,
                               r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 };
    uint64_t sum = 0xCBF29CE484222325;

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        sum = (sum ^ words[i]) * 0x100000001B3;
    return sum;
}

static enum exit_result let_it_write(struct vcpu *vcpu, uint64_t gpa)
{
    struct paging_progress *progress = &vcpu->progress;
    uint64_t rip = vcpu->svm.vmcb->rip, registers = sum_of_registers(&vcpu->svm);

    if (progress->rip != rip || progress->registers != registers)
        *progress = (struct paging_progress){ rip, registers, 0 };
    if (++progress->times > TIMES_WITHOUT_PROGRESS)
        return exit_crash(vcpu, "it writes a page table that it runs on by an instruction that hv does not know");
    lock_acquire(&vcpu->guest->shadow_lock);
    shadow_unshadow(&vcpu->guest->shadow, gpa >> PAGE_SHIFT);
    lock_release(&vcpu->guest->shadow_lock);
    return EXIT_RESUME;
}

enum exit_result paging_table_write(struct vcpu *vcpu, uint64_t gpa)
{
    struct table_write write = { .vcpu = vcpu };
    struct emulate_memory memory = { &write, read_memory, write_memory };
    struct emulate_registers registers;
    struct emulate_insn insn;
    enum emulate_status status;

    if (!may_emulate(vcpu) || !emulation_fetch(vcpu, &insn, &registers))
        return let_it_write(vcpu, gpa);
    lock_acquire(&vcpu->guest->shadow_lock);
    status = emulate_execute(&insn, &registers, &memory);
    if (status == EMULATE_DONE)
        vcpu->guest->shadow.counts.emulated++;
    lock_release(&vcpu->guest->shadow_lock);
    switch (status) {
    case EMULATE_DONE:
        vcpu->progress.times = 0;
        emulation_commit(vcpu, &registers);
        return EXIT_RESUME;
    case EMULATE_FAULT: return exit_inject_pf(vcpu, write.fault.linear, write.fault.code);
    default: return let_it_write(vcpu, gpa);
    }
}
