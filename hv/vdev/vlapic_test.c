/* SPDX-License-Identifier: MIT */
#include "hv/vdev/vlapic.h"

#include "sim/unit_test.h"

enum { ID = 0x20, TPR = 0x80, PPR = 0xA0, EOI = 0xB0, LDR = 0xD0, SVR = 0xF0, ISR = 0x100, IRR = 0x200, ESR = 0x280,
       ICR = 0x300, ICR_HIGH = 0x310, LVT_TIMER = 0x320, LVT_ERROR = 0x370 };
#define SELF 0x40000u
#define DIVIDE_1 0xBu
enum { INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3E0, TMR = 0x180 };

/* A write at time 0; what it sends goes where it should, if that is here. */
static void write_at(struct vlapic *apic, unsigned offset, uint32_t value, uint64_t now)
{
    struct vlapic_message message;

    if (vlapic_write(apic, offset, value, now, &message) == VLAPIC_SENDS && vlapic_route(&apic, 1, 0, &message))
        vlapic_post(apic, &message);
    vlapic_take_posted(apic);
}

static void put(struct vlapic *apic, unsigned offset, uint32_t value)
{
    write_at(apic, offset, value, 0);
}

static uint32_t get(const struct vlapic *apic, unsigned offset)
{
    return vlapic_read(apic, offset, 0);
}

static struct vlapic enabled(void)
{
    struct vlapic apic;

    vlapic_init(&apic, 3);
    put(&apic, SVR, 0x1FF);
    return apic;
}

START_TEST(reset_values_are_the_manuals)
{
    struct vlapic apic;

    vlapic_init(&apic, 3);
    ck_assert_uint_eq(get(&apic, ID), 3u << 24);
    ck_assert_uint_eq(get(&apic, SVR), 0xFF);
    ck_assert_uint_eq(get(&apic, 0xE0), 0xFFFFFFFF);
    for (unsigned at = LVT_TIMER; at <= LVT_ERROR; at += 0x10)
        ck_assert_uint_eq(get(&apic, at), 0x10000);
    ck_assert_int_eq(vlapic_pending(&apic), VLAPIC_NONE);
}
END_TEST

START_TEST(a_message_to_itself_is_requested_and_then_in_service)
{
    struct vlapic apic = enabled();

    put(&apic, ICR, SELF | 0x2F);
    ck_assert_uint_eq(get(&apic, IRR + 0x10), 1u << 15); /* 2Fh: word 1, bit 15 */
    ck_assert_int_eq(vlapic_pending(&apic), 0x2F);
    vlapic_accept(&apic, 0x2F);
    ck_assert_uint_eq(get(&apic, IRR + 0x10), 0);
    ck_assert_uint_eq(get(&apic, ISR + 0x10), 1u << 15);
    put(&apic, EOI, 0);
    ck_assert_uint_eq(get(&apic, ISR + 0x10), 0);
}
END_TEST

START_TEST(only_a_higher_class_than_the_one_in_service_is_pending)
{
    struct vlapic apic = enabled();

    put(&apic, ICR, SELF | 0x61);
    vlapic_accept(&apic, 0x61);
    put(&apic, ICR, SELF | 0x6F); /* the same class */
    ck_assert_int_eq(vlapic_pending(&apic), VLAPIC_NONE);
    ck_assert_int_eq(vlapic_requested(&apic), 0x6F);
    put(&apic, ICR, SELF | 0xD1);
    ck_assert_int_eq(vlapic_pending(&apic), 0xD1);
    vlapic_accept(&apic, 0xD1);
    put(&apic, EOI, 0); /* ends D1h, the highest */
    ck_assert_int_eq(vlapic_pending(&apic), VLAPIC_NONE);
    put(&apic, EOI, 0);
    ck_assert_int_eq(vlapic_pending(&apic), 0x6F);
}
END_TEST

START_TEST(tpr_masks_its_own_class_and_lower_ones)
{
    struct vlapic apic = enabled();

    put(&apic, TPR, 0x20);
    ck_assert(vlapic_tpr_masks(&apic, 0x1F));
    ck_assert(vlapic_tpr_masks(&apic, 0x2F));
    ck_assert(!vlapic_tpr_masks(&apic, 0x30));
}
END_TEST

START_TEST(processor_priority_is_the_higher_of_tpr_and_service)
{
    struct vlapic apic = enabled();

    put(&apic, TPR, 0x25);
    ck_assert_uint_eq(get(&apic, PPR), 0x25);
    put(&apic, ICR, SELF | 0x61);
    vlapic_accept(&apic, 0x61);
    ck_assert_uint_eq(get(&apic, PPR), 0x60);
    put(&apic, TPR, 0x6A);
    ck_assert_uint_eq(get(&apic, PPR), 0x6A);
}
END_TEST

START_TEST(vectors_below_16_are_errors)
{
    struct vlapic apic = enabled();

    put(&apic, ICR, SELF | 0x0F);
    ck_assert_int_eq(vlapic_requested(&apic), VLAPIC_NONE);
    ck_assert_uint_eq(get(&apic, ESR), 0);
    put(&apic, ESR, 0);
    ck_assert_uint_eq(get(&apic, ESR), 0x60); /* sent and received illegal vector */
}
END_TEST

START_TEST(a_disabled_apic_requests_nothing)
{
    struct vlapic apic = enabled();

    put(&apic, ICR, SELF | 0x2F);
    put(&apic, SVR, 0xFF);
    ck_assert_int_eq(vlapic_pending(&apic), VLAPIC_NONE);
    put(&apic, ICR, SELF | 0x3F);
    put(&apic, SVR, 0x1FF);
    ck_assert_int_eq(vlapic_pending(&apic), 0x2F); /* 3Fh was not accepted */
}
END_TEST

START_TEST(the_timer_counts_its_divided_clock_down)
{
    /* 200 MHz: 5 ns, times the divider of each code (APM2 figure 16-13) */
    static const struct { uint32_t code; unsigned divide; } rows[] = {
        { 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 }, { 0x8, 32 }, { 0x9, 64 }, { 0xA, 128 }, { 0xB, 1 },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vlapic apic = enabled();

        put(&apic, DIVIDE, rows[i].code);
        put(&apic, LVT_TIMER, 0x50);
        write_at(&apic, INITIAL, 1000, 70);
        ck_assert_uint_eq(vlapic_read(&apic, CURRENT, 70), 1000);
        ck_assert_uint_eq(vlapic_read(&apic, CURRENT, 70 + 5 * rows[i].divide * 400), 600);
        ck_assert_uint_eq(vlapic_timer_next(&apic), 70 + 5 * rows[i].divide * 1000);
    }
}
END_TEST

START_TEST(a_one_shot_timer_requests_once_and_stands)
{
    struct vlapic apic = enabled();

    put(&apic, DIVIDE, DIVIDE_1);
    put(&apic, LVT_TIMER, 0x50);
    put(&apic, INITIAL, 100);
    vlapic_timer_run(&apic, 499);
    ck_assert_int_eq(vlapic_requested(&apic), VLAPIC_NONE);
    vlapic_timer_run(&apic, 500);
    ck_assert_int_eq(vlapic_requested(&apic), 0x50);
    ck_assert_uint_eq(vlapic_read(&apic, CURRENT, 800), 0);
    ck_assert_uint_eq(vlapic_timer_next(&apic), UINT64_MAX);
}
END_TEST

START_TEST(a_periodic_timer_keeps_its_phase)
{
    struct vlapic apic = enabled();

    put(&apic, DIVIDE, DIVIDE_1);
    put(&apic, LVT_TIMER, 0x20050);
    put(&apic, INITIAL, 10000); /* of 5 ns: 50 us */
    vlapic_timer_run(&apic, 73000); /* late: the next is at 100 us, not 123 */
    ck_assert_int_eq(vlapic_requested(&apic), 0x50);
    ck_assert_uint_eq(vlapic_timer_next(&apic), 100000);
    ck_assert_uint_eq(vlapic_read(&apic, CURRENT, 90000), 2000);
    vlapic_timer_run(&apic, 260000); /* three periods at once are one request */
    ck_assert_uint_eq(vlapic_timer_next(&apic), 300000);
    put(&apic, INITIAL, 0);
    ck_assert_uint_eq(vlapic_timer_next(&apic), UINT64_MAX);
}
END_TEST

START_TEST(periods_shorter_than_an_exit_leave_time_for_the_guest)
{
    struct vlapic apic = enabled();

    put(&apic, DIVIDE, DIVIDE_1);
    put(&apic, LVT_TIMER, 0x20050);
    put(&apic, INITIAL, 1); /* 5 ns: at every 2000th */
    ck_assert_uint_eq(vlapic_timer_next(&apic), 10000);
    put(&apic, INITIAL, 600); /* 3 us: the fourth is the first past 10 us */
    ck_assert_uint_eq(vlapic_timer_next(&apic), 12000);
    vlapic_timer_run(&apic, 12500);
    ck_assert_uint_eq(vlapic_timer_next(&apic), 24000); /* in phase */
    put(&apic, LVT_TIMER, 0x50); /* once is once, however soon */
    put(&apic, INITIAL, 1);
    ck_assert_uint_eq(vlapic_timer_next(&apic), 5);
}
END_TEST

START_TEST(a_masked_timer_counts_and_requests_nothing)
{
    struct vlapic apic = enabled();

    put(&apic, DIVIDE, DIVIDE_1);
    put(&apic, INITIAL, 100);
    ck_assert_uint_eq(vlapic_timer_next(&apic), UINT64_MAX);
    ck_assert_uint_eq(vlapic_read(&apic, CURRENT, 250), 50);
    vlapic_timer_run(&apic, 600);
    ck_assert_int_eq(vlapic_requested(&apic), VLAPIC_NONE);
}
END_TEST

START_TEST(another_divider_goes_on_from_the_count)
{
    struct vlapic apic = enabled();

    put(&apic, DIVIDE, DIVIDE_1);
    put(&apic, LVT_TIMER, 0x50);
    put(&apic, INITIAL, 100);
    write_at(&apic, DIVIDE, 0, 250); /* 50 left, at 10 ns each from now on */
    ck_assert_uint_eq(vlapic_timer_next(&apic), 750);
}
END_TEST

/* ---- Messages -------------------------------------------------------------------------------------------- */

START_TEST(messages_go_to_those_that_are_addressed)
{
    static struct vlapic apic[4];
    struct vlapic *apics[4];
    /* flat logical ids 1, 2, 4, 8 */
    static const struct { struct vlapic_message message; uint32_t targets; } rows[] = {
        { { .destination = 2 }, 4 },
        { { .destination = 0xFF }, 15 },
        { { .destination = 9 }, 0 },
        { { .logical = true, .destination = 0x05 }, 5 },
        { { .logical = true, .destination = 0xF0 }, 0 },
        { { .shorthand = VLAPIC_SELF }, 2 },
        { { .shorthand = VLAPIC_ALL }, 15 },
        { { .shorthand = VLAPIC_OTHERS }, 13 },
        { { .mode = VLAPIC_NMI, .shorthand = VLAPIC_OTHERS }, 13 },
        { { .mode = VLAPIC_LOWEST, .logical = true, .destination = 0x0E }, 4 }, /* 2 has the lowest TPR of 1 to 3 */
        { { .mode = VLAPIC_LOWEST, .logical = true, .destination = 0x0F }, 1 },
    };
    static const uint32_t tpr[4] = { 0x10, 0x30, 0x20, 0x20 };

    for (unsigned i = 0; i < 4; i++) {
        vlapic_init(&apic[i], (uint8_t)i);
        put(&apic[i], SVR, 0x1FF);
        put(&apic[i], LDR, 1u << (24 + i));
        put(&apic[i], TPR, tpr[i]);
        apics[i] = &apic[i];
    }
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(vlapic_route(apics, 4, 1, &rows[i].message) == rows[i].targets, "row %u: %#x", i,
                      vlapic_route(apics, 4, 1, &rows[i].message));
}
END_TEST

START_TEST(clusters_are_addressed_by_number_and_member)
{
    struct vlapic apic = enabled(), *apics[1] = { &apic };
    struct vlapic_message message = { .logical = true, .destination = 0x21 };

    put(&apic, 0xE0, 0x0FFFFFFF);
    put(&apic, LDR, 0x23000000); /* cluster 2, members 0 and 1 */
    ck_assert_uint_eq(vlapic_route(apics, 1, -1, &message), 1);
    message.destination = 0x24;
    ck_assert_uint_eq(vlapic_route(apics, 1, -1, &message), 0);
    message.destination = 0x31;
    ck_assert_uint_eq(vlapic_route(apics, 1, -1, &message), 0);
}
END_TEST

START_TEST(init_startup_and_nmi_are_events_of_the_target)
{
    struct vlapic apic = enabled();
    struct vlapic_message message = { .mode = VLAPIC_STARTUP, .vector = 0x9A };

    ck_assert(!vlapic_has_posted(&apic));
    vlapic_post(&apic, &message);
    message.mode = VLAPIC_INIT;
    vlapic_post(&apic, &message);
    ck_assert_uint_eq(vlapic_take_posted(&apic), VLAPIC_POSTED_INIT | VLAPIC_POSTED_STARTUP);
    ck_assert_uint_eq(apic.startup_page, 0x9A);
    message.mode = VLAPIC_NMI;
    vlapic_post(&apic, &message);
    ck_assert_uint_eq(vlapic_take_posted(&apic), VLAPIC_POSTED_NMI);
    ck_assert_int_eq(vlapic_requested(&apic), VLAPIC_NONE);
}
END_TEST

START_TEST(the_end_of_a_level_triggered_vector_is_told)
{
    struct vlapic apic = enabled();
    struct vlapic_message message = { .vector = 0x41, .level = true }, end;

    vlapic_post(&apic, &message);
    vlapic_take_posted(&apic);
    ck_assert_uint_eq(get(&apic, TMR + 0x20), 2);
    vlapic_accept(&apic, 0x41);
    ck_assert_int_eq(vlapic_write(&apic, EOI, 0, 0, &end), VLAPIC_ENDS);
    ck_assert_uint_eq(end.vector, 0x41);
    message.level = false; /* the same vector as an edge: TMR says so */
    vlapic_post(&apic, &message);
    vlapic_take_posted(&apic);
    vlapic_accept(&apic, 0x41);
    ck_assert_int_eq(vlapic_write(&apic, EOI, 0, 0, &end), VLAPIC_NO_EFFECT);
}
END_TEST

START_TEST(init_deassert_is_nothing)
{
    struct vlapic apic = enabled();
    struct vlapic_message message;

    ck_assert_int_eq(vlapic_write(&apic, ICR, 0xC500, 0, &message), VLAPIC_SENDS); /* assert, level */
    ck_assert_int_eq(message.mode, VLAPIC_INIT);
    ck_assert_int_eq(vlapic_write(&apic, ICR, 0x8500, 0, &message), VLAPIC_NO_EFFECT);
}
END_TEST

START_TEST(a_disabled_apic_masks_its_lvts)
{
    struct vlapic apic = enabled();

    vlapic_set_virtual_wire(&apic);
    ck_assert(vlapic_takes_extint(&apic));
    put(&apic, SVR, 0xFF);
    ck_assert(!vlapic_takes_extint(&apic));
    put(&apic, 0x350, 0x700); /* still disabled: the mask stays */
    ck_assert_uint_eq(get(&apic, 0x350), 0x10700);
}
END_TEST

UNIT_TESTS("vlapic", reset_values_are_the_manuals, a_message_to_itself_is_requested_and_then_in_service,
           only_a_higher_class_than_the_one_in_service_is_pending, tpr_masks_its_own_class_and_lower_ones,
           processor_priority_is_the_higher_of_tpr_and_service, vectors_below_16_are_errors,
           a_disabled_apic_requests_nothing, the_timer_counts_its_divided_clock_down,
           a_one_shot_timer_requests_once_and_stands, a_periodic_timer_keeps_its_phase,
           periods_shorter_than_an_exit_leave_time_for_the_guest,
           a_masked_timer_counts_and_requests_nothing, another_divider_goes_on_from_the_count,
           messages_go_to_those_that_are_addressed, clusters_are_addressed_by_number_and_member,
           init_startup_and_nmi_are_events_of_the_target, the_end_of_a_level_triggered_vector_is_told,
           init_deassert_is_nothing, a_disabled_apic_masks_its_lvts)
