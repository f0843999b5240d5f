/* SPDX-License-Identifier: MIT */
#include "workloads/lib/vcpu.h"

#include "hv/abi/guest_calls.h"
#include "hv/abi/xen.h"
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

#define ATTRIBUTES_CODE32 0xC9B
#define ATTRIBUTES_DATA32 0xC93
#define ATTRIBUTES_TSS32 0x08B
#define RFLAGS_FIXED 2

unsigned vcpu_count(void)
{
    return guest_under_hv ? cpuid(1, 0).ebx >> 16 & 0xFF : 1;
}

#ifdef __x86_64__
static void describe(struct vcpu_hvm_context *context, unsigned id, void (*main)(unsigned id), void *stack_end)
{
    context->mode = VCPU_HVM_MODE_64B;
    context->x86_64 = (struct vcpu_hvm_x86_64){
        .rdi = id, .rip = (uintptr_t)main, .rsp = (uintptr_t)stack_end - 8, .rflags = RFLAGS_FIXED,
        .cr0 = cr0_read(), .cr3 = cr3_read(), .cr4 = cr4_read(), .efer = msr_read(0xC0000080),
    };
}
#else
static void describe(struct vcpu_hvm_context *context, unsigned id, void (*main)(unsigned id), void *stack_end)
{
    uint32_t *stack = stack_end;

    stack[-1] = id; /* the argument, above a return address that is never used */
    context->mode = VCPU_HVM_MODE_32B;
    context->x86_32 = (struct vcpu_hvm_x86_32){
        .eip = (uintptr_t)main, .esp = (uintptr_t)(stack - 2), .eflags = RFLAGS_FIXED,
        .cr0 = cr0_read(), .cr3 = cr3_read(), .cr4 = cr4_read(),
        .cs_limit = UINT32_MAX, .ds_limit = UINT32_MAX, .ss_limit = UINT32_MAX, .es_limit = UINT32_MAX,
        .tr_limit = 0x67, .cs_ar = ATTRIBUTES_CODE32, .ds_ar = ATTRIBUTES_DATA32, .ss_ar = ATTRIBUTES_DATA32,
        .es_ar = ATTRIBUTES_DATA32, .tr_ar = ATTRIBUTES_TSS32,
    };
}
#endif

bool vcpu_start(unsigned id, void (*main)(unsigned id), void *stack_end)
{
    static struct vcpu_hvm_context context;

    describe(&context, id, main, stack_end);
    return hypercall3(HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, id, (uintptr_t)&context) == 0 &&
           hypercall3(HYPERCALL_VCPU_OP, VCPUOP_UP, id, 0) == 0;
}

void vcpu_yield(void)
{
    if (guest_under_hv)
        hypercall3(HYPERCALL_SCHED_OP, SCHEDOP_YIELD, 0, 0);
    else
        cpu_pause();
}
