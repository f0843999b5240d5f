/* SPDX-License-Identifier: MIT */
        .text
        .balign 16
        .globl exception_stubs
exception_stubs:
        .set vector, 0
        .rept 256
        .balign 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 30)
        pushl $0
        .endif
        pushl $vector
        jmp stub_end
        .set vector, vector + 1
        .endr
stub_end:
        cld
        movl $0x10, %eax                /* the test may have left anything there */
        movl %eax, %ds
        movl %eax, %es
        movl %esp, %eax
        pushl %eax
        call exception_handle

        .globl exception_call
exception_call:
        pushl %ebp
        pushl %ebx
        pushl %esi
        pushl %edi
        pushfl
        movl %esp, saved_esp
        movl 24(%esp), %eax
        pushl 28(%esp)
        call *%eax
        addl $4, %esp
        xorl %eax, %eax
        jmp 1f
        .globl exception_leave
exception_leave:
        movl saved_esp, %esp
        movl $1, %eax
1:      popfl
        popl %edi
        popl %esi
        popl %ebx
        popl %ebp
        ret

        .bss
        .balign 4
saved_esp: .skip 4
