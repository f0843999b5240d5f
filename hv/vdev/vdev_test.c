/* SPDX-License-Identifier: MIT */
/* The devices through their ports and pages, as a guest uses them. Expected values: the parts' data sheets. */
#include "hv/vdev/vdev.h"

#include "sim/unit_test.h"

#define MS 1000000ull
#define SVR 0x0F0

static struct vdev vdev;
static struct vlapic apic[2];
static char sent[64];
static unsigned sent_count;

static void put(void *ctx, char c)
{
    (void)ctx;
    sent[sent_count++ % sizeof(sent)] = c;
}

static void power_on(void)
{
    struct vlapic_message message;

    vdev_init(&vdev, put, NULL);
    sent_count = 0;
    for (unsigned i = 0; i < 2; i++) {
        vlapic_init(&apic[i], (uint8_t)i);
        vlapic_write(&apic[i], SVR, 0x1FF, 0, &message);
        vdev_add_apic(&vdev, &apic[i]);
    }
}

static void out(unsigned port, uint8_t value, uint64_t now)
{
    vdev_port_write(&vdev, port, 1, value, now);
}

static uint8_t in(unsigned port, uint64_t now)
{
    return (uint8_t)vdev_port_read(&vdev, port, 1, now);
}

/* Vectors 20h and 28h, everything unmasked. */
static void init_8259s(void)
{
    static const struct { uint16_t port; uint8_t value; } words[] = {
        { 0x43, 0x30 }, /* the PIT's output low */
        { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0x21, 0x00 },
        { 0xA0, 0x11 }, { 0xA1, 0x28 }, { 0xA1, 0x02 }, { 0xA1, 0x01 }, { 0xA1, 0x00 },
    };

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        out(words[i].port, words[i].value, 0);
}

/* ---- 8259: lines that no device here drives ------------------------------------------------------------------ */

START_TEST(the_8259s_serve_by_priority_and_hold_back_lower_ones)
{
    power_on();
    init_8259s();
    vpic_set_line(&vdev.pics, 3, true);
    vpic_set_line(&vdev.pics, 1, true);
    ck_assert_uint_eq(vpic_acknowledge(&vdev.pics), 0x21);
    ck_assert(!vpic_intr(&vdev.pics)); /* 3 waits for 1's end */
    vpic_set_line(&vdev.pics, 0, true);
    ck_assert_uint_eq(vpic_acknowledge(&vdev.pics), 0x20);
    vpic_set_line(&vdev.pics, 0, false);
    out(0x20, 0x20, 0);
    out(0x20, 0x20, 0);
    ck_assert_uint_eq(vpic_acknowledge(&vdev.pics), 0x23);
    out(0x20, 0x63, 0); /* specific end of 3 */
    out(0x20, 0x0B, 0);
    ck_assert_uint_eq(in(0x20, 0), 0); /* ISR */
}
END_TEST

START_TEST(the_slave_comes_through_the_masters_input_2)
{
    power_on();
    init_8259s();
    vpic_set_line(&vdev.pics, 10, true);
    ck_assert_uint_eq(vpic_acknowledge(&vdev.pics), 0x2A);
    out(0x20, 0x0B, 0);
    ck_assert_uint_eq(in(0x20, 0), 0x04);
    vpic_set_line(&vdev.pics, 10, false);
    vpic_set_line(&vdev.pics, 10, true);
    out(0xA0, 0x20, 0);
    ck_assert(!vpic_intr(&vdev.pics)); /* the master still serves input 2 */
    out(0x20, 0x20, 0);
    ck_assert_uint_eq(vpic_acknowledge(&vdev.pics), 0x2A);
}
END_TEST

START_TEST(a_request_that_goes_away_is_spurious)
{
    power_on();
    init_8259s();
    vpic_set_line(&vdev.pics, 3, true);
    vpic_set_line(&vdev.pics, 3, false);
    ck_assert_uint_eq(vpic_acknowledge(&vdev.pics), 0x27);
    out(0x20, 0x0B, 0);
    ck_assert_uint_eq(in(0x20, 0), 0); /* and nothing is in service */
}
END_TEST

START_TEST(masked_edges_wait_and_level_inputs_follow_their_line)
{
    power_on();
    init_8259s();
    out(0x21, 0x08, 0);
    vpic_set_line(&vdev.pics, 3, true);
    ck_assert(!vpic_intr(&vdev.pics));
    out(0x21, 0x00, 0);
    ck_assert(vpic_intr(&vdev.pics));
    ck_assert_uint_eq(vpic_acknowledge(&vdev.pics), 0x23);
    out(0x20, 0x20, 0);
    ck_assert(!vpic_intr(&vdev.pics)); /* an edge is served once */
    out(0x4D0, 0xFF, 0);
    ck_assert_uint_eq(in(0x4D0, 0), 0xF8);
    ck_assert(vpic_intr(&vdev.pics)); /* level: still up */
}
END_TEST

START_TEST(a_poll_is_an_acknowledge)
{
    power_on();
    init_8259s();
    vpic_set_line(&vdev.pics, 3, true);
    out(0x20, 0x0C, 0);
    ck_assert_uint_eq(in(0x20, 0), 0x83);
    out(0x20, 0x0C, 0);
    ck_assert_uint_eq(in(0x20, 0), 0);
}
END_TEST

/* ---- 8254 ------------------------------------------------------------------------------------------------ */

static void pit_load(uint8_t control, uint16_t count, unsigned channel, uint64_t now)
{
    out(0x43, control, now);
    out(0x40 + channel, count & 0xFF, now);
    out(0x40 + channel, count >> 8, now);
}

START_TEST(the_pit_interrupts_at_its_rate)
{
    unsigned edges = 0;

    power_on();
    init_8259s();
    pit_load(0x34, 11932, 0, 0); /* channel 0, mode 2: 99.998 Hz */
    while (vdev_next(&vdev) < 1000 * MS) {
        uint64_t next = vdev_next(&vdev);

        vdev_run(&vdev, next - 1);
        ck_assert(!vdev.pic_intr);
        vdev_run(&vdev, next);
        ck_assert(vdev.pic_intr);
        ck_assert_uint_eq(vdev_acknowledge(&vdev), 0x20);
        out(0x20, 0x20, next);
        edges++;
    }
    ck_assert_uint_eq(edges, 99); /* 1193182 / 11932 = 99.99 */
}
END_TEST

START_TEST(a_one_shot_pit_interrupts_once)
{
    power_on();
    init_8259s();
    pit_load(0x38, 1193, 0, 0); /* mode 4 */
    ck_assert_uint_eq(vdev_next(&vdev) / 1000, 1000); /* 1194 clocks are 1000.7 us */
    vdev_run(&vdev, vdev_next(&vdev));
    ck_assert_uint_eq(vdev_acknowledge(&vdev), 0x20);
    ck_assert_uint_eq(vdev_next(&vdev), VTIME_NEVER);
}
END_TEST

START_TEST(channel_2_counts_while_its_gate_is_open)
{
    power_on();
    out(0x61, 0, 0);
    pit_load(0xB0, 11932, 2, 0); /* mode 0 */
    ck_assert_uint_eq(in(0x61, 50 * MS) & 0x20, 0); /* gate closed: it stands */
    out(0x61, 1, 100 * MS);
    ck_assert_uint_eq(in(0x61, 109 * MS) & 0x21, 0x01);
    ck_assert_uint_eq(in(0x61, 111 * MS) & 0x21, 0x21);
}
END_TEST

START_TEST(a_latched_count_stays_until_both_bytes_are_read)
{
    power_on();
    pit_load(0x34, 0, 0, 0); /* 65536 */
    out(0x43, 0x00, 10 * MS); /* 11931 clocks later */
    ck_assert_uint_eq(in(0x40, 20 * MS), (65536 - 11931) & 0xFF);
    ck_assert_uint_eq(in(0x40, 30 * MS), (65536 - 11931) >> 8);
    out(0x43, 0xE2, 0); /* read back: status of channel 0 */
    ck_assert_uint_eq(in(0x40, 0), 0x80 | 0x34);
}
END_TEST

/* ---- IOAPIC ---------------------------------------------------------------------------------------------- */

static void set_entry(unsigned pin, uint64_t entry)
{
    for (unsigned half = 0; half < 2; half++) {
        vdev_mmio_write(&vdev, VIOAPIC_BASE, 0x10 + pin * 2 + half);
        vdev_mmio_write(&vdev, VIOAPIC_BASE + 0x10, (uint32_t)(entry >> half * 32));
    }
}

START_TEST(the_ioapic_shows_its_version_and_entries)
{
    power_on();
    vdev_mmio_write(&vdev, VIOAPIC_BASE, 1);
    ck_assert_uint_eq(vdev_mmio_read(&vdev, VIOAPIC_BASE + 0x10), 0x00170011); /* 24 entries, version 11h */
    vdev_mmio_write(&vdev, VIOAPIC_BASE, 0x10);
    ck_assert_uint_eq(vdev_mmio_read(&vdev, VIOAPIC_BASE + 0x10), 0x10000);
    set_entry(5, UINT64_MAX);
    vdev_mmio_write(&vdev, VIOAPIC_BASE, 0x10 + 5 * 2);
    ck_assert_uint_eq(vdev_mmio_read(&vdev, VIOAPIC_BASE + 0x10), 0x1AFFF); /* status and remote IRR are read-only */
}
END_TEST

START_TEST(the_timer_comes_in_at_pin_2_as_an_edge)
{
    power_on();
    set_entry(2, 0x0100000000000030); /* vector 30h to APIC 1 */
    pit_load(0x34, 11932, 0, 0);
    vdev.kick = 0;
    vdev_run(&vdev, vdev_next(&vdev));
    ck_assert_uint_eq(vdev.kick, 2);
    vlapic_take_posted(&apic[1]);
    ck_assert_int_eq(vlapic_requested(&apic[1]), 0x30);
    ck_assert_int_eq(vlapic_requested(&apic[0]), VLAPIC_NONE);
}
END_TEST

START_TEST(a_level_input_asks_again_after_its_end)
{
    power_on();
    set_entry(4, 0x8040); /* level, vector 40h, APIC 0 */
    out(0x3FC, 0x08, 0);  /* OUT2 */
    out(0x3F9, 0x02, 0);  /* transmitter empty */
    ck_assert(vlapic_has_posted(&apic[0]));
    vlapic_take_posted(&apic[0]);
    vlapic_accept(&apic[0], 0x40);
    ck_assert_uint_eq(vdev.ioapic.entry[4] & 0x4000, 0x4000);
    vdev_end(&vdev, 0x40);
    ck_assert(vlapic_has_posted(&apic[0])); /* the line is still up */
    vlapic_take_posted(&apic[0]);
    ck_assert_uint_eq(in(0x3FA, 0), 0x02);  /* reading IIR ends it */
    vdev_end(&vdev, 0x40);
    ck_assert(!vlapic_has_posted(&apic[0]));
}
END_TEST

/* ---- UART ------------------------------------------------------------------------------------------------ */

START_TEST(the_uart_sends_and_receives)
{
    power_on();
    out(0x3F8, 'a', 0);
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_int_eq(sent[0], 'a');
    out(0x3FB, 0x83, 0);
    out(0x3F8, 0x01, 0); /* the divisor, not a byte */
    ck_assert_uint_eq(sent_count, 1);
    out(0x3FB, 0x03, 0);
    out(0x3FA, 0x01, 0);
    ck_assert_uint_eq(in(0x3FD, 0), 0x60);
    for (unsigned i = 0; i < 16; i++)
        ck_assert(vdev_receive(&vdev, (char)('0' + i)));
    ck_assert(!vdev_receive(&vdev, 'x'));
    ck_assert_uint_eq(in(0x3FD, 0), 0x61);
    ck_assert_uint_eq(in(0x3F8, 0), '0');
    ck_assert_uint_eq(in(0x3F8, 0), '1');
}
END_TEST

START_TEST(uart_interrupts_are_identified_by_priority)
{
    power_on();
    out(0x3FC, 0x0B, 0);
    ck_assert_uint_eq(in(0x3FA, 0), 0x01);
    out(0x3F9, 0x03, 0);
    vdev_receive(&vdev, 'x');
    ck_assert_uint_eq(in(0x3FA, 0), 0x04);
    in(0x3F8, 0);
    ck_assert_uint_eq(in(0x3FA, 0), 0x02);
    ck_assert_uint_eq(in(0x3FA, 0), 0x01);
    out(0x3F8, 'y', 0);
    ck_assert_uint_eq(in(0x3FA, 0), 0x02);
}
END_TEST

START_TEST(loopback_turns_modem_lines_and_data_around)
{
    power_on();
    out(0x3FC, 0x1A, 0); /* as Linux looks for a UART: RTS and OUT2 come back as CTS and DCD */
    ck_assert_uint_eq(in(0x3FE, 0) & 0xF0, 0x90);
    out(0x3F8, 'z', 0);
    ck_assert_uint_eq(sent_count, 0);
    ck_assert_uint_eq(in(0x3F8, 0), 'z');
}
END_TEST

START_TEST(an_overrun_asks_first_and_modem_inputs_last)
{
    power_on();
    out(0x3FC, 0x10, 0);
    out(0x3F9, 0x0D, 0);
    out(0x3F8, 'a', 0);
    ck_assert_uint_eq(in(0x3FA, 0), 0x04);
    out(0x3F8, 'b', 0);
    ck_assert_uint_eq(in(0x3FA, 0), 0x06);
    ck_assert(!vdev_receive(&vdev, 'c')); /* nothing comes in from outside */
    ck_assert_uint_eq(in(0x3FD, 0), 0x63);
    ck_assert_uint_eq(in(0x3FA, 0), 0x04);
    out(0x3FA, 0xC2, 0); /* not programmed without bit 0 */
    ck_assert_uint_eq(in(0x3FA, 0), 0x04);
    ck_assert_uint_eq(in(0x3F8, 0), 'b');
    ck_assert_uint_eq(in(0x3F8, 0), 'b'); /* nothing new */
    ck_assert_uint_eq(in(0x3FA, 0), 0x00);
    ck_assert_uint_eq(in(0x3FE, 0), 0x0B); /* loop-back took CTS, DSR and DCD away */
    ck_assert_uint_eq(in(0x3FA, 0), 0x01);
    out(0x3FC, 0x14, 0);
    ck_assert_uint_eq(in(0x3FE, 0), 0x40);
    out(0x3FC, 0x10, 0);
    ck_assert_uint_eq(in(0x3FE, 0), 0x04); /* TERI: the trailing edge */
    out(0x3FA, 0x01, 0);
    for (unsigned i = 0; i < 17; i++)
        out(0x3F8, (uint8_t)('0' + i), 0);
    ck_assert_uint_eq(in(0x3FA, 0), 0xC6);
    ck_assert_uint_eq(in(0x3FD, 0), 0x63);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(in(0x3F8, 0), '0' + i); /* with FIFOs the last one is lost */
    ck_assert_uint_eq(in(0x3FD, 0), 0x60);
}
END_TEST

/* ---- Clock, PM block ------------------------------------------------------------------------------------- */

static uint8_t cmos(uint8_t index, uint64_t now)
{
    out(0x70, index, now);
    return in(0x71, now);
}

static void cmos_write(uint8_t index, uint8_t value, uint64_t now)
{
    out(0x70, index, now);
    out(0x71, value, now);
}

START_TEST(the_clock_shows_the_date_and_goes_on)
{
    power_on();
    ck_assert_uint_eq(cmos(9, 0), 0x07); /* 2007-11-16, a Friday, in BCD */
    ck_assert_uint_eq(cmos(0x32, 0), 0x20);
    ck_assert_uint_eq(cmos(8, 0), 0x11);
    ck_assert_uint_eq(cmos(7, 0), 0x16);
    ck_assert_uint_eq(cmos(6, 0), 6);
    ck_assert_uint_eq(cmos(0, 59999 * MS), 0x59);
    ck_assert_uint_eq(cmos(2, 3600000 * MS - 1), 0x59);
    ck_assert_uint_eq(cmos(4, 3600000 * MS), 0x01);
    ck_assert_uint_eq(cmos(0x0D, 0), 0x80);
}
END_TEST

START_TEST(uip_announces_the_update)
{
    power_on();
    ck_assert_uint_eq(cmos(0x0A, 500 * MS) & 0x80, 0);
    ck_assert_uint_eq(cmos(0x0A, 999 * MS + 900000) & 0x80, 0x80);
}
END_TEST

START_TEST(a_date_that_is_set_goes_on_from_there)
{
    static const struct { uint8_t index, value; } date[] = {
        { 0x0B, 0x82 }, { 0, 0x58 }, { 2, 0x59 }, { 4, 0x23 }, { 7, 0x28 }, { 8, 0x02 }, { 9, 0x08 }, { 0x32, 0x20 },
        { 0x0B, 0x02 },
    };

    power_on();
    for (unsigned i = 0; i < sizeof(date) / sizeof(date[0]); i++)
        cmos_write(date[i].index, date[i].value, 5000 * MS);
    ck_assert_uint_eq(cmos(7, 7000 * MS), 0x29); /* 2008 is a leap year */
    ck_assert_uint_eq(cmos(8, 7000 * MS), 0x02);
    ck_assert_uint_eq(cmos(0, 7000 * MS), 0x00);
}
END_TEST

START_TEST(clock_interrupts_last_until_register_c_is_read)
{
    power_on();
    init_8259s();
    cmos_write(0x0B, 0x42, 0); /* periodic, 1024 Hz */
    ck_assert_uint_eq(vdev_next(&vdev) / 1000, 976);
    vdev_run(&vdev, vdev_next(&vdev));
    ck_assert_uint_eq(vdev_acknowledge(&vdev), 0x28);
    ck_assert_uint_eq(vdev_next(&vdev), VTIME_NEVER);
    ck_assert_uint_eq(cmos(0x0C, MS) & 0xC0, 0xC0);
    ck_assert_uint_eq(cmos(0x0C, MS), 0);
    cmos_write(0x0B, 0x12, 2 * MS); /* update ended */
    ck_assert_uint_eq(vdev_next(&vdev), 1000 * MS);
    cmos_write(1, 0x05, 2 * MS);    /* alarm at second 5 of every minute of every hour */
    cmos_write(3, 0xFF, 2 * MS);
    cmos_write(5, 0xFF, 2 * MS);
    cmos_write(0x0B, 0x22, 2 * MS);
    vdev_run(&vdev, 4999 * MS);
    ck_assert(!vrtc_irq(&vdev.rtc));
    vdev_run(&vdev, 5000 * MS);
    ck_assert(vrtc_irq(&vdev.rtc));
}
END_TEST

START_TEST(the_pm_timer_runs_at_its_frequency)
{
    power_on();
    ck_assert_uint_eq(vdev_port_read(&vdev, VPM_TIMER, 4, 0), 0);
    ck_assert_uint_eq(vdev_port_read(&vdev, VPM_TIMER, 4, 1000 * MS), 3579545);
    ck_assert_uint_eq(vdev_port_read(&vdev, VPM_TIMER, 4, 10000 * MS), 35795450 % (1 << 24));
}
END_TEST

START_TEST(the_pm_timers_carry_interrupts)
{
    power_on();
    init_8259s();
    vdev_port_write(&vdev, VPM_EVENT + 2, 2, 1, 0);
    ck_assert_uint_eq(vdev_next(&vdev) / MS, 2343); /* 2^23 / 3.579545 MHz */
    vdev_run(&vdev, vdev_next(&vdev));
    ck_assert(vpm_irq(&vdev.pm));
    vdev_port_write(&vdev, VPM_EVENT, 2, 1, 2400 * MS);
    ck_assert(!vpm_irq(&vdev.pm));
}
END_TEST

START_TEST(s5_and_resets_are_asked_for)
{
    power_on();
    vdev_port_write(&vdev, VPM_CONTROL, 2, 0x2001 | 1 << 10, 0); /* S1: nothing here */
    ck_assert_int_eq(vdev.power, VDEV_ON);
    vdev_port_write(&vdev, VPM_CONTROL, 2, 0x2001 | VPM_SLEEP_S5 << 10, 0);
    ck_assert_int_eq(vdev.power, VDEV_OFF);
    power_on();
    out(0xCF9, 0x02, 0);
    ck_assert_int_eq(vdev.power, VDEV_ON);
    out(0xCF9, 0x06, 0);
    ck_assert_int_eq(vdev.power, VDEV_RESET);
    power_on();
    out(0x64, 0xFE, 0);
    ck_assert_int_eq(vdev.power, VDEV_RESET);
}
END_TEST

START_TEST(an_empty_port_reads_ones)
{
    power_on();
    ck_assert_uint_eq(vdev_port_read(&vdev, 0xCFC, 4, 0), UINT32_MAX);
    ck_assert_uint_eq(vdev_port_read(&vdev, 0x1F0, 2, 0), 0xFFFF);
}
END_TEST

UNIT_TESTS("vdev", the_8259s_serve_by_priority_and_hold_back_lower_ones, the_slave_comes_through_the_masters_input_2,
           a_request_that_goes_away_is_spurious, masked_edges_wait_and_level_inputs_follow_their_line,
           a_poll_is_an_acknowledge, the_pit_interrupts_at_its_rate, a_one_shot_pit_interrupts_once,
           channel_2_counts_while_its_gate_is_open, a_latched_count_stays_until_both_bytes_are_read,
           the_ioapic_shows_its_version_and_entries, the_timer_comes_in_at_pin_2_as_an_edge,
           a_level_input_asks_again_after_its_end, the_uart_sends_and_receives,
           uart_interrupts_are_identified_by_priority, an_overrun_asks_first_and_modem_inputs_last,
           loopback_turns_modem_lines_and_data_around,
           the_clock_shows_the_date_and_goes_on, uip_announces_the_update, a_date_that_is_set_goes_on_from_there,
           clock_interrupts_last_until_register_c_is_read, the_pm_timer_runs_at_its_frequency,
           the_pm_timers_carry_interrupts, s5_and_resets_are_asked_for, an_empty_port_reads_ones)
