/* SPDX-License-Identifier: MIT */
/*
 * Assembly with fixed addresses. It is copied below 4 GiB, where 32-bit code can reach it, so that it may
 * not refer to anything relative to itself but its own labels.
 *   stub_enter    void (void): loads every register from struct stub_state and goes to its rip
 *   stub_capture  where the code comes out: stores every register, returns from stub_enter
 *   stub_leave    returns from stub_enter out of the signal handler
 *   stub_signal   entry of the signal handler: AC off and FS good again, before C runs
 */
#include "tests/silicon/stub.h"

#include <stddef.h>

_Static_assert(offsetof(struct stub_state, own_rsp) == 0x90 && offsetof(struct stub_state, media) == 0xA8 &&
               offsetof(struct stub_state, fs_base) == 0xB0 && offsetof(struct stub_state, out_gpr) == 0xC0 &&
               offsetof(struct stub_state, out_rflags) == 0x140 && offsetof(struct stub_state, out_seg) == 0x148 &&
               offsetof(struct stub_state, far_offset) == 0x158 && offsetof(struct stub_state, case_fs_base) == 0x160 &&
               offsetof(struct stub_state, trap) == 0xAB && offsetof(struct stub_state, frame) == 0x170 &&
               offsetof(struct stub_state, fx) == 0x200,
               "the assembly's offsets");

__asm__(
    ".pushsection .text\n"
    ".set S, 0x6B5A3000\n"
    ".macro LOAD_GENERAL\n"
    "   movq S+0x00, %rax\n movq S+0x08, %rcx\n movq S+0x10, %rdx\n movq S+0x18, %rbx\n"
    "   movq S+0x28, %rbp\n movq S+0x30, %rsi\n movq S+0x38, %rdi\n"
    "   movq S+0x40, %r8\n movq S+0x48, %r9\n movq S+0x50, %r10\n movq S+0x58, %r11\n"
    "   movq S+0x60, %r12\n movq S+0x68, %r13\n movq S+0x70, %r14\n movq S+0x78, %r15\n"
    ".endm\n"
    ".macro LOAD_ALL\n"
    "   pushq S+0x80\n popfq\n"
    "   LOAD_GENERAL\n"
    "   movq S+0x20, %rsp\n"
    ".endm\n"
    ".globl stub_begin, stub_capture, stub_enter, stub_leave, stub_signal, stub_end\n"
    "stub_begin:\n"
    "stub_enter:\n"
    "   pushq %rbx\n pushq %rbp\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
    "   movq %rsp, S+0x90\n"
    "   cmpb $0, S+0xAA\n je 1f\n"
    "   movq S+0x160, %rax\n wrfsbase %rax\n movq S+0x168, %rax\n wrgsbase %rax\n"
    "1: cmpb $0, S+0xA9\n je 2f\n"
    "   movw S+0x98, %es\n movw S+0x9E, %ds\n"
    "   cmpw $0, S+0xA0\n je 1f\n movw S+0xA0, %fs\n"
    "1: cmpw $0, S+0xA2\n je 2f\n movw S+0xA2, %gs\n"
    "2: cmpb $0, S+0xA8\n je 3f\n fxrstor64 S+0x200\n"
    "3: cmpb $0, S+0xAB\n jne 8f\n"
    "   cmpw $0x33, S+0x15C\n jne 4f\n"
    "   LOAD_ALL\n"
    "   jmp *S+0x88\n"
    "4: LOAD_ALL\n"
    "   ljmp *S+0x158\n"
    "8: LOAD_GENERAL\n"
    "   movq $S+0x170, %rsp\n iretq\n" /* the first trap comes after the case's first instruction */
    "stub_capture:\n"
    "   movq %rax, S+0xC0\n movq %rcx, S+0xC8\n movq %rdx, S+0xD0\n movq %rbx, S+0xD8\n"
    "   movq %rsp, S+0xE0\n movq %rbp, S+0xE8\n movq %rsi, S+0xF0\n movq %rdi, S+0xF8\n"
    "   movq %r8, S+0x100\n movq %r9, S+0x108\n movq %r10, S+0x110\n movq %r11, S+0x118\n"
    "   movq %r12, S+0x120\n movq %r13, S+0x128\n movq %r14, S+0x130\n movq %r15, S+0x138\n"
    "   movq S+0x90, %rsp\n"
    "   pushfq\n popq S+0x140\n"
    "   cmpb $0, S+0xA8\n je stub_leave\n fxsave64 S+0x400\n"
    "stub_leave:\n"
    "   movq S+0x90, %rsp\n"
    "   pushq $2\n popfq\n"
    "   movw %es, S+0x148\n movw %ss, S+0x14C\n movw %ds, S+0x14E\n movw %fs, S+0x150\n movw %gs, S+0x152\n"
    "   cmpb $0, S+0xAA\n je 4f\n movq S+0xB0, %rax\n wrfsbase %rax\n"
    "4: cmpb $0, S+0xA9\n je 5f\n call 6f\n"
    "5: cmpb $0, S+0xA8\n je 5f\n fninit\n pushq $0x1F80\n ldmxcsr (%rsp)\n popq %rax\n"
    "5: popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbp\n popq %rbx\n"
    "   ret\n"
    "6: movl $0x2B, %eax\n movl %eax, %ss\n movl %eax, %ds\n movl %eax, %es\n"
    "   cmpb $0, S+0xAA\n je 7f\n"
    "   xorl %eax, %eax\n movl %eax, %fs\n movl %eax, %gs\n"
    "   movq S+0xB0, %rax\n wrfsbase %rax\n movq S+0xB8, %rax\n wrgsbase %rax\n"
    "7: ret\n"
    "stub_signal:\n"
    "   pushq $2\n popfq\n"
    "   movw %fs, S+0x150\n movw %gs, S+0x152\n"
    "   cmpb $0, S+0xAA\n je 8f\n"
    "   movq S+0xB0, %rax\n wrfsbase %rax\n"
    "8: movabsq $0x1122334455667788, %rax\n" /* native.c puts the handler's address here */
    "   jmp *%rax\n"
    "stub_end:\n"
    ".popsection\n");
