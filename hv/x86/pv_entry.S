/* SPDX-License-Identifier: MIT */
/*
 * Into a paravirtual guest (CPL 3 under its own page tables) and out of it. hv itself runs one to one, which is linear
 * memory that guests use, too; so while a guest's tables are in CR3, hv's code and data are only at PV_ALIAS, and
 * what runs there is in this file. Stubs as in x86/traps.S, with their own IDT.
 *
 *   a trap from CPL 3        TSS.RSP0 is the end of the vCPU's frame: the processor and the stub fill it, then hv
 *                            goes on where it called pv_enter
 *   one in the way in        the guest's selector, CS, SS or RIP was bad: the same, as PV_VECTOR_NOT_ENTERED
 *   NMI, #MC in between      own stack, and whatever CR3 and GS were is put back
 */
#include "hv/x86/pv_layout.h"
#include "hv/x86/selectors.h"

#define MSR_FS_BASE 0xC0000100
#define MSR_GS_BASE 0xC0000101
#define MSR_KERNEL_GS_BASE 0xC0000102

        .macro push_registers
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
        .endm

        .macro pop_registers
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
        .endm

        .text
        .balign 16
        .globl pv_stubs
pv_stubs:
        .set vector, 0
        .rept 256
        .balign 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 30)
        pushq $0
        .endif
        pushq $vector
        .if vector == 1 || vector == 2 || vector == 8 || vector == 18
        jmp own_stack
        .else
        jmp vcpu_frame
        .endif
        .set vector, vector + 1
        .endr

vcpu_frame:
        push_registers
        testb $3, PV_FRAME_CS(%rsp)
        jz not_entered
        swapgs
leave:                                  /* GS is hv's; nothing is needed from the stack */
        clgi                            /* an NMI would want the guest's GDT, which hv's tables do not map */
        movl $boot_pml4, %eax
        movq %rax, %cr3
        movq %gs:PERCORE_PV_STACK, %rsp
        movq $1f, %rax
        jmp *%rax
1:      popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret

/* STAR gives CS and SS of hv; SFMASK has cleared IF, TF and DF. */
        .macro syscall_entry cs, vector
        swapgs
        movq %rsp, %gs:PERCORE_PV_USER_RSP
        movq %gs:PERCORE_PV_FRAME_END, %rsp
        pushq $0xE02B                   /* PV_FLAT_DS */
        pushq %gs:PERCORE_PV_USER_RSP
        pushq %r11
        pushq $\cs
        pushq %rcx
        pushq $0
        pushq $\vector
        push_registers
        jmp leave
        .endm

        .globl pv_syscall64, pv_syscall32
pv_syscall64:
        syscall_entry 0xE033, PV_VECTOR_SYSCALL
pv_syscall32:
        syscall_entry 0xE023, PV_VECTOR_SYSCALL32

/*
 * void pv_enter(struct pv_vcpu *, uint64_t cr3)
 *
 * Called with GIF=0, IF=0, the guest's GDT and pv's IDT loaded, GS at PV_ALIAS, KernelGSBase of no matter. Returns
 * the same way after the next trap, with the guest's GDT and pv's IDT still there.
 */
        .globl pv_enter
pv_enter:
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, %gs:PERCORE_PV_STACK
        movabsq $PV_ALIAS, %rcx
        addq %rcx, %rdi
        movq $1f, %rax
        addq %rcx, %rax
        jmp *%rax
1:      movq %gs:0, %rsp
        leaq PERCORE_PV_ROOM_END(%rsp, %rcx), %rsp
        movq %rsi, %cr3
        stgi
        lldt PV_VCPU_LDT(%rdi)
load_ds:
        movw PV_VCPU_DS(%rdi), %ds
load_es:
        movw PV_VCPU_ES(%rdi), %es
load_fs:
        movw PV_VCPU_FS(%rdi), %fs
        swapgs
load_gs:
        movw PV_VCPU_GS(%rdi), %gs
        swapgs
        movl $MSR_FS_BASE, %ecx
        movl PV_VCPU_FS_BASE(%rdi), %eax
        movl PV_VCPU_FS_BASE + 4(%rdi), %edx
        wrmsr
        movl $MSR_KERNEL_GS_BASE, %ecx
        movl PV_VCPU_GS_BASE(%rdi), %eax
        movl PV_VCPU_GS_BASE + 4(%rdi), %edx
        wrmsr
        pushq PV_FRAME_RIP + 32(%rdi)   /* SS, RSP, RFLAGS, CS, RIP */
        pushq PV_FRAME_RIP + 24(%rdi)
        pushq PV_FRAME_RIP + 16(%rdi)
        pushq PV_FRAME_RIP + 8(%rdi)
        pushq PV_FRAME_RIP(%rdi)
        movq 0x00(%rdi), %r15
        movq 0x08(%rdi), %r14
        movq 0x10(%rdi), %r13
        movq 0x18(%rdi), %r12
        movq 0x20(%rdi), %r11
        movq 0x28(%rdi), %r10
        movq 0x30(%rdi), %r9
        movq 0x38(%rdi), %r8
        movq 0x48(%rdi), %rsi
        movq 0x50(%rdi), %rbp
        movq 0x58(%rdi), %rbx
        movq 0x60(%rdi), %rdx
        movq 0x68(%rdi), %rcx
        movq 0x70(%rdi), %rax
        movq 0x40(%rdi), %rdi
        swapgs
to_guest:
        iretq

/* A fault of this file's own: one of the five instructions that load what the guest asked for, or a mistake of hv's. */
not_entered:
        leaq to_guest(%rip), %rax
        cmpq %rax, PV_FRAME_RIP(%rsp)
        je 3f
        leaq load_gs(%rip), %rax
        cmpq %rax, PV_FRAME_RIP(%rsp)
        je 3f
        leaq load_ds(%rip), %rax
        cmpq %rax, PV_FRAME_RIP(%rsp)
        jb mistake_of_hv
        leaq load_fs(%rip), %rax
        cmpq %rax, PV_FRAME_RIP(%rsp)
        ja mistake_of_hv
        movq PV_FRAME_ERROR(%rsp), %rbx
        movq PV_FRAME_VECTOR(%rsp), %rcx
        jmp 4f
3:      movq PV_FRAME_ERROR(%rsp), %rbx /* GS was the guest's; its registers are in its frame still */
        movq PV_FRAME_VECTOR(%rsp), %rcx
        swapgs
4:      movq %gs:PERCORE_PV_FRAME, %rdi
        orq $PV_VECTOR_NOT_ENTERED, %rcx
        movq %rcx, PV_FRAME_VECTOR(%rdi)
        movq %rbx, PV_FRAME_ERROR(%rdi)
        jmp leave

mistake_of_hv:                          /* trap_handle panics */
        movl $boot_pml4, %eax
        movq %rax, %cr3
        movq %rsp, %rdi
        andq $-16, %rsp
        movq $trap_handle, %rax
        call *%rax

own_stack:
        push_registers
        testb $3, PV_FRAME_CS(%rsp)
        jz own_stack_in_hv
        swapgs
        movq %gs:PERCORE_PV_FRAME, %rdi
        movq %rsp, %rsi
        movl $PV_FRAME_WORDS, %ecx
        rep movsq
        jmp leave
own_stack_in_hv:
        cmpq $1, PV_FRAME_VECTOR(%rsp)
        je 2f                           /* #DB of a guest that single-steps or watches memory: not here */
        movq %cr3, %rbx
        movl $MSR_GS_BASE, %ecx
        rdmsr
        shlq $32, %rdx
        leaq (%rdx, %rax), %r12
        movq %rsp, %rbp
        movq %rsp, %rax
        orq $0xFFF, %rax
        movq -7(%rax), %rdx             /* percore_init left it at the end of the stack's page */
        movabsq $PV_ALIAS, %rax
        addq %rdx, %rax
        movq %rax, %rdx
        shrq $32, %rdx
        wrmsr
        movl $boot_pml4, %eax
        movq %rax, %cr3
        movq %rbp, %rdi
        andq $-16, %rsp
        movq $trap_handle, %rax
        call *%rax
        movq %rbp, %rsp
        movq %r12, %rax
        movq %r12, %rdx
        shrq $32, %rdx
        movl $MSR_GS_BASE, %ecx
        wrmsr
        movq %rbx, %cr3
2:      pop_registers
        addq $16, %rsp
        iretq

/* void pv_back(void): hv's own GDT is loaded: its selectors, too. IRET lets NMIs in again. */
        .globl pv_back
pv_back:
        movl $SELECTOR_DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        xorl %ecx, %ecx
        movl %ecx, %fs
        movl %ecx, %gs
        lldt %cx
        movq %rsp, %rcx
        pushq %rax
        pushq %rcx
        pushfq
        pushq $SELECTOR_CODE
        pushq $1f
        iretq
1:      ret
