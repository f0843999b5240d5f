/* SPDX-License-Identifier: MIT */
/* The second core's way from SIPI to smp_main, on its own stack. */
        .text
        .code16
        .globl smp_trampoline, smp_trampoline_end
smp_trampoline:
        cli
        movl %cr0, %eax
        movl %eax, %ecx
        movw %ds, %si
        movw %cs, %di
        xorw %ax, %ax
        movw %ax, %ds
        movl $smp_found, %ebx
        lgdtl smp_gdt_pointer - smp_trampoline + 0x8000
        movl %cr0, %eax
        orb $1, %al
        movl %eax, %cr0
        ljmpl $0x08, $smp_protected
        .balign 4
smp_gdt_pointer:
        .word 4 * 8 - 1
        .long guest_gdt
smp_trampoline_end:

        .code32
smp_protected:
        movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movw %di, (%ebx)
        movw %si, 2(%ebx)
        movl %edx, 4(%ebx)
        movl %ecx, 8(%ebx)
        andl $0x9FFFFFFF, %ecx          /* CD, NW off: INIT leaves CR0.CD as it was */
        movl %ecx, %cr0
        movl %cr0, %eax
        orl $1, %eax
        movl %eax, %cr0
        movl $smp_stack_end, %esp
        movl $smp_main, %ebp
        jmp guest_enter_long_mode

        .code64
/* Its interrupt and NMI handlers. */
        .globl smp_interrupt, smp_nmi
smp_interrupt:
        lock incl smp_interrupts
        pushq %rax
        movl $0xFEE000B0, %eax
        movl $0, (%rax)
        popq %rax
        iretq
smp_nmi:
        lock incl smp_nmis
        iretq

        .bss
        .balign 16
        .skip 0x2000
smp_stack_end:
