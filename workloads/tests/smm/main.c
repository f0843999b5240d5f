/* SPDX-License-Identifier: MIT */
/*
 * System-management mode (APM2 chapter 10; BKDG10 2.4.2): what an SMI saves and RSM brings back, how SMM_BASE moves,
 * what an I/O trap tells, what TSEG hides, and what SmmLock closes.
 *
 * Firmware relies on each: it gives every core an SMM_BASE of its own, keeps its handlers in TSEG, and locks it all
 * before an operating system starts. Peers take no SMI from the local APIC: few of these checks hold there.
 *
 * A 64-bit program on the bare machine sends its core SMIs by the local APIC. A handler of a few bytes in 16-bit
 * code with flat data segments, at SMM_BASE + 8000h, counts them, stores the next SMM_BASE in the map at FF00h and
 * returns. The program reads the map afterwards, where it lies in plain memory.
 *
 * RSM is #UD outside SMM. SMM_BASE is 30000h after reset; an SMI comes back to where it was taken, with CR0 and CR3
 * as they were; the map has revision 30064h and the state of 64-bit code: EFER, CR3, CR0. What the handler writes to
 * FF00h takes effect at RSM, and the next SMI runs and saves there. A trapped OUT to port 80h raises an SMI behind
 * it, with FEC0h (port, 8 bits, valid, OUT), FEC4h (trap 0) and FEA0h (its rIP); an IN does not, nor anything once
 * the trap is disabled. TSEG of 128 KiB reads as ones outside SMM and takes no store; behind its end memory goes on,
 * and without TValid it is memory again, untouched. SmmLock cannot be cleared: SMM_BASE and SMMMask then ignore
 * writes, a write of SMM_CTL is #GP(0), and SMIs go on.
 *
 * Not here: ASEG, auto-halt and I/O restart, what SMM_CTL does, an SMI from a guest (svm-smm).
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define SMM_BASE 0x30000u
#define NEW_BASE 0x50000u
#define MAP_IO_RIP 0xFEA0u
#define MAP_IO_TRAP 0xFEC0u
#define MAP_STATUS 0xFEC4u
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

static volatile uint32_t smis;

static volatile uint32_t *word(uint32_t at)
{
    return (volatile uint32_t *)(uintptr_t)at;
}

static uint64_t map_read64(uint32_t base, uint32_t offset)
{
    return *(volatile uint64_t *)(uintptr_t)(base + offset);
}

/* inc dword [smis]; mov dword [base + FF00h],next; rsm. Data segments are flat in SMM. */
static void install(uint32_t base, uint32_t next)
{
    uint8_t *code = (uint8_t *)(uintptr_t)(base + 0x8000);
    uint32_t counter = (uint32_t)(uintptr_t)&smis, place = base + MAP_BASE;

    memcpy(code, "\x67\x66\xFF\x05", 4);
    memcpy(code + 4, &counter, 4);
    memcpy(code + 8, "\x67\x66\xC7\x05", 4);
    memcpy(code + 12, &place, 4);
    memcpy(code + 16, &next, 4);
    memcpy(code + 20, "\x0F\xAA", 2);
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
    install(SMM_BASE, SMM_BASE);
    raise_smi();
    check_equal(smis, 1, "an SMI runs the handler and comes back");
    check(cr3_read() == cr3 && cr0_read() == cr0, "CR0 and CR3 are as before");
    check_equal(*word(SMM_BASE + MAP_REVISION), 0x00030064, "SMM revision 30064h");
    check_equal(map_read64(SMM_BASE, MAP_EFER), msr_read(MSR_EFER), "the map has EFER, long mode active");
    check_equal(map_read64(SMM_BASE, MAP_CR3), cr3, "the map has CR3");
    check_equal(map_read64(SMM_BASE, MAP_CR0), cr0, "the map has CR0");
}

static void relocation(void)
{
    install(SMM_BASE, NEW_BASE);
    raise_smi();
    check_equal(msr_read(MSR_SMM_BASE), NEW_BASE, "the map's SMM_BASE takes effect at RSM");
    install(NEW_BASE, NEW_BASE);
    raise_smi();
    check_equal(smis, 3, "the next SMI runs the handler there");
    check_equal(*word(NEW_BASE + MAP_BASE), NEW_BASE, "and saves its map there");
}

static void io_trap(void)
{
    uintptr_t at;

    msr_write(MSR_IO_TRAP0, 1ull << 62 | 0xFFFFull << 32 | PORT); /* writes of port 80h */
    msr_write(MSR_IO_TRAP_CTL, 1u << 15 | 1u << 1);
    __asm__ volatile("lea 1f(%%rip), %0\n1: outb %%al, %1" : "=&r"(at) : "i"(PORT), "a"(0));
    check_equal(smis, 4, "a trapped OUT raises an SMI behind it");
    check_equal(*word(NEW_BASE + MAP_IO_TRAP), PORT << 16 | 0x12, "FEC0: port 80h, 8 bits, valid, OUT");
    check_equal(*word(NEW_BASE + MAP_STATUS), 1, "FEC4: I/O trap 0");
    check_equal(map_read64(NEW_BASE, MAP_IO_RIP), at, "FEA0: the instruction, for I/O restart");
    port_read8(PORT);
    check_equal(smis, 4, "an IN from the port does not");
    msr_write(MSR_IO_TRAP_CTL, 0);
    port_write8(PORT, 0);
    check_equal(smis, 4, "nor anything with IoTrapEn = 0");
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
    msr_write(MSR_HWCR, msr_read(MSR_HWCR) | 1);
    msr_write(MSR_HWCR, msr_read(MSR_HWCR) & ~1ull);
    check_equal(msr_read(MSR_HWCR) & 1, 1, "SmmLock is set once");
    msr_write(MSR_SMM_BASE, SMM_BASE);
    check_equal(msr_read(MSR_SMM_BASE), NEW_BASE, "SMM_BASE is read-only then");
    msr_write(MSR_SMM_MASK, TSEG_MASK | 3);
    check_equal(msr_read(MSR_SMM_MASK), 0, "and SMMMask");
    check_raised(exception_try(write_smm_ctl, NULL), EXC_GP, 0, "a write of SMM_CTL is #GP");
    raise_smi();
    check_equal(smis, 5, "SMIs go on");
}

void guest_main(void)
{
    exceptions_init();
    apic_enable();
    entering();
    relocation();
    io_trap();
    tseg();
    lock();
    check_end();
}
