/* SPDX-License-Identifier: MIT */
/* Entry, the string of section __xen_guest, and trap stubs of the 32-bit paravirtual kernel. */
#include "hv/abi/pv32.h"

/* As NetBSD/i386 kernels had it: physical addresses in the image are virtual ones, HYPERCALL_PAGE a page number. */
        .section __xen_guest, "", @progbits
        .ascii "GUEST_OS=pv32,GUEST_VER=1,XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0xc0000000,"
        .ascii "ELF_PADDR_OFFSET=0xc0000000,VIRT_ENTRY=0xc0101000,HYPERCALL_PAGE=0x00000100,BSD_SYMTAB=yes,PAE=yes"
        .byte 0

        .text
        .globl hypercall_page, pv32_start
hypercall_page:                         /* C0100000h */
        .skip 4096
pv32_start:
        cld
        xorl %ebp, %ebp
        pushl %esi
        call pv32_begin
        ud2

/* hv has pushed [error code], EIP, CS, EFLAGS and from user code ESP, SS; the frame is undone for hypercall iret. */
trap:
        pushal
        pushl %ds
        pushl %es
        movl $PV32_KERNEL_DS, %eax
        movl %eax, %ds
        movl %eax, %es
        cld
        pushl %esp
        call pv32_trap
        addl $4, %esp
        popl %es
        popl %ds
        popal
        addl $8, %esp
        jmp hypercall_page + 32 * 23

        .balign 16
        .globl pv32_stubs
pv32_stubs:                             /* 16 bytes each; 256: events */
        .set vector, 0
        .rept 257
        .balign 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
        pushl $0
        .endif
        pushl $vector
        jmp trap
        .set vector, vector + 1
        .endr

/* Four selectors below EIP, and none loaded: the kernel goes on with flat ones, and counts. */
        .globl pv32_failsafe
pv32_failsafe:
        addl $16, %esp
        pushl %eax
        movl $PV32_KERNEL_DS, %eax
        movl %eax, %ds
        movl %eax, %es
        incl failsafes
        popl %eax
        jmp hypercall_page + 32 * 23

/* uint32_t to_user(uint32_t what): user_code on its page, until a trap of it that ends the run. */
        .globl to_user, from_user
to_user:
        movl 4(%esp), %eax
        pushl %ebp
        pushl %ebx
        pushl %esi
        pushl %edi
        movl %esp, return_stack
        pushl $PV32_USER_DS
        pushl user_stack
        pushl $0x202
        pushl $PV32_USER_CS
        pushl user_entry
        jmp hypercall_page + 32 * 23
from_user:
        movl return_stack, %esp
        popl %edi
        popl %esi
        popl %ebx
        popl %ebp
        ret

/* What runs at CPL 3, on a page of its own. EAX: what to do. */
        .globl user_code, user_code_end
user_code:
        movl $PV32_USER_DS, %ecx
        movl %ecx, %ds
        movl %ecx, %es
        cmpl $1, %eax
        je 1f
        cmpl $2, %eax
        je 2f
        cmpl $3, %eax
        je 3f
        cmpl $4, %eax
        je 4f
        cmpl $5, %eax
        jae 5f
        movl $5, %ebx                   /* 0: a system call, then the end with what it gave */
        movl $100, %eax
        int $0x80
        movl %eax, %ebx
        movl $101, %eax
        int $0x80
        ud2
1:      movl 0xC0101000, %eax           /* the kernel's memory */
        ud2
2:      movl $29, %eax                  /* a hypercall is the kernel's alone */
        int $PV32_HYPERCALL_VECTOR
        ud2
3:      hlt
        ud2
4:      xorl %eax, %eax                 /* not even for itself: the kernel's selectors */
        movl $PV32_KERNEL_DS, %eax
        movl %eax, %ds
        ud2
5:      leal -5(%eax), %esi             /* CPUID: bit 0 EDX, not ECX; bit 1 leaf 8000_0001, not 1 */
        movl %esi, %eax
        shll $30, %eax
        andl $0x80000000, %eax
        incl %eax
        xorl %ecx, %ecx
        cpuid
        movl %ecx, %ebx
        testl $1, %esi
        jz 6f
        movl %edx, %ebx
6:      movl $101, %eax
        int $0x80
        ud2
user_code_end:

        .bss
        .balign 4
        .globl failsafes, user_stack, user_entry
failsafes:      .skip 4
return_stack:   .skip 4
user_stack:     .skip 4
user_entry:     .skip 4
