/* SPDX-License-Identifier: MIT */
/* Expected values: IA-PC HPET specification 1.0a; 14.31818 MHz, so that 315 ticks are 22 us. */
#include "sim/platform/fixture.h"
#include "sim/platform/hpet.h"

#define CONFIG 0x10
#define STATUS 0x20
#define COUNTER 0xf0
#define TIMER(n) (0x100 + 0x20 * (n))
#define COMPARATOR(n) (TIMER(n) + 8)
#define TICKS_315_PS (22 * PS_PER_US)

static uint64_t get(struct fixture *f, unsigned reg)
{
    return load(f, HPET_BASE + reg, 8);
}

static void set(struct fixture *f, unsigned reg, uint64_t value)
{
    store(f, HPET_BASE + reg, 8, value);
}

/* IOAPIC input `pin` as an edge or level (active low, as inputs 16-23 are wired) interrupt, to APIC 0. */
static void route(struct fixture *f, unsigned pin, unsigned vector, bool level)
{
    store(f, 0xfec00000, 4, 0x10 + 2 * pin + 1);
    store(f, 0xfec00010, 4, 0);
    store(f, 0xfec00000, 4, 0x10 + 2 * pin);
    store(f, 0xfec00010, 4, vector | (level ? 0xa000 : 0));
}

START_TEST(the_counter_counts_while_enabled)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(get(f, 0), UINT64_C(0x0429b17f1022a201));
    run_until(f, TICKS_315_PS);
    ck_assert_uint_eq(get(f, COUNTER), 0);
    set(f, CONFIG, 1);
    run_until(f, 3 * TICKS_315_PS);
    ck_assert_uint_eq(get(f, COUNTER), 630);
    ck_assert_uint_eq(load(f, HPET_BASE + COUNTER, 4), 630);
    set(f, CONFIG, 0);
    run_until(f, 4 * TICKS_315_PS);
    ck_assert_uint_eq(get(f, COUNTER), 630);
    set(f, COUNTER, UINT64_C(0x1ffffffff));
    set(f, CONFIG, 1);
    run_until(f, 5 * TICKS_315_PS);
    ck_assert_uint_eq(load(f, HPET_BASE + COUNTER + 4, 4), 2);
    ck_assert_uint_eq(load(f, HPET_BASE + COUNTER, 4), 314);
    fixture_free(f);
}
END_TEST

START_TEST(a_one_shot_timer_interrupts_once_at_its_comparator)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    route(f, 20, 0x40, false);
    set(f, CONFIG, 1);
    set(f, TIMER(2), 20 << 9 | 4);
    set(f, COMPARATOR(2), 315);
    run_until(f, TICKS_315_PS - 1);
    ck_assert_uint_eq(f->messages, 0);
    run_until(f, TICKS_315_PS);
    ck_assert_uint_eq(f->messages, 1);
    ck_assert_uint_eq(f->message[0].vector, 0x40);
    ck_assert_uint_eq(get(f, STATUS), 0); /* edge */
    run_until(f, 20 * TICKS_315_PS);
    ck_assert_uint_eq(f->messages, 1);
    set(f, COMPARATOR(2), 315); /* the counter is past it */
    run_until(f, 40 * TICKS_315_PS);
    ck_assert_uint_eq(f->messages, 1);
    fixture_free(f);
}
END_TEST

START_TEST(a_timer_of_32_bits_matches_again_when_the_counter_wraps)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    route(f, 20, 0x40, false);
    set(f, COUNTER, UINT64_C(0xfffffff0));
    set(f, TIMER(2), 20 << 9 | 0x100 | 4);
    set(f, COMPARATOR(2), 299); /* 315 ticks from here, beyond the wrap */
    set(f, CONFIG, 1);
    run_until(f, TICKS_315_PS);
    ck_assert_uint_eq(f->messages, 1);
    run_until(f, TICKS_315_PS + UINT64_C(299965969879365)); /* 2^32 ticks of 22 us / 315, rounded up */
    ck_assert_uint_eq(f->messages, 1);
    run_until(f, TICKS_315_PS + UINT64_C(299965969879366));
    ck_assert_uint_eq(f->messages, 2);
    fixture_free(f);
}
END_TEST

START_TEST(a_periodic_timer_takes_comparator_then_period)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    route(f, 21, 0x41, false);
    set(f, CONFIG, 1);
    set(f, TIMER(1), 21 << 9 | 0x40 | 8 | 4);
    set(f, COMPARATOR(1), 630);
    ck_assert_uint_eq(get(f, TIMER(1)) & 0x40, 0); /* one write */
    set(f, COMPARATOR(1), 315);
    ck_assert_uint_eq(get(f, COMPARATOR(1)), 630);
    run_until(f, 2 * TICKS_315_PS);
    ck_assert_uint_eq(f->messages, 1);
    ck_assert_uint_eq(get(f, COMPARATOR(1)), 945);
    run_until(f, 6 * TICKS_315_PS);
    ck_assert_uint_eq(f->messages, 5);
    fixture_free(f);
}
END_TEST

START_TEST(a_level_interrupt_stands_until_its_status_is_cleared)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    route(f, 22, 0x42, true);
    set(f, CONFIG, 1);
    set(f, TIMER(0), 22 << 9 | 4 | 2);
    set(f, COMPARATOR(0), 315);
    run_until(f, TICKS_315_PS);
    ck_assert_uint_eq(f->messages, 1);
    ck_assert_uint_eq(get(f, STATUS), 1);
    ioapic_eoi(&f->platform->ioapic, 0x42);
    ck_assert_uint_eq(f->messages, 2); /* still asserted */
    set(f, STATUS, 1);
    ck_assert_uint_eq(get(f, STATUS), 0);
    ioapic_eoi(&f->platform->ioapic, 0x42);
    ck_assert_uint_eq(f->messages, 2);
    fixture_free(f);
}
END_TEST

/* The 8254 counts on, but IRQ 0 (IOAPIC input 2) is timer 0's. */
START_TEST(the_legacy_routes_replace_the_8254)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    route(f, 2, 0x30, false);
    outb(f, 0x43, 0x34);
    outb(f, 0x40, 0x9c);
    outb(f, 0x40, 0x2e);
    run_until(f, 25 * PS_PER_MS);
    ck_assert_uint_eq(f->messages, 2);
    set(f, TIMER(0), 4);
    set(f, COMPARATOR(0), 315);
    set(f, CONFIG, 3);
    run_until(f, 100 * PS_PER_MS);
    ck_assert_uint_eq(f->messages, 3);
    set(f, CONFIG, 1);
    run_until(f, 125 * PS_PER_MS);
    ck_assert_uint_ge(f->messages, 5);
    fixture_free(f);
}
END_TEST

START_TEST(a_reset_stops_everything)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    set(f, CONFIG, 3);
    set(f, TIMER(0), 4 | 2);
    set(f, COMPARATOR(0), 315);
    run_until(f, TICKS_315_PS);
    ck_assert_uint_eq(get(f, STATUS), 1);
    platform_reset(f->platform, false);
    ck_assert_uint_eq(get(f, STATUS), 0);
    ck_assert_uint_eq(get(f, CONFIG), 0);
    ck_assert_uint_eq(get(f, COUNTER), 0);
    ck_assert_uint_eq(get(f, TIMER(0)), UINT64_C(0x00f0000000000030));
    ck_assert_uint_eq(get(f, COMPARATOR(0)), UINT64_MAX);
    ck_assert_uint_eq(get(f, 0x3f8), 0);
    fixture_free(f);
}
END_TEST

UNIT_TESTS("hpet", the_counter_counts_while_enabled, a_one_shot_timer_interrupts_once_at_its_comparator,
           a_timer_of_32_bits_matches_again_when_the_counter_wraps, a_periodic_timer_takes_comparator_then_period,
           a_level_interrupt_stands_until_its_status_is_cleared, the_legacy_routes_replace_the_8254,
           a_reset_stops_everything)
