/* SPDX-License-Identifier: MIT */
/* Expected values: National PC16550D data sheet, register descriptions. */
#include "sim/platform/fixture.h"

#define DATA 0x3f8
#define IER 0x3f9
#define IIR 0x3fa
#define LCR 0x3fb
#define MCR 0x3fc
#define LSR 0x3fd
#define MSR 0x3fe
#define SCR 0x3ff
#define OUT2 0x08
#define LOOP 0x10

static bool irq4(struct fixture *f)
{
    outb(f, 0x20, 0x0a);
    return f->platform->pic.pic[PIC_MASTER].lines & 0x10;
}

START_TEST(registers_after_reset)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(inb(f, IER), 0);
    ck_assert_uint_eq(inb(f, IIR), 0x01);
    ck_assert_uint_eq(inb(f, LCR), 0);
    ck_assert_uint_eq(inb(f, MCR), 0);
    ck_assert_uint_eq(inb(f, LSR), 0x60);
    ck_assert_uint_eq(inb(f, MSR), 0xb0);
    outb(f, SCR, 0xa5);
    ck_assert_uint_eq(inb(f, SCR), 0xa5);
    fixture_free(f);
}
END_TEST

START_TEST(bytes_written_reach_the_port)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    for (const char *p = "hello\n"; *p; p++)
        outb(f, DATA, (uint8_t)*p);
    ck_assert_str_eq(f->sent->str, "hello\n");
    ck_assert_uint_eq(f->platform->uart.sent, 6);
    fixture_free(f);
}
END_TEST

START_TEST(the_divisor_hides_data_and_ier)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, LCR, 0x83);
    outb(f, DATA, 0x0c);
    outb(f, IER, 0x01);
    ck_assert_uint_eq(inb(f, DATA), 0x0c);
    ck_assert_uint_eq(inb(f, IER), 0x01);
    outb(f, LCR, 0x03);
    ck_assert_uint_eq(inb(f, IER), 0x00);
    ck_assert_uint_eq(f->sent->len, 0);
    fixture_free(f);
}
END_TEST

START_TEST(enabling_thre_interrupts_at_once_and_reading_iir_clears_it)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, MCR, OUT2);
    outb(f, IER, 0x02);
    ck_assert(irq4(f));
    ck_assert_uint_eq(inb(f, IIR), 0x02);
    ck_assert(!irq4(f));
    ck_assert_uint_eq(inb(f, IIR), 0x01);
    outb(f, DATA, 'x');
    ck_assert(irq4(f)); /* empty again */
    outb(f, MCR, 0);
    ck_assert(!irq4(f)); /* OUT2 gates the line */
    fixture_free(f);
}
END_TEST

START_TEST(input_is_seen_by_polling)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    f->input = "ab";
    ck_assert_uint_eq(inb(f, LSR), 0x61);
    ck_assert_uint_eq(inb(f, DATA), 'a');
    ck_assert_uint_eq(inb(f, LSR), 0x61);
    ck_assert_uint_eq(inb(f, DATA), 'b');
    ck_assert_uint_eq(inb(f, LSR), 0x60);
    ck_assert_uint_eq(f->platform->uart.received, 2);
    fixture_free(f);
}
END_TEST

START_TEST(input_interrupts_when_enabled)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, MCR, OUT2);
    outb(f, IER, 0x01);
    run_until(f, 5 * PS_PER_MS);
    ck_assert(!irq4(f));
    f->input = "z";
    run_until(f, 7 * PS_PER_MS);
    ck_assert(irq4(f));
    ck_assert_uint_eq(inb(f, IIR), 0x04);
    ck_assert_uint_eq(inb(f, DATA), 'z');
    ck_assert(!irq4(f));
    fixture_free(f);
}
END_TEST

START_TEST(without_the_receive_interrupt_no_deadline_is_pending)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(f->clock.next_due, NEVER); /* a halted machine must be seen as halted */
    outb(f, IER, 0x01);
    ck_assert_uint_ne(f->clock.next_due, NEVER);
    outb(f, IER, 0x00);
    ck_assert_uint_eq(f->clock.next_due, NEVER);
    fixture_free(f);
}
END_TEST

START_TEST(the_fifo_interrupts_at_its_trigger_level)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, IIR, 0x81); /* FIFO on, trigger at 8 */
    outb(f, MCR, LOOP);
    outb(f, IER, 0x01);
    for (unsigned i = 0; i < 7; i++)
        outb(f, DATA, (uint8_t)i);
    ck_assert_uint_eq(inb(f, IIR), 0xc1);
    outb(f, DATA, 7);
    ck_assert_uint_eq(inb(f, IIR), 0xc4);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_uint_eq(inb(f, DATA), i);
        ck_assert_uint_eq(inb(f, IIR), 0xc1);
    }
    fixture_free(f);
}
END_TEST

START_TEST(a_silent_fifo_times_out_after_four_characters)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, LCR, 0x03);  /* 8N1: 10 bits; divisor 1: 115200 bits/s */
    outb(f, IIR, 0xc1);
    outb(f, MCR, LOOP);
    outb(f, IER, 0x01);
    outb(f, DATA, 'q');
    run_until(f, 347 * PS_PER_US); /* 4 x 10 bits at 8.68 us = 347.2 us */
    ck_assert_uint_eq(inb(f, IIR), 0xc1);
    run_until(f, 348 * PS_PER_US);
    ck_assert_uint_eq(inb(f, IIR), 0xcc);
    ck_assert_uint_eq(inb(f, DATA), 'q');
    ck_assert_uint_eq(inb(f, IIR), 0xc1);
    fixture_free(f);
}
END_TEST

START_TEST(an_overrun_is_told_once_and_keeps_the_right_bytes)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, MCR, LOOP);
    outb(f, IER, 0x05);
    outb(f, DATA, 'a');
    outb(f, DATA, 'b'); /* no FIFO: the new byte overwrites */
    ck_assert_uint_eq(inb(f, IIR), 0x06);
    ck_assert_uint_eq(inb(f, LSR), 0x63);
    ck_assert_uint_eq(inb(f, LSR), 0x61);
    ck_assert_uint_eq(inb(f, DATA), 'b');
    outb(f, IIR, 0x01);
    for (unsigned i = 0; i < 17; i++)
        outb(f, DATA, (uint8_t)i);
    ck_assert_uint_eq(inb(f, LSR) & 0x02, 0x02);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(inb(f, DATA), i); /* with FIFO the new byte is lost */
    ck_assert_uint_eq(inb(f, LSR), 0x60);
    ck_assert_uint_eq(f->platform->uart.overruns, 2);
    fixture_free(f);
}
END_TEST

START_TEST(loop_back_sends_nothing_and_turns_the_modem_lines)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, MCR, LOOP | 0x0a); /* RTS and OUT2 */
    ck_assert_uint_eq(inb(f, MSR) & 0xf0, 0x90); /* CTS and DCD */
    outb(f, DATA, 0x5a);
    ck_assert_uint_eq(f->sent->len, 0);
    ck_assert_uint_eq(inb(f, DATA), 0x5a);
    outb(f, IER, 0x08);
    outb(f, MCR, LOOP | 0x09); /* DTR for RTS */
    ck_assert_uint_eq(inb(f, IIR), 0x00);
    ck_assert_uint_eq(inb(f, MSR), 0xa3); /* DSR and DCD; CTS and DSR have changed */
    ck_assert_uint_eq(inb(f, IIR), 0x01);
    fixture_free(f);
}
END_TEST

START_TEST(fifo_control_clears_the_receiver)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, IIR, 0x01);
    outb(f, MCR, LOOP);
    outb(f, DATA, 1);
    outb(f, IIR, 0x03);
    ck_assert_uint_eq(inb(f, LSR), 0x60);
    ck_assert_uint_eq(inb(f, IIR), 0xc1);
    outb(f, IIR, 0x00);
    ck_assert_uint_eq(inb(f, IIR), 0x01);
    fixture_free(f);
}
END_TEST

UNIT_TESTS("uart", registers_after_reset, bytes_written_reach_the_port, the_divisor_hides_data_and_ier,
           enabling_thre_interrupts_at_once_and_reading_iir_clears_it, input_is_seen_by_polling,
           input_interrupts_when_enabled, without_the_receive_interrupt_no_deadline_is_pending,
           the_fifo_interrupts_at_its_trigger_level, a_silent_fifo_times_out_after_four_characters,
           an_overrun_is_told_once_and_keeps_the_right_bytes, loop_back_sends_nothing_and_turns_the_modem_lines,
           fifo_control_clears_the_receiver)
