/* SPDX-License-Identifier: MIT */
/* world64_enter and the handlers of world64.c. Layouts: struct world64_state, struct world64_event. */
        .set REGISTERS, 15
        .set EVENT_WORDS, 4 + REGISTERS + 7

        .text
        .globl world64_enter
world64_enter:
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        pushfq
        movq %rsp, saved_rsp
        movq %rdi, %rsp
        popq %rax
        movl %eax, %gs
        popq %rax
        movl %eax, %fs
        popq %rax
        movl %eax, %es
        popq %rax
        movl %eax, %ds
        .irp register, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
        popq %\register
        .endr
        iretq                                   /* the rest of the state is the frame */

        .balign 16
        .globl world64_stubs
world64_stubs:
        .set vector, 0
        .rept 256
        .balign 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 30)
        pushq $0
        .endif
        pushq $vector
        jmp world64_stub_end
        .set vector, vector + 1
        .endr
world64_stub_end:
        .irp register, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        pushq %\register
        .endr
        .irp register, ds, es, fs, gs
        xorl %eax, %eax
        movl %\register, %eax
        pushq %rax
        .endr
        cld
        xorl %ecx, %ecx
        xchgq %rcx, saved_rsp(%rip)
        testq %rcx, %rcx
        jz 1f
        movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movq %rcx, %rdx
        movq %rsp, %rsi
        leaq world64_event(%rip), %rdi
        movl $EVENT_WORDS, %ecx
        rep movsq
        movq %cr2, %rax
        stosq
        movq %dr6, %rax
        stosq
        movq %rdx, %rsp
        popfq
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret
1:      movq %rsp, %rdi                         /* of the program itself */
        call world64_unexpected

        .bss
        .balign 8
saved_rsp: .skip 8
