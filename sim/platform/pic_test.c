/* SPDX-License-Identifier: MIT */
/* Expected values: Intel 8259A data sheet, sections on ICWs, OCWs, priority, cascade and poll. */
#include "sim/platform/fixture.h"

/* As a PC does: vectors 20h and 28h, cascade on IR2, 8086 mode, all unmasked; ICW4 of both given. */
static struct fixture *new_pics(uint8_t icw4)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    outb(f, 0x20, 0x11);
    outb(f, 0x21, 0x20);
    outb(f, 0x21, 0x04);
    outb(f, 0x21, icw4);
    outb(f, 0xa0, 0x11);
    outb(f, 0xa1, 0x28);
    outb(f, 0xa1, 0x02);
    outb(f, 0xa1, icw4 & 0x0f);
    return f;
}

static void line(struct fixture *f, unsigned irq, bool level)
{
    pic_set_line(&f->platform->pic, irq, level);
}

static void pulse(struct fixture *f, unsigned irq)
{
    line(f, irq, false);
    line(f, irq, true);
}

static uint8_t acknowledge(struct fixture *f)
{
    struct interrupt_acknowledge ack = platform_acknowledge(f->platform);

    return ack.vector(ack.ctx);
}

static uint8_t isr(struct fixture *f, uint16_t port)
{
    outb(f, port, 0x0b);
    return inb(f, port);
}

static uint8_t irr(struct fixture *f, uint16_t port)
{
    outb(f, port, 0x0a);
    return inb(f, port);
}

START_TEST(an_edge_raises_intr_and_the_acknowledge_gives_its_vector)
{
    struct fixture *f = new_pics(0x01);

    ck_assert(!f->extint);
    pulse(f, 4);
    ck_assert(f->extint);
    ck_assert_uint_eq(irr(f, 0x20), 0x10);
    ck_assert_uint_eq(acknowledge(f), 0x24);
    ck_assert(!f->extint);
    ck_assert_uint_eq(isr(f, 0x20), 0x10);
    ck_assert_uint_eq(irr(f, 0x20), 0x00);
    outb(f, 0x20, 0x20); /* nonspecific EOI */
    ck_assert_uint_eq(isr(f, 0x20), 0x00);
    ck_assert(!f->extint); /* the line is still high, but edges count */
    fixture_free(f);
}
END_TEST

START_TEST(a_masked_request_waits_in_irr)
{
    struct fixture *f = new_pics(0x01);

    outb(f, 0x21, 0x10);
    pulse(f, 4);
    ck_assert(!f->extint);
    ck_assert_uint_eq(irr(f, 0x20), 0x10);
    outb(f, 0x21, 0x00);
    ck_assert(f->extint);
    ck_assert_uint_eq(inb(f, 0x21), 0x00);
    fixture_free(f);
}
END_TEST

START_TEST(a_higher_request_nests_and_a_lower_one_waits_for_the_eoi)
{
    struct fixture *f = new_pics(0x01);

    pulse(f, 3);
    ck_assert_uint_eq(acknowledge(f), 0x23);
    pulse(f, 5);
    ck_assert(!f->extint);
    pulse(f, 1);
    ck_assert(f->extint);
    ck_assert_uint_eq(acknowledge(f), 0x21);
    outb(f, 0x20, 0x20); /* ends 1, the highest in service */
    ck_assert_uint_eq(isr(f, 0x20), 0x08);
    ck_assert(!f->extint);
    outb(f, 0x20, 0x63); /* specific EOI of 3 */
    ck_assert(f->extint);
    ck_assert_uint_eq(acknowledge(f), 0x25);
    fixture_free(f);
}
END_TEST

START_TEST(a_slave_request_comes_through_the_cascade_with_the_slaves_vector)
{
    struct fixture *f = new_pics(0x01);

    pulse(f, 10);
    ck_assert(f->extint);
    ck_assert_uint_eq(acknowledge(f), 0x2a);
    ck_assert_uint_eq(isr(f, 0xa0), 0x04);
    ck_assert_uint_eq(isr(f, 0x20), 0x04);
    pulse(f, 12);
    outb(f, 0xa0, 0x20);
    ck_assert(!f->extint); /* the master's IR2 is still in service */
    outb(f, 0x20, 0x20);
    ck_assert(f->extint);
    ck_assert_uint_eq(acknowledge(f), 0x2c);
    fixture_free(f);
}
END_TEST

START_TEST(special_fully_nested_mode_lets_the_slave_nest)
{
    struct fixture *f = new_pics(0x11); /* ICW4[4] SFNM on the master */

    pulse(f, 12);
    ck_assert_uint_eq(acknowledge(f), 0x2c);
    pulse(f, 9);
    ck_assert(f->extint);
    ck_assert_uint_eq(acknowledge(f), 0x29);
    fixture_free(f);
}
END_TEST

START_TEST(a_slave_without_eoi_asks_again_after_each_acknowledge)
{
    struct fixture *f = new_pics(0x01);

    outb(f, 0xa0, 0x11); /* the slave again, with automatic EOI */
    outb(f, 0xa1, 0x28);
    outb(f, 0xa1, 0x02);
    outb(f, 0xa1, 0x03);
    pulse(f, 9);
    pulse(f, 12);
    ck_assert_uint_eq(acknowledge(f), 0x29);
    outb(f, 0x20, 0x20);
    ck_assert(f->extint); /* INT fell in the acknowledge, so that the master saw a second edge */
    ck_assert_uint_eq(acknowledge(f), 0x2c);
    fixture_free(f);
}
END_TEST

START_TEST(a_request_that_goes_away_is_spurious)
{
    struct fixture *f = new_pics(0x01);

    pulse(f, 3);
    line(f, 3, false);
    ck_assert(!f->extint);
    ck_assert_uint_eq(acknowledge(f), 0x27); /* IR7 */
    ck_assert_uint_eq(isr(f, 0x20), 0x00);   /* without going into service */
    fixture_free(f);
}
END_TEST

START_TEST(automatic_eoi_leaves_nothing_in_service)
{
    struct fixture *f = new_pics(0x03);

    pulse(f, 6);
    ck_assert_uint_eq(acknowledge(f), 0x26);
    ck_assert_uint_eq(isr(f, 0x20), 0);
    outb(f, 0x20, 0x80); /* rotate in automatic EOI mode */
    pulse(f, 6);
    ck_assert_uint_eq(acknowledge(f), 0x26);
    pulse(f, 6);
    pulse(f, 7);
    ck_assert_uint_eq(acknowledge(f), 0x27); /* 6 has become the lowest */
    ck_assert_uint_eq(acknowledge(f), 0x26);
    fixture_free(f);
}
END_TEST

START_TEST(rotations_and_set_priority_move_the_lowest)
{
    struct fixture *f = new_pics(0x01);

    pulse(f, 4);
    ck_assert_uint_eq(acknowledge(f), 0x24);
    outb(f, 0x20, 0xa0); /* rotate on nonspecific EOI: 4 lowest, 5 highest */
    ck_assert_uint_eq(isr(f, 0x20), 0);
    pulse(f, 0);
    pulse(f, 6);
    ck_assert_uint_eq(acknowledge(f), 0x26);
    outb(f, 0x20, 0xe6); /* rotate on specific EOI of 6: 7 highest */
    ck_assert_uint_eq(acknowledge(f), 0x20);
    outb(f, 0x20, 0x20);
    outb(f, 0x20, 0xc7); /* set priority: 7 lowest again */
    pulse(f, 7);
    pulse(f, 1);
    ck_assert_uint_eq(acknowledge(f), 0x21);
    fixture_free(f);
}
END_TEST

START_TEST(special_mask_mode_lets_lower_requests_through)
{
    struct fixture *f = new_pics(0x01);

    pulse(f, 1);
    ck_assert_uint_eq(acknowledge(f), 0x21);
    outb(f, 0x21, 0x02); /* mask it while it is served */
    pulse(f, 5);
    ck_assert(!f->extint);
    outb(f, 0x20, 0x68); /* OCW3: ESMM, SMM */
    ck_assert(f->extint);
    ck_assert_uint_eq(acknowledge(f), 0x25);
    outb(f, 0x20, 0x20); /* ends 5: 1 is masked and left alone */
    ck_assert_uint_eq(isr(f, 0x20), 0x02);
    outb(f, 0x20, 0x48); /* back to normal */
    pulse(f, 5);
    ck_assert(!f->extint);
    fixture_free(f);
}
END_TEST

START_TEST(a_poll_acknowledges)
{
    struct fixture *f = new_pics(0x01);

    outb(f, 0x20, 0x0c);
    ck_assert_uint_eq(inb(f, 0x20), 0x00);
    pulse(f, 5);
    outb(f, 0x20, 0x0c);
    ck_assert_uint_eq(inb(f, 0x20), 0x85);
    ck_assert(!f->extint);
    ck_assert_uint_eq(isr(f, 0x20), 0x20);
    fixture_free(f);
}
END_TEST

START_TEST(a_level_input_asks_again_until_the_line_drops)
{
    struct fixture *f = new_pics(0x01);

    outb(f, 0x4d1, 0xff);
    ck_assert_uint_eq(inb(f, 0x4d1), 0xde); /* IRQ 8 and 13 stay edge */
    outb(f, 0x4d0, 0xff);
    ck_assert_uint_eq(inb(f, 0x4d0), 0xf8); /* IRQ 0, 1, 2 stay edge */
    line(f, 11, true);
    ck_assert_uint_eq(acknowledge(f), 0x2b);
    outb(f, 0xa0, 0x20);
    outb(f, 0x20, 0x20);
    ck_assert(f->extint);
    line(f, 11, false);
    ck_assert(!f->extint);
    fixture_free(f);
}
END_TEST

START_TEST(initialisation_clears_mask_and_service)
{
    struct fixture *f = new_pics(0x01);

    pulse(f, 1);
    acknowledge(f);
    outb(f, 0x21, 0xff);
    outb(f, 0x20, 0x11);
    ck_assert_uint_eq(isr(f, 0x20), 0);
    outb(f, 0x21, 0x40);
    outb(f, 0x21, 0x04);
    outb(f, 0x21, 0x01);
    ck_assert_uint_eq(inb(f, 0x21), 0x00);
    pulse(f, 2); /* no such wire */
    ck_assert(!f->extint);
    pulse(f, 1);
    ck_assert_uint_eq(acknowledge(f), 0x41);
    fixture_free(f);
}
END_TEST

UNIT_TESTS("pic", an_edge_raises_intr_and_the_acknowledge_gives_its_vector, a_masked_request_waits_in_irr,
           a_higher_request_nests_and_a_lower_one_waits_for_the_eoi,
           a_slave_request_comes_through_the_cascade_with_the_slaves_vector,
           special_fully_nested_mode_lets_the_slave_nest,
           a_slave_without_eoi_asks_again_after_each_acknowledge, a_request_that_goes_away_is_spurious,
           automatic_eoi_leaves_nothing_in_service, rotations_and_set_priority_move_the_lowest,
           special_mask_mode_lets_lower_requests_through, a_poll_acknowledges,
           a_level_input_asks_again_until_the_line_drops, initialisation_clears_mask_and_service)
