/* SPDX-License-Identifier: MIT */
/*
 * The 32-bit bare machine as one experiment after another: enter any state of protected or virtual-8086 mode
 * through IRET, and see the first event that comes: its vector, its whole frame, and every register.
 *
 * Every vector has an interrupt gate of DPL 3 to a handler at CPL 0. World, GDT, IDT and TSS are arrays that a test
 * changes as it likes; world_reset makes them new.
 */
#ifndef WORKLOADS_LIB_WORLD32_H
#define WORKLOADS_LIB_WORLD32_H

#include <stdbool.h>
#include <stdint.h>

/* Flat segments, each DPL's own (RPL still to be added), and the TSS of TR. */
enum world_selector {
    WORLD_CODE0 = 0x08, WORLD_DATA0 = 0x10, WORLD_CODE1 = 0x18, WORLD_DATA1 = 0x20, WORLD_CODE2 = 0x28,
    WORLD_DATA2 = 0x30, WORLD_CODE3 = 0x38, WORLD_DATA3 = 0x40, WORLD_TSS = 0x48, WORLD_LDT = 0x50,
    WORLD_FREE = 0x58 /* for the test's own, up to the end */
};
#define WORLD_CODE(dpl) (uint16_t)((WORLD_CODE0 + 0x10 * (dpl)) | (dpl))
#define WORLD_DATA(dpl) (uint16_t)((WORLD_DATA0 + 0x10 * (dpl)) | (dpl))
#define WORLD_GDT_ENTRIES 64
#define WORLD_TSS_BYTES (0x68 + 32 + 8192 + 1) /* with redirection and I/O permission bitmaps */
#define WORLD_IOPB 0x88 /* the redirection bitmap lies in the 32 bytes before */

#define RFLAGS_CF 0x1u
#define RFLAGS_TF 0x100u
#define RFLAGS_IF 0x200u
#define RFLAGS_IOPL(n) ((uint32_t)(n) << 12)
#define RFLAGS_NT 0x4000u
#define RFLAGS_RF 0x10000u
#define RFLAGS_VM 0x20000u
#define RFLAGS_AC 0x40000u
#define RFLAGS_VIF 0x80000u
#define RFLAGS_VIP 0x100000u
#define RFLAGS_ID 0x200000u

/* Offsets of doublewords in a 32-bit TSS, of words in a 16-bit one (APM2 12.2.4). */
enum { TSS_LINK = 0, TSS_ESP0 = 1, TSS_SS0 = 2, TSS_CR3 = 7, TSS_EIP = 8, TSS_EFLAGS = 9, TSS_EAX = 10, TSS_ES = 18,
       TSS_CS = 19, TSS_SS = 20, TSS_DS = 21, TSS_FS = 22, TSS_GS = 23, TSS_LDT = 24, TSS_TRAP = 25 };
enum { TSS16_LINK = 0, TSS16_IP = 7, TSS16_FLAGS = 8, TSS16_AX = 9, TSS16_ES = 17, TSS16_CS = 18, TSS16_SS = 19,
       TSS16_DS = 20, TSS16_LDT = 21 };

/* What world_run enters with; the last four only with RFLAGS.VM, ss:esp always. Layout known to world32_entry.S. */
struct world_state {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, ebx, edx, ecx, eax;
    uint32_t scratch;
    uint32_t eip, cs, eflags, esp, ss;
    uint32_t v_es, v_ds, v_fs, v_gs;
};

/* What the handler found. esp, ss are of the frame if the privilege level changed; v_* if it left virtual-8086 mode. */
struct world_event {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp_handler, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
    uint32_t esp, ss, v_es, v_ds, v_fs, v_gs;
    uint32_t ss_handler;
};

extern uint64_t world_gdt[WORLD_GDT_ENTRIES], world_ldt[16], world_idt[256];
extern uint32_t world_tss[WORLD_TSS_BYTES / 4 + 1];
extern struct world_event world_event;
/* The stack of CPL 0 that TSS.ESP0 names, and one for the program under test. */
extern uint8_t world_stack0[4096], world_stack[4096];

/* Load the tables; the first call of all. */
void world_begin(void);
/* All tables as at first, TR and LDTR loaded, no NT, no TS. */
void world_reset(void);
/* At CPL `cpl` in flat segments, IF=0, everything else 0. */
struct world_state world_state_at(const void *code, unsigned cpl);
/* In virtual-8086 mode at WORLD_V86_CODE >> 4:0 with this IOPL; the stack is WORLD_V86_STACK >> 4:800h. */
struct world_state world_state_v86(unsigned iopl);
#define WORLD_V86_CODE 0x70000u
#define WORLD_V86_STACK 0x71000u
/* Enter; the event that ended it. */
const struct world_event *world_run(const struct world_state *state);

/* SS:ESP where an event came (not in virtual-8086 mode): at CPL 0 the handler is on that stack. */
static inline uint32_t world_event_esp(const struct world_event *event)
{
    return event->cs & 3 ? event->esp : event->esp_handler + 20;
}

static inline uint16_t world_event_ss(const struct world_event *event)
{
    return (uint16_t)(event->cs & 3 ? event->ss : event->ss_handler);
}

/* It came at the instruction that was entered, which has changed neither CS:EIP nor SS:ESP. */
static inline bool world_event_stayed(const struct world_event *event, const struct world_state *state)
{
    return event->eip == state->eip && (uint16_t)event->cs == state->cs && world_event_esp(event) == state->esp &&
           world_event_ss(event) == state->ss;
}

/* Descriptors. `access` is the byte with P, DPL, S and type, `flags` the nibble G D L AVL. */
uint64_t world_segment(uint32_t base, uint32_t limit, unsigned access, unsigned flags);
uint64_t world_gate(uint16_t selector, uint32_t offset, unsigned access, unsigned count);
/* Where the handler of a vector begins. */
uintptr_t world_handler(unsigned vector);

/*
 * Let a vector lead to a task of its own (of WORLD_HANDLERS): nothing of the interrupted task is needed to see the
 * event, of which only vector, error and TR's back link mean anything then. Gives that task's TSS.
 */
#define WORLD_HANDLERS 6
const uint32_t *world_handler_task(unsigned handler, unsigned vector, uint16_t selector);

/*
 * 32-bit paging with WP: all memory one to one, for CPL 3 too, but WORLD_PAGED, where page n shows a page of the
 * test's with these bits of its entry, or nothing. Gives the linear address.
 */
#define WORLD_PAGED 0x40000000u
void world_paging(bool on);
uint32_t world_page(unsigned n, const void *page, uint32_t bits);

/* A fragment of 32-bit code, at_NAME to next_NAME, where INT 71h says that nothing stopped it. */
#define WORLD_PASSED 0x71u
#define WORLD_FRAGMENT(name, text)                                                                      \
    __asm__(".text\n.globl at_" #name ", next_" #name "\nat_" #name ":\n" text "\nnext_" #name ":\n"    \
            "int $0x71\n");                                                                             \
    extern const char at_##name[], next_##name[];

#endif
