/* SPDX-License-Identifier: MIT */
/*
 * Bits of control registers, debug registers and MSRs that must be zero, and registers that do not exist (APM2 3.1,
 * BKDG10 chapter 3): which writes are #GP(0), which bits are ignored, and which registers are #UD.
 *
 * A kernel may try what a processor has; one that accepts what Family 10h does not know is another model. QEMU stops
 * in this program. Bochs by its default setting accepts MSRs that do not exist, and does not ignore DR7's bits as it
 * should.
 *
 * exception_try does each access at CPL 0 of long mode and says what it raised; in CR0, CR4 and EFER bits are changed
 * of what the register has, and where a write is ignored or refused some are read again.
 *
 * CR4: each of 63:11 is #GP, and CR4 stays. CR0: each of 63:32 is #GP; each reserved one below is ignored, ET stays
 * 1; PG without PE and NW without CD are #GP, and so is PAE off in long mode. CR8: each of 63:4 is #GP, 0 to 15 read
 * back. RFLAGS: reserved bits are ignored, bit 1 is 1. CR1, CR5, CR7, CR9 and DR8 are #UD. DR6 and DR7: each of 63:32
 * is #GP; DR6 reads FFFF0FF0h after 0, DR7 ignores 15, 14, 12 and 11 and reads 400h. EFER: each of 63:15 and bit 9
 * are #GP, and so is LME cleared under paging; 7:1 and LMA are ignored.
 *
 * MSRs: fourteen numbers outside the model's table, at the ends of the three MSR ranges and such as other
 * processors use, are #GP for reading and writing. LSTAR, CSTAR and the bases of FS, GS and KernelGS must be
 * canonical: 1 << 47 is #GP and changes nothing. A type 2 in PAT and an APIC_BASE above 48 bits are #GP.
 *
 * CR3 is not asked.
 */
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define MSR_EFER 0xC0000080
#define CR4_KNOWN 0x7FFu            /* VME .. OSXMMEXCPT (fact sheet 4.1) */
#define CR4_PAE 0x20u
#define CR0_KNOWN 0xE005003Fu       /* PG CD NW AM WP NE ET TS EM MP PE (APM2 3.1.1) */
#define RFLAGS_KNOWN 0x3F7FD5u      /* ID .. CF without the reserved 15, 5, 3 and 1 (APM2 3.1.6) */
#define EFER_LME 0x100u
#define EFER_MBZ_LOW 0x200u         /* bit 9; 63:15 */

static uint64_t value;
static uint32_t msr;

static void to_cr0(void *unused) { (void)unused; __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory"); }
static void to_cr4(void *unused) { (void)unused; __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory"); }
static void to_cr8(void *unused) { (void)unused; __asm__ volatile("mov %0, %%cr8" : : "r"(value) : "memory"); }
static void to_dr6(void *unused) { (void)unused; __asm__ volatile("mov %0, %%dr6" : : "r"(value) : "memory"); }
static void to_dr7(void *unused) { (void)unused; __asm__ volatile("mov %0, %%dr7" : : "r"(value) : "memory"); }
static void to_msr(void *unused) { (void)unused; msr_write(msr, value); }
static void from_msr(void *unused) { (void)unused; msr_read(msr); }
static void from_cr1(void *unused) { (void)unused; __asm__ volatile(".byte 0x0F, 0x20, 0xC8" : : : "rax"); }
static void from_cr5(void *unused) { (void)unused; __asm__ volatile(".byte 0x0F, 0x20, 0xE8" : : : "rax"); }
static void to_cr7(void *unused) { (void)unused; __asm__ volatile(".byte 0x0F, 0x22, 0xF8"); }
static void from_cr9(void *unused) { (void)unused; __asm__ volatile(".byte 0x44, 0x0F, 0x20, 0xC8" : : : "rax"); }
static void from_dr8(void *unused) { (void)unused; __asm__ volatile(".byte 0x44, 0x0F, 0x21, 0xC0" : : : "rax"); }

static uint64_t cr8_read(void)
{
    uint64_t now;

    __asm__ volatile("mov %%cr8, %0" : "=r"(now));
    return now;
}

static uint64_t flags_after(uint64_t popped)
{
    uint64_t now;

    __asm__ volatile("pushfq\npushq %1\npopfq\npushfq\npopq %0\npopfq" : "=&r"(now) : "r"(popped) : "cc", "memory");
    return now;
}

static void expect(void (*function)(void *), uint64_t new_value, unsigned vector, const char *what)
{
    value = new_value;
    check_raised(exception_try(function, NULL), vector, 0, what);
}

static void task_priority(void)
{
    unsigned wrong = 0;

    for (unsigned bit = 4; bit < 64; bit++) {
        value = 1ull << bit;
        wrong += exception_try(to_cr8, NULL).vector != EXC_GP || cr8_read() != 0;
    }
    check_equal(wrong, 0, "each of CR8 63:4 is #GP, and CR8 stays");
    wrong = 0;
    for (unsigned priority = 16; priority-- > 0;) {
        value = priority;
        wrong += exception_try(to_cr8, NULL).vector != EXC_NONE || cr8_read() != priority;
    }
    check_equal(wrong, 0, "0 to 15 are not");
}

static void control_registers(void)
{
    uint64_t cr0 = cr0_read(), cr4 = cr4_read();
    unsigned wrong = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        if (CR4_KNOWN >> bit & 1)
            continue;
        value = cr4 | 1ull << bit;
        wrong += exception_try(to_cr4, NULL).vector != EXC_GP;
    }
    check_equal(wrong, 0, "each reserved bit of CR4, 63:11, is #GP");
    check_equal(cr4_read(), cr4, "and CR4 stays");
    wrong = 0;
    for (unsigned bit = 32; bit < 64; bit++) {
        value = cr0 | 1ull << bit;
        wrong += exception_try(to_cr0, NULL).vector != EXC_GP;
    }
    check_equal(wrong, 0, "each of CR0 63:32 is #GP");
    wrong = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        value = cr0 | 1ull << bit;
        wrong += !(CR0_KNOWN >> bit & 1) && (exception_try(to_cr0, NULL).vector != EXC_NONE || cr0_read() != cr0);
    }
    check_equal(wrong, 0, "each reserved bit of CR0's low half is ignored");
    expect(to_cr0, (cr0 & ~(uint64_t)0x10), EXC_NONE, "ET cannot be cleared");
    check_equal(cr0_read(), cr0, "and stays 1");
    expect(to_cr0, cr0 & ~1ull, EXC_GP, "PG without PE is #GP");
    expect(to_cr0, (cr0 & ~(uint64_t)0x40000000) | 0x20000000, EXC_GP, "NW without CD is #GP");
    expect(to_cr4, cr4 & ~(uint64_t)CR4_PAE, EXC_GP, "PAE off in long mode is #GP");
    task_priority();
    check_raised(exception_try(from_cr1, NULL), EXC_UD, 0, "CR1 does not exist: #UD");
    check_raised(exception_try(from_cr5, NULL), EXC_UD, 0, "nor CR5");
    check_raised(exception_try(to_cr7, NULL), EXC_UD, 0, "nor CR7");
    check_raised(exception_try(from_cr9, NULL), EXC_UD, 0, "nor CR9");
    check_raised(exception_try(from_dr8, NULL), EXC_UD, 0, "nor DR8");
}

static void flags(void)
{
    unsigned wrong = 0;

    for (unsigned bit = 2; bit < 64; bit++)
        wrong += !(RFLAGS_KNOWN >> bit & 1) && flags_after(1ull << bit) != 2;
    check_equal(wrong, 0, "each of RFLAGS 63:22, 15, 5 and 3 is ignored and reads 0");
    check_equal(flags_after(0), 2, "bit 1 reads 1");
}

static void debug_registers(void)
{
    unsigned wrong = 0;

    for (unsigned bit = 32; bit < 64; bit++) {
        value = 1ull << bit;
        wrong += exception_try(to_dr6, NULL).vector != EXC_GP;
        wrong += exception_try(to_dr7, NULL).vector != EXC_GP;
    }
    check_equal(wrong, 0, "each of DR6 and DR7 63:32 is #GP");
    expect(to_dr6, 0, EXC_NONE, "DR6 of 0");
    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    check_equal(value, 0xFFFF0FF0, "reads with its ones");
    expect(to_dr7, 0xD800, EXC_NONE, "DR7's reserved bits 15, 14, 12, 11");
    __asm__ volatile("mov %%dr7, %0" : "=r"(value));
    check_equal(value, 0x400, "are ignored, bit 10 is 1");
}

static void efer(void)
{
    uint64_t old = msr_read(MSR_EFER);
    unsigned wrong = 0;

    msr = MSR_EFER;
    for (unsigned bit = 1; bit < 8; bit++) {
        value = old | 1ull << bit;
        wrong += exception_try(to_msr, NULL).vector != EXC_NONE || msr_read(MSR_EFER) != old;
    }
    check_equal(wrong, 0, "each of EFER 7:1 is ignored and reads 0");
    wrong = 0;
    for (unsigned bit = 15; bit < 64; bit++) {
        value = old | 1ull << bit;
        wrong += exception_try(to_msr, NULL).vector != EXC_GP;
    }
    check_equal(wrong, 0, "each of EFER 63:15 is #GP");
    expect(to_msr, old | EFER_MBZ_LOW, EXC_GP, "EFER bit 9 is #GP");
    expect(to_msr, old & ~(uint64_t)EFER_LME, EXC_GP, "LME cleared under paging is #GP");
    expect(to_msr, old & ~(uint64_t)0x400, EXC_NONE, "LMA is read-only");
    check_equal(msr_read(MSR_EFER), old, "and stays");
}

static void msrs(void)
{
    static const uint32_t absent[] = {
        0x2, 0x12, 0x3A, 0x480, 0x800, 0x1FFF, 0x2000, 0x40000000, 0xC0000085, 0xC0000104, 0xC0002000, 0xC0011FFF,
        0xC0012000, 0xFFFFFFFF
    };
    static const uint32_t canonical[] = { 0xC0000082, 0xC0000083, 0xC0000100, 0xC0000101, 0xC0000102 };
    unsigned wrong = 0;

    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        msr = absent[i];
        value = 0;
        check_format(exception_try(from_msr, NULL).vector == EXC_GP && exception_try(to_msr, NULL).vector == EXC_GP,
                     "MSR %x does not exist: #GP", msr);
    }
    for (unsigned i = 0; i < sizeof(canonical) / sizeof(canonical[0]); i++) {
        uint64_t old = msr_read(canonical[i]);

        msr = canonical[i];
        value = 1ull << 47;
        wrong += exception_try(to_msr, NULL).vector != EXC_GP || msr_read(msr) != old;
        value = 0xFFFF800000000000;
        wrong += exception_try(to_msr, NULL).vector != EXC_NONE || msr_read(msr) != value;
        msr_write(msr, old);
    }
    check_equal(wrong, 0, "LSTAR, CSTAR and the three bases must be canonical");
    msr = 0x277;
    expect(to_msr, 2, EXC_GP, "PAT type 2 is #GP");
    msr = 0x1B;
    expect(to_msr, 1ull << 48 | 0xFEE00900, EXC_GP, "APIC_BASE above the physical limit is #GP");
}

void guest_main(void)
{
    exceptions_init();
    control_registers();
    flags();
    debug_registers();
    efer();
    msrs();
    check_end();
}
