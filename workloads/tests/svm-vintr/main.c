/* SPDX-License-Identifier: MIT */
/*
 * Virtual interrupts, V_INTR_MASKING, interrupt windows and GIF (APM2 15.17, 15.21): at which instruction is V_IRQ
 * taken, or exits with VMEXIT_VINTR, and what holds a physical interrupt while a guest runs?
 *
 * By V_IRQ and this exit a hypervisor gives its guests their interrupts; by V_IRQ with a priority hv lets them write
 * CR8 without an exit. Peers are wrong for some priority at each V_TPR, or ignore the VMCB's shadow.
 *
 * Each check runs a 64-bit guest of a few instructions and compares exit code and saved rIP, so that the boundary is
 * exact. An interrupt that is delivered ends in the VMMCALL of its vector. Physical ones are the local APIC's, to
 * itself or of its timer.
 *
 * V_IRQ counts when the guest's IF is 1, no shadow is in force, GIF is 1, and V_INTR_PRIO is above V_TPR (an equal one
 * stays masked) or V_IGN_TPR is set: all 16 by 16 values are tried, with and without the intercept. The window opens
 * after the instruction behind STI, MOV SS and a VMRUN with shadow, at once after POPF, IRET, a MOV CR8 that lowers
 * V_TPR, and STGI; a second STI starts no shadow. Delivery clears V_IRQ and nothing else. HLT is woken by what would
 * be taken. With V_INTR_MASKING the host's IF gates physical interrupts and the guest's the virtual ones; without it
 * the guest's IF gates both, V_IRQ is as ever, and CR8 reaches the APIC's TPR, too. A physical interrupt comes first.
 * In the host, with GIF=0, INTR, NMI and INIT stay pending until STGI; single step does not care. INIT (here #SX)
 * comes before an NMI.
 *
 * More of GIF is in gif, EXITINTINFO of a virtual interrupt in svm-inject. V_TPR[7:4], which should be zero, is not
 * asked here.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define MSR_VM_CR 0xC0010114
#define VM_CR_R_INIT 2
#define EXC_SX 30
#define RFLAGS_IF 0x200u
#define V_IRQ (1ull << 8)
#define V_IGN_TPR (1ull << 20)
#define PRIO(n) ((uint64_t)(n) << 16)
#define V_VECTOR(n) ((uint64_t)(n) << 32)
#define VECTOR 0x41 /* physical */
#define VIRTUAL 0x62

extern char exception_stubs[]; /* 16 bytes each */

SVM_CODE64(nops, "nop\nnop\nnop") SVM_CODE64(sti, "sti\nnop\nnop")
SVM_CODE64(sti_sti, "sti\nsti\nnop\nnop") SVM_CODE64(mov_ss, "movl %edx, %ss\nnop\nnop")
SVM_CODE64(popf, "popfq\nnop") SVM_CODE64(write_cr8, "mov %rdx, %cr8\nnop") SVM_CODE64(read_cr8, "mov %cr8, %rdx")
SVM_CODE64(iret, "iretq") SVM_CODE64(hlt, "hlt") SVM_CODE64(sti_hlt, "sti\nhlt")
SVM_CODE64(clgi, "clgi\nnop\nstgi\nnop")

static void pend(uint64_t more)
{
    svm_vmcb.v_intr = V_INTR_MASKING | V_IRQ | V_VECTOR(VIRTUAL) | more;
}

static void expect(uint64_t code, uintptr_t rip, const char *what)
{
    uint64_t got = svm_run();

    check(got == code && svm_vmcb.rip == rip, what);
    if (got != code || svm_vmcb.rip != rip)
        guest_print("# got %llx at %llx, want %llx at %lx", (unsigned long long)got,
                    (unsigned long long)svm_vmcb.rip, (unsigned long long)code, (unsigned long)rip);
}

/* ---- Priority --------------------------------------------------------------------------------------------------- */

/* The wrong ones among 16 priorities against one V_TPR, whose bits 7:4 should be zero. */
static unsigned wrong_at(unsigned tpr, bool intercept, uint64_t more)
{
    unsigned wrong = 0;

    for (unsigned prio = 0; prio < 16; prio++) {
        bool open = prio > tpr || more & V_IGN_TPR;

        svm_prepare(at_nops);
        svm_vmcb.rflags |= RFLAGS_IF;
        pend(PRIO(prio) | tpr | more);
        svm_intercept(VMEXIT_VINTR, intercept);
        svm_run();
        if (intercept)
            wrong += (svm_vmcb.exitcode == VMEXIT_VINTR) != open || (svm_vmcb.v_intr & V_IRQ) == 0;
        else
            wrong += (svm_vmcb.rip == svm_vector(VIRTUAL)) != open || !(svm_vmcb.v_intr & V_IRQ) != open;
    }
    return wrong;
}

static void priorities(void)
{
    unsigned ignored = 0;

    for (unsigned tpr = 0; tpr < 16; tpr++) {
        check_format(wrong_at(tpr, false, 0) == 0, "V_TPR %u: delivered for V_INTR_PRIO above it, else pending", tpr);
        check_format(wrong_at(tpr, true, 0) == 0, "V_TPR %u: VMEXIT_VINTR for V_INTR_PRIO above it", tpr);
        ignored += wrong_at(tpr, false, V_IGN_TPR) + wrong_at(tpr, true, V_IGN_TPR);
    }
    check_equal(ignored, 0, "with V_IGN_TPR every priority passes every V_TPR");
}

/* ---- Windows ---------------------------------------------------------------------------------------------------- */

static void prepare_window(const char *code)
{
    svm_prepare(code);
    pend(PRIO(8));
    svm_intercept(VMEXIT_VINTR, true);
}

static void windows(void)
{
    uint64_t *frame = (uint64_t *)(SVM_STACK_TOP - 40);

    prepare_window(at_nops);
    expect(VMEXIT_VMMCALL, (uintptr_t)next_nops, "IF=0: no window");
    prepare_window(at_nops);
    svm_vmcb.rflags |= RFLAGS_IF;
    expect(VMEXIT_VINTR, (uintptr_t)at_nops, "IF=1: the window is open before the first instruction");
    prepare_window(at_nops);
    svm_vmcb.rflags |= RFLAGS_IF;
    svm_vmcb.interrupt_shadow = 1;
    expect(VMEXIT_VINTR, (uintptr_t)at_nops + 1, "the VMCB's shadow: after the first one");
    prepare_window(at_sti);
    expect(VMEXIT_VINTR, (uintptr_t)at_sti + 2, "STI: after the instruction behind it");
    prepare_window(at_sti_sti);
    expect(VMEXIT_VINTR, (uintptr_t)at_sti_sti + 2, "a second STI with IF=1 starts no shadow");
    prepare_window(at_mov_ss);
    svm_vmcb.rflags |= RFLAGS_IF;
    svm_vmcb.interrupt_shadow = 1;
    svm_registers.rdx = SVM_DATA;
    expect(VMEXIT_VINTR, (uintptr_t)at_mov_ss + 3, "MOV SS: after the instruction behind it");
    prepare_window(at_popf);
    *(uint64_t *)SVM_STACK_TOP = 2 | RFLAGS_IF;
    expect(VMEXIT_VINTR, (uintptr_t)at_popf + 1, "POPF: at once");
    prepare_window(at_iret);
    svm_vmcb.rsp = (uintptr_t)frame;
    frame[0] = (uintptr_t)at_nops + 1;
    frame[1] = SVM_CODE64;
    frame[2] = 2 | RFLAGS_IF;
    frame[3] = SVM_STACK_TOP;
    frame[4] = SVM_DATA;
    expect(VMEXIT_VINTR, (uintptr_t)at_nops + 1, "IRET: at once");
    prepare_window(at_write_cr8);
    svm_vmcb.rflags |= RFLAGS_IF;
    svm_vmcb.v_intr |= 8;
    svm_registers.rdx = 7;
    expect(VMEXIT_VINTR, (uintptr_t)next_write_cr8 - 1, "MOV CR8 that lowers V_TPR: at once");
    check_equal(svm_vmcb.v_intr & 0xFF, 7, "V_TPR is written back");
    svm_prepare(at_nops);
    svm_vmcb.rflags |= RFLAGS_IF;
    pend(PRIO(8));
    expect(VMEXIT_VMMCALL, svm_vector(VIRTUAL), "without the intercept it is delivered");
    check(svm_frame(0) == (uintptr_t)at_nops && !(svm_vmcb.v_intr & V_IRQ) &&
          svm_vmcb.v_intr == (V_INTR_MASKING | V_VECTOR(VIRTUAL) | PRIO(8)),
          "V_IRQ is clear, the other fields are as before");
    prepare_window(at_clgi);
    svm_vmcb.rflags |= RFLAGS_IF;
    svm_vmcb.interrupt_shadow = 1;
    expect(VMEXIT_VINTR, (uintptr_t)next_clgi - 1, "CLGI in the guest closes it, STGI opens it");
}

/* V_INTR_MASKING says who masks physical interrupts; V_IRQ, V_TPR and the guest's IF are as with it (APM2 15.21). */
static void prepare_unmasked(uint64_t more)
{
    svm_prepare(at_nops);
    pend(PRIO(8) | more);
    svm_vmcb.v_intr &= ~V_INTR_MASKING;
    svm_vmcb.rflags |= RFLAGS_IF;
}

static void without_masking(void)
{
    prepare_unmasked(0);
    expect(VMEXIT_VMMCALL, svm_vector(VIRTUAL), "no masking: V_IRQ is delivered");
    check(svm_frame(0) == (uintptr_t)at_nops && !(svm_vmcb.v_intr & V_IRQ), "before the first instruction, once");
    prepare_unmasked(0);
    svm_vmcb.rflags &= ~(uint64_t)RFLAGS_IF;
    expect(VMEXIT_VMMCALL, (uintptr_t)next_nops, "no masking, IF=0: it waits");
    prepare_unmasked(8);
    expect(VMEXIT_VMMCALL, (uintptr_t)next_nops, "no masking: it waits for a lower V_TPR");
    check(svm_vmcb.v_intr & V_IRQ, "and stays pending");
    prepare_unmasked(0);
    svm_intercept(VMEXIT_VINTR, true);
    expect(VMEXIT_VINTR, (uintptr_t)at_nops, "no masking: with the intercept it exits");
    apic_write(APIC_TPR, 0xF0);
    prepare_unmasked(0);
    expect(VMEXIT_VMMCALL, svm_vector(VIRTUAL), "no masking: the APIC's TPR does not hold it");
    apic_write(APIC_TPR, 0);
}

static void halts(void)
{
    prepare_window(at_sti_hlt);
    expect(VMEXIT_VINTR, (uintptr_t)next_sti_hlt, "V_IRQ wakes HLT: VMEXIT_VINTR behind it");
    svm_prepare(at_sti_hlt);
    pend(PRIO(8));
    expect(VMEXIT_VMMCALL, svm_vector(VIRTUAL), "without the intercept the guest takes it");
    check_equal(svm_frame(0), (uintptr_t)next_sti_hlt, "and returns behind the HLT");
    prepare_window(at_sti_hlt);
    svm_vmcb.v_intr |= 8;
    svm_intercept(VMEXIT_INTR, true);
    __asm__ volatile("clgi\nsti");
    apic_write(APIC_TIMER_DIVIDE, 0xB);
    apic_write(APIC_LVT_TIMER, VECTOR);
    apic_write(APIC_TIMER_INITIAL, 2000);
    svm_run_gif0();
    __asm__ volatile("cli\nstgi");
    check(svm_vmcb.exitcode == VMEXIT_INTR && svm_vmcb.rip == (uintptr_t)next_sti_hlt && svm_vmcb.v_intr & V_IRQ,
          "one that V_TPR masks does not: the physical timer does");
}

/* ---- Physical interrupts ---------------------------------------------------------------------------------------- */

static void take(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nnop\nnop\ncli" : : : "memory");
}

static void drain(const char *what)
{
    check_raised(exception_try(take, NULL), VECTOR, 0, what);
    apic_write(APIC_EOI, 0);
}

/* One INTR pending; the guest runs with these two IFs. */
static uint64_t physical(bool masking, bool host_if, bool guest_if, bool with_virtual)
{
    svm_prepare(at_nops);
    svm_vmcb.rflags |= guest_if ? RFLAGS_IF : 0;
    svm_vmcb.v_intr = masking ? V_INTR_MASKING : 0;
    if (with_virtual)
        svm_vmcb.v_intr |= V_IRQ | PRIO(15) | V_VECTOR(VIRTUAL);
    svm_intercept(VMEXIT_INTR, true);
    svm_intercept(VMEXIT_VINTR, with_virtual);
    __asm__ volatile("clgi" : : : "memory");
    if (host_if)
        __asm__ volatile("sti\nnop" : : : "memory");
    svm_run_gif0();
    __asm__ volatile("cli\nstgi" : : : "memory");
    return svm_vmcb.exitcode;
}

static void masking(void)
{
    drain("the timer's interrupt is still pending for the host");
    apic_write(APIC_ICR, APIC_ICR_SELF | VECTOR);
    check_equal(physical(true, true, false, false), VMEXIT_INTR, "masking, host IF=1, guest IF=0: INTR exits");
    check_equal(physical(true, false, true, false), VMEXIT_VMMCALL, "masking, host IF=0, guest IF=1: it waits");
    check_equal(physical(false, true, false, false), VMEXIT_VMMCALL, "no masking, host IF=1, guest IF=0: it waits");
    check_equal(physical(false, false, true, false), VMEXIT_INTR, "no masking, host IF=0, guest IF=1: INTR exits");
    check_equal(physical(true, true, true, true), VMEXIT_INTR, "with V_IRQ too the physical one comes first");
    check_equal(physical(true, false, true, true), VMEXIT_VINTR, "and while it is masked the virtual one");
    apic_write(APIC_TPR, 0x50);
    check_equal(physical(true, true, true, false), VMEXIT_VMMCALL, "the APIC's TPR gates it with masking");
    apic_write(APIC_TPR, 0);
    svm_prepare(at_write_cr8);
    svm_registers.rdx = 5;
    svm_run();
    check(apic_read(APIC_TPR) == 0x50 && (svm_vmcb.v_intr & 0xFF) == 5,
          "no masking: a write of CR8 reaches the APIC's TPR and V_TPR");
    svm_prepare(at_read_cr8);
    svm_vmcb.v_intr = 9;
    svm_run();
    check_equal(svm_registers.rdx, 5, "a read gives the APIC's");
    svm_prepare(at_write_cr8);
    svm_vmcb.v_intr = V_INTR_MASKING;
    svm_registers.rdx = 3;
    svm_run();
    check(apic_read(APIC_TPR) == 0x50 && (svm_vmcb.v_intr & 0xFF) == 3, "masking: it reaches V_TPR only");
    apic_write(APIC_TPR, 0);
    drain("the interrupt is pending to the end");
}

/* ---- GIF -------------------------------------------------------------------------------------------------------- */

static void open_gif(void *unused)
{
    (void)unused;
    __asm__ volatile("stgi\nnop" : : : "memory");
}

static void open_gif_and_if(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nnop\nnop\nstgi\nnop\ncli" : : : "memory");
}

static void step(void *unused)
{
    (void)unused;
    __asm__ volatile("clgi\npushfq\norq $0x100, (%%rsp)\npopfq\nnop\nnop" : : : "memory");
}

static void unmask_nmi(void)
{
    __asm__ volatile("movq %%rsp, %%rax\npushq $0x10\npushq %%rax\npushfq\npushq $0x18\npushq $1f\niretq\n1:"
                     : : : "rax", "memory");
}

static void gif(void)
{
    struct exception raised;

    __asm__ volatile("clgi");
    apic_send_self(APIC_ICR_NMI);
    __asm__ volatile("nop\nnop");
    check_raised(exception_try(open_gif, NULL), 2, 0, "GIF=0: an NMI is held until STGI");
    unmask_nmi();
    __asm__ volatile("clgi");
    apic_write(APIC_ICR, APIC_ICR_SELF | VECTOR);
    check_raised(exception_try(open_gif_and_if, NULL), VECTOR, 0, "GIF=0: an INTR is held although IF=1");
    apic_write(APIC_EOI, 0);
    check_raised(exception_try(step, NULL), EXC_DB, 0, "GIF=0: single step traps all the same");
    __asm__ volatile("stgi");
    msr_write(MSR_VM_CR, msr_read(MSR_VM_CR) | VM_CR_R_INIT);
    __asm__ volatile("clgi");
    apic_send_self(APIC_ICR_INIT);
    __asm__ volatile("nop\nnop");
    check_raised(exception_try(open_gif, NULL), EXC_SX, 1, "GIF=0: an INIT is held; then R_INIT makes it #SX");
    __asm__ volatile("clgi");
    apic_send_self(APIC_ICR_INIT);
    apic_send_self(APIC_ICR_NMI);
    raised = exception_try(open_gif, NULL);
    check(raised.vector == 2 && raised.ip == (uintptr_t)exception_stubs + 16 * EXC_SX,
          "INIT and NMI: #SX first, then the NMI before the first instruction of #SX's handler");
    unmask_nmi();
    msr_write(MSR_VM_CR, msr_read(MSR_VM_CR) & ~(uint64_t)VM_CR_R_INIT);
}

void guest_main(void)
{
    svm_begin();
    apic_enable();
    priorities();
    windows();
    without_masking();
    halts();
    masking();
    gif();
    check_end();
}
