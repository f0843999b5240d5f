/* SPDX-License-Identifier: MIT */
/* Expected values: Intel 8254 data sheet, mode definitions and their timing diagrams. Input clock 105/88 MHz. */
#include "sim/platform/fixture.h"

/* The first picosecond of input clock t. */
static uint64_t at(uint64_t t)
{
    return (t * 88000000 + 104) / 105;
}

static void start(struct fixture *f, unsigned channel, unsigned control, unsigned count)
{
    outb(f, 0x43, (uint8_t)(channel << 6 | 0x30 | control));
    outb(f, (uint16_t)(0x40 + channel), (uint8_t)count);
    outb(f, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static unsigned count_now(struct fixture *f, unsigned channel)
{
    unsigned low;

    outb(f, 0x43, (uint8_t)(channel << 6)); /* latch */
    low = inb(f, (uint16_t)(0x40 + channel));
    return low | (unsigned)inb(f, (uint16_t)(0x40 + channel)) << 8;
}

static uint8_t status(struct fixture *f, unsigned channel)
{
    outb(f, 0x43, (uint8_t)(0xe0 | 2u << channel));
    return inb(f, (uint16_t)(0x40 + channel));
}

static bool out_now(struct fixture *f, unsigned channel)
{
    return status(f, channel) & 0x80;
}

START_TEST(mode_0_goes_high_n_plus_1_clocks_after_the_write)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    start(f, 0, 0, 4);
    ck_assert(!out_now(f, 0));
    run_until(f, at(1));
    ck_assert_uint_eq(count_now(f, 0), 4);
    run_until(f, at(4));
    ck_assert_uint_eq(count_now(f, 0), 1);
    ck_assert(!out_now(f, 0));
    run_until(f, at(5));
    ck_assert(out_now(f, 0));
    run_until(f, at(7));
    ck_assert_uint_eq(count_now(f, 0), 0xfffe); /* it counts on */
    ck_assert(out_now(f, 0));
    fixture_free(f);
}
END_TEST

START_TEST(mode_2_is_low_for_one_clock_in_n)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    unsigned low = 0;

    start(f, 0, 4, 5);
    for (unsigned t = 1; t < 1 + 20; t++) {
        run_until(f, at(t));
        ck_assert_uint_eq(count_now(f, 0), 5 - (t - 1) % 5);
        low += !out_now(f, 0);
        ck_assert_int_eq(!out_now(f, 0), count_now(f, 0) == 1);
    }
    ck_assert_uint_eq(low, 4);
    fixture_free(f);
}
END_TEST

START_TEST(mode_3_is_high_for_the_larger_half)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    static const uint8_t even[] = { 6, 4, 2, 6, 4, 2 };     /* N = 6: three high, three low */
    static const uint8_t odd[] = { 4, 2, 0, 4, 2 };         /* N = 5: three high, two low */

    start(f, 0, 6, 6);
    for (unsigned t = 0; t < 12; t++) {
        run_until(f, at(1 + t));
        ck_assert_uint_eq(count_now(f, 0), even[t % 6]);
        ck_assert_int_eq(out_now(f, 0), t % 6 < 3);
    }
    start(f, 0, 6, 5);
    for (unsigned t = 0; t < 10; t++) {
        run_until(f, at(13 + t));
        ck_assert_uint_eq(count_now(f, 0), odd[t % 5]);
        ck_assert_int_eq(out_now(f, 0), t % 5 < 3);
    }
    fixture_free(f);
}
END_TEST

START_TEST(a_thousand_hertz_gives_a_thousand_edges_a_second)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    unsigned before;

    outb(f, 0x20, 0x13); /* single, so that only IR0 matters */
    outb(f, 0x21, 0x20);
    outb(f, 0x21, 0x03); /* automatic EOI */
    start(f, 0, 4, 1193);
    before = f->rises;
    for (unsigned ms = 1; ms <= 1000; ms++) {
        for (unsigned step = 0; step < 10; step++) {
            run_until(f, f->clock.now_ps + PS_PER_MS / 10);
            if (f->extint) {
                struct interrupt_acknowledge ack = platform_acknowledge(f->platform);
                ck_assert_uint_eq(ack.vector(ack.ctx), 0x20);
            }
        }
    }
    /* 1193181.8 / 1193 = 1000.15 periods in a second; the control word made no edge, for OUT was high before. */
    ck_assert_uint_eq(f->rises - before, 1000);
    fixture_free(f);
}
END_TEST

START_TEST(a_new_count_waits_for_the_end_of_the_period)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    start(f, 0, 4, 10);
    run_until(f, at(4));
    outb(f, 0x40, 3);
    outb(f, 0x40, 0);
    ck_assert_uint_eq(status(f, 0), 0xf4); /* OUT 1, null count 1, both bytes, mode 2 */
    run_until(f, at(10));
    ck_assert_uint_eq(count_now(f, 0), 1);
    run_until(f, at(11));
    ck_assert_uint_eq(count_now(f, 0), 3);
    ck_assert_uint_eq(status(f, 0), 0xb4);
    run_until(f, at(14));
    ck_assert_uint_eq(count_now(f, 0), 3);
    fixture_free(f);
}
END_TEST

START_TEST(mode_3_takes_a_new_count_at_the_half_cycle)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    start(f, 0, 6, 10); /* high during clocks 1-5, low 6-10 */
    run_until(f, at(2));
    outb(f, 0x40, 4);
    outb(f, 0x40, 0);
    run_until(f, at(5));
    ck_assert(out_now(f, 0));
    run_until(f, at(6)); /* the low half now lasts 4 / 2 clocks */
    ck_assert(!out_now(f, 0));
    run_until(f, at(7));
    ck_assert(!out_now(f, 0));
    run_until(f, at(8));
    ck_assert(out_now(f, 0));
    fixture_free(f);
}
END_TEST

START_TEST(mode_4_strobes_once)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    start(f, 0, 8, 3);
    for (unsigned t = 0; t < 10; t++) {
        run_until(f, at(t));
        ck_assert_int_eq(!out_now(f, 0), t == 4); /* N + 1 clocks after the write, for one clock */
    }
    fixture_free(f);
}
END_TEST

START_TEST(modes_1_and_5_wait_for_a_rising_gate)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    start(f, 2, 2, 3);
    ck_assert_uint_eq(status(f, 2), 0xf2); /* OUT high, the count is not loaded */
    run_until(f, at(50));
    ck_assert(out_now(f, 2));
    outb(f, 0x61, 1);
    for (unsigned t = 51; t < 60; t++) {
        run_until(f, at(t));
        ck_assert_int_eq(!out_now(f, 2), t < 54); /* low for N clocks from the one after the trigger */
        ck_assert_int_eq(!(inb(f, 0x61) & 0x20), t < 54);
    }
    outb(f, 0x61, 0);
    start(f, 2, 10, 3);
    outb(f, 0x61, 1);
    for (unsigned t = 60; t < 70; t++) {
        run_until(f, at(t));
        ck_assert_int_eq(!out_now(f, 2), t == 63); /* the trigger was at clock 59 */
    }
    fixture_free(f);
}
END_TEST

START_TEST(a_low_gate_stops_mode_0)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, 0x61, 1);
    start(f, 2, 0, 100);
    run_until(f, at(41));
    ck_assert_uint_eq(count_now(f, 2), 60);
    outb(f, 0x61, 0);
    run_until(f, at(500));
    ck_assert_uint_eq(count_now(f, 2), 60);
    outb(f, 0x61, 1);
    run_until(f, at(510));
    ck_assert_uint_eq(count_now(f, 2), 50);
    run_until(f, at(559));
    ck_assert(!(inb(f, 0x61) & 0x20));
    run_until(f, at(560));
    ck_assert(inb(f, 0x61) & 0x20);
    fixture_free(f);
}
END_TEST

START_TEST(bcd_counts_in_decimal)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    start(f, 0, 1, 0x1000);
    run_until(f, at(2));
    ck_assert_uint_eq(count_now(f, 0), 0x0999);
    start(f, 0, 1, 0); /* 0 is 10000 */
    run_until(f, at(4));
    ck_assert_uint_eq(count_now(f, 0), 0x9999);
    fixture_free(f);
}
END_TEST

START_TEST(bytes_are_read_and_written_as_the_control_word_says)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, 0x43, 0x10); /* low byte only */
    outb(f, 0x40, 0x80);
    run_until(f, at(1));
    ck_assert_uint_eq(inb(f, 0x40), 0x80);
    ck_assert_uint_eq(inb(f, 0x40), 0x80);
    outb(f, 0x43, 0x20); /* high byte only */
    outb(f, 0x40, 0x12);
    run_until(f, at(2));
    ck_assert_uint_eq(inb(f, 0x40), 0x12);
    start(f, 0, 4, 0x1234);
    run_until(f, at(3));
    ck_assert_uint_eq(inb(f, 0x40), 0x34);
    ck_assert_uint_eq(inb(f, 0x40), 0x12);
    fixture_free(f);
}
END_TEST

START_TEST(a_latched_count_stands_still_until_it_is_read)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    start(f, 0, 0, 0x200);
    run_until(f, at(1));
    outb(f, 0x43, 0xc2); /* read-back: count and status of channel 0 */
    run_until(f, at(100));
    outb(f, 0x43, 0x00); /* a second latch is ignored */
    ck_assert_uint_eq(inb(f, 0x40), 0x30); /* status first: OUT low, loaded, both bytes, mode 0 */
    ck_assert_uint_eq(inb(f, 0x40), 0x00);
    ck_assert_uint_eq(inb(f, 0x40), 0x02);
    ck_assert_uint_eq(count_now(f, 0), 0x200 - 99);
    fixture_free(f);
}
END_TEST

START_TEST(the_refresh_bit_toggles_every_18_clocks)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert(!(inb(f, 0x61) & 0x10));
    run_until(f, at(18));
    ck_assert(inb(f, 0x61) & 0x10);
    run_until(f, at(36));
    ck_assert(!(inb(f, 0x61) & 0x10));
    outb(f, 0x61, 0xff);
    ck_assert_uint_eq(inb(f, 0x61) & 0xcf, 0x0f); /* bits 7:6 are no checks here */
    fixture_free(f);
}
END_TEST

UNIT_TESTS("pit", mode_0_goes_high_n_plus_1_clocks_after_the_write, mode_2_is_low_for_one_clock_in_n,
           mode_3_is_high_for_the_larger_half, a_thousand_hertz_gives_a_thousand_edges_a_second,
           a_new_count_waits_for_the_end_of_the_period, mode_3_takes_a_new_count_at_the_half_cycle,
           mode_4_strobes_once, modes_1_and_5_wait_for_a_rising_gate, a_low_gate_stops_mode_0,
           bcd_counts_in_decimal, bytes_are_read_and_written_as_the_control_word_says,
           a_latched_count_stands_still_until_it_is_read, the_refresh_bit_toggles_every_18_clocks)
