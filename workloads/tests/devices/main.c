/* SPDX-License-Identifier: MIT */
/*
 * A PC's devices as a 64-bit program uses them: string I/O (APM3 INS, OUTS), timers that interrupt by way of the
 * IOAPIC and the 8259s, messages to itself, and read-modify-write instructions on an APIC register
 * (APM2 chapter 16).
 *
 * The program runs on the bare machine and as a guest of hv, whose devices are virtual: both must look the same. A
 * hypervisor has to carry out by itself what the bare machine does at once: a string instruction of many steps that
 * may fault, an ADD that reads and writes a register.
 *
 * An interrupt is awaited by STI and HLT in a loop, and the handler tells which vector ended the wait. String I/O
 * goes to the scratch register of the serial port, which only keeps a byte.
 *
 * REP OUTSB writes each byte in turn, upwards or downwards by DF, and leaves rSI beyond the last; REP INSB stores
 * 200 bytes and not one more, with a count of 0 none; INSB to a page that is not there is #PF for a write, and leaves
 * what the 8254 has latched for one read (APM2 8.1: a fault can be restarted). The APIC's timer, one-shot, ends HLT;
 * the 8254 comes in at pin 2 of the IOAPIC, the clock's periodic interrupt at pin 8; through the 8259s and LINT0
 * (ExtINT) the 8254 has the master's vector and is in service there, not in the APIC. Messages go to the core's own
 * physical id, by lowest priority to its logical id, and to all; an NMI to itself ends HLT with IF clear. Last OR, AND,
 * ADD, XCHG and BTS on TPR, whose bits 7:4 CR8 shows.
 *
 * Under hv it has two vCPUs and uses the first alone. The registers of these devices are asked in pc-registers,
 * priorities in apic.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define UART_SCRATCH 0x3FF
#define NOT_MAPPED 0x8000000000ull
#define PF_WRITE 2
#define BUFFER 256
#define LVT_LINT0 0x350
#define LVT_EXTINT 0x700
#define IOAPIC_SELECT 0xFEC00000u
#define IOAPIC_WINDOW 0xFEC00010u
#define IOAPIC_MASKED 0x10000
#define PIT_PIN 2
#define RTC_PIN 8
#define PIT_CONTROL 0x43
#define PIT_CHANNEL_0 0x40
#define PIT_ONE_SHOT 0x30 /* channel 0, both bytes, mode 0 */
#define PIT_LATCH_STATUS 0xE2 /* of channel 0 */
#define PIT_CLOCKS 1193   /* about 1 ms */
#define TIMER_VECTOR 0x51
#define PIT_VECTOR 0x52
#define RTC_VECTOR 0x53
#define MESSAGE_VECTOR 0x54
#define MASTER_BASE 0x60
#define NMI_VECTOR 2

static uint8_t buffer[BUFFER];

/* ---- String I/O ------------------------------------------------------------------------------------------ */

struct string_io {
    uint8_t *at;
    uint64_t count;
};

static void rep_outsb(struct string_io *io)
{
    __asm__ volatile("rep outsb" : "+S"(io->at), "+c"(io->count) : "d"(UART_SCRATCH) : "memory");
}

static void rep_insb(struct string_io *io)
{
    __asm__ volatile("rep insb" : "+D"(io->at), "+c"(io->count) : "d"(UART_SCRATCH) : "memory");
}

static void insb_pit(void *at)
{
    __asm__ volatile("insb" : "+D"(at) : "d"(PIT_CHANNEL_0) : "memory");
}

static void rep_outsb_backwards(struct string_io *io)
{
    __asm__ volatile("std; rep outsb; cld" : "+S"(io->at), "+c"(io->count) : "d"(UART_SCRATCH) : "memory");
}

/* A fault undoes what its instruction has done, and a read that takes something from a device cannot be undone. */
static void check_faulting_insb(void)
{
    port_write8(PIT_CONTROL, PIT_ONE_SHOT);
    port_write8(PIT_CHANNEL_0, 0xFF);
    port_write8(PIT_CHANNEL_0, 0xFF);
    port_write8(PIT_CONTROL, PIT_LATCH_STATUS);
    check_raised(exception_try(insb_pit, (void *)(uintptr_t)NOT_MAPPED), EXC_PF, PF_WRITE,
                 "INSB to a page that is not there is #PF");
    check_equal(port_read8(PIT_CHANNEL_0) & 0x3F, PIT_ONE_SHOT, "and the port still has the status that was latched");
    port_write8(PIT_CONTROL, PIT_ONE_SHOT); /* it does not count on */
}

static void check_string_io(void)
{
    struct string_io io = { buffer, 4 };
    unsigned same = 0;

    for (unsigned i = 0; i < BUFFER; i++)
        buffer[i] = (uint8_t)i;
    rep_outsb(&io);
    check_equal(port_read8(UART_SCRATCH), 3, "REP OUTSB writes each byte in turn");
    check(io.at == buffer + 4 && io.count == 0, "REP OUTSB leaves rSI behind the last byte and rCX 0");
    io = (struct string_io){ buffer + 9, 3 };
    rep_outsb_backwards(&io);
    check_equal(port_read8(UART_SCRATCH), 7, "with DF set it goes downwards");
    check(io.at == buffer + 6, "and leaves rSI before the last byte");
    port_write8(UART_SCRATCH, 0xA5);
    io = (struct string_io){ buffer, 200 };
    rep_insb(&io);
    for (unsigned i = 0; i < 200; i++)
        same += buffer[i] == 0xA5;
    check_equal(same, 200, "REP INSB stores 200 bytes");
    check_equal(buffer[200], 200, "and not one more");
    io = (struct string_io){ buffer + 200, 0 };
    rep_insb(&io);
    check(io.at == buffer + 200 && io.count == 0 && buffer[200] == 200, "a count of 0 does nothing");
    check_faulting_insb();
}

/* ---- Interrupts: exception_try tells which vector ended the wait ------------------------------------------- */

static void wait_for_interrupt(void *argument)
{
    (void)argument;
    for (;;)
        __asm__ volatile("sti; hlt" : : : "memory");
}

static void check_arrives(unsigned vector, const char *what)
{
    check_raised(exception_try(wait_for_interrupt, NULL), vector, 0, what);
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC_SELECT = index;
    *(volatile uint32_t *)(uintptr_t)IOAPIC_WINDOW = value;
}

static void ioapic_route(unsigned pin, uint32_t low)
{
    ioapic_write(0x10 + 2 * pin + 1, apic_read(APIC_ID));
    ioapic_write(0x10 + 2 * pin, low);
}

static void cmos_write(uint8_t index, uint8_t value)
{
    port_write8(0x70, index);
    port_write8(0x71, value);
}

static uint8_t cmos_read(uint8_t index)
{
    port_write8(0x70, index);
    return port_read8(0x71);
}

static void pit_start(void)
{
    port_write8(PIT_CONTROL, PIT_ONE_SHOT);
    port_write8(PIT_CHANNEL_0, PIT_CLOCKS & 0xFF);
    port_write8(PIT_CHANNEL_0, PIT_CLOCKS >> 8);
}

static void check_apic_timer(void)
{
    apic_write(APIC_TIMER_DIVIDE, 3);
    apic_write(APIC_LVT_TIMER, TIMER_VECTOR);
    apic_write(APIC_TIMER_INITIAL, 1000);
    check_arrives(TIMER_VECTOR, "the APIC's timer ends HLT");
    check(apic_bit(APIC_ISR, TIMER_VECTOR), "its vector is in service");
    apic_write(APIC_EOI, 0);
    check_equal(apic_read(APIC_TIMER_CURRENT), 0, "a one-shot count stands at 0");
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

static void check_ioapic(void)
{
    ioapic_route(PIT_PIN, PIT_VECTOR);
    pit_start();
    check_arrives(PIT_VECTOR, "the PIT comes in at the IOAPIC's pin 2");
    apic_write(APIC_EOI, 0);
    ioapic_route(PIT_PIN, IOAPIC_MASKED);
    ioapic_route(RTC_PIN, RTC_VECTOR);
    cmos_write(0x0A, 0x2F); /* 2 Hz */
    cmos_read(0x0C); /* the flag is set whether it may interrupt or not */
    cmos_write(0x0B, 0x42);
    check_arrives(RTC_VECTOR, "the RTC's periodic interrupt comes in at pin 8");
    apic_write(APIC_EOI, 0);
    check_equal(cmos_read(0x0C) & 0xC0, 0xC0, "register C says that it was periodic");
    cmos_write(0x0B, 0x02);
    ioapic_route(RTC_PIN, IOAPIC_MASKED);
}

static void check_8259s(void)
{
    static const struct { uint16_t port; uint8_t value; } words[] = {
        { 0x20, 0x11 }, { 0x21, MASTER_BASE }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0xA1, 0xFF }, { 0x21, 0xFE },
    };

    port_write8(PIT_CONTROL, PIT_ONE_SHOT); /* its output is low: no edge is left from before */
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        port_write8(words[i].port, words[i].value);
    apic_write(LVT_LINT0, LVT_EXTINT);
    pit_start();
    check_arrives(MASTER_BASE, "the PIT comes through the 8259s and LINT0");
    port_write8(0x20, 0x0B);
    check_equal(port_read8(0x20), 1, "IRQ 0 is in service there");
    check_equal(apic_read(APIC_ISR + 0x10 * (MASTER_BASE / 32)), 0, "and not in the APIC");
    port_write8(0x20, 0x20);
    port_write8(0x21, 0xFF);
    apic_write(LVT_LINT0, APIC_LVT_MASKED);
}

static void check_messages(void)
{
    apic_send_self(MESSAGE_VECTOR);
    check_arrives(MESSAGE_VECTOR, "a fixed message to its own physical id");
    apic_write(APIC_EOI, 0);
    apic_write(APIC_LDR, 0x01000000);
    apic_send(0x01, APIC_ICR_LOGICAL | APIC_ICR_LOWEST | MESSAGE_VECTOR);
    check_arrives(MESSAGE_VECTOR, "a lowest-priority message to its logical id");
    apic_write(APIC_EOI, 0);
    apic_write(APIC_ICR, APIC_ICR_ALL | MESSAGE_VECTOR);
    check_arrives(MESSAGE_VECTOR, "a message to all");
    apic_write(APIC_EOI, 0);
}

static void send_nmi(void *argument)
{
    (void)argument;
    apic_send_self(APIC_ICR_NMI);
    for (;;)
        __asm__ volatile("hlt" : : : "memory");
}

/* ---- One instruction that reads, operates and writes -------------------------------------------------------- */

static void check_read_modify_write(void)
{
    volatile uint32_t *tpr = (volatile uint32_t *)(uintptr_t)(APIC_BASE + APIC_TPR);
    uint32_t old = 0x30;
    uint64_t cr8;

    apic_write(APIC_TPR, 0x10);
    __asm__ volatile("orl $0x40, %0" : "+m"(*tpr));
    check_equal(apic_read(APIC_TPR) & 0xF0, 0x50, "OR on TPR");
    __asm__ volatile("andl $0x40, %0" : "+m"(*tpr));
    check_equal(apic_read(APIC_TPR) & 0xF0, 0x40, "AND on TPR");
    __asm__ volatile("addl $0x20, %0" : "+m"(*tpr));
    check_equal(apic_read(APIC_TPR) & 0xF0, 0x60, "ADD on TPR");
    __asm__ volatile("xchgl %1, %0" : "+m"(*tpr), "+r"(old));
    check_equal(old & 0xF0, 0x60, "XCHG gives the old TPR");
    check_equal(apic_read(APIC_TPR) & 0xF0, 0x30, "and sets the new one");
    __asm__ volatile("btsl $6, %0" : "+m"(*tpr) : : "cc");
    check_equal(apic_read(APIC_TPR) & 0xF0, 0x70, "BTS on TPR");
    __asm__ volatile("movq %%cr8, %0" : "=r"(cr8));
    check_equal(cr8, 7, "CR8 shows the same");
    apic_write(APIC_TPR, 0);
}

void guest_main(void)
{
    exceptions_init();
    apic_enable();
    for (unsigned pin = 0; pin < 24; pin++)
        ioapic_write(0x10 + 2 * pin, IOAPIC_MASKED);
    port_write8(0x21, 0xFF);
    port_write8(0xA1, 0xFF);
    check_string_io();
    check_apic_timer();
    check_ioapic();
    check_8259s();
    check_messages();
    check_raised(exception_try(send_nmi, NULL), NMI_VECTOR, 0, "an NMI to itself ends HLT with IF clear");
    check_read_modify_write();
    check_end();
}
