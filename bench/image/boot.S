/* SPDX-License-Identifier: MIT */
/*
 * The bench image's start: a multiboot entry in 32-bit code, long mode with the first 4 GiB identity-mapped by
 * 2M pages, then bench_main. Also the stubs that C cannot say: exceptions, SYSCALL, user mode, VMRUN.
 */
        .section .multiboot, "a"
        .balign 4
        .long   0x1BADB002, 0x00000003, -(0x1BADB002 + 0x00000003)

        .section .text
        .code32
        .globl _start
_start: cli
        movl    $stack_top, %esp
        movl    $pml4, %edi
        movl    $pdpt + 0x27, (%edi)
        movl    $pdpt, %edi
        movl    $pd + 0x27, %eax
        movl    $4, %ecx
1:      movl    %eax, (%edi)
        addl    $0x1000, %eax
        addl    $8, %edi
        loop    1b
        movl    $pd, %edi           /* 2048 entries: present, writable, user, accessed, dirty, 2M */
        movl    $0xE7, %eax
        movl    $2048, %ecx
2:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    2b
        movl    %cr4, %eax
        orl     $0x20, %eax         /* PAE */
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx
        rdmsr
        orl     $0x1101, %eax       /* SVME, LME, SCE */
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000001, %eax
        movl    %eax, %cr0
        lgdt    gdt_pointer
        ljmp    $8, $long_mode

        .code64
long_mode:
        movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        movq    $stack_top, %rsp
        movl    $0x28, %eax
        ltr     %ax
        call    bench_main
        movl    $0xF4, %edx
        xorl    %eax, %eax
        outl    %eax, %dx
3:      hlt
        jmp     3b

/* #UD: count it in %r15 and go on behind the UD2. */
        .globl exception_ud
exception_ud:
        incq    %r15
        addq    $2, (%rsp)
        iretq

/* uint64_t exception_loop(uint64_t n): n times UD2; the handler's count. */
        .globl exception_loop
exception_loop:
        pushq   %r15
        xorl    %r15d, %r15d
1:      ud2
        decq    %rdi
        jnz     1b
        movq    %r15, %rax
        popq    %r15
        ret

/* uint64_t syscall_loop(uint64_t n): in ring 3, n SYSCALLs; back by SYSCALL with rbx = 1. */
        .globl syscall_loop
syscall_loop:
        pushq   %rbx
        pushq   %rbp
        pushq   %r15
        movq    %rsp, kernel_rsp
        xorl    %r15d, %r15d
        xorl    %ebx, %ebx
        movq    $user_loop, %rcx
        movl    $0x2, %r11d
        sysretq
user_loop:
        syscall
        decq    %rdi
        jnz     user_loop
        movl    $1, %ebx
        syscall
        .globl syscall_entry
syscall_entry:
        testl   %ebx, %ebx
        jnz     1f
        incq    %r15
        sysretq
1:      movq    kernel_rsp, %rsp
        movq    %r15, %rax
        popq    %r15
        popq    %rbp
        popq    %rbx
        ret

/*
 * void svm_run(uint64_t vmcb, uint64_t *registers, uint64_t host): registers[0..1] = guest RDI, RSI in;
 * [2] = RBX out; `host` is the page that keeps what VMLOAD replaces.
 */
        .globl svm_run
svm_run:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rsi
        pushq   %rdx
        movq    %rdx, %rax
        vmsave  %rax
        movq    %rdi, %rax
        movq    8(%rsi), %rdx
        movq    (%rsi), %rdi
        movq    %rdx, %rsi
        clgi
        vmload  %rax
        vmrun   %rax
        vmsave  %rax
        popq    %rax
        vmload  %rax
        stgi
        popq    %rsi
        movq    %rbx, 16(%rsi)
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

/* Guests: a loop of VMMCALLs; the chase of chase.c, result in rbx. */
        .globl guest_switch
guest_switch:
        vmmcall
        jmp     guest_switch
        .globl guest_chase
guest_chase:
        call    chase
        movq    %rax, %rbx
        vmmcall
        jmp     guest_chase

        .section .data
        .balign 8
gdt:    .quad   0
        .quad   0x00AF9A000000FFFF  /* 08 code 64, ring 0 */
        .quad   0x00CF92000000FFFF  /* 10 data, ring 0 */
        .quad   0x00CFF2000000FFFF  /* 18 data, ring 3 */
        .quad   0x00AFFA000000FFFF  /* 20 code 64, ring 3 */
        .globl gdt_tss
gdt_tss:                            /* 28: filled below by the linker's constants */
        .quad   0x0000890000000067, 0
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt
        .section .bss
        .balign 4096
        .globl pml4
pml4:   .skip   4096
pdpt:   .skip   4096
pd:     .skip   4 * 4096
stack:  .skip   65536
stack_top:
kernel_rsp:
        .skip   8
