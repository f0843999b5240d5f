/* SPDX-License-Identifier: MIT */
/* The small devices of a PC: ports as such, CMOS clock, keyboard controller, ACPI fixed hardware, single ports. */
#include "sim/platform/fixture.h"

/* ---- Ports ---- */

static uint32_t echo_read(void *ctx, uint16_t port, unsigned size)
{
    (void)ctx;
    return (uint32_t)port << 4 | size;
}

static void echo_write(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    g_string_append_printf(ctx, "%x:%u=%x ", port, size, value);
}

START_TEST(an_access_goes_to_the_range_of_its_first_port)
{
    struct ports *ports = g_new0(struct ports, 1);
    GString *log = g_string_new(NULL);
    const struct pio_range wide = { "wide", 0x10, 4, log, echo_read, echo_write };
    const struct pio_range narrow = { "narrow", 0x14, 2, log, echo_read, echo_write };
    struct pio_space *space = &ports->space;

    ports_init(ports);
    ports_attach(ports, &wide, 4);
    ports_attach(ports, &narrow, 1);
    ck_assert_uint_eq(space->read(space->ctx, 0x10, 4), 0x104);
    ck_assert_uint_eq(space->read(space->ctx, 0x13, 2), 0x132);
    ck_assert_uint_eq(space->read(space->ctx, 0x14, 2), 0x5141); /* an 8-bit device: 141h and 151h cut to bytes */
    ck_assert_uint_eq(space->read(space->ctx, 0x15, 4), 0xffffff51); /* nobody behind it */
    ck_assert_uint_eq(space->read(space->ctx, 0xffff, 4), 0xffffffff);
    space->write(space->ctx, 0x11, 2, 0xabcdef);
    space->write(space->ctx, 0x14, 2, 0x1234);
    space->write(space->ctx, 0x9999, 4, 1);
    ck_assert_str_eq(log->str, "11:2=cdef 14:1=34 15:1=12 ");
    ck_assert_uint_eq(ports->reads, 5);
    ck_assert_uint_eq(ports->writes, 3);
    g_string_free(log, TRUE);
    g_free(ports);
}
END_TEST

START_TEST(unclaimed_ports_read_all_ones)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(in(f, 0x2f8, 1), 0xff);
    ck_assert_uint_eq(in(f, 0x2f8, 2), 0xffff);
    ck_assert_uint_eq(in(f, 0x2f8, 4), 0xffffffff);
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 0);
    fixture_free(f);
}
END_TEST

/* ---- CMOS ---- */

static uint8_t cmos(struct fixture *f, uint8_t index)
{
    outb(f, 0x70, index);
    return inb(f, 0x71);
}

static void set_cmos(struct fixture *f, uint8_t index, uint8_t value)
{
    outb(f, 0x70, index);
    outb(f, 0x71, value);
}

static void expect_time(struct fixture *f, const char *expected)
{
    g_autofree char *now = g_strdup_printf("%02x%02x-%02x-%02x %02x:%02x:%02x w%u", cmos(f, 0x32), cmos(f, 9),
                                           cmos(f, 8), cmos(f, 7), cmos(f, 4), cmos(f, 2), cmos(f, 0), cmos(f, 6));

    ck_assert_str_eq(now, expected);
}

START_TEST(the_clock_starts_at_a_fixed_date_and_runs_with_machine_time)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    expect_time(f, "2008-01-01 00:00:00 w3"); /* a Tuesday; Sunday is 1 */
    f->clock.now_ps = 61 * PS_PER_S;
    expect_time(f, "2008-01-01 00:01:01 w3");
    f->clock.now_ps = (uint64_t)59 * 86400 * PS_PER_S; /* 2008 is a leap year */
    expect_time(f, "2008-02-29 00:00:00 w6");
    f->clock.now_ps = PS_PER_S - 100 * PS_PER_US;
    ck_assert_uint_eq(cmos(f, 10), 0xa6); /* update in progress */
    f->clock.now_ps = PS_PER_S;
    ck_assert_uint_eq(cmos(f, 10), 0x26);
    ck_assert_uint_eq(cmos(f, 13), 0x80);
    fixture_free(f);
}
END_TEST

START_TEST(the_clock_can_be_set_and_read_in_every_format)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    static const uint8_t date[][2] = { { 0x32, 0x19 }, { 9, 0x99 }, { 8, 0x12 }, { 7, 0x31 }, { 4, 0x23 },
                                       { 2, 0x59 }, { 0, 0x58 } };

    f->clock.now_ps = 5 * PS_PER_S;
    set_cmos(f, 11, 0x82); /* SET */
    for (unsigned i = 0; i < G_N_ELEMENTS(date); i++)
        set_cmos(f, date[i][0], date[i][1]);
    f->clock.now_ps = 50 * PS_PER_S; /* stands still */
    ck_assert_uint_eq(cmos(f, 0), 0x58);
    set_cmos(f, 11, 0x02);
    f->clock.now_ps = 51 * PS_PER_S;
    expect_time(f, "1999-12-31 23:59:59 w6"); /* a Friday */
    f->clock.now_ps = 53 * PS_PER_S;
    expect_time(f, "2000-01-01 00:00:01 w7");
    set_cmos(f, 7, 0x99); /* nonsense is brought into range */
    expect_time(f, "2000-01-31 00:00:01 w2");
    fixture_free(f);
}
END_TEST

START_TEST(twelve_hour_and_binary_formats)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    f->clock.now_ps = (uint64_t)(13 * 3600 + 45 * 60) * PS_PER_S;
    ck_assert_uint_eq(cmos(f, 4), 0x13);
    set_cmos(f, 11, 0x00);
    ck_assert_uint_eq(cmos(f, 4), 0x81); /* 1 PM */
    set_cmos(f, 11, 0x04);
    ck_assert_uint_eq(cmos(f, 2), 45);
    set_cmos(f, 4, 12); /* 12 AM: midnight */
    set_cmos(f, 11, 0x06);
    ck_assert_uint_eq(cmos(f, 4), 0);
    ck_assert_uint_eq(cmos(f, 2), 45);
    fixture_free(f);
}
END_TEST

START_TEST(cmos_tells_the_size_of_memory)
{
    struct fixture *f = fixture_new(1, 1, 4 * GIB);

    ck_assert_uint_eq(cmos(f, 0x15) | cmos(f, 0x16) << 8, 640);
    ck_assert_uint_eq(cmos(f, 0x17) | cmos(f, 0x18) << 8, 0xffff);
    /* (3 GiB - 16 MiB) / 64 KiB = BF00h; 1 GiB above 4 GiB = 4000h units */
    ck_assert_uint_eq(cmos(f, 0x34) | cmos(f, 0x35) << 8, 0xbf00);
    ck_assert_uint_eq(cmos(f, 0x5b) | cmos(f, 0x5c) << 8, 0x4000);
    set_cmos(f, 0x40, 0x77);
    ck_assert_uint_eq(cmos(f, 0x40), 0x77);
    ck_assert_uint_eq(cmos(f, 0xc0), 0x77); /* bit 7 masks NMI, it is no index */
    fixture_free(f);
}
END_TEST

/* Register C: 80h request, 40h periodic, 20h alarm, 10h update; reading clears it and drops IRQ 8. */
START_TEST(the_clock_interrupts_each_second_at_its_alarm_and_periodically)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    set_cmos(f, 11, 0x12); /* update interrupts */
    run_until(f, PS_PER_S - 1);
    ck_assert(!(f->platform->pic.pic[PIC_SLAVE].lines & 0x01));
    run_until(f, PS_PER_S);
    ck_assert(f->platform->pic.pic[PIC_SLAVE].lines & 0x01);
    ck_assert_uint_eq(cmos(f, 12) & 0xb0, 0x90);
    ck_assert(!(f->platform->pic.pic[PIC_SLAVE].lines & 0x01));
    ck_assert_uint_eq(cmos(f, 12), 0);
    set_cmos(f, 1, 0x05); /* an alarm at 00:00:05 */
    set_cmos(f, 11, 0x22);
    run_until(f, 4 * PS_PER_S);
    ck_assert(!(f->platform->pic.pic[PIC_SLAVE].lines & 0x01));
    run_until(f, 5 * PS_PER_S);
    ck_assert(f->platform->pic.pic[PIC_SLAVE].lines & 0x01);
    ck_assert_uint_eq(cmos(f, 12) & 0xa0, 0xa0);
    set_cmos(f, 10, 0x2f); /* rate 15: 2 Hz */
    set_cmos(f, 11, 0x42);
    cmos(f, 12);
    run_until(f, 5 * PS_PER_S + PS_PER_S / 2 - 1);
    ck_assert(!(f->platform->pic.pic[PIC_SLAVE].lines & 0x01));
    run_until(f, 5 * PS_PER_S + PS_PER_S / 2);
    ck_assert_uint_eq(cmos(f, 12), 0xc0);
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 0);
    fixture_free(f);
}
END_TEST

/* ---- Keyboard controller ---- */

START_TEST(the_keyboard_controller_answers_its_commands)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(inb(f, 0x64), 0x14);
    outb(f, 0x64, 0xaa);
    ck_assert_uint_eq(inb(f, 0x64), 0x1d);
    ck_assert_uint_eq(inb(f, 0x60), 0x55);
    ck_assert_uint_eq(inb(f, 0x64), 0x1c);
    outb(f, 0x64, 0x60);
    outb(f, 0x60, 0x01);
    outb(f, 0x64, 0x20);
    ck_assert(f->platform->pic.pic[PIC_MASTER].lines & 0x02); /* IRQ 1 */
    ck_assert_uint_eq(inb(f, 0x60), 0x01);
    ck_assert(!(f->platform->pic.pic[PIC_MASTER].lines & 0x02));
    outb(f, 0x60, 0xff); /* to a keyboard that is not there: no answer */
    ck_assert_uint_eq(inb(f, 0x64) & 1, 0);
    fixture_free(f);
}
END_TEST

START_TEST(the_auxiliary_port_loops_back_and_has_its_own_interrupt)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, 0x64, 0x60);
    outb(f, 0x60, 0x03); /* both interrupts, both ports on */
    outb(f, 0x64, 0xd3);
    outb(f, 0x60, 0xa5);
    ck_assert_uint_eq(inb(f, 0x64) & 0x21, 0x21);
    ck_assert(f->platform->pic.pic[PIC_SLAVE].lines & 0x10); /* IRQ 12 */
    ck_assert(!(f->platform->pic.pic[PIC_MASTER].lines & 0x02));
    ck_assert_uint_eq(inb(f, 0x60), 0xa5);
    ck_assert_uint_eq(inb(f, 0x64) & 0x21, 0);
    ck_assert(!(f->platform->pic.pic[PIC_SLAVE].lines & 0x10));
    outb(f, 0x64, 0xa7);
    outb(f, 0x64, 0x20);
    ck_assert_uint_eq(inb(f, 0x60), 0x23);
    outb(f, 0x64, 0xa8);
    outb(f, 0x64, 0x20);
    ck_assert_uint_eq(inb(f, 0x60), 0x03);
    outb(f, 0x64, 0xa9);
    ck_assert_uint_eq(inb(f, 0x60), 0x00);
    fixture_free(f);
}
END_TEST

START_TEST(three_ways_to_reset)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, 0x64, 0xfe);
    ck_assert_uint_eq(f->resets, 1);
    outb(f, 0xcf9, 0x02);
    ck_assert_uint_eq(f->resets, 1);
    outb(f, 0xcf9, 0x06);
    ck_assert_uint_eq(f->resets, 2);
    outb(f, 0xcf9, 0x06); /* no 0 to 1 change */
    ck_assert_uint_eq(f->resets, 2);
    ck_assert_uint_eq(inb(f, 0x92), 0x02);
    outb(f, 0x92, 0x03);
    ck_assert_uint_eq(f->resets, 3);
    outb(f, 0x64, 0xff); /* pulses nothing */
    ck_assert_uint_eq(f->resets, 3);
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 0);
    outb(f, 0x92, 0x00); /* A20M# */
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    fixture_free(f);
}
END_TEST

/* ---- ACPI fixed hardware ---- */

START_TEST(the_pm_timer_counts_at_3_579545_mhz)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(in(f, 0x608, 4), 0);
    f->clock.now_ps = PS_PER_S;
    ck_assert_uint_eq(in(f, 0x608, 4), 3579545); /* 315/88 MHz */
    ck_assert_uint_eq(in(f, 0x609, 1), 3579545 >> 8 & 0xff);
    fixture_free(f);
}
END_TEST

START_TEST(the_pm_timer_interrupts_when_its_top_bit_changes)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    out(f, 0x602, 2, 1);
    run_until(f, 599 * PS_PER_S);
    ck_assert_uint_eq(in(f, 0x600, 2), 0);
    ck_assert(!(f->platform->pic.pic[PIC_SLAVE].lines & 0x02));
    run_until(f, 600 * PS_PER_S); /* 2^31 / 3579545.45 Hz = 599.93 s */
    ck_assert_uint_eq(in(f, 0x600, 2), 1);
    ck_assert(f->platform->pic.pic[PIC_SLAVE].lines & 0x02); /* SCI: IRQ 9 */
    out(f, 0x600, 2, 1);
    ck_assert_uint_eq(in(f, 0x600, 2), 0);
    ck_assert(!(f->platform->pic.pic[PIC_SLAVE].lines & 0x02));
    fixture_free(f);
}
END_TEST

START_TEST(soft_off_powers_off)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(in(f, 0x604, 2), 1); /* SCI_EN */
    out(f, 0x604, 2, 0x1c00);
    ck_assert_uint_eq(in(f, 0x604, 2), 0x1c01);
    ck_assert_uint_eq(f->offs, 0);
    out(f, 0x604, 2, 0x2000);
    ck_assert_uint_eq(f->offs, 1);
    out(f, 0x604, 2, 0x2400); /* SLP_TYP 1 is no state of ours */
    ck_assert_uint_eq(f->offs, 1);
    ck_assert_uint_eq(unmodelled_total(f->unmodelled), 1);
    fixture_free(f);
}
END_TEST

/* ---- Single ports ---- */

START_TEST(debug_exit_console_and_post)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    out(f, 0xf4, 4, 0x12345678);
    ck_assert_uint_eq(f->exits, 1);
    ck_assert_uint_eq(f->exit_value, 0x12345678);
    outb(f, 0xf4, 3);
    ck_assert_uint_eq(f->exit_value, 3);
    ck_assert_uint_eq(inb(f, 0xe9), 0xe9);
    outb(f, 0xe9, 'h');
    outb(f, 0xe9, 'i');
    ck_assert_str_eq(f->console->str, "hi");
    outb(f, 0x80, 0xa7);
    ck_assert_uint_eq(inb(f, 0x80), 0xa7);
    fixture_free(f);
}
END_TEST

START_TEST(without_debug_exit_nobody_answers_at_f4)
{
    struct platform_config config = fixture_config(NULL, 1, 1, 64 * MIB);
    struct platform *platform;
    struct pio_space *pio;

    config.debug_exit = false;
    platform = platform_new(&config, NULL);
    pio = platform_ports(platform);
    ck_assert_uint_eq(pio->read(pio->ctx, 0xf4, 1), 0xff);
    pio->write(pio->ctx, 0xf4, 1, 1);
    platform_free(platform);
}
END_TEST

UNIT_TESTS("legacy", an_access_goes_to_the_range_of_its_first_port, unclaimed_ports_read_all_ones,
           the_clock_starts_at_a_fixed_date_and_runs_with_machine_time,
           the_clock_can_be_set_and_read_in_every_format, twelve_hour_and_binary_formats,
           cmos_tells_the_size_of_memory,
           the_clock_interrupts_each_second_at_its_alarm_and_periodically, the_keyboard_controller_answers_its_commands,
           the_auxiliary_port_loops_back_and_has_its_own_interrupt, three_ways_to_reset,
           the_pm_timer_counts_at_3_579545_mhz, the_pm_timer_interrupts_when_its_top_bit_changes,
           soft_off_powers_off, debug_exit_console_and_post, without_debug_exit_nobody_answers_at_f4)
