/* SPDX-License-Identifier: MIT */
/*
 * System-management mode (APM2 chapter 10; BKDG10 2.4.2): what an SMI saves and RSM brings back, how SMM_BASE moves,
 * what an I/O trap tells, what TSEG hides, and what SmmLock closes.
 *
 * Firmware relies on each: each core has an SMM_BASE of its own, handlers are in TSEG, and locked before an operating
 * system starts. Peers take no SMI from the local APIC: few of these hold there.
 *
 * A 64-bit program on the bare machine sends its core SMIs by the local APIC. A handler of 16-bit code with flat data
 * segments, at SMM_BASE + 8000h, counts them, stores the next SMM_BASE in the map at FF00h, spoils the registers and
 * returns. The program reads the map afterwards.
 *
 * RSM is #UD outside SMM. SMM_BASE is 30000h after reset; the map has revision 30064h and EFER, CR3, CR0. What the
 * handler writes to FF00h takes effect at RSM, and the next SMI runs and saves there. A trapped OUT to port 80h raises
 * an SMI behind it, with FEC0h (port, 8 bits, valid, OUT), FEC4h (trap 0) and FEA0h (its rIP); FFh in FEC8h has it
 * executed again; an IN does not, nor anything once the trap is disabled. All general registers, rFLAGS, DR7,
 * selectors, CR0, CR3, CR4 and EFER are as before that OUT. A halted core that gets one from another core halts again,
 * or goes on if the handler clears FEC9h. TSEG of 128 KiB reads as ones outside SMM and takes no store; behind its end
 * memory goes on, and without TValid it is memory again, untouched. SmmLock cannot be cleared: SMM_BASE and SMMMask
 * then ignore writes, a write of SMM_CTL is #GP(0), and SMIs go on.
 *
 * Not here: ASEG, restart of string I/O, what SMM_CTL does, an SMI from a guest (svm-smm).
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/smp64.h"

#define SMM_BASE 0x30000u
#define NEW_BASE 0x50000u
#define MAP_IO_RIP 0xFEA0u
#define MAP_IO_TRAP 0xFEC0u
#define MAP_STATUS 0xFEC4u
#define MAP_IO_RESTART 0xFEC8u
#define IO_RESTART 0xFF
#define MAP_AUTO_HALT 0xFEC9u
#define MAP_EFER 0xFED0u
#define MAP_REVISION 0xFEFCu
#define MAP_BASE 0xFF00u
#define MAP_CR3 0xFF50u
#define MAP_CR0 0xFF58u
#define MSR_EFER 0xC0000080u
#define MSR_HWCR 0xC0010015u
#define MSR_IO_TRAP0 0xC0010050u
#define MSR_IO_TRAP_CTL 0xC0010054u
#define MSR_SMM_BASE 0xC0010111u
#define MSR_SMM_ADDR 0xC0010112u
#define MSR_SMM_MASK 0xC0010113u
#define MSR_SMM_CTL 0xC0010116u
#define APIC_ICR_SMI 0x200u
#define TSEG 0x1000000u
#define TSEG_MASK 0xFFFFFFFE0000ull
#define PORT 0x80
#define VECTOR 0x61
#define STATUS_AND_DF 0xCD7u    /* CF, PF, AF, ZF, SF, DF, OF */
#define DR7_VALUE 0xF0000400ull /* nothing enabled; 400h in SMM */

static volatile uint32_t smis;
static volatile uint8_t restart; /* for FEC8h; the handler clears it */

static volatile uint32_t *word(uint32_t at)
{
    return (volatile uint32_t *)(uintptr_t)at;
}

static uint64_t map_read64(uint32_t base, uint32_t offset)
{
    return *(volatile uint64_t *)(uintptr_t)(base + offset);
}

/*
 * inc dword [smis]; mov dword [base + FF00h],next; al from [restart] to [base + FEC8h], and 0 to [restart]; to wake a
 * halted core: mov byte [base + FEC9h],0; other values in registers; rsm. Data segments are flat in SMM.
 */
static void install(uint32_t base, uint32_t next, bool wake)
{
    static const uint8_t clobber[] = {
        0x66, 0xB8, 0x44, 0x33, 0x22, 0x11, 0x66, 0x89, 0xC1, 0x66, 0x89, 0xC2, /* mov eax,11223344h; to ecx, edx */
        0x66, 0x89, 0xC3, 0x66, 0x89, 0xC4, 0x66, 0x89, 0xC5, 0x66, 0x89, 0xC6, 0x66, 0x89, 0xC7, /* ebx, esp ... edi */
        0x8E, 0xC0, 0x8E, 0xD0, 0x8E, 0xE0, 0x8E, 0xE8, 0x8E, 0xD8,             /* mov es, ss, fs, gs, ds, ax */
        0x0F, 0x22, 0xD8, 0x66, 0x31, 0xC0,                                     /* mov cr3,eax; xor eax,eax */
        0x0F, 0xAA,                                                             /* rsm */
    };
    const struct {
        const char *opcode;
        unsigned size;
        uint32_t place;
        unsigned immediate;
        uint32_t value;
    } stores[] = {
        { "\x67\x66\xFF\x05", 4, (uint32_t)(uintptr_t)&smis, 0, 0 },
        { "\x67\x66\xC7\x05", 4, base + MAP_BASE, 4, next },
        { "\x67\xA0", 2, (uint32_t)(uintptr_t)&restart, 0, 0 },
        { "\x67\xA2", 2, base + MAP_IO_RESTART, 0, 0 },
        { "\x67\xC6\x05", 3, (uint32_t)(uintptr_t)&restart, 1, 0 },
        { "\x67\xC6\x05", 3, base + MAP_AUTO_HALT, 1, 0 },
    };
    uint8_t *code = (uint8_t *)(uintptr_t)(base + 0x8000);

    for (unsigned i = 0; i < sizeof(stores) / sizeof(stores[0]) - !wake; i++) {
        memcpy(code, stores[i].opcode, stores[i].size);
        memcpy(code + stores[i].size, &stores[i].place, 4);
        memcpy(code + stores[i].size + 4, &stores[i].value, stores[i].immediate);
        code += stores[i].size + 4 + stores[i].immediate;
    }
    memcpy(code, clobber, sizeof(clobber));
}

static void raise_smi(void)
{
    uint32_t before = smis;

    apic_send_self(APIC_ICR_SMI);
    for (unsigned i = 0; i < 1000 && smis == before; i++)
        cpu_pause();
}

static void rsm(void *unused)
{
    (void)unused;
    __asm__ volatile(".byte 0x0F, 0xAA");
}

static void write_smm_ctl(void *unused)
{
    (void)unused;
    msr_write(MSR_SMM_CTL, 1);
}

static void entering(void)
{
    uintptr_t cr3 = cr3_read(), cr0 = cr0_read();

    check_raised(exception_try(rsm, NULL), EXC_UD, 0, "RSM outside SMM is #UD");
    check_equal(msr_read(MSR_SMM_BASE), SMM_BASE, "SMM_BASE is 30000h after reset");
    install(SMM_BASE, SMM_BASE, false);
    raise_smi();
    check_equal(smis, 1, "an SMI runs the handler and comes back");
    check_equal(*word(SMM_BASE + MAP_REVISION), 0x00030064, "SMM revision 30064h");
    check_equal(map_read64(SMM_BASE, MAP_EFER), msr_read(MSR_EFER), "the map has EFER, long mode active");
    check_equal(map_read64(SMM_BASE, MAP_CR3), cr3, "the map has CR3");
    check_equal(map_read64(SMM_BASE, MAP_CR0), cr0, "the map has CR0");
}

static void relocation(void)
{
    install(SMM_BASE, NEW_BASE, false);
    raise_smi();
    check_equal(msr_read(MSR_SMM_BASE), NEW_BASE, "the map's SMM_BASE takes effect at RSM");
    install(NEW_BASE, NEW_BASE, false);
    raise_smi();
    check_equal(smis, 3, "the next SMI runs the handler there");
    check_equal(*word(NEW_BASE + MAP_BASE), NEW_BASE, "and saves its map there");
}

/* Every register with a value of its own, the status flags and DF set; OUT of port 80h; what is in them then. */
extern uint64_t before[16], after[16], flags_before, flags_after;
extern const char at_out[];
uint64_t before[16], after[16], flags_before, flags_after;
#define SAVE(n, name) "movq %%" name ", after+8*" #n "(%%rip)\n"
#define LOAD(n, name) "movq before+8*" #n "(%%rip), %%" name "\n"

__attribute__((noinline)) static void out_with_values(void)
{
    __asm__ volatile("pushq %%rbp\nmovq %%rsp, before+8*4(%%rip)\n"
                     "pushq flags_before(%%rip)\npopfq\n"
                     LOAD(0, "rax") LOAD(1, "rcx") LOAD(2, "rdx") LOAD(3, "rbx") LOAD(5, "rbp") LOAD(6, "rsi")
                     LOAD(7, "rdi") LOAD(8, "r8") LOAD(9, "r9") LOAD(10, "r10") LOAD(11, "r11") LOAD(12, "r12")
                     LOAD(13, "r13") LOAD(14, "r14") LOAD(15, "r15")
                     "at_out: outb %%al, %0\n"
                     SAVE(0, "rax") SAVE(1, "rcx") SAVE(2, "rdx") SAVE(3, "rbx") SAVE(4, "rsp") SAVE(5, "rbp")
                     SAVE(6, "rsi") SAVE(7, "rdi") SAVE(8, "r8") SAVE(9, "r9") SAVE(10, "r10") SAVE(11, "r11")
                     SAVE(12, "r12") SAVE(13, "r13") SAVE(14, "r14") SAVE(15, "r15")
                     "pushfq\npopq flags_after(%%rip)\ncld\npopq %%rbp"
                     : : "i"(PORT) : "rax", "rcx", "rdx", "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "memory", "cc");
}

#define READ(name, type) ({ type value_; __asm__ volatile("mov %%" name ", %0" : "=r"(value_)); value_; })

struct others {
    uint64_t cr0, cr3, cr4, dr7, efer;
    uint16_t segments[6];
};

static struct others others(void)
{
    return (struct others){ cr0_read(), cr3_read(), cr4_read(), READ("dr7", uint64_t), msr_read(MSR_EFER),
                            { READ("es", uint16_t), READ("cs", uint16_t), READ("ss", uint16_t), READ("ds", uint16_t),
                              READ("fs", uint16_t), READ("gs", uint16_t) } };
}

/* With an SMI behind the OUT: the handler leaves other values in most of them, SMM itself in the rest. */
static void every_register(void)
{
    struct others was, is;
    unsigned wrong = 0;

    for (unsigned n = 0; n < 16; n++)
        before[n] = 0x0123456789ABCDEFull * (2 * n + 1);
    flags_before = STATUS_AND_DF;
    __asm__ volatile("mov %0, %%dr7" : : "r"(DR7_VALUE));
    was = others();
    out_with_values();
    is = others();
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
    for (unsigned n = 0; n < 16; n++)
        wrong += after[n] != before[n];
    check_equal(wrong, 0, "all general registers are as before the SMI");
    check_equal(flags_after, flags_before, "and rFLAGS");
    check(was.dr7 == DR7_VALUE && is.dr7 == was.dr7, "and DR7");
    check(memcmp(was.segments, is.segments, sizeof(was.segments)) == 0, "and the segments' selectors");
    check(was.cr0 == is.cr0 && was.cr3 == is.cr3 && was.cr4 == is.cr4 && was.efer == is.efer,
          "and CR0, CR3, CR4 and EFER");
}

static void io_trap(void)
{
    uint32_t count;

    msr_write(MSR_IO_TRAP0, 1ull << 62 | 0xFFFFull << 32 | PORT); /* writes of port 80h */
    msr_write(MSR_IO_TRAP_CTL, 1u << 15 | 1u << 1);
    every_register();
    check_equal(smis, 4, "a trapped OUT raises an SMI behind it");
    check_equal(*word(NEW_BASE + MAP_IO_TRAP), PORT << 16 | 0x12, "FEC0: port 80h, 8 bits, valid, OUT");
    check_equal(*word(NEW_BASE + MAP_STATUS), 1, "FEC4: I/O trap 0");
    check_equal(map_read64(NEW_BASE, MAP_IO_RIP), (uintptr_t)at_out, "FEA0: the instruction, for I/O restart");
    port_read8(PORT);
    check_equal(smis, 4, "an IN from the port does not");
    restart = IO_RESTART;
    count = smis;
    port_write8(PORT, 0);
    check_equal(smis, count + 2, "FEC8: if the handler writes FFh, the OUT is executed again, and is trapped again");
    count = smis;
    msr_write(MSR_IO_TRAP_CTL, 0);
    port_write8(PORT, 0);
    check_equal(smis, count, "nor anything with IoTrapEn = 0");
}

/* ---- Halted (BKDG10 2.4.2: FEC9h) ------------------------------------------------------------------------------- */

static volatile bool halting, goes_on, went_on;
static volatile uint8_t this_core;

static void wait(void)
{
    for (unsigned i = 0; i < 3000; i++)
        cpu_pause();
}

/* On the other core: an SMI to the halted one, then a look at it, then an interrupt, which ends HLT in any case. */
static void smi_from_there(void *unused)
{
    (void)unused;
    while (!halting)
        cpu_pause();
    wait();
    apic_send(this_core, APIC_ICR_SMI | APIC_ICR_ASSERT);
    wait();
    went_on = goes_on;
    apic_send(this_core, VECTOR | APIC_ICR_ASSERT);
}

static void halt(void *unused)
{
    (void)unused;
    halting = true;
    __asm__ volatile("sti\nhlt" : : : "memory");
    goes_on = true;
    for (;;)
        cpu_pause();
}

static void halted(bool wake, const char *what)
{
    uint32_t count = smis;

    halting = goes_on = went_on = false;
    install(NEW_BASE, NEW_BASE, wake);
    *(volatile uint8_t *)(NEW_BASE + MAP_AUTO_HALT) = 0x5A;
    smp_run(smi_from_there, NULL);
    check_raised(exception_try(halt, NULL), VECTOR, 0, what);
    check(smp_wait() && smis == count + 1 && went_on == wake,
          wake ? "it goes on behind HLT after the SMI" : "it halts again after the SMI, until an interrupt");
    apic_write(APIC_EOI, 0);
    if (!wake)
        check_equal(*(volatile uint8_t *)(NEW_BASE + MAP_AUTO_HALT), 1, "FEC9: the SMI found the core halted");
}

static void auto_halt(void)
{
    raise_smi();
    check_equal(*(volatile uint8_t *)(NEW_BASE + MAP_AUTO_HALT), 0, "FEC9 of an SMI that finds the core running: 0");
    if ((cpuid(1, 0).ebx >> 16 & 0xFF) < 2) {
        check_skip("HLT", "there is no other core to send an SMI");
        return;
    }
    this_core = (uint8_t)(apic_read(APIC_ID) >> 24);
    smp_prepare();
    check(smp_start(this_core ^ 1), "another core starts");
    halted(false, "a halted core whose handler leaves FEC9");
    halted(true, "a halted core whose handler clears FEC9");
}

static void tseg(void)
{
    store32(TSEG, 0x12345678);
    msr_write(MSR_SMM_ADDR, TSEG);
    msr_write(MSR_SMM_MASK, TSEG_MASK | 2);
    check_equal(load32(TSEG), 0xFFFFFFFF, "TSEG is no memory outside SMM");
    store32(TSEG, 0);
    check_equal(load32(TSEG + 0x20000), 0, "behind its end memory goes on");
    msr_write(MSR_SMM_MASK, 0);
    check_equal(load32(TSEG), 0x12345678, "without TValid it is memory again, untouched");
}

static void lock(void)
{
    uint32_t count = smis;

    msr_write(MSR_HWCR, msr_read(MSR_HWCR) | 1);
    msr_write(MSR_HWCR, msr_read(MSR_HWCR) & ~1ull);
    check_equal(msr_read(MSR_HWCR) & 1, 1, "SmmLock is set once");
    msr_write(MSR_SMM_BASE, SMM_BASE);
    check_equal(msr_read(MSR_SMM_BASE), NEW_BASE, "SMM_BASE is read-only then");
    msr_write(MSR_SMM_MASK, TSEG_MASK | 3);
    check_equal(msr_read(MSR_SMM_MASK), 0, "and SMMMask");
    check_raised(exception_try(write_smm_ctl, NULL), EXC_GP, 0, "a write of SMM_CTL is #GP");
    raise_smi();
    check_equal(smis, count + 1, "SMIs go on");
}

void guest_main(void)
{
    exceptions_init();
    apic_enable();
    entering();
    relocation();
    io_trap();
    tseg();
    auto_halt();
    lock();
    check_end();
}
