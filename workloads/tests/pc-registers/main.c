/* SPDX-License-Identifier: MIT */
/*
 * What a PC's serial port, 8254, 8259s, clock and IOAPIC answer to a driver that probes them, as their data sheets
 * have it (PC16550D, 8254, 8259A, MC146818A, 82093AA).
 *
 * A driver decides by such answers which chip it has and how deep its FIFO is, and relies on the order in which
 * sources ask. What few drivers touch is easily wrong: both peers of doc/conformance.md fail some of these checks.
 * The program runs on the bare machine and as a guest of hv, whose devices are virtual: both must look the same.
 *
 * It polls, with interrupts disabled but for the last part. The serial port is looped back, so nothing leaves it:
 * its answers are kept until it is a console again, and compared then.
 *
 * PC16550D: divisor latch, LCR and modem lines; the FIFO at a trigger level of 14 (time-out below it, data at it,
 * overrun at the 17th byte, told once); sources by urgency, what takes each away, and FCR, whose other bits count
 * only with bit 0. 8254: channel 2 in mode 0, one byte of the count at a time, its gate, output and read-back
 * command. 8259A: requests that are masked are in IRR and no poll finds them; rotation, normal and specific end of
 * interrupt, master and slave in service together, special mask mode. MC146818A: binary and BCD, 24 and 12 hours,
 * the battery. 82093AA: an entry keeps what it is given, the last one is 23; a level from the clock sets remote
 * IRR, comes again after EOI while the line is up, and leaves remote IRR clear when it is down.
 *
 * How the same devices interrupt by edges, and through the 8259s, is asked in devices.
 */
#include "workloads/lib/apic.h"
#include "workloads/lib/check.h"
#include "workloads/lib/instructions.h"

#define TRIES 1000000 /* of a poll: much more than any of the waits takes */

/* ---- PC16550D, looped back: nothing leaves it, and check() prints after it is a console again ------------------ */

enum { DATA = 0x3F8, IER, FCR, LCR, MCR, LSR, MSR };
#define IIR FCR
#define LSR_DATA 0x01
#define LSR_OVERRUN 0x02
#define LSR_EMPTY 0x40
#define LOOP 0x10
#define FIFO_14 0xC7 /* enabled, cleared, interrupt at 14 bytes */
#define FIFO_BYTES 16

struct serial {
    uint8_t lcr, mcr, low, high;
};

static struct serial serial_save(void)
{
    struct serial old = { .lcr = port_read8(LCR), .mcr = port_read8(MCR) };

    port_write8(LCR, 0x83);
    old.low = port_read8(DATA);
    old.high = port_read8(IER);
    port_write8(LCR, 0x03);
    return old;
}

static void serial_restore(struct serial old)
{
    port_write8(IER, 0);
    port_write8(FCR, 0);
    port_write8(LCR, 0x83);
    port_write8(DATA, old.low);
    port_write8(IER, old.high);
    port_write8(LCR, old.lcr);
    port_write8(MCR, old.mcr);
}

/* What LSR said until the byte was through: reading it clears the overrun. */
static uint8_t serial_send(uint8_t byte)
{
    uint8_t seen = 0;

    port_write8(DATA, byte);
    for (unsigned i = 0; i < TRIES && !(seen & LSR_EMPTY); i++)
        seen |= port_read8(LSR);
    return seen;
}

static uint8_t serial_pending(void)
{
    uint8_t iir = port_read8(IIR);

    for (unsigned i = 0; i < TRIES && iir & 1; i++)
        iir = port_read8(IIR);
    return iir;
}

static void check_serial_lines(void)
{
    static const uint8_t outputs[5] = { 1, 2, 4, 8, 15 }; /* DTR, RTS, OUT1, OUT2, all: DSR, CTS, RI, DCD, all */
    static const uint8_t inputs[5] = { 0x20, 0x10, 0x40, 0x80, 0xF0 };
    struct serial old = serial_save();
    uint8_t low, high, lcr, got[5];

    port_write8(LCR, 0x9B);
    port_write8(DATA, 0x34);
    port_write8(IER, 0x12);
    low = port_read8(DATA);
    high = port_read8(IER);
    lcr = port_read8(LCR);
    port_write8(LCR, 0x03);
    for (unsigned i = 0; i < 5; i++) {
        port_write8(MCR, LOOP | outputs[i]);
        got[i] = port_read8(MSR) & 0xF0;
    }
    serial_restore(old);
    check_equal(high << 8 | low, 0x1234, "the divisor latch keeps what it is given");
    check_equal(lcr, 0x9B, "and LCR");
    for (unsigned i = 0; i < 5; i++)
        check_equal(got[i], inputs[i], "a modem output comes back as its input");
}

static void check_serial_fifo(void)
{
    struct serial old = serial_save();
    uint8_t few, many, overrun, again, late, alone, unbuffered, transmit, then;
    unsigned in_order = 0;

    port_write8(MCR, LOOP);
    port_write8(FCR, FIFO_14);
    port_write8(IER, 1);
    for (unsigned i = 0; i < 3; i++)
        serial_send((uint8_t)i);
    few = serial_pending();
    port_write8(FCR, FIFO_14);
    for (unsigned i = 0; i < 14; i++)
        serial_send((uint8_t)i);
    many = serial_pending();
    overrun = serial_send(14) | serial_send(15);
    again = serial_send(16);
    late = port_read8(LSR);
    for (unsigned i = 0; i < FIFO_BYTES; i++)
        in_order += port_read8(DATA) == i;
    alone = port_read8(LSR);
    port_write8(FCR, 0);
    unbuffered = (uint8_t)(serial_send(1) & LSR_OVERRUN) | (uint8_t)((serial_send(2) & LSR_OVERRUN) << 4);
    port_write8(FCR, FIFO_14);
    port_write8(IER, 0);
    port_write8(IER, 2);
    transmit = serial_pending();
    then = port_read8(IIR);
    serial_restore(old);
    check_equal(few, 0xCC, "3 bytes below a trigger level of 14: time-out");
    check_equal(many, 0xC4, "14 of them: data");
    check_equal(overrun & LSR_OVERRUN, 0, "16 fit");
    check_equal(again & LSR_OVERRUN, LSR_OVERRUN, "the 17th is an overrun");
    check_equal(late & (LSR_OVERRUN | LSR_DATA), LSR_DATA, "told once");
    check_equal(in_order, FIFO_BYTES, "the first 16 are there in order");
    check_equal(alone & LSR_DATA, 0, "and no more");
    check_equal(unbuffered, LSR_OVERRUN << 4, "without FIFOs the second byte is an overrun");
    check_equal(transmit, 0xC2, "enabling its interrupt with THR empty raises it");
    check_equal(then, 0xC1, "reading IIR takes it away");
}

/* The most urgent source, when it is this one. */
static uint8_t serial_await(uint8_t source)
{
    uint8_t iir = port_read8(IIR);

    for (unsigned i = 0; i < TRIES && iir != source; i++)
        iir = port_read8(IIR);
    return iir;
}

static void check_serial_interrupts(void)
{
    struct serial old = serial_save();
    uint8_t line, status, data, newer, cleared, kept, quiet, modem, dsr, none, rises, falls;

    port_write8(MCR, LOOP);
    port_write8(FCR, 0);
    port_write8(IER, 0x05);
    port_write8(DATA, 1);
    serial_pending();
    port_write8(DATA, 2);
    line = serial_await(0x06);
    status = port_read8(LSR);
    data = serial_pending();
    port_write8(FCR, 0xC2); /* without the bit that enables */
    cleared = port_read8(IIR);
    kept = port_read8(LSR);
    newer = port_read8(DATA);
    port_write8(IER, 0x08);
    port_read8(MSR);
    quiet = port_read8(IIR);
    port_write8(MCR, LOOP | 1);
    modem = port_read8(IIR);
    dsr = port_read8(MSR);
    none = port_read8(IIR);
    port_write8(MCR, LOOP);
    port_read8(MSR);
    port_write8(MCR, LOOP | 4);
    rises = port_read8(MSR);
    port_write8(MCR, LOOP);
    falls = port_read8(MSR);
    serial_restore(old);
    check_equal(line, 0x06, "an overrun comes before data");
    check_equal(status & (LSR_OVERRUN | LSR_DATA), LSR_OVERRUN | LSR_DATA, "LSR says so");
    check_equal(data, 0x04, "and reading it takes the interrupt away");
    check_equal(cleared, 0x04, "FCR's other bits count only with the one that enables");
    check_equal(kept & LSR_DATA, LSR_DATA, "nor is anything cleared");
    check_equal(newer, 2, "without FIFOs the newer byte destroys the older");
    check_equal(quiet, 0x01, "nothing has changed");
    check_equal(modem, 0x00, "a modem input that changes asks");
    check_equal(dsr, 0x22, "DSR, and that it changed");
    check_equal(none, 0x01, "reading MSR takes the interrupt away");
    check_equal(rises, 0x40, "RI's leading edge is not told");
    check_equal(falls, 0x04, "its trailing edge is");
}

/* ---- 8254: channel 2, whose gate and output are in port 61h ----------------------------------------------------- */

#define PIT_CHANNEL_0 0x40
#define PIT_CHANNEL_2 0x42
#define PIT_CONTROL 0x43
#define PIT_ONE_SHOT 0x30
#define PORT_B 0x61
#define GATE_2 0x01
#define OUT_2 0x20
#define NULL_COUNT 0x40

/* Status and count by one read-back command, when the count has been loaded. */
static uint8_t pit_status(uint8_t *count)
{
    uint8_t status = NULL_COUNT;

    for (unsigned i = 0; i < TRIES && status & NULL_COUNT; i++) {
        port_write8(PIT_CONTROL, 0xC8);
        status = port_read8(PIT_CHANNEL_2);
        *count = port_read8(PIT_CHANNEL_2);
    }
    return status;
}

static void check_pit(void)
{
    uint8_t port_b = port_read8(PORT_B), count, now;
    unsigned tries = 0;

    port_write8(PORT_B, 0);
    port_write8(PIT_CONTROL, 0x90); /* mode 0, low byte alone */
    port_write8(PIT_CHANNEL_2, 0x50);
    check_equal(pit_status(&count), 0x10, "mode 0, low byte: OUT low, the access in the status");
    check_equal(count, 0x50, "without gate it stands");
    port_write8(PIT_CONTROL, 0xA0); /* high byte alone */
    port_write8(PIT_CHANNEL_2, 0x12);
    check_equal(pit_status(&count), 0x20, "high byte alone");
    check_equal(count, 0x12, "is what is read, too");
    check_equal(port_read8(PORT_B) & OUT_2, 0, "port 61h shows OUT");
    port_write8(PIT_CONTROL, 0x90);
    port_write8(PIT_CHANNEL_2, 100); /* 84 us */
    port_write8(PORT_B, GATE_2);
    do
        now = port_read8(PORT_B) & OUT_2;
    while (!now && ++tries < TRIES);
    check_equal(now, OUT_2, "with gate it counts to its end: OUT high");
    port_write8(PORT_B, port_b & 0x0F & ~GATE_2 & ~2);
}

/* ---- 8259A: by polls, with nothing let through to the processor ------------------------------------------------- */

#define MASTER 0x20
#define SLAVE 0xA0
#define READ_IRR 0x0A
#define READ_ISR 0x0B
#define POLL 0x0C
#define SPECIAL_MASK 0x68
#define NORMAL_MASK 0x48
#define END 0x20

static uint8_t pic_read(uint16_t chip, uint8_t command)
{
    port_write8(chip, command);
    return port_read8(chip);
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

static void pic_start(uint16_t chip, uint8_t base, uint8_t wiring)
{
    port_write8(chip, 0x11);
    port_write8(chip + 1, base);
    port_write8(chip + 1, wiring);
    port_write8(chip + 1, 0x01);
    port_write8(chip + 1, 0xFF);
}

static bool pic_asks(uint16_t chip)
{
    bool asks = false;

    for (unsigned i = 0; i < TRIES && !asks; i++)
        asks = pic_read(chip, READ_IRR) & 1;
    return asks;
}

/* IRQ 0 by the 8254, IRQ 8 by the clock's periodic interrupt: both wait. */
static void ask_both(void)
{
    pic_start(MASTER, 0x60, 0x04);
    pic_start(SLAVE, 0x68, 0x02);
    cmos_write(0x0B, 0x02);
    cmos_read(0x0C);
    port_write8(PIT_CONTROL, PIT_ONE_SHOT);
    port_write8(PIT_CHANNEL_0, 100);
    port_write8(PIT_CHANNEL_0, 0);
    check(pic_asks(MASTER), "the 8254's end asks for IRQ 0, masked or not");
    cmos_write(0x0A, 0x26); /* 1024 Hz */
    cmos_write(0x0B, 0x42);
    check(pic_asks(SLAVE), "the clock asks for IRQ 8");
}

static void check_pics(void)
{
    ask_both();
    check_equal(pic_read(MASTER, POLL), 0, "a poll finds nothing that is masked");
    port_write8(MASTER + 1, 0xFA);
    port_write8(SLAVE + 1, 0xFE);
    port_write8(MASTER, 0xC0); /* IRQ 0 is the last now */
    check_equal(pic_read(MASTER, POLL), 0x82, "with IRQ 0 last the slave comes first");
    check_equal(pic_read(SLAVE, POLL), 0x80, "its input 0");
    check_equal(pic_read(SLAVE, READ_ISR), 0x01, "in service at the slave");
    check_equal(pic_read(MASTER, READ_ISR), 0x04, "and at the master");
    port_write8(SLAVE, END);
    port_write8(MASTER, END);
    check_equal(pic_read(MASTER, READ_ISR), 0, "the end takes it away");
    check_equal(pic_read(MASTER, POLL), 0x80, "then IRQ 0");
    port_write8(MASTER, 0xE0); /* a specific end, and last again */
    check_equal(pic_read(MASTER, READ_ISR), 0, "ends by its number");

    ask_both();
    port_write8(MASTER + 1, 0xFA);
    port_write8(SLAVE + 1, 0xFE);
    check_equal(pic_read(MASTER, POLL), 0x80, "after ICW1 IRQ 0 is the first");
    check_equal(pic_read(MASTER, POLL), 0, "while it is served, IRQ 2 waits");
    port_write8(MASTER + 1, 0xFB);
    port_write8(MASTER, SPECIAL_MASK);
    check_equal(pic_read(MASTER, POLL), 0x82, "in special mask mode, with IRQ 0 masked, it does not");
    port_write8(MASTER, NORMAL_MASK);
    pic_start(MASTER, 0x60, 0x04);
    pic_start(SLAVE, 0x68, 0x02);
    cmos_write(0x0B, 0x02);
    cmos_read(0x0C);
}

/* ---- MC146818A: the clock's formats ------------------------------------------------------------------------------ */

#define CENTURY 0x32 /* where PCs keep it */

static void check_clock(void)
{
    static const struct { uint8_t b, hour, minute; const char *what; } rows[] = {
        { 0x06, 15, 20, "binary, 24 hours" }, { 0x02, 0x15, 0x20, "BCD, 24 hours" },
        { 0x04, 0x83, 20, "binary, 3 in the afternoon" }, { 0x00, 0x92, 0x20, "BCD, 12 at noon" },
        { 0x00, 0x12, 0x20, "BCD, 12 at midnight" },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cmos_write(0x0B, rows[i].b | 0x80);
        cmos_write(0x00, 1);
        cmos_write(0x02, rows[i].minute);
        cmos_write(0x04, rows[i].hour);
        for (unsigned day = 0x06; day <= 0x09; day++) /* another format wants all of its bytes anew: 1 January 2001 */
            cmos_write((uint8_t)day, 1);
        cmos_write(CENTURY, rows[i].b & 0x04 ? 20 : 0x20);
        cmos_write(0x0B, rows[i].b);
        check_equal(cmos_read(0x04) << 8 | cmos_read(0x02), rows[i].hour << 8 | rows[i].minute, rows[i].what);
    }
    check_equal(cmos_read(0x0D), 0x80, "register D: the battery is good");
    cmos_write(0x0B, 0x02);
}

/* ---- 82093AA ------------------------------------------------------------------------------------------------- */

#define IOAPIC_SELECT 0xFEC00000u
#define IOAPIC_WINDOW 0xFEC00010u
#define IOAPIC_MASKED 0x10000
#define IOAPIC_LEVEL 0x8000
#define REMOTE_IRR 0x4000
#define RTC_ENTRY (0x10 + 2 * 8)
#define RTC_VECTOR 0x53

static uint32_t ioapic_read(uint32_t index)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC_SELECT = index;
    return *(volatile uint32_t *)(uintptr_t)IOAPIC_WINDOW;
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC_SELECT = index;
    *(volatile uint32_t *)(uintptr_t)IOAPIC_WINDOW = value;
}

static void wait_for_interrupt(void *argument)
{
    (void)argument;
    for (;;)
        __asm__ volatile("sti; hlt" : : : "memory");
}

static void check_rtc_arrives(const char *what)
{
    check_raised(exception_try(wait_for_interrupt, NULL), RTC_VECTOR, 0, what);
}

static void check_ioapic(void)
{
    ioapic_write(0x10 + 2 * 23, IOAPIC_MASKED | 0xA95A);
    check_equal(ioapic_read(0x10 + 2 * 23), IOAPIC_MASKED | 0xA95A, "an entry keeps its low half");
    check_equal(*(volatile uint32_t *)(uintptr_t)IOAPIC_SELECT, 0x10 + 2 * 23, "the index can be read");
    ioapic_write(0x10 + 2 * 23 + 1, 0x0F000000);
    check_equal(ioapic_read(0x10 + 2 * 23 + 1), 0x0F000000, "and its destination");
    check_equal(ioapic_read(0x01) >> 16 & 0xFF, 23, "the last entry is 23");
    ioapic_write(0x10 + 2 * 23, IOAPIC_MASKED);

    /* The clock holds its line until register C is read. */
    ioapic_write(RTC_ENTRY + 1, apic_read(APIC_ID));
    ioapic_write(RTC_ENTRY, IOAPIC_LEVEL | RTC_VECTOR);
    cmos_write(0x0A, 0x26);
    cmos_read(0x0C);
    cmos_write(0x0B, 0x42);
    check_rtc_arrives("a level comes in");
    check_equal(ioapic_read(RTC_ENTRY) & REMOTE_IRR, REMOTE_IRR, "remote IRR is set");
    apic_write(APIC_EOI, 0);
    check_rtc_arrives("the line is still up at the end of interrupt: once more");
    cmos_write(0x0B, 0x02);
    cmos_read(0x0C);
    apic_write(APIC_EOI, 0);
    check_equal(ioapic_read(RTC_ENTRY) & REMOTE_IRR, 0, "when it is down, remote IRR is clear after the end");
    ioapic_write(RTC_ENTRY, IOAPIC_MASKED);
}

void guest_main(void)
{
    exceptions_init();
    apic_enable();
    for (unsigned pin = 0; pin < 24; pin++)
        ioapic_write(0x10 + 2 * pin, IOAPIC_MASKED);
    check_serial_lines();
    check_serial_fifo();
    check_serial_interrupts();
    check_pit();
    check_pics();
    check_clock();
    check_ioapic();
    check_end();
}
