/* SPDX-License-Identifier: MIT */
/* The PVH entry that Xen's note 18 names: the state at it is kept for main.c, then the library's own start. */
#include "hv/core/multiboot.h"

        .section .note.Xen, "a", @note
        .balign 4
        .long 4, 4, 18
        .asciz "Xen"
        .long pvh_start

        .text
        .globl pvh_start
pvh_start:
        movl %cr0, %eax
        movl %eax, pvh_state_cr0
        movl %cr4, %eax
        movl %eax, pvh_state_cr4
        movl %ebx, pvh_info
        movl $pvh_stack_end, %esp
        pushfl
        popl pvh_state_eflags
        call pvh_prepare
        movl %eax, %ebx                 /* the library takes a multiboot loader's information */
        movl $MULTIBOOT_LOADER_MAGIC, %eax
        jmp guest_start

        .bss
        .balign 16
        .skip 0x1000
pvh_stack_end:
