/* SPDX-License-Identifier: MIT */
        .text
        .balign 16
        .globl exception_stubs
exception_stubs:
        .set vector, 0
        .rept 256
        .balign 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 30)
        pushq $0
        .endif
        pushq $vector
        jmp stub_end
        .set vector, vector + 1
        .endr
stub_end:
        cld
        movq %rsp, %rdi
        andq $-16, %rsp
        call exception_handle

        .globl exception_call
exception_call:
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        pushfq
        movq %rsp, saved_rsp
        movq %rdi, %rax
        movq %rsi, %rdi
        call *%rax
        xorl %eax, %eax
        jmp 1f
        .globl exception_leave
exception_leave:
        movq saved_rsp, %rsp
        movl $1, %eax
1:      popfq
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret

        .bss
        .balign 8
saved_rsp: .skip 8
