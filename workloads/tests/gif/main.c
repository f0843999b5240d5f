/* SPDX-License-Identifier: MIT */
/*
 * The global interrupt flag (APM2 15.17, table of its effects): what is held, what goes on and what is lost with GIF =
 * 0, between CLGI and STGI, and in which order STGI lets in what has come.
 *
 * A hypervisor switches worlds under GIF = 0 and relies on two things: nothing comes in between, and nothing is lost.
 * Peers take no SMI, and stop before the end.
 *
 * The local APIC sends messages to this core. After CLGI a function sends up to four, waits, notes how many SMIs there
 * have been, and executes STGI; exception_try says which vector then ended it, if any. INIT is redirected to #SX
 * (VM_CR.R_INIT), so that it is an exception with error code 1 and no reset; SMIs are counted by a handler of two
 * instructions at 38000h.
 *
 * First, each alone: NMI, SMI, a fixed interrupt and INIT are held, not lost, and taken at STGI; with IF = 0 the
 * interrupt waits on for STI. One of an I/O trap is lost. Then four at once, sent in the reverse order: SMI, INIT,
 * NMI, then interrupts if IF allows; the NMI comes at the first instruction of the #SX handler. An NMI is held once
 * however often it comes: three are one. Exceptions and software interrupts go on, and so does a single-step trap; a
 * data breakpoint is lost, also for STGI, though its store is done. Last, #VMEXIT clears GIF, which VMRUN had set: an
 * NMI, INIT or SMI that was pending at VMRUN and is intercepted exits with 061h, 063h or 062h, and is held over the
 * exit until STGI.
 *
 * Without SVM there is one skipped check. Not here: #MC, which svm-mc makes wait under GIF = 0; CLGI in a guest
 * (svm-vintr).
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/svm64.h"

#define MSR_VM_CR 0xC0010114
#define VM_CR_R_INIT 2u
#define SMM_BASE 0x30000u
#define MAP_RIP 0xFF78u
#define MSR_IO_TRAP0 0xC0010050
#define MSR_IO_TRAP_CTL 0xC0010054
#define TRAPPED_PORT 0x80
#define APIC_ICR_SMI 0x200u
#define EXC_NMI 2
#define EXC_SX 30
#define VMEXIT_SMI 0x062
#define VECTOR 0x61
#define DR6_FIXED 0xFFFF0FF0ull
#define DR6_BS 0x4000u
#define DR7_WRITE 0x10401ull /* DR0, one byte, writes */

#define STUB_SIZE 16         /* of exceptions64.S */

extern const char exception_stubs[];
static volatile uint32_t smis, smis_at_stgi, reached;
extern const char opened[]; /* behind the STGI of closed_gate */
extern uint8_t watched;
uint8_t watched;

SVM_CODE64(spin, "1: pause\njmp 1b")

/* inc dword [smis]; rsm: 16-bit code with flat data segments. */
static void install_smm(void)
{
    uint8_t *code = (uint8_t *)(uintptr_t)(SMM_BASE + 0x8000);
    uint32_t counter = (uint32_t)(uintptr_t)&smis;

    memcpy(code, "\x67\x66\xFF\x05", 4);
    memcpy(code + 4, &counter, 4);
    memcpy(code + 8, "\x0F\xAA", 2);
}

/* The save map's rIP: where the last SMI was taken. */
static uint64_t smi_rip(void)
{
    return *(volatile uint64_t *)(uintptr_t)(SMM_BASE + MAP_RIP);
}

static void wait(void)
{
    for (unsigned i = 0; i < 300; i++)
        cpu_pause();
}

/* With GIF = 0: send these messages to ourselves, give them time, note that we are here, open the gate. */
struct messages {
    uint32_t message[4];
    bool interrupts; /* IF */
};

__attribute__((noinline)) static void closed_gate(void *argument)
{
    const struct messages *m = argument;

    reached = 0;
    __asm__ volatile("clgi");
    if (m->interrupts)
        __asm__ volatile("sti");
    for (unsigned i = 0; i < 4 && m->message[i]; i++) {
        apic_send_self(m->message[i]);
        wait();
    }
    smis_at_stgi = smis;
    reached = 1;
    __asm__ volatile("stgi\nopened: nop\nnop\ncli" : : : "memory");
    reached = 2;
}

/* Nothing before STGI, then this vector; what is left behind is taken by what follows. */
static void expect(struct messages messages, unsigned vector, uint64_t error, const char *what)
{
    uint32_t before = smis;
    struct exception e = exception_try(closed_gate, &messages);

    check_format(reached == (vector == EXC_NONE ? 2 : 1) && smis_at_stgi == before,
                 "%s: nothing happens while GIF is 0", what);
    check_raised(e, vector, error, what);
    __asm__ volatile("stgi"); /* an event's handler came by an exception: GIF is 1 there already, unless it failed */
}

static void sti_nop(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nnop\nnop\ncli" : : : "memory");
}

static void unmask_nmi(void)
{
    __asm__ volatile("movq %%rsp, %%rax\npushq $0x10\npushq %%rax\npushfq\npushq $0x18\npushq $1f\niretq\n1:"
                     : : : "rax", "memory", "cc");
}

static void held(void)
{
    uint32_t before = smis;

    expect((struct messages){ { APIC_ICR_NMI }, false }, EXC_NMI, 0, "an NMI is taken at STGI");
    unmask_nmi();
    expect((struct messages){ { APIC_ICR_SMI }, false }, EXC_NONE, 0, "an SMI is taken at STGI");
    check_equal(smis, before + 1, "once");
    expect((struct messages){ { VECTOR }, true }, VECTOR, 0, "a fixed interrupt is taken at STGI");
    apic_write(APIC_EOI, 0);
    expect((struct messages){ { VECTOR }, false }, EXC_NONE, 0, "with IF = 0 it is not");
    check_raised(exception_try(sti_nop, NULL), VECTOR, 0, "but by STI later");
    apic_write(APIC_EOI, 0);
    msr_write(MSR_VM_CR, msr_read(MSR_VM_CR) | VM_CR_R_INIT);
    expect((struct messages){ { APIC_ICR_INIT }, false }, EXC_SX, 1, "an INIT, redirected, is taken at STGI");
}

/* BKDG MSRC001_0050, _0054: OUT to port 80h raises an SMI of the processor's own. */
static void lost(void)
{
    uint32_t before = smis;

    msr_write(MSR_IO_TRAP0, 1ull << 62 | 0xFFFFull << 32 | TRAPPED_PORT);
    msr_write(MSR_IO_TRAP_CTL, 1u << 15 | 1u << 1);
    port_write8(TRAPPED_PORT, 0);
    check_equal(smis, before + 1, "with GIF = 1 a trapped OUT raises an internal SMI");
    __asm__ volatile("clgi");
    port_write8(TRAPPED_PORT, 0);
    smis_at_stgi = smis;
    __asm__ volatile("stgi\nnop\nnop" : : : "memory");
    wait();
    check(smis_at_stgi == before + 1 && smis == before + 1, "with GIF = 0 it is lost, also for STGI");
    msr_write(MSR_IO_TRAP_CTL, 0);
}

static void unmask(void *unused)
{
    (void)unused;
    unmask_nmi();
    wait();
}

static void priorities(void)
{
    struct messages all = { { VECTOR, APIC_ICR_NMI, APIC_ICR_INIT, APIC_ICR_SMI }, true };
    uint32_t before = smis;
    struct exception e = exception_try(closed_gate, &all);

    check(reached == 1 && smis_at_stgi == before, "an SMI, an INIT, an NMI and an interrupt wait for STGI");
    check(smis == before + 1 && smi_rip() >= (uintptr_t)opened && smi_rip() <= (uintptr_t)opened + 2,
          "the SMI comes first, behind STGI");
    check_raised(e, EXC_NMI, 0, "the last of the four to come before a handler's first instruction is the NMI");
    check_equal(e.ip, (uintptr_t)exception_stubs + EXC_SX * STUB_SIZE,
                "at the first instruction of INIT's #SX handler");
    check_raised(exception_try(sti_nop, NULL), VECTOR, 0, "then the interrupt");
    apic_write(APIC_EOI, 0);
    unmask_nmi();
    expect((struct messages){ { APIC_ICR_NMI, APIC_ICR_NMI, APIC_ICR_NMI }, false }, EXC_NMI, 0, "three NMIs");
    check_raised(exception_try(unmask, NULL), EXC_NONE, 0, "are one");
}

/* ---- Exceptions ------------------------------------------------------------------------------------------------- */

static void closed_ud2(void *unused)
{
    (void)unused;
    __asm__ volatile("clgi\nud2");
}

static void closed_int(void *unused)
{
    (void)unused;
    __asm__ volatile("clgi\nint $0x80");
}

static void closed_step(void *unused)
{
    (void)unused;
    __asm__ volatile("clgi\npushfq\norq $0x100, (%%rsp)\npopfq\nnop\nnop" : : : "memory", "cc");
}

static void closed_watch(void *unused)
{
    (void)unused;
    __asm__ volatile("clgi\nmovb $1, watched\nnop\nstgi\nnop" : : : "memory");
}

static void exceptions(void)
{
    check_raised(exception_try(closed_ud2, NULL), EXC_UD, 0, "exceptions do not mind GIF = 0");
    __asm__ volatile("stgi");
    check_raised(exception_try(closed_int, NULL), 0x80, 0, "nor do software interrupts");
    __asm__ volatile("stgi");
    check_raised(exception_try(closed_step, NULL), EXC_DB, 0, "nor a single-step trap");
    __asm__ volatile("stgi\nmov %0, %%dr6" : : "r"(DR6_FIXED));
    __asm__ volatile("mov %0, %%dr0\nmov %1, %%dr7" : : "r"(&watched), "r"(DR7_WRITE));
    check_raised(exception_try(closed_watch, NULL), EXC_NONE, 0, "a data breakpoint is lost, also for STGI");
    check_equal(watched, 1, "though the store is done");
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
    __asm__ volatile("stgi");
}

/* ---- Over a #VMEXIT --------------------------------------------------------------------------------------------- */

static void open_gate(void *unused)
{
    (void)unused;
    smis_at_stgi = smis;
    reached = 1;
    __asm__ volatile("stgi\nnop\nnop" : : : "memory");
    reached = 2;
}

static void over_exit(uint32_t message, unsigned code, unsigned vector, const char *what)
{
    uint32_t before = smis, sent = code == VMEXIT_SMI;

    svm_prepare(at_spin);
    svm_intercept(code, true);
    __asm__ volatile("clgi");
    apic_send_self(message);
    wait();
    reached = 0;
    check_format(svm_run_gif0() == code, "%s that came before VMRUN exits with code %x", what, code);
    wait();
    check_raised(exception_try(open_gate, NULL), vector, vector == EXC_SX, what);
    check(reached == (vector == EXC_NONE ? 2 : 1) && smis_at_stgi == before && smis == before + sent,
          "at the STGI after it, no sooner");
}

void guest_main(void)
{
    svm_begin();
    apic_enable();
    port_write8(0x21, 0xFF);
    port_write8(0xA1, 0xFF);
    install_smm();
    held();
    lost();
    priorities();
    exceptions();
    over_exit(APIC_ICR_NMI, 0x061, EXC_NMI, "an NMI");
    unmask_nmi();
    over_exit(APIC_ICR_INIT, 0x063, EXC_SX, "an INIT, redirected");
    over_exit(APIC_ICR_SMI, VMEXIT_SMI, EXC_NONE, "an SMI");
    check_end();
}
