/* SPDX-License-Identifier: MIT */
/*
 * What CPUID says to a paravirtual kernel, in the words of workloads/programs/features: as the processor executes it
 * for the kernel ("native") and for user code, where no hypervisor is in between; and as hv answers it, behind the
 * prefix UD2 "xen" ("forced").
 */
#include "workloads/lib/instructions.h"
#include "workloads/pv64/kernel.h"

extern char features_user[], features_user_end[], kernel_stack_end[];

/* RDI: the leaf. The answer is ECX in the high half, EDX in the low one, as MSRC001_1004 and MSRC001_1005 have it. */
__asm__(".text\n"
        "features_user:\n"
        "    movl %edi, %eax\n"
        "    xorl %ecx, %ecx\n"
        "    cpuid\n"
        "    movl %edx, %edi\n"
        "    shlq $32, %rcx\n"
        "    orq %rcx, %rdi\n"
        "    movl $101, %eax\n"
        "    syscall\n"
        "    ud2\n"
        "features_user_end:");

static uint64_t native(uint32_t leaf)
{
    struct cpuid_result r = cpuid(leaf, 0);

    return (uint64_t)r.ecx << 32 | r.edx;
}

static uint64_t forced(uint32_t leaf)
{
    uint32_t a = leaf, b, c = 0, d;

    __asm__ volatile("ud2; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (uint64_t)c << 32 | d;
}

static uint64_t user(uint32_t leaf)
{
    return pv_to_user(USER_TEXT, USER_STACK, leaf);
}

static void print(const char *who, uint64_t (*ask)(uint32_t leaf))
{
    uint64_t one = ask(1), extended_1 = ask(0x80000001);

    guest_print("features %s %08x,%08x,%08x,%08x", who, (uint32_t)(one >> 32), (uint32_t)one,
                (uint32_t)(extended_1 >> 32), (uint32_t)extended_1);
}

void pv_main(void)
{
    uint64_t root = pv_user_tables(features_user, (size_t)(features_user_end - features_user), new_page());

    if (CALL(HYPERCALL_STACK_SWITCH, PV_FLAT_DS, kernel_stack_end) || extended(MMUEXT_NEW_USER_BASEPTR, root, 0))
        guest_fail("no user mode");
    print("native", native);
    print("user", user);
    print("forced", forced);
}
