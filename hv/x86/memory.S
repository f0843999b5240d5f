/* SPDX-License-Identifier: MIT */
/* The four functions a freestanding compiler may call. */
        .text
        .globl memcpy, memset, memmove, memcmp
memcpy:
        movq %rdi, %rax
        movq %rdx, %rcx
        shrq $3, %rcx
        rep movsq
        movl %edx, %ecx
        andl $7, %ecx
        rep movsb
        ret

memset:
        movq %rdi, %r8
        movzbl %sil, %eax
        movabsq $0x0101010101010101, %rcx
        imulq %rcx, %rax
        movq %rdx, %rcx
        shrq $3, %rcx
        rep stosq
        movl %edx, %ecx
        andl $7, %ecx
        rep stosb
        movq %r8, %rax
        ret

memmove:
        movq %rdi, %rax
        movq %rdi, %rcx
        subq %rsi, %rcx
        cmpq %rdx, %rcx                 /* unsigned: destination inside [source, source + n)? */
        jae memcpy
        leaq -1(%rdi, %rdx), %rdi
        leaq -1(%rsi, %rdx), %rsi
        movq %rdx, %rcx
        std
        rep movsb
        cld
        ret

memcmp:
        xorl %eax, %eax
        testq %rdx, %rdx
        jz 1f
        movq %rdx, %rcx
        repe cmpsb
        je 1f
        movzbl -1(%rdi), %eax
        movzbl -1(%rsi), %ecx
        subl %ecx, %eax
1:      ret
