/* SPDX-License-Identifier: MIT */
/*
 * From the multiboot loader's 32-bit flat mode to hv_main in 64-bit mode, and the same way for the other
 * cores from real mode (SIPI). Both meet at enter_long_mode. The first 4 GiB are mapped one to one with
 * 2 MiB pages; hv_main adds what memory lies above.
 */
#include "hv/core/multiboot.h"
#include "hv/x86/pv_layout.h"
#include "hv/x86/selectors.h"

#define CR0_PE 0x00000001
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR0_CD_NW 0x60000000
#define CR4_PAE 0x020
#define CR4_PGE 0x080
#define MSR_EFER 0xC0000080
#define EFER_LME_NXE 0x900
#define PTE_TABLE 0x63    /* present, writable, accessed, dirty */
#define PTE_2M 0x0E3      /* and page size; not global: paravirtual guests use the same addresses */
#define FIRST_STACK_SIZE 0x4000

        .section .multiboot, "a"
        .balign 4
        .long MULTIBOOT_HEADER_MAGIC
        .long MULTIBOOT_HEADER_ALIGN | MULTIBOOT_HEADER_MEMORY
        .long -(MULTIBOOT_HEADER_MAGIC + (MULTIBOOT_HEADER_ALIGN | MULTIBOOT_HEADER_MEMORY))

        .text
        .code32
        .globl entry32
entry32:
        cli
        cld
        movl %eax, %edi                 /* hv_main's two arguments */
        movl %ebx, %esi
        movl $first_stack_end, %esp

        /* Tables: one PML4, one PDPT, four page directories of 2 MiB pages. */
        movl $(boot_pdpt + PTE_TABLE), boot_pml4
        movl $(boot_pdpt + PTE_TABLE), boot_pml4 + 8 * PV_SLOT_ALIAS
        movl $(boot_directories + PTE_TABLE), %eax
        xorl %ecx, %ecx
1:      movl %eax, boot_pdpt(, %ecx, 8)
        addl $0x1000, %eax
        incl %ecx
        cmpl $4, %ecx
        jb 1b
        movl $PTE_2M, %eax
        xorl %ecx, %ecx
2:      movl %eax, boot_directories(, %ecx, 8)
        addl $0x200000, %eax
        incl %ecx
        cmpl $2048, %ecx
        jb 2b
        movl $hv_main, %ebp
        /* falls through */

/* EBP: 64-bit code to go to; EDI, ESI: its arguments; ESP: its stack. */
enter_long_mode:
        movl %cr4, %eax
        orl $(CR4_PAE | CR4_PGE), %eax
        movl %eax, %cr4
        movl $boot_pml4, %eax
        movl %eax, %cr3
        movl $MSR_EFER, %ecx
        rdmsr
        orl $EFER_LME_NXE, %eax
        wrmsr
        movl %cr0, %eax
        andl $~CR0_CD_NW, %eax
        orl $(CR0_PG | CR0_WP | CR0_PE), %eax
        movl %eax, %cr0
        lgdt boot_gdt_pointer
        ljmp $SELECTOR_CODE, $1f
        .code64
1:      xorl %eax, %eax
        movl %eax, %fs
        movl %eax, %gs
        movl $SELECTOR_DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movl %edi, %edi                 /* upper halves are undefined after the mode switch */
        movl %esi, %esi
        movl %esp, %esp
        movl %ebp, %eax
        xorl %ebp, %ebp
        call *%rax
2:      cli
        hlt
        jmp 2b

/*
 * A started core begins here, copied to a page below 1 MiB (smp.c), in real mode with CS:IP = page:0.
 * Everything it needs outside the page is reached through 32-bit flat mode.
 */
        .code16
        .globl trampoline_start, trampoline_end
trampoline_start:
        cli
        cld
        movw %cs, %ax
        movw %ax, %ds
        lgdtl (trampoline_gdt_pointer - trampoline_start)
        movl $CR0_PE, %eax
        movl %eax, %cr0
        ljmpl $SELECTOR_CODE32, $started_core32
        .balign 4
trampoline_gdt_pointer:
        .word boot_gdt_end - boot_gdt - 1
        .long boot_gdt
trampoline_end:

        .code32
started_core32:
        movl $SELECTOR_DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movl $started_core_stack_end, %esp /* one core starts at a time; its own stack may lie above 4 GiB */
        movl $started_core64, %ebp
        jmp enter_long_mode

        .code64
started_core64:
        movl smp_start_argument, %edi
        movq smp_start_stack, %rsp
        xorl %ebp, %ebp
        call smp_core_main

        .data
        .balign 8
        .globl boot_gdt
boot_gdt:
        .quad 0
        .quad 0x00AF9B000000FFFF        /* SELECTOR_CODE: 64-bit code */
        .quad 0x00CF93000000FFFF        /* SELECTOR_DATA */
        .quad 0x00CF9B000000FFFF        /* SELECTOR_CODE32 */
boot_gdt_end:
boot_gdt_pointer:
        .word boot_gdt_end - boot_gdt - 1
        .quad boot_gdt

        .bss
        .balign 0x1000
        .globl boot_pml4, boot_pdpt
boot_pml4:        .skip 0x1000
boot_pdpt:        .skip 0x1000
        .globl boot_directories
boot_directories: .skip 4 * 0x1000
first_stack:      .skip FIRST_STACK_SIZE
first_stack_end:
        .skip 64
started_core_stack_end:
