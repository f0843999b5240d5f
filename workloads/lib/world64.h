/* SPDX-License-Identifier: MIT */
/*
 * The bare machine in long mode as one experiment after another (world32.h is its legacy sister): enter 64-bit or
 * compatibility mode at any CPL through IRETQ, and see the first event that comes: its vector, its frame, and every
 * register.
 *
 * Every vector has an interrupt gate of DPL 3 to a handler at CPL 0 on the stack of IST1, so that the frame tells
 * nothing of RSPn. GDT, LDT, IDT and TSS are arrays that a test changes as it likes; world64_reset makes them new. The
 * 4 GiB that start64.S maps one to one are open to CPL 3.
 */
#ifndef WORKLOADS_LIB_WORLD64_H
#define WORKLOADS_LIB_WORLD64_H

#include <stdbool.h>
#include <stdint.h>

/* Flat segments of each DPL (RPL still to be added); TSS and LDT take two entries each. */
enum world64_selector {
    WORLD64_CODE64 = 0x08, WORLD64_DATA = 0x10, WORLD64_CODE32 = 0x18, /* + 18h for each further DPL */
    WORLD64_TSS = 0x68, WORLD64_LDT = 0x78,
    WORLD64_FREE = 0x88 /* for the test's own, up to the end */
};
#define WORLD64_SELECTOR(first, dpl) (uint16_t)(((first) + 0x18 * (dpl)) | (dpl))
#define WORLD64_GDT_ENTRIES 48
#define WORLD64_LDT_ENTRIES 8
#define WORLD64_IOPB 0x68
#define WORLD64_TSS_BYTES (WORLD64_IOPB + 8192 + 1)
/* Offsets of doublewords in the TSS (APM2 12.2.5). */
#define TSS64_RSP(n) (1 + 2 * (n))
#define TSS64_IST(n) (7 + 2 * (n))

/* What world64_run enters with. Layout known to world64_entry.S. */
struct world64_state {
    uint64_t gs, fs, es, ds;
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* What the handler found. */
struct world64_event {
    uint64_t gs, fs, es, ds;
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t cr2, dr6; /* read in the handler */
};

extern uint64_t world64_gdt[WORLD64_GDT_ENTRIES], world64_ldt[WORLD64_LDT_ENTRIES], world64_idt[512];
extern uint32_t world64_tss[WORLD64_TSS_BYTES / 4 + 1];
/* RSP0 is the end of the first, RSP1 and RSP2 each 1024 below; the program under test runs on the second. */
extern uint8_t world64_stack0[4096], world64_stack[4096];

/* Load the tables, open memory to CPL 3; the first call of all. */
void world64_begin(void);
/* All tables as at first, TR and LDTR loaded, CR0.TS clear. */
void world64_reset(void);
/* At CPL `cpl` in 64-bit or compatibility mode, IF=0, DR6 and everything else 0. */
struct world64_state world64_state_at(const void *code, bool wide, unsigned cpl);
/* Enter; the event that ended it. */
const struct world64_event *world64_run(const struct world64_state *state);
/* The lower half of a descriptor. `access` is the byte with P, DPL, S and type, `flags` the nibble G D L AVL. */
uint64_t world64_segment(uint32_t base, uint32_t limit, unsigned access, unsigned flags);
/* A flat segment as the target of a transfer: code of either width, code with L and D, which is illegal, or data. */
enum world64_kind { WORLD64_IS_CODE64, WORLD64_IS_CODE32, WORLD64_IS_L_AND_D, WORLD64_IS_DATA, WORLD64_KINDS };
uint64_t world64_target(enum world64_kind kind, bool conforming, bool present, unsigned dpl);
/* A 16-byte gate; `low` comes in the byte of IST and parameter count. */
void world64_gate(uint64_t *at, uint16_t selector, uint64_t offset, unsigned access, unsigned low);
/* Where the handler of a vector begins. */
uint64_t world64_handler(unsigned vector);

/* A fragment of code, at_NAME to next_NAME, where INT 71h says that nothing stopped it. */
#define WORLD64_PASSED 0x71u
#define WORLD64_FRAGMENT(bits, name, text)                                                                  \
    __asm__(".text\n.code" #bits "\n.globl at_" #name ", next_" #name "\nat_" #name ":\n" text "\nnext_" #name \
            ":\nint $0x71\n.code64\n");                                                                     \
    extern const char at_##name[], next_##name[];

#endif
