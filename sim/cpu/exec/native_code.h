/* SPDX-License-Identifier: MIT */
/*
 * For native_test.c: runs one instruction on the native processor with given registers, in 64-bit mode or,
 * through the kernel's 32-bit code segment, in compatibility mode. rSP stays the native one.
 */
#ifndef FAM10H_CPU_EXEC_NATIVE_CODE_H
#define FAM10H_CPU_EXEC_NATIVE_CODE_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/cpu/core.h"

/* Memory that 32-bit code reaches: where there is no flag for it, a hint. */
#ifdef MAP_32BIT
#define NATIVE_LOW MAP_32BIT
#define NATIVE_LOW_HINT NULL
#else
#define NATIVE_LOW 0
#define NATIVE_LOW_HINT ((void *)0x20000000)
#endif

/* Lies behind the code, so that the code reaches it relative to rip, or by its 32-bit address. */
struct native_state {
    uint64_t gpr[GPR_COUNT];
    uint64_t rflags;
    uint64_t rsp;
    uint8_t fx[512] __attribute__((aligned(16))); /* FXSAVE image */
};

struct native_code {
    uint8_t *code; /* one page below 4 GiB */
    struct native_state *in, *out, *own;
    unsigned at;
    bool media;    /* load and save x87 and SSE state too */
};

#define NATIVE_CODE_BYTES 4096
#define NATIVE_CS64 0x33 /* Linux's selectors for user code */
#define NATIVE_CS32 0x23
#define NATIVE_DS 0x2B
#define NATIVE_SIGNAL_STACK 65536

static sigjmp_buf native_return;

static void native_signal(int signal)
{
    siglongjmp(native_return, signal);
}

/* false: the native machine does not allow it, the test cannot run. */
static inline bool native_open(struct native_code *n)
{
    static const int signals[] = { SIGFPE, SIGSEGV, SIGILL, SIGBUS, SIGTRAP };
    struct sigaction action = { .sa_handler = native_signal, .sa_flags = SA_NODEFER | SA_ONSTACK };
    void *stack_memory = mmap(NULL, NATIVE_SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = { .ss_size = NATIVE_SIGNAL_STACK, .ss_sp = stack_memory };

    /* 32-bit code has null data segments and loses the upper half of rSP. */
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(NATIVE_DS));
    if (stack_memory == MAP_FAILED || sigaltstack(&stack, NULL) != 0)
        return false;
    n->code = mmap(NATIVE_LOW_HINT, 2 * NATIVE_CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | NATIVE_LOW, -1, 0);
    if (n->code == MAP_FAILED || (uintptr_t)n->code > UINT32_MAX)
        return false;
    n->in = (struct native_state *)(n->code + NATIVE_CODE_BYTES);
    n->out = n->in + 1;
    n->own = n->in + 2;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    return true;
}

static inline void emit(struct native_code *n, const void *bytes, unsigned size)
{
    memcpy(n->code + n->at, bytes, size);
    n->at += size;
}

#define EMIT(n, literal) emit((n), (literal), sizeof(literal) - 1)

/* ModRM operand [rip + disp32] that reaches `target`, behind an opcode. */
static inline void emit_rip(struct native_code *n, unsigned reg, const void *target)
{
    uint8_t modrm = (uint8_t)((reg & 7) << 3 | 5);
    int32_t displacement;

    emit(n, &modrm, 1);
    displacement = (int32_t)((const uint8_t *)target - (n->code + n->at + 4));
    emit(n, &displacement, 4);
}

static inline void emit_move(struct native_code *n, unsigned reg, const void *target, bool load)
{
    uint8_t bytes[2] = { (uint8_t)(0x48 | (reg >> 3) << 2), load ? 0x8B : 0x89 };

    emit(n, bytes, 2);
    emit_rip(n, reg, target);
}

/* FXSAVE64 or FXRSTOR64 of an image. */
static inline void emit_fx(struct native_code *n, const void *image, bool restore)
{
    EMIT(n, "\x48\x0F\xAE");
    emit_rip(n, restore, image);
}

/* Into 32-bit code, the instruction, and back. SS stays: its base and limit do not matter to Linux code. */
static inline void emit_compatibility(struct native_code *n, const uint8_t *insn, unsigned length)
{
    uint32_t here;
    uint16_t selector = NATIVE_CS64;

    EMIT(n, "\x6A\x23");  /* push NATIVE_CS32 */
    EMIT(n, "\x68");      /* push the address of the instruction */
    here = (uint32_t)(uintptr_t)(n->code + n->at) + 4 + 2;
    emit(n, &here, 4);
    EMIT(n, "\x48\xCB");  /* retfq */
    emit(n, insn, length);
    EMIT(n, "\xEA");      /* jmp far NATIVE_CS64:next */
    here = (uint32_t)(uintptr_t)(n->code + n->at) + 6;
    emit(n, &here, 4);
    emit(n, &selector, 2);
}

static inline void native_assemble(struct native_code *n, const uint8_t *insn, unsigned length, bool compatibility)
{
    n->at = 0;
    EMIT(n, "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57"); /* push rbx, rbp, r12-r15 */
    emit_move(n, RSP, &n->out->rsp, false);
    if (n->media) {
        emit_fx(n, n->own->fx, false);
        emit_fx(n, n->in->fx, true);
    }
    EMIT(n, "\xFF");
    emit_rip(n, 6, &n->in->rflags); /* push qword [rflags] */
    EMIT(n, "\x9D");                /* popfq */
    for (unsigned reg = 0; reg < GPR_COUNT; reg++)
        if (reg != RSP)
            emit_move(n, reg, &n->in->gpr[reg], true);
    if (compatibility)
        emit_compatibility(n, insn, length);
    else
        emit(n, insn, length);
    for (unsigned reg = 0; reg < GPR_COUNT; reg++)
        if (reg != RSP)
            emit_move(n, reg, &n->out->gpr[reg], false);
    emit_move(n, RSP, &n->out->rsp, true);
    if (n->media) {
        emit_fx(n, n->out->fx, false);
        emit_fx(n, n->own->fx, true);
    }
    EMIT(n, "\x9C\x8F");
    emit_rip(n, 0, &n->out->rflags); /* pushfq; pop qword [rflags] */
    EMIT(n, "\xFC\x41\x5F\x41\x5E\x41\x5D\x41\x5C\x5D\x5B\xC3"); /* cld, restore, ret */
}

/* 0, or the signal that the instruction raised. */
static inline int native_run(struct native_code *n)
{
    void (*function)(void);
    int signal = sigsetjmp(native_return, 1);

    if (signal != 0)
        return signal;
    memcpy(&function, &n->code, sizeof(function));
    function();
    return 0;
}

#endif
