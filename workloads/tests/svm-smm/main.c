/* SPDX-License-Identifier: MIT */
/*
 * SMI in a guest (APM2 15.22, 10.3): does SMM that is entered from guest mode run outside of it, does RSM find the way
 * back, and what does the intercept (exit code 062h) do instead?
 *
 * The handler is firmware's and knows nothing of guests. If an intercept took one of its instructions, or nested
 * tables its memory, the hypervisor would get exits that it cannot explain.
 *
 * A handler of 16-bit code at 38000h executes CPUID, RDTSC, OUT and a read of CR0, counts, and returns. The guest is
 * 64-bit, with every intercept but those of SMI, HLT and RDTSC, and a TSC_OFFSET. An SMI that the host sends itself
 * under GIF=0 waits until VMRUN sets GIF.
 *
 * Not intercepted, it leaves guest mode without a #VMEXIT: the handler runs once, as on the bare machine, no intercept
 * takes it, its RDTSC has no offset, and RSM goes on in the guest, with registers, intercepts and offset as before.
 * The save map says that a guest was left (FED8h, bit 1), where its VMCB is (FEE0h), and its rIP. One that the guest
 * sends itself comes behind the store. Intercepted it exits at the same rIP and stays pending: the handler runs at the
 * host's STGI. One of an I/O trap does not stay; EXITINFO1 tells them apart. SmmLock makes the intercept void. A
 * virtual interrupt, and HLT with its wake-up, come behind an SMI; one that finds it in HLT leaves it there. With
 * nested paging (where CPUID has it; FED8h, bit 2) the handler sees the host's memory and the guest then its own; the
 * map has the host's EFER, CR4, CR3 and CR0. After an SMI an intercepted NMI exits behind RSM, at the guest's rIP; so
 * this comes last.
 *
 * Not asked here: a handler that changes the map.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/smp64.h"
#include "workloads/lib/svm64.h"

#define SMM_BASE 0x30000u
#define MAP_AUTO_HALT 0xFEC9u
#define MAP_SVM_STATE 0xFED8u
#define MAP_VMCB 0xFEE0u
#define MAP_RIP 0xFF78u
#define MAP_CR3 0xFF50u
#define MAP_HOST_EFER 0xFF28u
#define MAP_HOST_CR4 0xFF30u
#define MAP_HOST_CR3 0xFF38u
#define MAP_HOST_CR0 0xFF40u
#define STATE_GUEST 2u
#define STATE_NESTED 4u
#define MSR_EFER 0xC0000080u
#define APIC_ICR_SMI 0x200u
#define VMEXIT_SMI 0x062
#define SMI_EXTERNAL 1ull       /* of EXITINFO1 */
#define SMI_IO_IN (1ull << 32)
#define SMI_IO_VALID (1ull << 33)
#define MSR_HWCR 0xC0010015u
#define HWCR_SMM_LOCK 1u
#define MSR_IO_TRAP0 0xC0010050u
#define MSR_IO_TRAP_CTL 0xC0010054u
#define TRAPPED_PORT 0x80
#define VMEXIT_NMI_CODE 0x061
#define OFFSET 0x123456789ABCull
#define V_PRIO_15 (15ull << V_INTR_PRIO_SHIFT)
#define VECTOR 0x55
#define ELSEWHERE 0x4000000u
#define PLACE 0x1000u

/* What the handler leaves. */
static volatile struct found {
    uint32_t count, eax_of_cpuid, tsc_low, tsc_high;
} found;

SVM_CODE64(nop, "nop")
SVM_CODE64(store_tsc, "rdtsc\nmovl %edx, %ecx")
SVM_CODE64(hlt, "hlt")
SVM_CODE64(self_smi, "movl $0x4200, (%rdx)\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop")
SVM_CODE64(say_and_halt, "movb $1, halting\nhlt")
SVM_CODE64(out, "outb %al, $0x80")
SVM_CODE(32, load32, "movl (%edx), %ecx")

/* 16-bit code with flat data segments; CPUID, OUT, the read of CR0 and RSM would exit from the guest below. */
static void install_smm(void)
{
    static const struct {
        const char *bytes;
        unsigned size, field;   /* of `found`, whose address follows; 16: none */
    } parts[] = {
        { "\x66\x50\x66\x53\x66\x51\x66\x52", 8, 16 },      /* push eax, ebx, ecx, edx */
        { "\x66\x31\xC0\x0F\xA2", 5, 16 },                  /* xor eax, eax; cpuid */
        { "\x67\x66\xA3", 3, 4 },                           /* mov [], eax */
        { "\x0F\x31\x67\x66\xA3", 5, 8 },                   /* rdtsc; mov [], eax */
        { "\x67\x66\x89\x15", 4, 12 },                      /* mov [], edx */
        { "\xE6\x80\x0F\x20\xC0", 5, 16 },                  /* out 80h; mov eax, cr0 */
        { "\x67\x66\xFF\x05", 4, 0 },                       /* inc dword [] */
        { "\x66\x5A\x66\x59\x66\x5B\x66\x58", 8, 16 },      /* pop */
        { "\x0F\xAA", 2, 16 },                              /* rsm */
    };
    uint8_t *at = (uint8_t *)(uintptr_t)(SMM_BASE + 0x8000);

    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        uint32_t address = (uint32_t)(uintptr_t)&found + parts[i].field;

        memcpy(at, parts[i].bytes, parts[i].size);
        at += parts[i].size;
        if (parts[i].field < 16) {
            memcpy(at, &address, 4);
            at += 4;
        }
    }
}

static uint64_t map_read(uint32_t offset)
{
    return *(volatile uint64_t *)(uintptr_t)(SMM_BASE + offset);
}

/* With GIF=0, so that it is pending when VMRUN sets GIF. */
static void pend(uint32_t message)
{
    __asm__ volatile("clgi");
    apic_send_self(message);
    for (unsigned i = 0; i < 300; i++)
        cpu_pause();
}

/* A guest of which everything that the handler does is intercepted. */
static void prepare(const char *code)
{
    svm_prepare(code);
    svm_intercept_all();
    svm_intercept(0x078, false); /* HLT */
    svm_intercept(0x06E, false); /* RDTSC */
    memset(svm_iopm, 0xFF, sizeof(svm_iopm));
    memset(svm_msrpm, 0xFF, sizeof(svm_msrpm));
    svm_vmcb.tsc_offset = OFFSET;
    svm_registers.rbx = 0xB0B0;
    svm_registers.r15 = 0xF0F0F0F0F0F0ull;
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void through(void)
{
    uint64_t in_smm, in_guest;
    uint32_t before = found.count;

    prepare(at_store_tsc);
    pend(APIC_ICR_SMI);
    check_equal(svm_run(), VMEXIT_VMMCALL, "an SMI before the guest's first instruction: the guest goes on behind it");
    check_equal(found.count, before + 1, "the handler has run, once; no intercept took it");
    in_smm = (uint64_t)found.tsc_high << 32 | found.tsc_low;
    in_guest = svm_registers.rcx << 32 | (uint32_t)svm_vmcb.rax;
    check(in_smm < OFFSET && in_smm <= rdtsc(), "its RDTSC has no TSC_OFFSET");
    check(in_guest >= OFFSET, "the guest's has it again");
    check(svm_registers.rbx == 0xB0B0 && svm_registers.r15 == 0xF0F0F0F0F0F0ull &&
          svm_vmcb.rip == (uintptr_t)next_store_tsc, "the guest's registers are as before");
    check_equal(map_read(MAP_SVM_STATE) & 7, STATE_GUEST, "FED8: from guest mode, no nested paging");
    check_equal(map_read(MAP_VMCB), (uintptr_t)&svm_vmcb, "FEE0: its VMCB");
    check_equal(map_read(MAP_RIP), (uintptr_t)at_store_tsc, "FF78: the guest's rIP");
    pend(APIC_ICR_SMI);
    __asm__ volatile("stgi\nnop");
    check_equal(map_read(MAP_SVM_STATE) & 7, 0, "FED8 of an SMI in the host: 0");
}

/* The guest sends it: guest mode has been running for a while. */
static void in_the_middle(void)
{
    uint32_t before = found.count;

    prepare(at_self_smi);
    svm_registers.rdx = APIC_BASE + APIC_ICR;
    apic_write(APIC_ICR_HIGH, apic_read(APIC_ID));
    check_equal(svm_run(), VMEXIT_VMMCALL, "an SMI that the guest sends itself");
    check_equal(found.count, before + 1, "runs the handler");
    check(map_read(MAP_RIP) > (uintptr_t)at_self_smi && map_read(MAP_RIP) <= (uintptr_t)next_self_smi,
          "behind the store that sent it");
}

static void intercepted(void)
{
    uint32_t before = found.count;

    prepare(at_nop);
    svm_intercept(VMEXIT_SMI, true);
    pend(APIC_ICR_SMI);
    check_equal(svm_run_gif0(), VMEXIT_SMI, "with its intercept it exits with code 062");
    check(found.count == before && svm_vmcb.rip == (uintptr_t)at_nop, "before the handler, at the same rIP");
    check_equal(svm_vmcb.exitinfo1 & SMI_EXTERNAL, SMI_EXTERNAL, "EXITINFO1: an external one");
    __asm__ volatile("stgi\nnop");
    check_equal(found.count, before + 1, "and comes at STGI");
    check_equal(map_read(MAP_SVM_STATE) & 7, 0, "in the host");
}

/* A trapped OUT of the guest (BKDG MSRC001_0050, _0054) raises an SMI of the processor's own. */
static void internal(void)
{
    uint32_t before = found.count;

    msr_write(MSR_IO_TRAP0, 1ull << 62 | 0xFFFFull << 32 | TRAPPED_PORT);
    msr_write(MSR_IO_TRAP_CTL, 1u << 15 | 1u << 1);
    prepare(at_out);
    svm_intercept(VMEXIT_IOIO, false);
    check_equal(svm_run(), VMEXIT_VMMCALL, "a trapped OUT of the guest: it goes on behind the SMI");
    check_equal(found.count, before + 1, "which has run");
    check_equal(map_read(MAP_RIP), (uintptr_t)next_out, "behind the OUT");
    prepare(at_out);
    svm_intercept(VMEXIT_IOIO, false);
    svm_intercept(VMEXIT_SMI, true);
    check_equal(svm_run(), VMEXIT_SMI, "intercepted it exits");
    check_equal(svm_vmcb.exitinfo1 & (SMI_EXTERNAL | SMI_IO_VALID | SMI_IO_IN | 0xFFFFull << 48),
                SMI_IO_VALID | (uint64_t)TRAPPED_PORT << 48, "EXITINFO1: an internal one, OUT, port 80h");
    check(svm_vmcb.exitinfo2 == (uintptr_t)at_out && svm_vmcb.rip == (uintptr_t)next_out,
          "EXITINFO2: rIP of the OUT; the saved one is behind it");
    __asm__ volatile("stgi\nnop");
    check_equal(found.count, before + 1, "and is gone");
    msr_write(MSR_IO_TRAP_CTL, 0);
}

/* For good: only a reset clears it. */
static void locked(void)
{
    uint32_t before = found.count;

    msr_write(MSR_HWCR, msr_read(MSR_HWCR) | HWCR_SMM_LOCK);
    prepare(at_nop);
    svm_intercept(VMEXIT_SMI, true);
    pend(APIC_ICR_SMI);
    check_equal(svm_run(), VMEXIT_VMMCALL, "with SmmLock the intercept does nothing");
    check_equal(found.count, before + 1, "the handler has run");
}

static void virtual_interrupt(void)
{
    prepare(at_nop);
    svm_intercept(0x064, false); /* VINTR */
    svm_vmcb.v_intr = V_IRQ | V_PRIO_15 | (uint64_t)VECTOR << 32;
    svm_vmcb.rflags |= 0x200;
    pend(APIC_ICR_SMI);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(VECTOR),
          "a virtual interrupt waits behind the SMI");
    check_equal(svm_frame(0), (uintptr_t)at_nop, "and is the guest's first event");
}

static void halted(void)
{
    uint32_t before = found.count;

    prepare(at_hlt);
    svm_vmcb.rflags |= 0x200;
    svm_intercept(0x060, false);    /* INTR */
    apic_write(APIC_TIMER_DIVIDE, 0xB);
    apic_write(APIC_LVT_TIMER, VECTOR);
    apic_write(APIC_TIMER_INITIAL, 20000);
    pend(APIC_ICR_SMI);
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(VECTOR) && svm_frame(0) == (uintptr_t)next_hlt,
          "the guest's HLT after an SMI waits for its interrupt");
    check_equal(found.count, before + 1, "the handler has run");
    apic_write(APIC_EOI, 0);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

/* ---- From another core, while the guest is halted ---------------------------------------------------------------- */

extern volatile bool halting;
volatile bool halting;
static volatile uint32_t ran;
static uint8_t this_core;

static void wait(void)
{
    for (unsigned i = 0; i < 3000; i++)
        cpu_pause();
}

/* An SMI; what has come of it; then an interrupt, which ends HLT in any case. */
static void smi_from_there(void *unused)
{
    uint32_t before = found.count;

    (void)unused;
    while (!halting)
        cpu_pause();
    wait();
    apic_send(this_core, APIC_ICR_SMI | APIC_ICR_ASSERT);
    wait();
    ran = found.count - before;
    apic_send(this_core, VECTOR | APIC_ICR_ASSERT);
}

static void prepare_halt(void)
{
    prepare(at_say_and_halt);
    svm_vmcb.rflags |= 0x200;
    svm_intercept(0x060, false); /* INTR */
    halting = false;
    smp_run(smi_from_there, NULL);
}

static void open_interrupts(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nnop\nnop\ncli" : : : "memory");
}

static void found_halted(void)
{
    uint32_t before = found.count;

    if ((cpuid(1, 0).ebx >> 16 & 0xFF) < 2) {
        check_skip("a halted guest", "there is no other core to send an SMI");
        return;
    }
    this_core = (uint8_t)(apic_read(APIC_ID) >> 24);
    smp_prepare();
    check(smp_start(this_core ^ 1), "another core starts");
    prepare_halt();
    check(svm_run() == VMEXIT_VMMCALL && svm_vmcb.rip == svm_vector(VECTOR) &&
          svm_frame(0) == (uintptr_t)next_say_and_halt, "an SMI finds the guest in HLT: it waits on for its interrupt");
    check(smp_wait() && ran == 1, "the handler has run before that");
    check_equal(map_read(MAP_AUTO_HALT) & 0xFF, 1, "FEC9: halted");
    apic_write(APIC_EOI, 0);
    prepare_halt();
    svm_intercept(VMEXIT_SMI, true);
    check(svm_run_gif0() == VMEXIT_SMI && svm_vmcb.rip == (uintptr_t)next_say_and_halt,
          "intercepted it exits, behind the HLT");
    check(smp_wait() && ran == 0, "before the handler");
    __asm__ volatile("stgi\nnop");
    check_equal(found.count, before + 2, "which runs at STGI");
    check_raised(exception_try(open_interrupts, NULL), VECTOR, 0, "the interrupt that came then is the host's");
    apic_write(APIC_EOI, 0);
}

/* An SMI before an NMI: the NMI's exit comes behind RSM, and names the guest's rIP. */
static void with_nmi(void)
{
    uint32_t before = found.count;

    prepare(at_nop);
    pend(APIC_ICR_NMI);
    apic_send_self(APIC_ICR_SMI);
    for (unsigned i = 0; i < 300; i++)
        cpu_pause();
    check_equal(svm_run_gif0(), VMEXIT_NMI_CODE, "an SMI and an intercepted NMI: the exit is the NMI's");
    check(found.count == before + 1 && svm_vmcb.rip == (uintptr_t)at_nop, "the SMI came first");
}

/* Nested tables one to one, but the first 2 MiB, where the handler is: they show other memory there. */
static void nested(void)
{
    static uint64_t pml4[512] __attribute__((aligned(4096))), pdpt[512] __attribute__((aligned(4096)));
    static uint64_t pd[512] __attribute__((aligned(4096)));
    uint32_t before = found.count;

    pml4[0] = (uintptr_t)pdpt | 7;
    pdpt[0] = (uintptr_t)pd | 7;
    for (unsigned i = 0; i < 512; i++)
        pd[i] = (uint64_t)i << 21 | 0x87;
    pd[0] = ELSEWHERE | 0x87;
    store32(ELSEWHERE + PLACE, 0xABCD);
    svm_prepare32(at_load32);
    svm_vmcb.np_enable = 1;
    svm_vmcb.n_cr3 = (uintptr_t)pml4;
    svm_registers.rdx = PLACE;
    pend(APIC_ICR_SMI);
    check_equal(svm_run(), VMEXIT_VMMCALL, "a 32-bit guest with nested paging goes on behind an SMI");
    check_equal(found.count, before + 1, "which has run, with the host's memory");
    check_equal(svm_registers.rcx, 0xABCD, "the guest sees what its nested tables show");
    check_equal(map_read(MAP_SVM_STATE) & 7, STATE_GUEST | STATE_NESTED, "FED8: from guest mode, nested paging");
    check_equal(map_read(MAP_HOST_CR3), cr3_read(), "FF38: the host's CR3");
    check(map_read(MAP_HOST_CR0) == cr0_read() && map_read(MAP_HOST_CR4) == cr4_read() &&
          map_read(MAP_HOST_EFER) == msr_read(MSR_EFER), "FF28, FF30, FF40: its EFER, CR4 and CR0");
}

void guest_main(void)
{
    svm_begin();
    apic_enable();
    install_smm();
    through();
    in_the_middle();
    intercepted();
    internal();
    virtual_interrupt();
    halted();
    found_halted();
    if (cpuid(0x8000000A, 0).edx & 1)
        nested();
    locked();
    with_nmi(); /* its NMI stays pending: with GIF = 0 the program ends */
    check_end();
}
