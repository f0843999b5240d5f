/* SPDX-License-Identifier: MIT */
#include "workloads/lib/vcpu.h"

#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

#define HYPERCALL_VCPU_OP 24
#define HYPERCALL_SCHED_OP 29
#define VCPUOP_INITIALISE 0
#define VCPUOP_UP 1
#define SCHEDOP_YIELD 0
#define MODE_32B 0
#define MODE_64B 1
#define ATTRIBUTES_CODE32 0xC9B
#define ATTRIBUTES_DATA32 0xC93
#define ATTRIBUTES_TSS32 0x08B
#define RFLAGS_FIXED 2

/* Xen's struct vcpu_hvm_context. */
struct context_32 {
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags;
    uint32_t cr0, cr3, cr4, pad1;
    uint64_t efer;
    uint32_t cs_base, ds_base, ss_base, es_base, tr_base;
    uint32_t cs_limit, ds_limit, ss_limit, es_limit, tr_limit;
    uint16_t cs_ar, ds_ar, ss_ar, es_ar, tr_ar, pad2[3];
};
struct context_64 {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
};
struct context {
    uint32_t mode, pad;
    union {
        struct context_32 x86_32;
        struct context_64 x86_64;
    };
};

unsigned vcpu_count(void)
{
    return guest_under_hv ? cpuid(1, 0).ebx >> 16 & 0xFF : 1;
}

#ifdef __x86_64__
static void describe(struct context *context, unsigned id, void (*main)(unsigned id), void *stack_end)
{
    context->mode = MODE_64B;
    context->x86_64 = (struct context_64){
        .rdi = id, .rip = (uintptr_t)main, .rsp = (uintptr_t)stack_end - 8, .rflags = RFLAGS_FIXED,
        .cr0 = cr0_read(), .cr3 = cr3_read(), .cr4 = cr4_read(), .efer = msr_read(0xC0000080),
    };
}
#else
static void describe(struct context *context, unsigned id, void (*main)(unsigned id), void *stack_end)
{
    uint32_t *stack = stack_end;

    stack[-1] = id; /* the argument, above a return address that is never used */
    context->mode = MODE_32B;
    context->x86_32 = (struct context_32){
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
    static struct context context;

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
