/* SPDX-License-Identifier: MIT */
/*
 * Exceptions of 64-bit code (APM2 8.2): vector, error code and saved RIP of those that are simplest to raise at CPL
 * 0, and the double-fault rules (APM2 8.2.9) by one example of each kind.
 *
 * The saved RIP is a fault's own instruction and a trap's next one: a handler that repairs and returns would else
 * repeat or leave out an instruction. QEMU leaves EXT out of error codes; Bochs by its default setting accepts MSRs
 * that do not exist.
 *
 * The program runs in long mode, with an IDT whose every vector leads to one handler, and calls a function with the
 * one instruction in question: exception_try says what ended it. A copy of the GDT has a data segment that is not
 * present.
 *
 * Faults: DIV by zero is #DE, UD2 #UD, WRMSR of an MSR that is not there #GP(0), each with its own RIP; the saved
 * RFLAGS of UD2 have RF set. Traps: INT3 is #BP and INT 80h vector 80h, with the next RIP; RF is clear behind INT3;
 * TF raises #DB behind the next instruction. Segments, each with the load's RIP: a selector beyond the GDT in DS is
 * #GP(selector), an absent segment #NP(selector), in SS #SS(selector), a code segment in SS #GP(selector); a null
 * selector may go into DS, whatever its RPL. An x87 instruction under CR0.TS is #NM.
 *
 * Then gates are marked absent. #NP in the delivery of #UD, which is benign, is delivered as itself, and its error
 * code names the entry of the IDT with IDT and EXT set (6 * 8 + 3); in the delivery of #DE, contributory like #NP,
 * it becomes #DF(0).
 *
 * Other classes are in double-faults, #PF in paging, #DB in debug, the order of several in priorities. On hv
 * workloads/tests/paging-modes runs it under nested and shadow paging.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define SELECTOR_BEYOND 0x7F8    /* outside the GDT's limit */
#define SELECTOR_NOT_PRESENT 0x20
#define SELECTOR_CODE 0x18
#define DESCRIPTOR_DATA_NOT_PRESENT 0x00CF13000000FFFFull
#define MSR_NONE 0x12345678
#define CR0_TS (1u << 3)
#define RFLAGS_TF (1u << 8)
#define RFLAGS_RF (1u << 16)
#define IDT_ERROR(vector) ((vector) * 8 + 3) /* IDT, and EXT: an exception was being delivered */

static uint64_t gdt[5];
extern const uint64_t guest_gdt[4];

/* Labels of the instructions below: where each is, and where it ends. */
extern char at_div[], at_ud2[], at_int3[], after_int3[], after_int80[], at_wrmsr[], at_fnop[],
    after_step[], at_ds[], at_ss[];

static void divide(void *unused)
{
    (void)unused;
    __asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; xorl %%edx, %%edx; .globl at_div; at_div: divl %%ecx"
                     : : : "eax", "ecx", "edx");
}

static void undefined(void *unused)
{
    (void)unused;
    __asm__ volatile(".globl at_ud2; at_ud2: ud2");
}

static void breakpoint(void *unused)
{
    (void)unused;
    __asm__ volatile(".globl at_int3; at_int3: int3; .globl after_int3; after_int3: nop");
}

static void software_interrupt(void *unused)
{
    (void)unused;
    __asm__ volatile("int $0x80; .globl after_int80; after_int80: nop");
}

static void unknown_msr(void *unused)
{
    (void)unused;
    __asm__ volatile("xorl %%eax, %%eax; xorl %%edx, %%edx; .globl at_wrmsr; at_wrmsr: wrmsr"
                     : : "c"(MSR_NONE) : "eax", "edx");
}

static void load_ds(void *selector)
{
    __asm__ volatile(".globl at_ds; at_ds: movl %0, %%ds; movl %1, %%ds"
                     : : "r"((uint32_t)(uintptr_t)selector), "r"(0x10));
}

static void load_ss(void *selector)
{
    __asm__ volatile(".globl at_ss; at_ss: movl %0, %%ss" : : "r"((uint32_t)(uintptr_t)selector));
}

static void use_x87(void *unused)
{
    (void)unused;
    __asm__ volatile(".globl at_fnop; at_fnop: fnop");
}

static void single_step(void *unused)
{
    (void)unused;
    __asm__ volatile("pushfq; orl %0, (%%rsp); popfq; nop; .globl after_step; after_step: nop"
                     : : "i"(RFLAGS_TF) : "cc", "memory");
}

static void load_gdt_copy(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(gdt) - 1, (uintptr_t)gdt };

    memcpy(gdt, guest_gdt, sizeof(guest_gdt));
    gdt[SELECTOR_NOT_PRESENT / 8] = DESCRIPTOR_DATA_NOT_PRESENT;
    gdt_load(&pointer);
}

static void faults(void)
{
    struct exception e = exception_try(divide, NULL);

    check_raised(e, EXC_DE, 0, "a division by zero raises #DE");
    check_equal(e.ip, (uintptr_t)at_div, "and saves the division's own RIP");
    e = exception_try(undefined, NULL);
    check_raised(e, EXC_UD, 0, "UD2 raises #UD");
    check_equal(e.ip, (uintptr_t)at_ud2, "and saves its own RIP");
    check_equal(e.flags & RFLAGS_RF, RFLAGS_RF, "a fault's saved RFLAGS have RF set");
    e = exception_try(unknown_msr, NULL);
    check_raised(e, EXC_GP, 0, "an MSR that is not there raises #GP(0)");
    check_equal(e.ip, (uintptr_t)at_wrmsr, "and saves the WRMSR's RIP");
}

static void traps(void)
{
    struct exception e = exception_try(breakpoint, NULL);

    check_raised(e, EXC_BP, 0, "INT3 raises #BP");
    check_equal(e.ip, (uintptr_t)after_int3, "and saves the next RIP");
    check_equal(e.flags & RFLAGS_RF, 0, "a trap's saved RFLAGS have RF clear");
    e = exception_try(software_interrupt, NULL);
    check_raised(e, 0x80, 0, "INT 80h takes vector 80h");
    check_equal(e.ip, (uintptr_t)after_int80, "and saves the next RIP");
    e = exception_try(single_step, NULL);
    check_raised(e, EXC_DB, 0, "RFLAGS.TF raises #DB");
    check_equal(e.ip, (uintptr_t)after_step, "behind the instruction after the POPF, with the next RIP");
}

static void refused(void (*load)(void *), const char *at, unsigned selector, unsigned vector, const char *what)
{
    struct exception e = exception_try(load, (void *)(uintptr_t)selector);

    check_raised(e, vector, selector, what);
    check_equal(e.ip, (uintptr_t)at, "and saves the load's own RIP");
}

static void segments(void)
{
    refused(load_ds, at_ds, SELECTOR_BEYOND, EXC_GP, "a selector beyond the GDT raises #GP(selector)");
    refused(load_ds, at_ds, SELECTOR_NOT_PRESENT, EXC_NP, "a data segment that is not present raises #NP(selector)");
    refused(load_ss, at_ss, SELECTOR_NOT_PRESENT, EXC_SS, "for SS it is #SS(selector)");
    refused(load_ss, at_ss, SELECTOR_CODE, EXC_GP, "a code segment in SS raises #GP(selector)");
    check_raised(exception_try(load_ds, (void *)3), EXC_NONE, 0, "a null selector may go into DS, whatever its RPL");
}

static void device_not_available(void)
{
    struct exception e;

    cr0_write(cr0_read() | CR0_TS);
    e = exception_try(use_x87, NULL);
    __asm__ volatile("clts");
    check_raised(e, EXC_NM, 0, "an x87 instruction under CR0.TS raises #NM");
    check_equal(e.ip, (uintptr_t)at_fnop, "and saves its own RIP");
}

static void double_faults(void)
{
    exception_gate_present(EXC_UD, false);
    check_raised(exception_try(undefined, NULL), EXC_NP, IDT_ERROR(EXC_UD),
                 "#NP while delivering #UD is delivered, its error code naming the IDT's entry");
    exception_gate_present(EXC_UD, true);
    exception_gate_present(EXC_DE, false);
    check_raised(exception_try(divide, NULL), EXC_DF, 0, "#NP while delivering #DE becomes #DF(0)");
    exception_gate_present(EXC_DE, true);
}

void guest_main(void)
{
    exceptions_init();
    load_gdt_copy();
    faults();
    traps();
    segments();
    device_not_available();
    double_faults();
    check_end();
}
