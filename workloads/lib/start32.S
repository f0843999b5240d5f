/* SPDX-License-Identifier: MIT */
/* Entry of a 32-bit guest program: the multiboot state with our own GDT and stack, paging off. */
#include "hv/core/multiboot.h"

        .section .multiboot, "a"
        .balign 4
        .long MULTIBOOT_HEADER_MAGIC
        .long MULTIBOOT_HEADER_MEMORY
        .long -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_HEADER_MEMORY)

        .text
        .globl guest_start
guest_start:
        cli
        cld
        movl $guest_stack_end, %esp
        lgdt guest_gdt_pointer
        ljmp $0x08, $1f
1:      movl $0x10, %ecx
        movl %ecx, %ds
        movl %ecx, %es
        movl %ecx, %ss
        movl %ecx, %fs
        movl %ecx, %gs
        pushl %ebx
        pushl %eax
        call guest_begin
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
        .long guest_gdt

        .bss
        .balign 16
        .skip 0x4000
guest_stack_end:
