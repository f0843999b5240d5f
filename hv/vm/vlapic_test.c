/* SPDX-License-Identifier: MIT */
#include "hv/vm/vlapic.h"

#include "sim/unit_test.h"

enum { ID = 0x20, TPR = 0x80, PPR = 0xA0, EOI = 0xB0, LDR = 0xD0, SVR = 0xF0, ISR = 0x100, IRR = 0x200, ESR = 0x280,
       ICR = 0x300, ICR_HIGH = 0x310, LVT_TIMER = 0x320, LVT_ERROR = 0x370 };
#define SELF 0x40000u

static struct vlapic enabled(void)
{
    struct vlapic apic;

    vlapic_init(&apic, 3);
    vlapic_write(&apic, SVR, 0x1FF);
    return apic;
}

START_TEST(reset_values_are_the_manuals)
{
    struct vlapic apic;

    vlapic_init(&apic, 3);
    ck_assert_uint_eq(vlapic_read(&apic, ID), 3u << 24);
    ck_assert_uint_eq(vlapic_read(&apic, SVR), 0xFF);
    ck_assert_uint_eq(vlapic_read(&apic, 0xE0), 0xFFFFFFFF);
    for (unsigned at = LVT_TIMER; at <= LVT_ERROR; at += 0x10)
        ck_assert_uint_eq(vlapic_read(&apic, at), 0x10000);
    ck_assert_int_eq(vlapic_pending(&apic), VLAPIC_NONE);
}
END_TEST

START_TEST(a_message_to_itself_is_requested_and_then_in_service)
{
    struct vlapic apic = enabled();

    ck_assert(vlapic_write(&apic, ICR, SELF | 0x2F));
    ck_assert_uint_eq(vlapic_read(&apic, IRR + 0x10), 1u << 15); /* 2Fh: word 1, bit 15 */
    ck_assert_int_eq(vlapic_pending(&apic), 0x2F);
    vlapic_accept(&apic, 0x2F);
    ck_assert_uint_eq(vlapic_read(&apic, IRR + 0x10), 0);
    ck_assert_uint_eq(vlapic_read(&apic, ISR + 0x10), 1u << 15);
    vlapic_write(&apic, EOI, 0);
    ck_assert_uint_eq(vlapic_read(&apic, ISR + 0x10), 0);
}
END_TEST

START_TEST(only_a_higher_class_than_the_one_in_service_is_pending)
{
    struct vlapic apic = enabled();

    vlapic_write(&apic, ICR, SELF | 0x61);
    vlapic_accept(&apic, 0x61);
    vlapic_write(&apic, ICR, SELF | 0x6F); /* the same class */
    ck_assert_int_eq(vlapic_pending(&apic), VLAPIC_NONE);
    ck_assert_int_eq(vlapic_requested(&apic), 0x6F);
    vlapic_write(&apic, ICR, SELF | 0xD1);
    ck_assert_int_eq(vlapic_pending(&apic), 0xD1);
    vlapic_accept(&apic, 0xD1);
    vlapic_write(&apic, EOI, 0); /* ends D1h, the highest */
    ck_assert_int_eq(vlapic_pending(&apic), VLAPIC_NONE);
    vlapic_write(&apic, EOI, 0);
    ck_assert_int_eq(vlapic_pending(&apic), 0x6F);
}
END_TEST

START_TEST(tpr_masks_its_own_class_and_lower_ones)
{
    struct vlapic apic = enabled();

    vlapic_write(&apic, TPR, 0x20);
    ck_assert(vlapic_tpr_masks(&apic, 0x1F));
    ck_assert(vlapic_tpr_masks(&apic, 0x2F));
    ck_assert(!vlapic_tpr_masks(&apic, 0x30));
}
END_TEST

START_TEST(processor_priority_is_the_higher_of_tpr_and_service)
{
    struct vlapic apic = enabled();

    vlapic_write(&apic, TPR, 0x25);
    ck_assert_uint_eq(vlapic_read(&apic, PPR), 0x25);
    vlapic_write(&apic, ICR, SELF | 0x61);
    vlapic_accept(&apic, 0x61);
    ck_assert_uint_eq(vlapic_read(&apic, PPR), 0x60);
    vlapic_write(&apic, TPR, 0x6A);
    ck_assert_uint_eq(vlapic_read(&apic, PPR), 0x6A);
}
END_TEST

START_TEST(destinations_that_are_not_this_vcpu_are_refused)
{
    struct vlapic apic = enabled();

    vlapic_write(&apic, ICR_HIGH, 3u << 24);
    ck_assert(vlapic_write(&apic, ICR, 0x31)); /* physical 3: itself */
    vlapic_write(&apic, ICR_HIGH, 4u << 24);
    ck_assert(!vlapic_write(&apic, ICR, 0x32));
    ck_assert(!vlapic_write(&apic, ICR, 0x80000 | 0x33)); /* all */
    ck_assert(!vlapic_write(&apic, ICR, SELF | 0x400));   /* NMI */
    vlapic_write(&apic, LDR, 0x04000000);
    ck_assert(vlapic_write(&apic, ICR, 0x800 | 0x34)); /* logical 04h: itself alone */
    ck_assert_int_eq(vlapic_requested(&apic), 0x34);
}
END_TEST

START_TEST(vectors_below_16_are_errors)
{
    struct vlapic apic = enabled();

    ck_assert(vlapic_write(&apic, ICR, SELF | 0x0F));
    ck_assert_int_eq(vlapic_requested(&apic), VLAPIC_NONE);
    ck_assert_uint_eq(vlapic_read(&apic, ESR), 0);
    vlapic_write(&apic, ESR, 0);
    ck_assert_uint_eq(vlapic_read(&apic, ESR), 0x60); /* sent and received illegal vector */
}
END_TEST

START_TEST(a_disabled_apic_requests_nothing)
{
    struct vlapic apic = enabled();

    vlapic_write(&apic, ICR, SELF | 0x2F);
    vlapic_write(&apic, SVR, 0xFF);
    ck_assert_int_eq(vlapic_pending(&apic), VLAPIC_NONE);
    vlapic_write(&apic, ICR, SELF | 0x3F);
    vlapic_write(&apic, SVR, 0x1FF);
    ck_assert_int_eq(vlapic_pending(&apic), 0x2F); /* 3Fh was not accepted */
}
END_TEST

UNIT_TESTS("vlapic", reset_values_are_the_manuals, a_message_to_itself_is_requested_and_then_in_service,
           only_a_higher_class_than_the_one_in_service_is_pending, tpr_masks_its_own_class_and_lower_ones,
           processor_priority_is_the_higher_of_tpr_and_service, destinations_that_are_not_this_vcpu_are_refused,
           vectors_below_16_are_errors, a_disabled_apic_requests_nothing)
