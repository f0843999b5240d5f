/* SPDX-License-Identifier: MIT */
/* void svm_enter(uint64_t vmcb): VMRUN with the host's callee-saved registers kept. */
        .text
        .globl svm_enter
svm_enter:
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rdi, %rax
        clgi
        vmrun %rax
        stgi
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret

/* The guest's instructions, one exit each; its registers are the host's at VMRUN, but RAX, RSP. */
        .globl guest_vmmcall, guest_cpuid, guest_hlt, guest_ud2
        .globl guest_out, after_out, guest_in, after_in, guest_rdmsr, guest_wrmsr, guest_read, guest_write
        .globl guest_read_cr0, guest_write_cr3, guest_sti_wait
guest_vmmcall:
        vmmcall
guest_cpuid:
        cpuid
        vmmcall
guest_hlt:
        hlt
        vmmcall
guest_ud2:
        ud2
guest_out:
        movl $0x1234, %edx
        outw %ax, %dx
after_out:
        vmmcall
guest_in:
        inb $0x71, %al
after_in:
        vmmcall
guest_rdmsr:
        movl $0xC0000080, %ecx
        rdmsr
        vmmcall
guest_wrmsr:
        movl $0xC0000080, %ecx
        xorl %edx, %edx
        wrmsr
        vmmcall
guest_read:
        movabsq $0x20000000000, %rdx
        movl (%rdx), %ecx
        vmmcall
guest_write:
        movabsq $0x20000000000, %rdx
        movl $0x600DF00D, (%rdx)
        vmmcall
guest_read_cr0:
        movq %cr0, %rdx
        vmmcall
guest_write_cr3:
        movq %cr3, %rdx
        movq %rdx, %cr3
        vmmcall
guest_sti_wait:
        sti
        nop
        vmmcall
