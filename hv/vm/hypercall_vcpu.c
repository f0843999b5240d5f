/* SPDX-License-Identifier: MIT */
/* vcpu_op: how a guest starts and stops its vCPUs, their clocks and timers. */
#include "hv/vm/hypercall.h"

#include "hv/core/clock.h"
#include "hv/core/memory.h"
#include "hv/vm/pv_guest.h"
#include "hv/vm/schedule.h"
#include "hv/vm/shared_info.h"
#include "hv/vm/vcpu_timer.h"

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

static int64_t initialise(struct hypercall *call, struct vcpu *target)
{
    struct vcpu_hvm_context context;

    if (target->pv)
        return pv_initialise(call, target);
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

/* ---- vcpu_op: command, vCPU, pointer --------------------------------------------------------------------- */

/* hypercall_vcpu_op has checked the number. */
static struct vcpu *target_of(const struct hypercall *call)
{
    return &call->vcpu->guest->vcpus[call->argument[1]];
}

static int64_t initialise_target(struct hypercall *call)
{
    return initialise(call, target_of(call));
}

static int64_t up(struct hypercall *call)
{
    if (!target_of(call)->initialised)
        return -XEN_EINVAL;
    schedule_up(target_of(call));
    return 0;
}

static int64_t down(struct hypercall *call)
{
    schedule_down(target_of(call));
    return 0;
}

static int64_t is_up(struct hypercall *call)
{
    return schedule_is_up(target_of(call));
}

static int64_t get_runstate(struct hypercall *call)
{
    struct vcpu_runstate_info info;

    schedule_runstate(target_of(call), &info);
    return hypercall_copy_out(call, call->argument[2], &info, sizeof(info)) ? 0 : -XEN_EFAULT;
}

/* The argument points to the area's linear address. It must not cross a page: hv keeps where the first one leads. */
static int64_t register_runstate(struct hypercall *call)
{
    uint64_t linear, gpa;

    if (!call->in_64bit)
        return -XEN_ENOSYS; /* the 32-bit layout is another one */
    if (!hypercall_copy_in(call, &linear, call->argument[2], sizeof(linear)))
        return -XEN_EFAULT;
    if (linear % PAGE_SIZE > PAGE_SIZE - sizeof(struct vcpu_runstate_info))
        return -XEN_EINVAL;
    if (!exit_linear(call->vcpu, linear, &gpa) || !pv_hold_writable(call->vcpu, gpa))
        return -XEN_EFAULT;
    target_of(call)->runstate_gpa = gpa;
    schedule_publish_runstate(target_of(call));
    return 0;
}

/* Timers are the vCPU's own business. */
static int64_t set_singleshot(struct hypercall *call)
{
    struct vcpu_singleshot_timer timer;

    if (target_of(call) != call->vcpu)
        return -XEN_EINVAL;
    if (!hypercall_copy_in(call, &timer, call->argument[2], sizeof(timer)))
        return -XEN_EFAULT;
    if (timer.flags & SINGLESHOT_FUTURE && timer.timeout_ns < guest_system_time(call->vcpu->guest, clock_now()))
        return -XEN_ETIME;
    vcpu_timer_set(call->vcpu, timer.timeout_ns);
    return 0;
}

static int64_t stop_singleshot(struct hypercall *call)
{
    if (target_of(call) != call->vcpu)
        return -XEN_EINVAL;
    vcpu_timer_stop(call->vcpu);
    return 0;
}

/* There is no periodic one: stopped it is. */
static int64_t stop_periodic(struct hypercall *call)
{
    (void)call;
    return 0;
}

/* An HVM guest has its local APIC for that. */
static int64_t send_nmi(struct hypercall *call)
{
    if (!target_of(call)->pv)
        return -XEN_EOPNOTSUPP;
    pv_raise_nmi(target_of(call)->pv);
    schedule_wake(target_of(call));
    return 0;
}

static int64_t register_info(struct hypercall *call)
{
    struct vcpu_register_info op;

    if (!hypercall_copy_in(call, &op, call->argument[2], sizeof(op)))
        return -XEN_EFAULT;
    if (op.gfn >= GUEST_MEMORY_MAX / PAGE_SIZE || op.offset >= PAGE_SIZE)
        return -XEN_EINVAL;
    if (!pv_hold_writable(call->vcpu, op.gfn * PAGE_SIZE))
        return -XEN_EINVAL;
    return shared_info_register(target_of(call), op.gfn * PAGE_SIZE + op.offset) ? 0 : -XEN_EINVAL;
}

static const struct hypercall_row vcpu_commands[] = {
    { VCPUOP_INITIALISE, "initialise", initialise_target, CALLER_ANY },
    { VCPUOP_UP, "up", up, CALLER_ANY },
    { VCPUOP_DOWN, "down", down, CALLER_ANY },
    { VCPUOP_IS_UP, "is_up", is_up, CALLER_ANY },
    { VCPUOP_GET_RUNSTATE_INFO, "get_runstate_info", get_runstate, CALLER_ANY },
    { VCPUOP_REGISTER_RUNSTATE_AREA, "register_runstate_memory_area", register_runstate, CALLER_ANY },
    { VCPUOP_STOP_PERIODIC_TIMER, "stop_periodic_timer", stop_periodic, CALLER_ANY },
    { VCPUOP_SET_SINGLESHOT_TIMER, "set_singleshot_timer", set_singleshot, CALLER_ANY },
    { VCPUOP_STOP_SINGLESHOT_TIMER, "stop_singleshot_timer", stop_singleshot, CALLER_ANY },
    { VCPUOP_SEND_NMI, "send_nmi", send_nmi, CALLER_ANY },
    { VCPUOP_REGISTER_VCPU_INFO, "register_vcpu_info", register_info, CALLER_ANY },
};

int64_t hypercall_vcpu_op(struct hypercall *call)
{
    if (call->argument[1] >= call->vcpu->guest->spec.vcpus)
        return -XEN_ENOENT;
    return hypercall_dispatch(call, HYPERCALL_ROWS(vcpu_commands), call->argument[0]);
}
