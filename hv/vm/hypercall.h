/* SPDX-License-Identifier: MIT */
/* Hypercall numbers, commands and structures: Xen's public ones, plus the simulator's scenario marks. */
#ifndef HV_VM_HYPERCALL_H
#define HV_VM_HYPERCALL_H

#include <stdint.h>

#include "hv/vm/exits.h"

/* Scenario marks, in EAX; the simulator watches for them, hv only answers the last. */
#define MARK_BEGIN 0x46310001u
#define MARK_END 0x46310002u
#define MARK_DONE 0x46310003u /* RBX: the guest's result */

#define HYPERCALL_XEN_VERSION 17
#define HYPERCALL_VCPU_OP 24
#define HYPERCALL_SCHED_OP 29
#define HYPERCALL_SYSCTL 35

#define XEN_EFAULT 14
#define XEN_EINVAL 22
#define XEN_ENOENT 2
#define XEN_ENOSYS 38
#define XEN_EEXIST 17

#define VCPUOP_INITIALISE 0
#define VCPUOP_UP 1
#define VCPUOP_DOWN 2
#define VCPUOP_IS_UP 3

#define SCHEDOP_YIELD 0
#define SCHEDOP_BLOCK 1
#define SCHEDOP_SHUTDOWN 2

#define SYSCTL_PERFC_OP 3
#define SYSCTL_PERFC_OP_RESET 1
#define SYSCTL_PERFC_OP_QUERY 2

/* VCPUOP_INITIALISE of an HVM vCPU. */
#define VCPU_HVM_MODE_32B 0
#define VCPU_HVM_MODE_64B 1
struct vcpu_hvm_x86_32 {
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags;
    uint32_t cr0, cr3, cr4, pad1;
    uint64_t efer;
    uint32_t cs_base, ds_base, ss_base, es_base, tr_base;
    uint32_t cs_limit, ds_limit, ss_limit, es_limit, tr_limit;
    uint16_t cs_ar, ds_ar, ss_ar, es_ar, tr_ar, pad2[3];
};
struct vcpu_hvm_x86_64 {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
};
struct vcpu_hvm_context {
    uint32_t mode, pad;
    union {
        struct vcpu_hvm_x86_32 x86_32;
        struct vcpu_hvm_x86_64 x86_64;
    };
};

/* SYSCTL_PERFC_OP_QUERY: one descriptor per exit reason that occurred, one value each. */
struct sysctl_perfc_desc {
    char name[80];
    uint32_t nr_vals;
};
struct sysctl_perfc_op {
    uint32_t cmd, interface_version;
    uint32_t op;
    uint32_t nr_counters, nr_vals, pad;
    uint64_t desc, val; /* guest pointers, may be 0 to ask for the numbers only */
};

/* Arguments in the caller's registers: RDI RSI RDX R10 R8, or EBX ECX EDX ESI EDI. */
struct hypercall {
    struct vcpu *vcpu;
    uint64_t argument[5];
};

int64_t hypercall_vcpu_op(const struct hypercall *call);
int64_t hypercall_sched_op(const struct hypercall *call, enum exit_result *result);
int64_t hypercall_sysctl(const struct hypercall *call);
/* Copy between hv and the caller's linear memory. */
bool hypercall_copy_in(const struct hypercall *call, void *to, uint64_t linear, uint64_t size);
bool hypercall_copy_out(const struct hypercall *call, uint64_t linear, const void *from, uint64_t size);

#endif
