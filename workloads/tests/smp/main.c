/* SPDX-License-Identifier: MIT */
/*
 * Two cores: how the second one starts, what reaches it, and what both see of the memory and the code that they
 * share (APM2 16.5, 14.1.3, 7.6.1).
 *
 * A kernel for several processors stands on this. A simulator that runs its cores in turns and keeps instructions
 * decoded may lose an addition with LOCK, or go on running code as it was before another core changed it.
 *
 * The second core gets an INIT and one STARTUP message, notes what it finds in real mode, enters long mode and
 * then, with IF clear, calls what this core hands it. Its handlers count interrupts and NMIs. Every wait has an
 * end: a core that does not answer is a failed check.
 *
 * It waits for STARTUP, which with vector vv begins at page vv: CS = vv00h, rIP = 0, real mode without paging,
 * DS = 0, the signature in EDX. A STARTUP without an INIT before it does nothing, and INIT with STARTUP starts the
 * core once more. A fixed interrupt by physical id, and one by the shorthand for all others, ends its HLT; NMI
 * reaches it with IF = 0, a fixed interrupt waits for IF = 1; none of them comes here. 2000 locked increments by
 * each core make 4000. Last, this core changes the immediate of a MOV that the other runs in a loop, 199 times, by
 * one aligned doubleword: the other must come to run each new value, and never a mixture of two.
 *
 * After the STARTUP alone the core must do its next work and not have come through real mode again, where it would
 * have noted anew what it finds. Logical destinations and the other message types are in apic-messages. With one core
 * there is one skipped check.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/smp64.h"

#define VECTOR 0x51
#define ROUNDS 2000u
#define PATIENCE 5000000u

static uint8_t other;

static void halt_once(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nhlt\ncli" : : : "memory");
}

static void open_window(void *unused)
{
    (void)unused;
    __asm__ volatile("sti\nnop\nnop\ncli" : : : "memory");
}

static void wait_for_nmi(void *argument)
{
    uint32_t before = *(uint32_t *)argument;

    for (unsigned i = 0; i < PATIENCE && smp_nmis == before; i++)
        cpu_pause();
}

static void pause_a_while(void)
{
    for (unsigned i = 0; i < 5000; i++)
        cpu_pause();
}

static void start(void)
{
    smp_prepare();
    check(smp_start(other), "INIT and STARTUP start the other core");
    check(smp_found.cs == (SMP_PAGE >> 4) && smp_found.ds == 0, "at page vv: CS is vv00h, DS 0");
    check_equal(smp_found.edx, cpuid(1, 0).eax, "EDX holds its signature");
    check(!(smp_found.cr0 & 0x80000001), "in real mode without paging");
    smp_found.edx = 0; /* a core that begins anew writes it, and then does its work as well */
    apic_send(other, APIC_ICR_STARTUP | APIC_ICR_ASSERT | SMP_PAGE >> 12);
    pause_a_while();
    smp_run(open_window, NULL);
    check(smp_wait() && smp_found.edx == 0, "a STARTUP without INIT does nothing: it goes on with its work");
    check(smp_start(other), "INIT and STARTUP start it again");
}

static void deliver(uint32_t message, const char *what)
{
    uint32_t before = smp_interrupts;

    smp_run(halt_once, NULL);
    pause_a_while();
    apic_send(other, message);
    check(smp_wait() && smp_interrupts == before + 1, what);
}

static void interrupts(void)
{
    uint32_t before = smp_nmis;

    deliver(APIC_ICR_ASSERT | VECTOR, "a fixed interrupt by its id ends its HLT");
    deliver(APIC_ICR_ASSERT | APIC_ICR_OTHERS | VECTOR, "so does one for all others");
    smp_run(wait_for_nmi, &before);
    pause_a_while();
    apic_send(other, APIC_ICR_NMI | APIC_ICR_ASSERT);
    check(smp_wait() && smp_nmis == before + 1, "NMI reaches it with IF=0");
    before = smp_interrupts;
    apic_send(other, APIC_ICR_ASSERT | VECTOR);
    pause_a_while();
    check_equal(smp_interrupts, before, "a fixed interrupt waits for its IF");
    smp_run(open_window, NULL);
    check(smp_wait() && smp_interrupts == before + 1, "and is taken then");
    check(!apic_bit(APIC_IRR, VECTOR), "none of them came here");
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static volatile uint32_t sum;

static void add(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < ROUNDS; i++)
        __asm__ volatile("lock incl %0" : "+m"(sum));
}

static void memory(void)
{
    smp_run(add, NULL);
    add(NULL);
    check(smp_wait() && sum == 2 * ROUNDS, "locked additions of two cores are all there");
}

/* ---- Code -------------------------------------------------------------------------------------------------------- */

/* mov $imm32, %eax; ret: the store of the immediate is one aligned doubleword. */
static uint8_t code[16] __attribute__((aligned(64))) = { 0x90, 0x90, 0x90, 0xB8, 1, 1, 1, 1, 0xC3 };
static volatile uint32_t torn, seen_last;
static volatile bool stop;

static uint32_t call_code(void)
{
    return ((uint32_t(*)(void))(uintptr_t)code)();
}

static void run_code(void *unused)
{
    (void)unused;
    while (!stop) {
        uint32_t value = call_code();

        torn += (value & 0xFF) * 0x01010101 != value;
        seen_last = value;
    }
}

static void cross_modify(void)
{
    volatile uint32_t *immediate = (volatile uint32_t *)(code + 4);

    smp_run(run_code, NULL);
    for (uint32_t i = 1; i < 200; i++) {
        *immediate = i * 0x01010101;
        for (unsigned n = 0; n < PATIENCE && seen_last != i * 0x01010101; n++)
            cpu_pause();
        if (seen_last != i * 0x01010101)
            break;
    }
    stop = true;
    check(smp_wait() && seen_last == 199 * 0x01010101u, "the other core runs code as this one has changed it");
    check_equal(torn, 0, "and never a mixture of old and new");
}

void guest_main(void)
{
    exceptions_init();
    apic_enable();
    if ((cpuid(1, 0).ebx >> 16 & 0xFF) < 2) {
        check_skip("two cores", "there is one");
        check_end();
    }
    other = (uint8_t)(apic_read(APIC_ID) >> 24) == 0 ? 1 : 0;
    start();
    interrupts();
    memory();
    cross_modify();
    check_end();
}
