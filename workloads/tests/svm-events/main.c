/* SPDX-License-Identifier: MIT */
/*
 * Intercepts of events (APM2 15.12 to 15.14; exit codes 040h-063h, 07Eh, 07Fh): exceptions, INTR, NMI, INIT, shutdown,
 * the x87 freeze. What does the VMCB hold when one is taken, and what does the guest get if not?
 *
 * A hypervisor that shadows page tables lives by the #PF exit, and must find the guest as before it. Peers take INT3
 * for INT n, deliver an intercepted #DF, or raise no #XF.
 *
 * A row is one instruction of a 64-bit guest or a 32-bit one without paging. It runs with the intercept of its
 * exception, then with all others but SMI's (and, for #DF, #GP's). Each vector of the guest leads to a VMMCALL:
 * delivery is an exit, too.
 *
 * Intercepted, an exception exits before its delivery: EXITINFO1 is its error code, EXITINFO2 of #PF the address,
 * EXITINTINFO 0, CR2 and the stack as they were. Saved rIP is the faulting instruction, of a single-step #DB the next
 * one, of INT3, INTO and BOUND the instruction itself, of #DF undefined. Otherwise the guest's handler gets it, with
 * error code and rIP. #MF and #XF leave their cause where that looks: FSW and the x87 pointers, MXCSR and the
 * operands; masked, neither exits. INT n and ICEBP never match. An intercepted INTR or NMI stays pending; others go to
 * the guest. A triple fault is shutdown, a double fault is not. With CR0.NE=0 a pending x87 exception is no #MF: the
 * next waiting x87 instruction would freeze the processor, and FERR_FREEZE exits there (APM2 15.14.2). INIT is as NMI,
 * but by VM_CR.R_INIT it becomes #SX (vector 30, error code 1).
 *
 * IGNNE and INIT are skipped without their MSR bits. Not here: #MC (svm-mc), the freeze itself (an interrupt ends it),
 * and a shutdown that is not intercepted: it stops the machine.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/paging64.h"
#include "workloads/lib/svm64.h"

#define MSR_VM_CR 0xC0010114
#define MSR_IGNNE 0xC0010115
#define VM_CR_R_INIT 2
#define EXC_MF 16
#define EXC_AC 17
#define EXC_XF 19
#define EXC_SX 30
#define VMEXIT_FERR_FREEZE 0x07E
#define CR0_TS_MP 0xAu
#define CR0_NE 0x20u
#define CR0_AM 0x40000u
#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u
#define RFLAGS_TF 0x100u
#define RFLAGS_IF 0x200u
#define RFLAGS_RF 0x10000u
#define RFLAGS_AC 0x40000u
#define NOT_CANONICAL 0x800000000000ull
#define HOLE 0x20000000000ull       /* not mapped */
#define USER_PAGE 0x30000000000ull  /* mapped for CPL 3 */
#define BAD_SELECTOR 0x1238
#define VECTOR 0x41

SVM_CODE64(divide, "divl %ecx") SVM_CODE64(step, "nop") SVM_CODE64(int3, "int3") SVM_CODE64(ud2, "ud2")
SVM_CODE64(wait, "fwait") SVM_CODE64(absent, "movl %edx, %ds") SVM_CODE64(stack, "movq (%rbp), %rdx")
SVM_CODE64(gp, "movq (%rdx), %rcx") SVM_CODE64(gp_selector, "movl %edx, %es")
SVM_CODE64(read, "movl (%rdx), %ecx") SVM_CODE64(write, "movl %ecx, (%rdx)") SVM_CODE64(call, "jmp *%rdx")
SVM_CODE64(int6, "int $6") SVM_CODE64(icebp, ".byte 0xF1") SVM_CODE64(nops, "nop\nnop")
SVM_CODE(32, into, "into") SVM_CODE(32, bound, "bound %ecx, (%edx)") SVM_CODE(32, jump, "ljmp $0x68, $0")
SVM_CODE(32, bad_stack, "movl %edx, %ss")
/* RDX: the control word; RCX: the divisor, 0. */
SVM_CODE64(x87, "fninit\nfldcw (%rdx)\nfld1\nat_fdiv: fdivs (%rcx)\nat_fnstsw: fnstsw %ax\nat_fwait: fwait")
SVM_CODE64(sse, "ldmxcsr (%rdx)\nmovups 16(%rcx), %xmm0\nmovups (%rcx), %xmm1\nat_divps: divps %xmm1, %xmm0")
extern const char at_fdiv[], at_fwait[], at_divps[];

struct row {
    const char *what;
    unsigned vector;
    const char *at;
    uint64_t rip;               /* saved, and pushed as a fault */
    uint64_t pushed;            /* if another one is pushed */
    bool has_error;
    uint64_t error, address;
    uint64_t rcx, rdx, rbp;
    void (*setup)(void);
    bool in32;
    bool (*kept)(void);         /* what the guest's handler would look at, after either */
};

static const int32_t bounds[2] = { 1, 2 };
static const uint8_t misaligned[] = { 0x8B, 0x4C, 0x24, 0x01 }; /* mov 1(%rsp), %ecx */

static void set_tf(void) { svm_vmcb.rflags |= RFLAGS_TF; }
static void set_of(void) { svm_vmcb.rflags |= 0x800; }
static void set_ts_mp(void) { svm_vmcb.cr0 |= CR0_TS_MP; }
/* #GP finds no gate within the limit: the second #GP makes it #DF, whose gate is the last one. */
static void short_idt(void) { svm_vmcb.idtr.limit = 9 * 16 - 1; }
static void short_tss(void)
{
    svm_gdt[SVM_FREE / 8] = 0x0000890000000010;
    svm_gdt[SVM_FREE / 8 + 1] = 0;
}

/* ---- x87 and SSE, whose state host and guest share --------------------------------------------------------------- */

#define FCW_ZM_CLEAR 0x37B      /* only #Z is unmasked */
#define FCW_ALL_MASKED 0x37F
#define FSW_TOP_7 0x3800        /* one register is full */
#define FSW_ZE 4
#define FSW_ES_B 0x8080
#define MXCSR_ZM_CLEAR 0x1D80
#define MXCSR_ALL_MASKED 0x1F80
#define MXCSR_ZE 4
#define ONE 0x3F800000u
#define INFINITY_SINGLE 0x7F800000u

static uint32_t control;                /* FCW or MXCSR */
static const uint32_t operands[8] = { 0, 0, 0, 0, ONE, ONE, ONE, ONE };

/* APM2 11.4.4.2: the 64-bit format. */
static struct {
    uint16_t fcw, fsw;
    uint32_t opcode_and_tags;
    uint64_t rip, rdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[128];
    uint32_t xmm0[4];
    uint8_t rest[336];
} media __attribute__((aligned(16)));

static void read_media(void)
{
    __asm__ volatile("fxsaveq %0" : "=m"(media));
}

static void set_x87(void)
{
    control = FCW_ZM_CLEAR;
    svm_vmcb.cr0 |= CR0_NE;
}

static void set_sse(void)
{
    control = MXCSR_ZM_CLEAR;
    svm_vmcb.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
}

static void set_sse_ud(void)
{
    set_sse();
    svm_vmcb.cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
}

static bool x87_is_kept(void)
{
    read_media();
    return media.fsw == (FSW_TOP_7 | FSW_ES_B | FSW_ZE) && media.fcw == FCW_ZM_CLEAR &&
           media.rip == (uintptr_t)at_fdiv && media.rdp == (uintptr_t)operands;
}

static bool sse_is_kept(void)
{
    read_media();
    return media.mxcsr == (MXCSR_ZM_CLEAR | MXCSR_ZE) && media.xmm0[0] == ONE && media.xmm0[3] == ONE;
}

static void user(void)
{
    memcpy((void *)USER_PAGE, misaligned, sizeof(misaligned));
    svm_vmcb.cpl = 3;
    svm_vmcb.cs = (struct vmcb_segment){ SVM_USER_CODE64, 0xAFB, 0xFFFFFFFF, 0 };
    svm_vmcb.ss = (struct vmcb_segment){ SVM_USER_DATA, 0xCF3, 0xFFFFFFFF, 0 };
    svm_vmcb.rip = USER_PAGE;
    svm_vmcb.rsp = USER_PAGE + 0x800;
    svm_vmcb.cr0 |= CR0_AM;
    svm_vmcb.rflags |= RFLAGS_AC;
}

#define AT(name) .at = at_##name, .rip = (uintptr_t)at_##name
#define ERROR(code) .has_error = true, .error = (code)
static const struct row rows[] = {
    { "#DE of DIV", EXC_DE, AT(divide) },
    { "#DB of single step", EXC_DB, .at = at_step, .rip = (uintptr_t)next_step, .setup = set_tf },
    { "#BP of INT3", EXC_BP, AT(int3), .pushed = (uintptr_t)next_int3 },
    { "#OF of INTO", EXC_OF, AT(into), .pushed = (uintptr_t)next_into, .setup = set_of, .in32 = true },
    { "#BR of BOUND", EXC_BR, AT(bound), .rcx = 3, .rdx = (uintptr_t)bounds, .in32 = true },
    { "#UD", EXC_UD, AT(ud2) },
    { "#NM of WAIT", EXC_NM, AT(wait), .setup = set_ts_mp },
    { "#DF of #GP in #GP", EXC_DF, AT(gp), .rdx = NOT_CANONICAL, .setup = short_idt, ERROR(0) },
    { "#TS of a short TSS", EXC_TS, AT(jump), .setup = short_tss, ERROR(SVM_FREE), .in32 = true },
    { "#NP of a segment", EXC_NP, AT(absent), .rdx = SVM_ABSENT, ERROR(SVM_ABSENT) },
    { "#SS of a non-canonical stack address", EXC_SS, AT(stack), .rbp = NOT_CANONICAL, ERROR(0) },
    { "#SS of an absent stack segment", EXC_SS, AT(bad_stack), .rdx = SVM_ABSENT, ERROR(SVM_ABSENT), .in32 = true },
    { "#GP of a non-canonical address", EXC_GP, AT(gp), .rdx = NOT_CANONICAL, ERROR(0) },
    { "#GP of a selector", EXC_GP, AT(gp_selector), .rdx = BAD_SELECTOR, ERROR(BAD_SELECTOR) },
    { "#PF of a read", EXC_PF, AT(read), .rdx = HOLE + 8, .address = HOLE + 8, ERROR(0) },
    { "#PF of a write", EXC_PF, AT(write), .rdx = HOLE, .address = HOLE, ERROR(PF_W) },
    { "#PF of a fetch", EXC_PF, .at = at_call, .rip = HOLE, .rdx = HOLE, .address = HOLE, ERROR(PF_ID) },
    { "#AC at CPL 3", EXC_AC, .at = at_read, .rip = USER_PAGE, .setup = user, ERROR(0) },
    { "#MF of WAIT", EXC_MF, .at = at_x87, .rip = (uintptr_t)at_fwait, .rcx = (uintptr_t)operands,
      .rdx = (uintptr_t)&control, .setup = set_x87, .kept = x87_is_kept },
    { "#XF of DIVPS", EXC_XF, .at = at_sse, .rip = (uintptr_t)at_divps, .rcx = (uintptr_t)operands,
      .rdx = (uintptr_t)&control, .setup = set_sse, .kept = sse_is_kept },
    { "#UD of DIVPS with OSXMMEXCPT=0", EXC_UD, .at = at_sse, .rip = (uintptr_t)at_divps,
      .rcx = (uintptr_t)operands, .rdx = (uintptr_t)&control, .setup = set_sse_ud, .kept = sse_is_kept },
};

static void prepare(const struct row *row)
{
    if (row->in32)
        svm_prepare32(row->at);
    else
        svm_prepare(row->at);
    svm_vmcb.cr2 = 0x5A5A;
    svm_registers.rcx = row->rcx;
    svm_registers.rdx = row->rdx;
    svm_registers.rbp = row->rbp;
    if (row->setup)
        row->setup();
}

/* Undefined: rIP and RSP of #DF (APM2 15.12.9), EXITINFO1 of #TS (15.12.11) and of vectors without error code. */
static void exits(const struct row *row)
{
    uint64_t rsp, code;

    prepare(row);
    rsp = svm_vmcb.rsp;
    svm_intercept_exceptions(1u << row->vector);
    code = svm_run();
    check_format(code == VMEXIT_EXCEPTION + row->vector, "%s exits with code %03x", row->what,
                 VMEXIT_EXCEPTION + row->vector);
    if (code != VMEXIT_EXCEPTION + row->vector)
        guest_print("# got %llx at %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.rip);
    if (row->vector == EXC_DF)
        return;
    check_format(svm_vmcb.rip == row->rip && svm_vmcb.rsp == rsp && svm_vmcb.cr2 == 0x5A5A,
                 "%s: saved rIP, RSP and CR2 are those from before it", row->what);
    if (row->has_error && row->vector != EXC_TS)
        check_format(svm_vmcb.exitinfo1 == row->error, "%s: EXITINFO1 is the error code", row->what);
    if (row->vector == EXC_PF)
        check_format(svm_vmcb.exitinfo2 == row->address, "%s: EXITINFO2 is the address", row->what);
    check_format(svm_vmcb.exitintinfo == 0, "%s: EXITINTINFO is 0", row->what);
    if (row->kept)
        check_format(row->kept(), "%s: its cause is recorded, the operands are kept", row->what);
    if (row->vector == EXC_DB)
        check_equal(svm_vmcb.dr6, 0xFFFF4FF0, "DR6.BS is set when the intercept is taken");
}

static uint64_t frame(const struct row *row, unsigned n)
{
    return row->in32 ? ((const uint32_t *)svm_vmcb.rsp)[n] : svm_frame(n);
}

static void delivered(const struct row *row)
{
    uint64_t code, pushed = row->pushed ? row->pushed : row->rip;

    prepare(row);
    svm_intercept_all();
    svm_intercept_exceptions(~(1u << row->vector | (row->vector == EXC_DF ? 1u << EXC_GP : 0)));
    code = svm_run();
    check_format(code == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(row->vector),
                 "%s without its intercept goes to the guest's handler", row->what);
    if (code != VMEXIT_VMMCALL || svm_vmcb.rip != svm_vector(row->vector)) {
        guest_print("# got %llx at %llx", (unsigned long long)code, (unsigned long long)svm_vmcb.rip);
        return;
    }
    if (row->has_error)
        check_format(frame(row, 0) == row->error, "%s: the error code is on its stack", row->what);
    if (row->vector != EXC_DF) /* undefined (APM2 8.2.9) */
        check_format(frame(row, row->has_error) == pushed, "%s: rIP is on its stack", row->what);
    check_format(svm_vmcb.cr2 == (row->vector == EXC_PF ? row->address : 0x5A5A), "%s: CR2 is written by #PF only",
                 row->what);
    if (row->kept)
        check_format(row->kept(), "%s: the handler finds its cause", row->what);
}

static void never_match(void)
{
    svm_prepare(at_int6);
    svm_intercept_exceptions(~0u);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_UD), "INT 6 is no #UD to the intercept");
    check_equal(svm_frame(0), (uintptr_t)next_int6, "and pushes the next rIP");
    svm_prepare(at_icebp);
    svm_intercept_exceptions(~0u);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_DB), "nor is ICEBP a #DB");
}

/* ---- Masked exceptions, CR0.NE=0 ------------------------------------------------------------------------------- */

static uint64_t run_media(const char *code, uint32_t control_word, bool ne)
{
    svm_prepare(code);
    svm_registers.rcx = (uintptr_t)operands;
    svm_registers.rdx = (uintptr_t)&control;
    control = control_word;
    svm_vmcb.cr0 = ne ? svm_vmcb.cr0 | CR0_NE : svm_vmcb.cr0 & ~(uint64_t)CR0_NE;
    svm_vmcb.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    svm_intercept_all();
    svm_intercept_exceptions(~0u);
    return svm_run();
}

static void masked(void)
{
    check(run_media(at_x87, FCW_ALL_MASKED, true) == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)next_x87,
          "a masked x87 exception does not exit");
    read_media();
    check_equal(media.fsw, FSW_TOP_7 | FSW_ZE, "its flag is set");
    check(run_media(at_sse, MXCSR_ALL_MASKED, true) == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)next_sse,
          "nor does a masked SSE exception");
    read_media();
    check(media.mxcsr == (MXCSR_ALL_MASKED | MXCSR_ZE) && media.xmm0[0] == INFINITY_SINGLE,
          "its flag is set, the result is infinity");
}

static void set_ignne(void *unused)
{
    (void)unused;
    msr_write(MSR_IGNNE, 1);
}

static void ferr_freeze(void)
{
    uint64_t code = run_media(at_x87, FCW_ZM_CLEAR, false);

    check_equal(code, VMEXIT_FERR_FREEZE, "CR0.NE=0: FERR_FREEZE exits with code 07e, not #MF with 050");
    check(svm_vmcb.rip == (uintptr_t)at_fwait && svm_vmcb.rsp == SVM_STACK_TOP,
          "at the waiting instruction, before it");
    check((uint16_t)svm_vmcb.rax == (FSW_TOP_7 | FSW_ES_B | FSW_ZE), "FNSTSW before it does not wait");
    check(x87_is_kept(), "the exception stays pending");
    check_equal(svm_vmcb.exitintinfo, 0, "EXITINTINFO is 0");
    check(run_media(at_x87, FCW_ZM_CLEAR, true) == VMEXIT_EXCEPTION + EXC_MF &&
          svm_vmcb.rip == (uintptr_t)at_fwait, "CR0.NE=1: #MF exits, FERR_FREEZE does not");
    check(run_media(at_x87, FCW_ALL_MASKED, false) == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)next_x87,
          "CR0.NE=0 with nothing pending does not exit");
    if (exception_try(set_ignne, NULL).vector != EXC_NONE) {
        check_skip("IGNNE", "no such MSR here");
        return;
    }
    check(run_media(at_x87, FCW_ZM_CLEAR, false) == VMEXIT_VMMCALL && svm_vmcb.rip == (uintptr_t)next_x87,
          "CR0.NE=0 with IGNNE asserted does not exit");
    check(x87_is_kept(), "and WAIT ignores the exception, which stays pending");
    msr_write(MSR_IGNNE, 0);
}

/* The host's own, as the tests found it: no exception pending. */
static void media_reset(void)
{
    control = MXCSR_ALL_MASKED;
    __asm__ volatile("fninit\nldmxcsr %0" : : "m"(control));
}

/* ---- INTR, NMI, INIT -------------------------------------------------------------------------------------------- */

static void open_gif(void *unused)
{
    (void)unused;
    __asm__ volatile("stgi\nnop" : : : "memory");
}

static void open_interrupts(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nnop\nnop\ncli" : : : "memory");
}

static void close_gif(void)
{
    __asm__ volatile("clgi" : : : "memory");
}

/* exception_try does not return by IRET, which alone lets NMIs in again. */
static void unmask_nmi(void)
{
    __asm__ volatile("movq %%rsp, %%rax\npushq $0x10\npushq %%rax\npushfq\npushq $0x18\npushq $1f\niretq\n1:"
                     : : : "rax", "memory");
}

static void intr(void)
{
    apic_write(APIC_ICR, APIC_ICR_SELF | VECTOR);
    svm_prepare(at_nops);
    svm_vmcb.rflags |= RFLAGS_IF;
    svm_intercept(VMEXIT_INTR, true);
    check(svm_run() == VMEXIT_INTR && svm_vmcb.rip == (uintptr_t)at_nops, "a pending INTR exits with code 060");
    check(apic_bit(APIC_IRR, VECTOR) && !apic_bit(APIC_ISR, VECTOR), "it stays pending: no acknowledge");
    svm_prepare(at_nops);
    svm_intercept(VMEXIT_INTR, true);
    check_equal(svm_run(), VMEXIT_VMMCALL, "with the guest's IF=0 it does not exit");
    svm_prepare(at_nops);
    svm_intercept_all();
    svm_intercept(VMEXIT_INTR, false);
    svm_vmcb.rflags |= RFLAGS_IF;
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(VECTOR),
          "without the intercept the guest takes it");
    check(svm_frame(0) == (uintptr_t)at_nops && apic_bit(APIC_ISR, VECTOR),
          "before its first instruction, acknowledged");
    apic_write(APIC_EOI, 0);
}

static void nmi(void)
{
    close_gif();
    apic_send_self(APIC_ICR_NMI);
    svm_prepare(at_nops);
    svm_intercept(VMEXIT_NMI, true);
    check(svm_run_gif0() == VMEXIT_NMI && svm_vmcb.rip == (uintptr_t)at_nops, "a pending NMI exits with code 061");
    check_raised(exception_try(open_gif, NULL), 2, 0, "it stays pending: the host takes it after STGI");
    unmask_nmi();
    close_gif();
    apic_send_self(APIC_ICR_NMI);
    svm_prepare(at_nops);
    svm_intercept_all();
    svm_intercept(VMEXIT_NMI, false);
    svm_intercept_exceptions(~(1u << 2)); /* undefined (APM2 15.12.3) */
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(2), "without the intercept the guest takes it");
    unmask_nmi();
    check_raised(exception_try(open_gif, NULL), EXC_NONE, 0, "and it is gone");
}

static void init(void)
{
    msr_write(MSR_VM_CR, msr_read(MSR_VM_CR) | VM_CR_R_INIT);
    if (!(msr_read(MSR_VM_CR) & VM_CR_R_INIT)) {
        check_skip("INIT", "no VM_CR.R_INIT here");
        return;
    }
    close_gif();
    apic_send_self(APIC_ICR_INIT);
    svm_prepare(at_nops);
    svm_intercept(VMEXIT_INIT, true);
    check(svm_run_gif0() == VMEXIT_INIT && svm_vmcb.rip == (uintptr_t)at_nops, "a pending INIT exits with code 063");
    check_raised(exception_try(open_gif, NULL), EXC_SX, 1, "it stays pending: the host takes it as #SX after STGI");
    close_gif();
    apic_send_self(APIC_ICR_INIT);
    svm_prepare(at_nops);
    svm_intercept_all();
    svm_intercept(VMEXIT_INIT, false);
    svm_intercept_exceptions(0);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_SX) && svm_frame(0) == 1 &&
          svm_frame(1) == (uintptr_t)at_nops, "without the intercept the guest takes #SX with error code 1");
    check_raised(exception_try(open_gif, NULL), EXC_NONE, 0, "which uses it up");
    close_gif();
    apic_send_self(APIC_ICR_INIT);
    svm_prepare(at_nops);
    svm_intercept_exceptions(1u << EXC_SX);
    check(svm_run() == VMEXIT_EXCEPTION + EXC_SX && svm_vmcb.exitinfo1 == 1, "#SX can be intercepted: code 05e");
    msr_write(MSR_VM_CR, msr_read(MSR_VM_CR) & ~(uint64_t)VM_CR_R_INIT);
}

static void shutdown(void)
{
    svm_prepare(at_ud2);
    svm_vmcb.idtr.limit = 0;
    check_equal(svm_run(), VMEXIT_SHUTDOWN, "a triple fault exits with code 07f");
    svm_prepare(at_gp);
    svm_registers.rdx = NOT_CANONICAL;
    short_idt();
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(EXC_DF), "a double fault does not");
}

void guest_main(void)
{
    svm_begin();
    apic_enable();
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4_read() | CR4_OSFXSR));
    *paging_entry(USER_PAGE, 1) = 0x800000 | PTE_P | PTE_RW | PTE_US;
    *paging_entry(HOLE, 1) = 0;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        exits(&rows[i]);
        delivered(&rows[i]);
    }
    masked();
    media_reset();
    never_match();
    intr();
    nmi();
    shutdown();
    check_raised(exception_try(open_interrupts, NULL), EXC_NONE, 0, "nothing is left pending");
    ferr_freeze();
    media_reset();
    init();
    check_end();
}
