/* SPDX-License-Identifier: MIT */
/*
 * The touch loops. From the first mark to the last they access no memory but the touched words: no stack, no
 * variables, so that every data-side walk counted there is a touch's. Registers in the loops: EBX base, EDI
 * stride, EDX count, EBP passes left, ESI where, ECX touches left, EAX the word read.
 */
#include "workloads/programs/walkbench/plan.h"

#define MARK_BEGIN 0x46310001
#define MARK_END 0x46310002
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xC0000080
#define EFER_LME 0x100

        .text
        .code32
        .globl touch_run_32
touch_run_32:
        pushl %ebx
        pushl %esi
        pushl %edi
        pushl %ebp
        movl 20(%esp), %eax
        movl PLAN_CR4(%eax), %ecx
        movl %ecx, %cr4
        movl PLAN_CR3(%eax), %ecx
        movl %ecx, %cr3
        movl %cr0, %ecx
        orl PLAN_PAGING(%eax), %ecx
        movl %ecx, %cr0
        jmp 1f
1:      movl %esp, saved_esp
        movl PLAN_PASSES(%eax), %esp    /* nothing below uses a stack: ESP keeps the measured passes */
        movl PLAN_BASE(%eax), %ebx
        movl PLAN_STRIDE(%eax), %edi
        movl PLAN_COUNT(%eax), %edx
        movl PLAN_WARM(%eax), %ebp
        cmpl $KIND_CHASE, PLAN_KIND(%eax)
        je chase_32
        cmpl $KIND_COLD, PLAN_KIND(%eax)
        je cold_32

/* Warm-up passes, then the first mark, then the measured passes, then the last mark. */
.macro PHASES loop
        testl %ebp, %ebp
        jnz \loop
9:      testl %esp, %esp
        jz run_32_over
        movl $MARK_BEGIN, %eax
        vmmcall
        movl %esp, %ebp
        xorl %esp, %esp
.endm
.macro PASS_OVER loop
        decl %ebp
        jnz \loop
        jmp 9b
.endm

        PHASES linear_32
linear_32:
        movl %ebx, %esi
        movl %edx, %ecx
2:      movl (%esi), %eax
        addl %edi, %esi
        decl %ecx
        jnz 2b
        PASS_OVER linear_32

chase_32:
        PHASES 3f
3:      movl %ebx, %esi
        movl %edx, %ecx
4:      movl (%esi), %esi
        decl %ecx
        jnz 4b
        movl %esi, %eax
        PASS_OVER 3b

cold_32:
        PHASES 5f
5:      movl %ebx, %esi
        movl %edx, %ecx
6:      movl %cr3, %eax
        movl %eax, %cr3
        movl (%esi), %eax
        addl %edi, %esi
        decl %ecx
        jnz 6b
        PASS_OVER 5b

run_32_over:
        movl %eax, %esi
        movl $MARK_END, %eax
        vmmcall
        movl %cr0, %eax
        andl $~CR0_PG, %eax
        movl %eax, %cr0
        jmp 7f
7:      movl saved_esp, %esp
        movl %esi, %eax
        popl %ebp
        popl %edi
        popl %esi
        popl %ebx
        ret

/*
 * The same in 64-bit code. R8 count, R9 passes after the first mark, R10 base, R11 stride, R12 the plan.
 * The object is a 32-bit one: addresses of symbols stay below 4 GiB and out of RIP-relative form.
 */
        .globl touch_run_long
touch_run_long:
        pushl %ebx
        pushl %esi
        pushl %edi
        pushl %ebp
        movl 20(%esp), %esi
        movl %esp, saved_esp
        movl PLAN_CR4(%esi), %eax
        movl %eax, %cr4
        movl PLAN_CR3(%esi), %eax
        movl %eax, %cr3
        movl $MSR_EFER, %ecx
        rdmsr
        orl $EFER_LME, %eax
        wrmsr
        movl %cr0, %eax
        orl $CR0_PG, %eax
        movl %eax, %cr0
        ljmp $0x18, $1f
        .code64
1:      movl %esi, %r12d
        movq PLAN_BASE(%r12), %r10
        movq PLAN_STRIDE(%r12), %r11
        movl PLAN_COUNT(%r12), %r8d
        movl PLAN_PASSES(%r12), %r9d
        movl PLAN_WARM(%r12), %ebp
        movl PLAN_KIND(%r12), %eax
        cmpl $KIND_CHASE, %eax
        je chase_64
        cmpl $KIND_COLD, %eax
        je cold_64

.macro PHASES_64 loop
        testl %ebp, %ebp
        jnz \loop
9:      testl %r9d, %r9d
        jz run_64_over
        movl $MARK_BEGIN, %eax
        vmmcall
        movl %r9d, %ebp
        xorl %r9d, %r9d
.endm

        PHASES_64 2f
2:      movq %r10, %rsi
        movl %r8d, %ecx
3:      movl (%rsi), %eax
        addq %r11, %rsi
        decl %ecx
        jnz 3b
        PASS_OVER 2b

chase_64:
        PHASES_64 4f
4:      movq %r10, %rsi
        movl %r8d, %ecx
5:      movq (%rsi), %rsi
        decl %ecx
        jnz 5b
        movl %esi, %eax
        PASS_OVER 4b

cold_64:
        PHASES_64 6f
6:      movq %r10, %rsi
        movl %r8d, %ecx
7:      movq %cr3, %rax
        movq %rax, %cr3
        movl (%rsi), %eax
        addq %r11, %rsi
        decl %ecx
        jnz 7b
        PASS_OVER 6b

run_64_over:
        movl %eax, %esi
        movl $MARK_END, %eax
        vmmcall
        /* Back to 32-bit code: compatibility mode, then paging off, then LME off (APM2 14.7). */
        movl $leave_long, %eax
        ljmp *(%rax)
        .code32
8:      movl %cr0, %eax
        andl $~CR0_PG, %eax
        movl %eax, %cr0
        jmp 1f
1:      movl $MSR_EFER, %ecx
        rdmsr
        andl $~EFER_LME, %eax
        wrmsr
        movl %cr4, %eax
        andl $~CR4_PAE, %eax
        movl %eax, %cr4
        movl saved_esp, %esp
        movl %esi, %eax
        popl %ebp
        popl %edi
        popl %esi
        popl %ebx
        ret

        .data
        .balign 8
leave_long:
        .long 8b
        .word 0x08
        .balign 4
saved_esp:
        .long 0
