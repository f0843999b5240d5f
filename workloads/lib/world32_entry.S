/* SPDX-License-Identifier: MIT */
/* world_enter and the handlers of world32.c. Layouts: struct world_state, struct world_event. */
        .set STATE_CS, 52
        .set STATE_EIP, 48
        .set STATE_EFLAGS, 56
        .set STATE_ESP, 60
        .set STATE_SS, 64
        .set EVENT_WORDS, 23

        .text
        .globl world_enter
world_enter:
        pushl %ebp
        pushl %ebx
        pushl %esi
        pushl %edi
        pushfl
        movl %esp, saved_esp
        movl 24(%esp), %esi
        testl $0x20000, STATE_EFLAGS(%esi)
        jnz 1f
        testl $3, STATE_CS(%esi)
        jnz 1f
        movw STATE_SS(%esi), %ss                /* IRET to CPL 0 takes no stack: enter on it */
        movl STATE_ESP(%esi), %esp
        pushl STATE_EFLAGS(%esi)
        pushl STATE_CS(%esi)
        pushl STATE_EIP(%esi)
        jmp 2f
1:      leal STATE_EIP(%esi), %esp              /* the state itself is the frame */
2:      movw 0(%esi), %gs
        movw 4(%esi), %fs
        movw 8(%esi), %es
        movl 16(%esi), %edi
        movl 24(%esi), %ebp
        movl 28(%esi), %ebx
        movl 32(%esi), %edx
        movl 36(%esi), %ecx
        movl 40(%esi), %eax
        pushl 12(%esi)
        movl 20(%esi), %esi
        popl %ds
        .globl world_iret
world_iret:
        iretl

        .balign 16
        .globl world_stubs
world_stubs:
        .set vector, 0
        .rept 256
        .balign 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 30)
        pushl $0
        .endif
        pushl $vector
        jmp world_stub_end
        .set vector, vector + 1
        .endr
world_stub_end:
        pushal
        pushl %ds
        pushl %es
        pushl %fs
        pushl %gs
        cld
        movl $0x10, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %fs
        movl %eax, %gs
        movl %ss, %ecx
        larl %ecx, %ecx
        movl %esp, %esi
        testl $0x400000, %ecx                   /* a 16-bit stack: rSP's upper half is nobody's */
        jnz 3f
        movzwl %si, %esi
3:      movl $world_event, %edi
        movl $EVENT_WORDS, %ecx
        rep movsl
        movl %ss, %ecx
        movl %ecx, (%edi)
        movl %eax, %ss
        movl saved_esp, %esp
        popfl
        popl %edi
        popl %esi
        popl %ebx
        popl %ebp
        ret

        .bss
        .balign 4
saved_esp: .skip 4
