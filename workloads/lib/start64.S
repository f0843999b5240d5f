/* SPDX-License-Identifier: MIT */
/* Entry of a 64-bit guest program: from the multiboot state to long mode, 4 GiB mapped one to one with 2 MiB pages. */
#include "hv/core/multiboot.h"

        .section .multiboot, "a"
        .balign 4
        .long MULTIBOOT_HEADER_MAGIC
        .long MULTIBOOT_HEADER_MEMORY
        .long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_HEADER_MEMORY)

        .text
        .code32
        .globl guest_start
guest_start:
        cli
        cld
        movl $guest_stack_end, %esp
        movl %eax, %edi
        movl %ebx, %esi
        movl $(guest_pdpt + 0x63), guest_pml4
        movl $(guest_directories + 0x63), %eax
        xorl %ecx, %ecx
1:      movl %eax, guest_pdpt(, %ecx, 8)
        addl $0x1000, %eax
        incl %ecx
        cmpl $4, %ecx
        jb 1b
        movl $0xE3, %eax
        xorl %ecx, %ecx
2:      movl %eax, guest_directories(, %ecx, 8)
        addl $0x200000, %eax
        incl %ecx
        cmpl $2048, %ecx
        jb 2b
        /* also the way of a second vCPU, which brings its own ESP, EDI, ESI and 64-bit entry in EBP */
        movl $guest_begin, %ebp
        .globl guest_enter_long_mode
guest_enter_long_mode:
        movl %cr4, %eax
        orl $0x20, %eax                 /* PAE */
        movl %eax, %cr4
        movl $guest_pml4, %eax
        movl %eax, %cr3
        movl $0xC0000080, %ecx          /* EFER.LME, NXE */
        rdmsr
        orl $0x900, %eax
        wrmsr
        movl %cr0, %eax
        orl $0x80010001, %eax           /* PG, WP, PE */
        movl %eax, %cr0
        lgdt guest_gdt_pointer
        ljmp $0x18, $1f
        .code64
1:      movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movl %eax, %fs
        movl %eax, %gs
        movl %edi, %edi
        movl %esi, %esi
        movl %esp, %esp
        movl %ebp, %eax
        xorl %ebp, %ebp
        call *%rax
2:      cli
        hlt
        jmp 2b

        .data
        .balign 8
        .globl guest_gdt
guest_gdt:
        .quad 0
        .quad 0x00CF9B000000FFFF        /* 08h: 32-bit code */
        .quad 0x00CF93000000FFFF        /* 10h: data */
        .quad 0x00AF9B000000FFFF        /* 18h: 64-bit code */
guest_gdt_end:
guest_gdt_pointer:
        .word guest_gdt_end - guest_gdt - 1
        .quad guest_gdt

        .bss
        .balign 0x1000
        .globl guest_pml4
guest_pml4:        .skip 0x1000
guest_pdpt:        .skip 0x1000
guest_directories: .skip 4 * 0x1000
        .skip 0x4000
guest_stack_end:
