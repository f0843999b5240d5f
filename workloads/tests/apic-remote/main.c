/* SPDX-License-Identifier: MIT */
/*
 * Remote read: registers of another core's APIC read over the interrupt network, by message type 3 of ICR
 * (APM2 16.5, BKDG10 APIC300 and APICC0). The vector is the register's offset divided by 10h, ICR[17:16] says how
 * far the read has come (1: on its way, 2: done, 0: invalid), and register 0C0h has the value.
 *
 * The message needs nothing of the other core's program, so it shows a core that hangs or has never run. Simulators
 * leave it out: the peers of doc/conformance.md read nothing.
 *
 * Each check sends one message, waits while the status is 1, and compares status and 0C0h. The second core sets its
 * TPR, LDR and timer to values that this core does not have, has one vector in service, by a handler without EOI, and
 * lets another wait in its IRR.
 *
 * 0C0h is 0 before any read. This core can read its own registers, by physical and by logical destination. A
 * register that does not exist (offset 010h) and a core that does not (id 77h) are invalid reads, which leave 0C0h
 * and ESR as they were. Of the other core, while it runs: ID, version, TPR, timer entry, a word of IRR and of ISR, EOI
 * as 0, which ends nothing in service there, LDR by logical destination, and a count that is lower at the next read.
 * While it waits for STARTUP: its ID, and the TPR that INIT cleared. Then an NMI to the waiting core, about which the
 * manual says nothing: here it does not wake the core, and is taken once when the core runs, through real mode's vector
 * table.
 *
 * With one core all that concerns the other is one skipped check.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"
#include "workloads/lib/smp64.h"

#define APIC_REMOTE 0x0C0
#define APIC_NONE 0x010            /* no register has this offset */
#define ICR_REMOTE_READ 0x300u
#define READ_STATUS(icr) ((icr) >> 16 & 3)
#define READ_INVALID 0u
#define READ_DONE 2u
#define NOBODY 0x77
#define SELF_BIT 1u                /* logical destinations */
#define OTHER_BIT 2u
#define THERE 0x40u
#define VECTOR 0x51
#define SERVED 0x61
#define CODE64 0x18
#define PATIENCE 100000u
#define NMI_CODE 0x7000u           /* below SMP_PAGE, for real mode */
#define NMI_COUNT 0x7100u

static uint8_t self, other;

/* ICR[17:16] once the read is over; 1 if it never is. */
static uint32_t read_by(uint8_t destination, uint32_t how, unsigned reg)
{
    apic_send(destination, ICR_REMOTE_READ | how | reg >> 4);
    for (unsigned i = 0; i < PATIENCE && READ_STATUS(apic_read(APIC_ICR)) == 1; i++)
        cpu_pause();
    return READ_STATUS(apic_read(APIC_ICR));
}

static void expect_read(uint8_t destination, uint32_t how, unsigned reg, uint32_t want, const char *what)
{
    bool done = read_by(destination, how, reg) == READ_DONE;

    check(done && apic_read(APIC_REMOTE) == want, what);
}

static void expect_invalid(uint8_t destination, unsigned reg, const char *what)
{
    uint32_t before = apic_read(APIC_REMOTE), status = read_by(destination, 0, reg);

    apic_write(APIC_ESR, 0);
    check_format(status == READ_INVALID && apic_read(APIC_REMOTE) == before && apic_read(APIC_ESR) == 0,
                 "%s: invalid, 0C0h and ESR stay", what);
}

/* ---- While the other core runs ---------------------------------------------------------------------------------- */

static struct gate {
    uint16_t offset_0, selector, attributes, offset_16;
    uint32_t offset_32, reserved;
} gates[SERVED + 1];

struct idt_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

void remote_serve(void);
__asm__(".text\n.globl remote_serve\nremote_serve:\niretq");

/* It stays in service: its handler sends no EOI, unlike those of smp64.h. */
static void take_served(void)
{
    uintptr_t at = (uintptr_t)remote_serve;
    struct idt_pointer mine = { sizeof(gates) - 1, (uintptr_t)gates }, kept;

    gates[SERVED] = (struct gate){ (uint16_t)at, CODE64, 0x8E00, (uint16_t)(at >> 16), 0, 0 };
    __asm__ volatile("sidt %0" : "=m"(kept));
    idt_load(&mine);
    apic_send_self(SERVED);
    for (unsigned i = 0; i < PATIENCE && !apic_bit(APIC_ISR, SERVED); i++)
        __asm__ volatile("sti\nnop\nnop\ncli" : : : "memory");
    idt_load(&kept);
}

static void set_up_other(void *unused)
{
    (void)unused;
    apic_write(APIC_LDR, OTHER_BIT << 24);
    apic_write(APIC_TPR, THERE);
    apic_write(APIC_TIMER_DIVIDE, 0xB);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR);
    apic_write(APIC_TIMER_INITIAL, 0xFFFFFFFF);
    take_served();
    apic_send_self(VECTOR); /* stays in IRR: no interrupts are let in */
}

static void of_the_other(void)
{
    uint32_t first;

    expect_read(other, 0, APIC_ID, (uint32_t)other << 24, "the other's id");
    expect_read(other, 0, APIC_VERSION, apic_read(APIC_VERSION), "its version");
    expect_read(other, 0, APIC_TPR, THERE, "its TPR, not this core's");
    expect_read(other, 0, APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR, "its timer's entry");
    expect_read(other, 0, APIC_IRR + VECTOR / 32 * 0x10, 1u << VECTOR % 32, "a word of its IRR");
    expect_read(other, 0, APIC_ISR + SERVED / 32 * 0x10, 1u << SERVED % 32, "a word of its ISR");
    expect_read(other, 0, APIC_EOI, 0, "EOI, as 0");
    expect_read(other, 0, APIC_ISR + SERVED / 32 * 0x10, 1u << SERVED % 32, "which has ended nothing");
    expect_read(OTHER_BIT, APIC_ICR_LOGICAL, APIC_LDR, OTHER_BIT << 24, "its LDR, by logical destination");
    check(read_by(other, 0, APIC_TIMER_CURRENT) == READ_DONE, "its timer's count");
    first = apic_read(APIC_REMOTE);
    check(read_by(other, 0, APIC_TIMER_CURRENT) == READ_DONE && first != 0 && apic_read(APIC_REMOTE) < first,
          "goes down from one read to the next");
}

static void of_this_core(void)
{
    apic_write(APIC_LDR, SELF_BIT << 24);
    expect_read(self, 0, APIC_ID, (uint32_t)self << 24, "this core's own id");
    expect_read(SELF_BIT, APIC_ICR_LOGICAL, APIC_TPR, 0, "its own TPR, by logical destination");
    expect_invalid(self, APIC_NONE, "an offset without a register, here");
}

/* ---- While it waits for STARTUP --------------------------------------------------------------------------------- */

static void stop_other(void)
{
    apic_send(other, APIC_ICR_INIT | APIC_ICR_ASSERT);
    for (unsigned i = 0; i < 10000; i++)
        cpu_pause();
}

/* lock inc word [NMI_COUNT]; iret: real mode's vector 2. */
static void install_nmi(void)
{
    static const uint8_t code[] = { 0xF0, 0xFF, 0x06, NMI_COUNT & 0xFF, NMI_COUNT >> 8, 0xCF };
    uintptr_t vector = 2 * 4;

    memcpy((void *)(uintptr_t)NMI_CODE, code, sizeof(code));
    __asm__ volatile("" : "+r"(vector)); /* the compiler takes addresses this low for mistakes */
    *(volatile uint32_t *)vector = NMI_CODE;
    *(volatile uint16_t *)(uintptr_t)NMI_COUNT = 0;
}

static void while_it_waits(void)
{
    volatile uint16_t *nmis = (volatile uint16_t *)(uintptr_t)NMI_COUNT;

    stop_other();
    expect_read(other, 0, APIC_ID, (uint32_t)other << 24, "the id of a core that waits for STARTUP");
    expect_read(other, 0, APIC_TPR, 0, "its TPR, which INIT cleared");
    install_nmi();
    apic_send(other, APIC_ICR_NMI | APIC_ICR_ASSERT);
    for (unsigned i = 0; i < 10000; i++)
        cpu_pause();
    check_equal(*nmis, 0, "an NMI does not wake a core that waits for STARTUP");
    apic_send(other, APIC_ICR_STARTUP | APIC_ICR_ASSERT | SMP_PAGE >> 12);
    check(smp_arrived(), "STARTUP does");
    check_equal(*nmis, 1, "and the NMI is taken once, through real mode's table");
    check_equal(smp_nmis, 0, "not again in long mode");
}

void guest_main(void)
{
    exceptions_init();
    apic_enable();
    self = (uint8_t)(apic_read(APIC_ID) >> 24);
    other = self ^ 1;
    check_equal(apic_read(APIC_REMOTE), 0, "0C0h is 0 before any read");
    of_this_core();
    expect_invalid(NOBODY, APIC_ID, "a core that does not exist");
    if ((cpuid(1, 0).ebx >> 16 & 0xFF) < 2) {
        check_skip("two cores", "there is one");
    } else {
        smp_prepare();
        check(smp_start(other), "the other core starts");
        smp_run(set_up_other, NULL);
        check(smp_wait(), "and sets up its APIC");
        of_the_other();
        expect_invalid(other, APIC_NONE, "an offset without a register, there");
        while_it_waits();
    }
    check_end();
}
