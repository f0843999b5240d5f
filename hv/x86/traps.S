/* SPDX-License-Identifier: MIT */
/* One stub per vector: complete the frame to struct trap_frame and call trap_handle(). */
        .text
        .balign 16
        .globl trap_stubs
trap_stubs:                             /* 16 bytes each */
        .set vector, 0
        .rept 256
        .balign 16
        /* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #SX push an error code */
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 30)
        pushq $0
        .endif
        pushq $vector
        jmp trap_entry
        .set vector, vector + 1
        .endr

trap_entry:
        pushq %rax
        pushq %rcx
        pushq %rdx
        pushq %rbx
        pushq %rbp
        pushq %rsi
        pushq %rdi
        pushq %r8
        pushq %r9
        pushq %r10
        pushq %r11
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        cld
        movq %rsp, %rdi
        movq %rsp, %rbp
        andq $-16, %rsp
        call trap_handle
        movq %rbp, %rsp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %r11
        popq %r10
        popq %r9
        popq %r8
        popq %rdi
        popq %rsi
        popq %rbp
        popq %rbx
        popq %rdx
        popq %rcx
        popq %rax
        addq $16, %rsp
        iretq
