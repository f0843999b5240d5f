/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor of one guest for the tests of SVM: one VMCB, the guest's general registers, its GDT, TSS and
 * IDTs. Host and guest share the 4 GiB that start64.S maps one to one.
 *
 * Every vector of the guest's IDTs leads to a VMMCALL of its own, svm_vector(n), and VMMCALL always exits: so
 * "the guest took vector n" is seen as an exit there, with the frame at the guest's RSP.
 */
#ifndef WORKLOADS_LIB_SVM64_H
#define WORKLOADS_LIB_SVM64_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/svm/vmcb.h"

/* Selectors of the guest's GDT. */
enum svm_selector {
    SVM_CODE32 = 0x08, SVM_DATA = 0x10, SVM_CODE64 = 0x18, SVM_CODE16 = 0x20, SVM_DATA16 = 0x28,
    SVM_USER_DATA = 0x33, SVM_USER_CODE64 = 0x3B, SVM_TSS = 0x40, SVM_ABSENT = 0x50, SVM_LDT = 0x58,
    SVM_FREE = 0x68 /* for the test's own, up to the end */
};
#define SVM_GDT_ENTRIES 32

/* RAX, RSP, RIP and RFLAGS are in the VMCB. */
struct svm_registers {
    uint64_t rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};

extern struct vmcb svm_vmcb, svm_host_vmcb;
extern struct svm_registers svm_registers;
extern uint8_t svm_iopm[0x3000], svm_msrpm[0x2000];
extern uint64_t svm_gdt[SVM_GDT_ENTRIES];
extern uint64_t svm_idt32[256];   /* of svm_prepare32 */
extern uint8_t svm_stack[4096];   /* the guest's; RSP starts SVM_STACK_ROOM below its end */
#define SVM_STACK_ROOM 256
#define SVM_STACK_TOP ((uintptr_t)svm_stack + sizeof(svm_stack) - SVM_STACK_ROOM)

/* Exceptions, EFER.SVME and VM_HSAVE_PA; ends the program with a skipped check where there is no SVM. */
void svm_begin(void);
/* A guest in 64-bit mode at CPL 0, IF=0, that starts at `code`; only VMRUN, VMMCALL and shutdown are intercepted. */
void svm_prepare(const void *code);
/* The same in 32-bit protected mode without paging, and in 16-bit protected mode. */
void svm_prepare32(const void *code);
void svm_prepare16(const void *code);
/* In real mode: the code is copied to SVM_REAL_CODE, where CS:RIP = SVM_REAL_CODE/16:0. */
void svm_prepare_real(const void *code, unsigned bytes);
#define SVM_REAL_CODE 0x70000
#define SVM_REAL_IVT 0x71000   /* vectors lead to SVM_REAL_CODE/16:SVM_REAL_STUBS + 16 * vector */
#define SVM_REAL_STUBS 0x2000
#define SVM_REAL_STACK 0xF000  /* SP, in the segment of SVM_REAL_CODE */

/* The intercept whose exit code is `code` (below 0A0h: the code is the number of its bit). */
void svm_intercept(unsigned code, bool on);
void svm_intercept_all(void);
void svm_intercept_exceptions(uint32_t vectors);
/* VMRUN with GIF=0 around it; the exit code. GIF=1 on return, RFLAGS.IF as it was. */
uint64_t svm_run(void);
/* The same, but GIF stays 0 after the exit, so that what is pending stays so. */
uint64_t svm_run_gif0(void);
/* Where the guest's handler of a vector stands. */
uintptr_t svm_vector(unsigned vector);
/* Of the frame that the guest's handler found: n-th 64-bit word from its RSP. */
uint64_t svm_frame(unsigned n);

/* One instruction of the guest, with a VMMCALL after it: at_NAME, next_NAME. */
#define SVM_CODE(bits, name, text)                                       \
    __asm__(".text\n.code" #bits "\n.globl at_" #name ", next_" #name    \
            "\nat_" #name ":\n" text "\nnext_" #name ":\nvmmcall\n.code64\n"); \
    extern const char at_##name[], next_##name[];
#define SVM_CODE64(name, text) SVM_CODE(64, name, text)

#endif
