/* SPDX-License-Identifier: MIT */
/* Expected values: 82093AA data sheet (register map, redirection table, interrupt delivery). */
#include "sim/platform/fixture.h"

#define MASKED 0x10000
#define LEVEL 0x8000
#define LOW 0x2000

static void write_register(struct fixture *f, unsigned index, uint32_t value)
{
    store(f, 0xfec00000, 4, index);
    store(f, 0xfec00010, 4, value);
}

static uint32_t read_register(struct fixture *f, unsigned index)
{
    store(f, 0xfec00000, 4, index);
    return (uint32_t)load(f, 0xfec00010, 4);
}

static void program(struct fixture *f, unsigned pin, uint32_t low, uint32_t high)
{
    write_register(f, 0x11 + 2 * pin, high);
    write_register(f, 0x10 + 2 * pin, low);
}

static void pin(struct fixture *f, unsigned number, bool level)
{
    ioapic_set_pin(&f->platform->ioapic, number, level);
}

static void eoi(struct fixture *f, uint8_t vector)
{
    struct interrupt_acknowledge ack = platform_acknowledge(f->platform);

    ack.eoi(ack.ctx, vector);
}

START_TEST(registers_after_reset)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    ck_assert_uint_eq(read_register(f, 0), 0);
    ck_assert_uint_eq(read_register(f, 1), 0x00170011); /* 24 entries, version 11h */
    for (unsigned i = 0; i < 24; i++) {
        ck_assert_uint_eq(read_register(f, 0x10 + 2 * i), MASKED);
        ck_assert_uint_eq(read_register(f, 0x11 + 2 * i), 0);
    }
    write_register(f, 0, 0xff000000);
    ck_assert_uint_eq(read_register(f, 0), 0x0f000000);
    ck_assert_uint_eq(read_register(f, 0x40), 0); /* no such register */
    fixture_free(f);
}
END_TEST

START_TEST(an_edge_sends_the_entrys_message_once)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    program(f, 4, 0x931, 0x05000000); /* lowest priority, logical, vector 31h to 05h */
    pin(f, 4, true);
    ck_assert_uint_eq(f->messages, 1);
    ck_assert_uint_eq(f->message[0].type, APIC_LOWEST);
    ck_assert_uint_eq(f->message[0].vector, 0x31);
    ck_assert_uint_eq(f->message[0].destination, 5);
    ck_assert(f->message[0].logical);
    ck_assert(!f->message[0].level);
    ck_assert_uint_eq(f->message[0].source_core, 0xff);
    pin(f, 4, true);
    ck_assert_uint_eq(f->messages, 1);
    pin(f, 4, false);
    pin(f, 4, true);
    ck_assert_uint_eq(f->messages, 2);
    fixture_free(f);
}
END_TEST

START_TEST(an_edge_on_a_masked_input_is_lost)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    pin(f, 5, true);
    program(f, 5, 0x40, 0);
    ck_assert_uint_eq(f->messages, 0);
    fixture_free(f);
}
END_TEST

START_TEST(a_level_input_waits_for_the_eoi_and_sends_again)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    program(f, 17, LEVEL | LOW | 0x51, 0); /* PCI wires rest high */
    ck_assert_uint_eq(f->messages, 0);
    pin(f, 17, true);
    ck_assert_uint_eq(f->messages, 1);
    ck_assert(f->message[0].level);
    ck_assert_uint_eq(read_register(f, 0x32), LEVEL | LOW | 0x4051); /* remote IRR */
    pin(f, 17, false);
    pin(f, 17, true);
    ck_assert_uint_eq(f->messages, 1);
    eoi(f, 0x50);
    ck_assert_uint_eq(f->messages, 1);
    eoi(f, 0x51);
    ck_assert_uint_eq(f->messages, 2);
    pin(f, 17, false);
    eoi(f, 0x51);
    ck_assert_uint_eq(f->messages, 2);
    ck_assert_uint_eq(read_register(f, 0x32), LEVEL | LOW | 0x51);
    fixture_free(f);
}
END_TEST

START_TEST(unmasking_an_active_level_input_sends)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    program(f, 9, MASKED | LEVEL | LOW | 0x61, 0);
    pin(f, 9, true);
    ck_assert_uint_eq(f->messages, 0);
    program(f, 9, LEVEL | LOW | 0x61, 0);
    ck_assert_uint_eq(f->messages, 1);
    fixture_free(f);
}
END_TEST

START_TEST(switching_to_edge_clears_a_stuck_remote_irr)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    program(f, 16, LEVEL | LOW | 0x71, 0);
    pin(f, 16, true);
    write_register(f, 0x30, MASKED | LOW | 0x71);
    ck_assert_uint_eq(read_register(f, 0x30), MASKED | LOW | 0x71);
    write_register(f, 0x30, LEVEL | LOW | 0x71);
    ck_assert_uint_eq(f->messages, 2);
    fixture_free(f);
}
END_TEST

START_TEST(polarity_chooses_the_active_level)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    program(f, 3, LOW | 0x41, 0); /* an ISA wire rests low: active low means its falling edge */
    pin(f, 3, true);
    ck_assert_uint_eq(f->messages, 0);
    pin(f, 3, false);
    ck_assert_uint_eq(f->messages, 1);
    fixture_free(f);
}
END_TEST

START_TEST(the_timer_reaches_input_two_and_intr_input_zero)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    program(f, 2, 0x22, 0);
    program(f, 0, 0x700, 0); /* ExtINT */
    outb(f, 0x20, 0x11);
    outb(f, 0x21, 0x20);
    outb(f, 0x21, 0x04);
    outb(f, 0x21, 0x01);
    outb(f, 0x43, 0x30); /* mode 0: OUT low, then high after 10 + 1 clocks */
    outb(f, 0x40, 10);
    outb(f, 0x40, 0);
    run_until(f, 20 * PS_PER_US);
    ck_assert_uint_eq(f->messages, 2);
    ck_assert_uint_eq(f->message[0].type, APIC_EXTINT);
    ck_assert_uint_eq(f->message[1].vector, 0x22);
    fixture_free(f);
}
END_TEST

START_TEST(narrow_accesses_to_the_window_do_nothing)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    store(f, 0xfec00000, 1, 0x10); /* the index may be written as a byte */
    store(f, 0xfec00010, 1, 0x31);
    ck_assert_uint_eq(load(f, 0xfec00010, 4), MASKED);
    store(f, 0xfec00010, 4, MASKED | 0x31);
    ck_assert_uint_eq(load(f, 0xfec00010, 4), MASKED | 0x31);
    fixture_free(f);
}
END_TEST

UNIT_TESTS("ioapic", registers_after_reset, an_edge_sends_the_entrys_message_once,
           an_edge_on_a_masked_input_is_lost, a_level_input_waits_for_the_eoi_and_sends_again,
           unmasking_an_active_level_input_sends, switching_to_edge_clears_a_stuck_remote_irr,
           polarity_chooses_the_active_level, the_timer_reaches_input_two_and_intr_input_zero,
           narrow_accesses_to_the_window_do_nothing)
