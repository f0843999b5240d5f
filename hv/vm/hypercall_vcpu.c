/* SPDX-License-Identifier: MIT */
/* vcpu_op and sched_op: how a guest starts, stops and yields its vCPUs. */
#include "hv/vm/hypercall.h"

#include "hv/vm/schedule.h"

/* Segment attributes are given as in the VMCB: descriptor bits 47:40 and 55:52. */
static void set_context_32(struct vcpu *vcpu, const struct vcpu_hvm_x86_32 *c)
{
    struct svm_context context = {
        .cs = { 0x08, c->cs_ar, c->cs_limit, c->cs_base }, .ds = { 0x10, c->ds_ar, c->ds_limit, c->ds_base },
        .es = { 0x10, c->es_ar, c->es_limit, c->es_base }, .ss = { 0x10, c->ss_ar, c->ss_limit, c->ss_base },
        .tr = { 0, c->tr_ar, c->tr_limit, c->tr_base },
        .cr0 = c->cr0, .cr3 = c->cr3, .cr4 = c->cr4, .efer = c->efer,
        .rip = c->eip, .rsp = c->esp, .rflags = c->eflags, .rax = c->eax,
    };

    svm_set_context(&vcpu->svm, &context);
    vcpu->svm.registers = (struct svm_registers){ .rcx = c->ecx, .rdx = c->edx, .rbx = c->ebx, .rbp = c->ebp,
                                                  .rsi = c->esi, .rdi = c->edi };
}

/* 64-bit: flat segments (the structure has none). */
static void set_context_64(struct vcpu *vcpu, const struct vcpu_hvm_x86_64 *c)
{
    struct vmcb_segment data = { 0x10, SEGMENT_DATA32, 0xFFFFFFFF, 0 };
    struct svm_context context = {
        .cs = { 0x08, SEGMENT_CODE64, 0xFFFFFFFF, 0 }, .ds = data, .es = data, .ss = data,
        .tr = { 0, SEGMENT_TSS32, 0x67, 0 },
        .cr0 = c->cr0, .cr3 = c->cr3, .cr4 = c->cr4, .efer = c->efer,
        .rip = c->rip, .rsp = c->rsp, .rflags = c->rflags, .rax = c->rax,
    };

    svm_set_context(&vcpu->svm, &context);
    vcpu->svm.registers = (struct svm_registers){ .rcx = c->rcx, .rdx = c->rdx, .rbx = c->rbx, .rbp = c->rbp,
                                                  .rsi = c->rsi, .rdi = c->rdi };
}

static int64_t initialise(const struct hypercall *call, struct vcpu *target)
{
    struct vcpu_hvm_context context;

    if (!hypercall_copy_in(call, &context, call->argument[2], sizeof(context)))
        return -XEN_EFAULT;
    if (context.mode != VCPU_HVM_MODE_32B && (context.mode != VCPU_HVM_MODE_64B || target->guest->spec.width != 64))
        return -XEN_EINVAL;
    if (!schedule_claim(target))
        return -XEN_EEXIST;
    if (context.mode == VCPU_HVM_MODE_32B)
        set_context_32(target, &context.x86_32);
    else
        set_context_64(target, &context.x86_64);
    target->initialised = true;
    return 0;
}

int64_t hypercall_vcpu_op(const struct hypercall *call)
{
    struct guest *guest = call->vcpu->guest;
    struct vcpu *target;

    if (call->argument[1] >= guest->spec.vcpus)
        return -XEN_ENOENT;
    target = &guest->vcpus[call->argument[1]];
    switch (call->argument[0]) {
    case VCPUOP_INITIALISE:
        return initialise(call, target);
    case VCPUOP_UP:
        if (!target->initialised)
            return -XEN_EINVAL;
        schedule_up(target);
        return 0;
    case VCPUOP_DOWN:
        schedule_down(target);
        return 0;
    case VCPUOP_IS_UP:
        return schedule_is_up(target);
    default:
        return -XEN_ENOSYS;
    }
}

int64_t hypercall_sched_op(const struct hypercall *call, enum exit_result *result)
{
    switch (call->argument[0]) {
    case SCHEDOP_YIELD:
        *result = EXIT_YIELD;
        return 0;
    case SCHEDOP_BLOCK:
        *result = EXIT_BLOCK;
        return 0;
    case SCHEDOP_SHUTDOWN:
        guest_finish(call->vcpu->guest, GUEST_FINISHED, 0);
        *result = EXIT_GUEST_OVER;
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}
