/* SPDX-License-Identifier: MIT */
/* Entry, notes and trap stubs of a paravirtual kernel. */
#include "workloads/pv64/layout.h"

#define NOTE(type, size, value) .balign 4; .long 4, size, type; .asciz "Xen"; value

        .section .note.Xen, "a", @note
        NOTE(1, 8, .quad pv_start)              /* ENTRY */
        NOTE(2, 8, .quad hypercall_page)        /* HYPERCALL_PAGE */
        NOTE(3, 8, .quad PV_VIRT_BASE)          /* VIRT_BASE */
        NOTE(4, 8, .quad 0)                     /* PADDR_OFFSET */
        NOTE(5, 8, .asciz "xen-3.0")            /* XEN_VERSION */
        NOTE(6, 5, .asciz "pv64")               /* GUEST_OS */
        NOTE(8, 8, .asciz "generic")            /* LOADER */

        .text
        .globl pv_start
pv_start:
        cld
        movq $main_stack_end, %rsp      /* the builder's has one page */
        movq %rsi, %rdi
        xorl %ebp, %ebp
        call pv_begin
        ud2

/* A second vCPU: RDI is its number. */
        .globl pv_second_start
pv_second_start:
        xorl %ebp, %ebp
        call pv_second
        ud2

        .balign 4096
        .globl hypercall_page
hypercall_page:
        .skip 4096

/* RCX and R11 lie below what the processor would have pushed; some vectors have an error code between. */
        .macro save_and_call has_code
        pushq %rax
        pushq %rdx
        pushq %rbx
        pushq %rbp
        pushq %rsi
        pushq %rdi
        pushq %r8
        pushq %r9
        pushq %r10
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        cld
        movq %rsp, %rdi
        movl $\has_code, %esi
        movq %rsp, %rbp
        andq $-16, %rsp
        call pv_trap
        movq %rbp, %rsp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %r10
        popq %r9
        popq %r8
        popq %rdi
        popq %rsi
        popq %rbp
        popq %rbx
        popq %rdx
        popq %rax
        addq $8, %rsp
        popq %rcx
        popq %r11
        .if \has_code
        addq $8, %rsp
        .endif
        pushq $0                        /* flags: RCX and R11 matter */
        jmp hypercall_page + 32 * 23
        .endm

with_code:
        save_and_call 1
without_code:
        save_and_call 0

        .balign 16
        .globl pv_trap_stubs
pv_trap_stubs:                          /* 16 bytes each */
        .set vector, 0
        .rept 256 + 3
        .balign 16
        pushq $vector
        .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
        jmp with_code
        .else
        jmp without_code
        .endif
        .set vector, vector + 1
        .endr

/* The failsafe callback: four selectors before RIP; the kernel puts flat ones there. */
        .globl pv_failsafe
pv_failsafe:
        movq 16(%rsp), %rcx
        movq %rcx, failsafe_selectors
        movq 24(%rsp), %rcx
        movq %rcx, failsafe_selectors + 8
        movq 32(%rsp), %rcx
        movq %rcx, failsafe_selectors + 16
        movq 40(%rsp), %rcx
        movq %rcx, failsafe_selectors + 24
        incq failsafe_count
        popq %rcx
        popq %r11
        addq $32, %rsp
        pushq $0
        jmp hypercall_page + 32 * 23

/* uint64_t pv_to_user(uint64_t rip, uint64_t rsp, uint64_t argument): until the user code asks for the end. */
        .globl pv_to_user, pv_from_user
pv_to_user:
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, user_return_stack
        pushq $0xE02B
        pushq %rsi
        pushq $0x202
        pushq $0xE033
        pushq %rdi
        pushq $0
        movq %rdx, %rdi
        jmp hypercall_page + 32 * 23
pv_from_user:                           /* RDI: the result */
        movq %rdi, %rax
        movq user_return_stack, %rsp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret

/* Code that runs in user mode, copied to a page of its own. */
        .globl user_code, user_code_end
user_code:                              /* RDI: what to do */
        cmpl $1, %edi
        je 1f
        cmpl $2, %edi
        je 2f
        cmpl $3, %edi
        je 3f
        cmpl $4, %edi
        je 4f
        movl $5, %edi                   /* 0: a system call with arguments, then the end */
        movl $7, %esi
        movl $100, %eax
        syscall
        movq %rax, %rdi
        jmp 9f
1:      movq PV_VIRT_BASE + 0x100000, %rax      /* the kernel's memory is not there */
        jmp 9f
2:      int3
        jmp 9f
3:      hlt
        jmp 9f
4:      movl $0x77, %edi                /* GS is the user's */
        movq %gs:0, %rdi
9:      movl $101, %eax
        syscall
        ud2
user_code_end:

        .bss
        .balign 16
        .globl failsafe_selectors, failsafe_count, second_stack_end, kernel_stack_end
failsafe_selectors: .skip 32
failsafe_count:     .skip 8
user_return_stack:  .skip 8
        .balign 16
        .skip 0x8000
main_stack_end:
        .skip 0x4000
kernel_stack_end:
        .skip 0x4000
second_stack_end:
