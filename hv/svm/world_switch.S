/* SPDX-License-Identifier: MIT */
/*
 * uint64_t svm_world_switch(uint64_t guest_vmcb, struct svm_registers *, uint64_t host_vmcb)
 *
 * Called with GIF=0. RFLAGS.IF is set around VMRUN, so that with V_INTR_MASKING physical interrupts leave
 * the guest (APM2 15.21.1); GIF=0 keeps them from being taken before the caller's STGI. Returns with IF=1, and
 * the TSC right after #VMEXIT.
 */
        .text
        .globl svm_world_switch
svm_world_switch:
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        pushq %rdx                      /* host VMCB */
        pushq %rsi                      /* registers */
        movq %rdi, %rax
        movq %rsi, %rcx
        pushq %rdi                      /* guest VMCB */
        vmload %rax
        movq 0x08(%rcx), %rdx
        movq 0x10(%rcx), %rbx
        movq 0x18(%rcx), %rbp
        movq 0x20(%rcx), %rsi
        movq 0x28(%rcx), %rdi
        movq 0x30(%rcx), %r8
        movq 0x38(%rcx), %r9
        movq 0x40(%rcx), %r10
        movq 0x48(%rcx), %r11
        movq 0x50(%rcx), %r12
        movq 0x58(%rcx), %r13
        movq 0x60(%rcx), %r14
        movq 0x68(%rcx), %r15
        movq 0x00(%rcx), %rcx
        sti
        vmrun %rax
        /* RAX and RSP are the host's again; everything else is the guest's. */
        pushq %rcx
        movq 0x10(%rsp), %rcx           /* registers */
        movq %rdx, 0x08(%rcx)
        movq %rbx, 0x10(%rcx)
        movq %rbp, 0x18(%rcx)
        movq %rsi, 0x20(%rcx)
        movq %rdi, 0x28(%rcx)
        movq %r8, 0x30(%rcx)
        movq %r9, 0x38(%rcx)
        movq %r10, 0x40(%rcx)
        movq %r11, 0x48(%rcx)
        movq %r12, 0x50(%rcx)
        movq %r13, 0x58(%rcx)
        movq %r14, 0x60(%rcx)
        movq %r15, 0x68(%rcx)
        popq 0x00(%rcx)
        popq %rax                       /* guest VMCB */
        vmsave %rax
        popq %rcx                       /* registers */
        popq %rax                       /* host VMCB */
        vmload %rax
        rdtsc
        shlq $32, %rdx
        orq %rdx, %rax
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret
