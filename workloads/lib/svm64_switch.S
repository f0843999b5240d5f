/* SPDX-License-Identifier: MIT */
/*
 * void svm_switch(uintptr_t guest, uintptr_t host, struct svm_registers *): VMRUN with both sides' registers kept,
 * those of VMLOAD included. The host's part of them waits in the VMCB `host`.
 */
        .text
        .globl svm_switch, svm_switch_gif0
svm_switch:
        pushq $1
        jmp 1f
svm_switch_gif0:
        pushq $0
1:      pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        pushq %rdx
        pushq %rsi
        clgi
        movq %rsi, %rax
        vmsave %rax
        movq %rdi, %rax
        vmload %rax
        movq 0(%rdx), %rbx
        movq 8(%rdx), %rcx
        movq 24(%rdx), %rsi
        movq 32(%rdx), %rdi
        movq 40(%rdx), %rbp
        movq 48(%rdx), %r8
        movq 56(%rdx), %r9
        movq 64(%rdx), %r10
        movq 72(%rdx), %r11
        movq 80(%rdx), %r12
        movq 88(%rdx), %r13
        movq 96(%rdx), %r14
        movq 104(%rdx), %r15
        movq 16(%rdx), %rdx
        vmrun %rax
        vmsave %rax
        pushq %rdx
        movq 16(%rsp), %rdx
        movq %rbx, 0(%rdx)
        movq %rcx, 8(%rdx)
        movq %rsi, 24(%rdx)
        movq %rdi, 32(%rdx)
        movq %rbp, 40(%rdx)
        movq %r8, 48(%rdx)
        movq %r9, 56(%rdx)
        movq %r10, 64(%rdx)
        movq %r11, 72(%rdx)
        movq %r12, 80(%rdx)
        movq %r13, 88(%rdx)
        movq %r14, 96(%rdx)
        movq %r15, 104(%rdx)
        popq 16(%rdx)
        movq 0(%rsp), %rax
        vmload %rax
        cld
        addq $16, %rsp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        popq %rax
        testl %eax, %eax
        jz 2f
        stgi
2:      ret

/* The guest's handlers: the same bytes in 16-, 32- and 64-bit code. */
        .balign 16
        .globl svm_stubs
svm_stubs:
        .rept 256
        vmmcall
        .balign 16, 0x90
        .endr
