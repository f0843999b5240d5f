/* SPDX-License-Identifier: MIT */
/*
 * unsigned user_cpuid(uint32_t leaf, struct cpuid_result *result): CPUID at CPL 3, reached by SYSRET and left by
 * SYSCALL, with interrupts off. Returns the CS it ran with.
 */
#define MSR_LSTAR 0xC0000082

        .text
        .globl user_cpuid
user_cpuid:
        pushq %rbx
        pushq %r12
        movq %rdi, %r9
        movq %rsi, %r8
        leaq back(%rip), %rax
        movq %rax, %rdx
        shrq $32, %rdx
        movl $MSR_LSTAR, %ecx
        wrmsr
        movl %r9d, %eax
        leaq at_cpl3(%rip), %rcx
        movl $2, %r11d
        sysretq
at_cpl3:
        xorl %ecx, %ecx
        cpuid
        movl %ecx, %r9d                 /* SYSCALL takes RCX */
        movl %cs, %r12d
        syscall
back:
        movl %eax, (%r8)
        movl %ebx, 4(%r8)
        movl %r9d, 8(%r8)
        movl %edx, 12(%r8)
        movl %r12d, %eax
        popq %r12
        popq %rbx
        ret
