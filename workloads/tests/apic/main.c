/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of one core, register by register (APM2 chapter 16): which interrupts it lets through, which it
 * holds and for how long, what its timer measures, and what disabling it leaves.
 *
 * Masking, the end of an interrupt and a kernel's time rest on these registers. Simulators differ in them
 * (doc/conformance.md): a vector of TPR's class comes although it must wait, an illegal vector is sent, a disabled
 * APIC still accepts interrupts, the timer keeps the time of the machine outside.
 *
 * The program runs in long mode at CPL 0 with the 8259s masked and IF clear. It sends vectors to itself and opens a
 * window of STI and two NOPs; the handler notes the vector and sends no EOI, so what was taken stays in service
 * until the program ends it.
 *
 * Identity first: the ID of CPUID, APIC_BASE, version 80050010h, reset values. Then priorities (16.6): a vector
 * comes only if its class, bits 7:4, is above PPR's, which is the higher of TPR's and that of the highest in
 * service; EOI ends the latter; IRR holds one of each vector, beside one in service; CR8 is TPR bits 7:4. Then flat
 * and cluster logical destinations and shorthands that do or do not name this core, and a vector below 10h, which
 * sets ESR bit 5 and is not sent (16.4.6). The timer (16.4.1): each divider, timed by the TSC against division by 1
 * to within a half; one-shot, periodic, stopped by an initial count of 0, masked. Software disable by SVR (16.4.7)
 * masks all six entries of the LVT, keeps IRR and refuses fixed interrupts. Global disable by APIC_BASE (16.3.1) takes
 * CPUID's bit and the registers away, enable brings them back, and the base can move.
 *
 * What reaches another core is asked by apic-messages, apic-remote and smp.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define MSR_APIC_BASE 0x1B
#define APIC_BASE_ENABLE 0x800u
#define APIC_BASE_BSC 0x100u
#define CPUID_EDX_APIC (1u << 9)
#define ESR_SEND_ILLEGAL 0x20u
#define PATIENCE 1000000u

static void open_window(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nnop\nnop\ncli" : : : "memory");
}

/* The vector that is taken now, EXC_NONE for none; it stays in service. */
static unsigned take(void)
{
    return exception_try(open_window, NULL).vector;
}

static void send_self(unsigned vector)
{
    apic_write(APIC_ICR, APIC_ICR_SELF | vector);
}

static void end(void)
{
    apic_write(APIC_EOI, 0);
}

static void identity(void)
{
    check_equal(apic_read(APIC_ID) >> 24, cpuid(1, 0).ebx >> 24, "the ID register and CPUID agree");
    check(msr_read(MSR_APIC_BASE) == (APIC_BASE | APIC_BASE_ENABLE | APIC_BASE_BSC),
          "APIC_BASE: FEE00000h, enabled, the boot core");
    check_equal(apic_read(APIC_VERSION), 0x80050010, "version 10h, six LVT entries, extended space");
    check_equal(apic_read(APIC_LVT_TIMER), APIC_LVT_MASKED, "the timer's LVT entry is masked at reset");
    check_equal(apic_read(APIC_DFR), 0xFFFFFFFF, "DFR says flat model");
}

static void priorities(void)
{
    send_self(0x41);
    apic_write(APIC_TPR, 0x40);
    check_equal(take(), EXC_NONE, "a vector of TPR's class waits");
    check_equal(apic_read(APIC_PPR), 0x40, "PPR is TPR while nothing is in service");
    send_self(0x51);
    check_equal(take(), 0x51, "one of a higher class does not");
    check_equal(apic_read(APIC_PPR), 0x50, "PPR is the class in service");
    apic_write(APIC_TPR, 0x4B);
    check_equal(apic_read(APIC_PPR), 0x50, "its low bits are 0 then, not TPR's");
    apic_write(APIC_TPR, 0x5B);
    check_equal(apic_read(APIC_PPR), 0x5B, "and TPR's where both are of one class");
    check(apic_bit(APIC_ISR, 0x51) && !apic_bit(APIC_IRR, 0x51) && apic_bit(APIC_IRR, 0x41), "ISR and IRR say so");
    apic_write(APIC_TPR, 0);
    check_equal(take(), EXC_NONE, "a lower one waits for EOI");
    send_self(0x5F);
    check_equal(take(), EXC_NONE, "so does a higher one of the same class");
    send_self(0x61);
    check_equal(take(), 0x61, "one of a higher class nests");
    end();
    check(!apic_bit(APIC_ISR, 0x61) && apic_bit(APIC_ISR, 0x51), "EOI ends the highest in service");
    end();
    check_equal(take(), 0x5F, "then the highest pending one comes");
    end();
    check_equal(take(), 0x41, "then the next");
    end();
    check_equal(take(), EXC_NONE, "and no more");
    send_self(0x71);
    send_self(0x71);
    check_equal(take(), 0x71, "a vector sent twice");
    end();
    check_equal(take(), EXC_NONE, "comes once");
    send_self(0x71);
    take();
    send_self(0x71);
    check(apic_bit(APIC_IRR, 0x71) && apic_bit(APIC_ISR, 0x71), "one in service can be pending again");
    end();
    check_equal(take(), 0x71, "and comes after EOI");
    end();
    __asm__ volatile("mov %0, %%cr8" : : "r"(9ull));
    check_equal(apic_read(APIC_TPR), 0x90, "CR8 is TPR bits 7:4");
    apic_write(APIC_TPR, 0x35);
    check_equal(apic_read(APIC_PPR), 0x35, "PPR has TPR's low bits when TPR is higher");
    apic_write(APIC_TPR, 0);
}

static void destinations(void)
{
    apic_write(APIC_LDR, 0x04000000);
    apic_send(0x04, APIC_ICR_LOGICAL | APIC_ICR_ASSERT | 0x42);
    check_equal(take(), 0x42, "flat logical destination: a bit of LDR");
    end();
    apic_send(0x08, APIC_ICR_LOGICAL | APIC_ICR_ASSERT | 0x42);
    check_equal(take(), EXC_NONE, "another bit: nothing");
    apic_write(APIC_DFR, 0x0FFFFFFF);
    apic_write(APIC_LDR, 0x21000000);
    apic_send(0x21, APIC_ICR_LOGICAL | APIC_ICR_ASSERT | 0x43);
    check_equal(take(), 0x43, "cluster model: cluster 2, bit 0");
    end();
    apic_send(0x31, APIC_ICR_LOGICAL | APIC_ICR_ASSERT | 0x43);
    check_equal(take(), EXC_NONE, "another cluster: nothing");
    apic_write(APIC_DFR, 0xFFFFFFFF);
    apic_send(0, APIC_ICR_ALL | APIC_ICR_ASSERT | 0x44);
    check_equal(take(), 0x44, "the shorthand for all includes this core");
    end();
    apic_send(0, APIC_ICR_OTHERS | APIC_ICR_ASSERT | 0x45);
    check_equal(take(), EXC_NONE, "that for all others does not");
    send_self(0x05);
    apic_write(APIC_ESR, 0);
    check(apic_read(APIC_ESR) & ESR_SEND_ILLEGAL, "sending a vector below 10h is an error in the ESR");
    apic_write(APIC_ESR, 0);
    check_equal(apic_read(APIC_ESR), 0, "which the next write clears");
    check_equal(take(), EXC_NONE, "and does nothing else");
}

/* ---- Timer ------------------------------------------------------------------------------------------------------ */

static bool fires(unsigned vector)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (apic_bit(APIC_IRR, vector))
            return true;
    }
    return false;
}

static uint64_t cycles(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* TSC cycles of 2000 counts. */
static uint64_t duration(uint32_t divide)
{
    uint64_t start;

    apic_write(APIC_TIMER_DIVIDE, divide);
    apic_write(APIC_LVT_TIMER, 0x61);
    start = cycles();
    apic_write(APIC_TIMER_INITIAL, 2000);
    if (!fires(0x61))
        return 0;
    start = cycles() - start;
    take();
    end();
    return start;
}

static void timer(void)
{
    static const struct {
        uint32_t code;
        unsigned divisor;
    } dividers[] = { { 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 }, { 0x8, 32 }, { 0x9, 64 }, { 0xA, 128 } };
    uint64_t one = duration(0xB);
    uint32_t first;

    for (unsigned i = 0; i < sizeof(dividers) / sizeof(dividers[0]); i++) {
        uint64_t ratio = (duration(dividers[i].code) * 8 + one / 2) / one;

        check_format(ratio >= dividers[i].divisor * 8 - 4 && ratio <= dividers[i].divisor * 8 + 4,
                     "divider code %x is %u", dividers[i].code, dividers[i].divisor);
    }
    check_equal(take(), EXC_NONE, "one-shot: it fires once");
    check_equal(apic_read(APIC_TIMER_CURRENT), 0, "and stays at 0");
    apic_write(APIC_TIMER_DIVIDE, 0xB);
    apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | 0x62);
    apic_write(APIC_TIMER_INITIAL, 5000);
    for (unsigned i = 0; i < 3; i++) {
        check_format(fires(0x62) && take() == 0x62, "periodic: time %u", i + 1);
        end();
    }
    check(apic_read(APIC_TIMER_CURRENT) != 0, "it has started again");
    apic_write(APIC_TIMER_INITIAL, 0);
    take();
    end();
    check(apic_read(APIC_TIMER_CURRENT) == 0 && take() == EXC_NONE, "an initial count of 0 stops it");
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | 0x63);
    apic_write(APIC_TIMER_INITIAL, 100000000);
    first = apic_read(APIC_TIMER_CURRENT);
    for (unsigned i = 0; i < 100; i++)
        cpu_pause();
    check(apic_read(APIC_TIMER_CURRENT) < first, "masked: it counts");
    apic_write(APIC_TIMER_INITIAL, 100);
    check(!fires(0x63), "and does not interrupt");
}

/* ---- Disable ---------------------------------------------------------------------------------------------------- */

/* Of timer, thermal sensor, performance counters, LINT0, LINT1 and error. */
static void unmask_entries(void)
{
    for (unsigned entry = APIC_LVT_TIMER; entry <= APIC_LVT_ERROR; entry += 0x10)
        apic_write(entry, 0x47);
}

static unsigned masked_entries(void)
{
    unsigned masked = 0;

    for (unsigned entry = APIC_LVT_TIMER; entry <= APIC_LVT_ERROR; entry += 0x10)
        masked += (apic_read(entry) & APIC_LVT_MASKED) != 0;
    return masked;
}

static void software_disable(void)
{
    send_self(0x46);
    unmask_entries();
    check_equal(masked_entries(), 0, "six entries of the LVT are unmasked");
    apic_write(APIC_SVR, APIC_SPURIOUS);
    check_equal(masked_entries(), 6, "SVR disable masks them all");
    unmask_entries();
    check_equal(masked_entries(), 6, "and keeps them masked");
    check(apic_bit(APIC_IRR, 0x46), "IRR is kept");
    send_self(0x48);
    check(!apic_bit(APIC_IRR, 0x48), "a fixed interrupt is refused");
    apic_enable();
    check_equal(masked_entries(), 6, "enabled again, the LVT stays masked until written");
    check_equal(take(), 0x46, "what was pending comes");
    end();
}

static void global_disable(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE);

    msr_write(MSR_APIC_BASE, base & ~(uint64_t)APIC_BASE_ENABLE);
    check(!(cpuid(1, 0).edx & CPUID_EDX_APIC), "APIC_BASE disable: CPUID shows no APIC");
    check(apic_read(APIC_VERSION) != 0x80050010, "and its page is not there");
    msr_write(MSR_APIC_BASE, base);
    check(cpuid(1, 0).edx & CPUID_EDX_APIC && apic_read(APIC_VERSION) == 0x80050010, "enabled again both are back");
    apic_enable();
    send_self(0x49);
    check_equal(take(), 0x49, "and it works");
    end();
    msr_write(MSR_APIC_BASE, 0xD0000000 | APIC_BASE_ENABLE | APIC_BASE_BSC);
    check_equal(*(volatile uint32_t *)(0xD0000000ull + APIC_VERSION), 0x80050010, "APIC_BASE can move it");
    check(apic_read(APIC_VERSION) != 0x80050010, "and it no longer answers where it was");
    msr_write(MSR_APIC_BASE, base);
}

void guest_main(void)
{
    exceptions_init();
    port_write8(0x21, 0xFF); /* the 8259s say nothing */
    port_write8(0xA1, 0xFF);
    identity();
    apic_enable();
    priorities();
    destinations();
    timer();
    software_disable();
    global_disable();
    check_end();
}
