/* SPDX-License-Identifier: MIT */
/* What the three generations arrange in the VMCB before an entry. */
#include "hv/core/lapic.h"
#include "hv/core/traps.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/interrupts.h"

#include "sim/unit_test.h"

#define IF 0x200u
#define CR8_BIT 0x100u
#define SELF_2F 0x4002Fu

static struct vmcb vmcb;
static struct guest guest;

/* What the guest writes at time 0, its messages delivered. */
static void put(struct vcpu *vcpu, unsigned offset, uint32_t value)
{
    struct vlapic *apic = &vcpu->apic;
    struct vlapic_message message;

    if (vlapic_write(apic, offset, value, 0, &message) == VLAPIC_SENDS)
        vlapic_post(apic, &message);
    vlapic_take_posted(apic);
}

static bool event_due;

bool event_is_due(struct vcpu *vcpu)
{
    ck_assert_ptr_eq(vcpu->guest, &guest);
    return event_due;
}

static unsigned sent_to_itself;

void lapic_send_self(uint8_t vector)
{
    ck_assert_uint_eq(vector, VECTOR_FLUSH);
    sent_to_itself++;
}

static struct vcpu vcpu_at(unsigned level, bool request)
{
    struct vcpu vcpu = { .svm.vmcb = &vmcb, .guest = &guest };

    vmcb = (struct vmcb){ .v_intr = V_INTR_MASKING, .rflags = IF };
    vlapic_init(&vcpu.apic, 0);
    put(&vcpu, 0x0F0, 0x1FF);
    interrupts_set_tpr(&vcpu, (uint8_t)(level << 4));
    if (request)
        put(&vcpu, 0x300, SELF_2F);
    return vcpu;
}

START_TEST(generation_0_intercepts_reads_and_writes_always)
{
    struct vcpu vcpu = vcpu_at(0, false);

    interrupts_init(CR8_ALWAYS);
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.intercept_cr_read, CR8_BIT);
    ck_assert_uint_eq(vmcb.intercept_cr_write, CR8_BIT);
}
END_TEST

START_TEST(generation_1_intercepts_writes_while_tpr_masks_a_request)
{
    static const struct { unsigned level; bool request, armed; } rows[] = {
        { 0, false, false }, { 2, false, false }, { 1, true, false }, { 2, true, true }, { 13, true, true },
    };

    interrupts_init(CR8_WHILE_MASKED);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vcpu vcpu = vcpu_at(rows[i].level, rows[i].request);

        interrupts_enter(&vcpu);
        ck_assert_uint_eq(vmcb.intercept_cr_read, 0);
        ck_assert_uint_eq(vmcb.intercept_cr_write, rows[i].armed ? CR8_BIT : 0);
        ck_assert_uint_eq(vmcb.v_intr & V_IRQ, 0);
        ck_assert_uint_eq(vmcb.eventinj, rows[i].request && !rows[i].armed ? EVENT_V | 0x2F : 0);
    }
}
END_TEST

START_TEST(generation_1_disarms_when_the_write_let_it_in)
{
    struct vcpu vcpu = vcpu_at(2, true);

    interrupts_init(CR8_WHILE_MASKED);
    interrupts_enter(&vcpu);
    interrupts_leave(&vcpu);
    interrupts_set_tpr(&vcpu, 0);
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.intercept_cr_write, 0);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | 0x2F);
}
END_TEST

START_TEST(generation_1_leaves_what_if_blocks_to_the_window)
{
    struct vcpu vcpu = vcpu_at(0, true);

    interrupts_init(CR8_WHILE_MASKED);
    vmcb.rflags = 0;
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.intercept_cr_write, 0);
    ck_assert_uint_eq(vmcb.v_intr, V_INTR_MASKING | V_IRQ | V_IGN_TPR | 2u << 16);
    ck_assert_uint_eq(vmcb.intercept_1, INTERCEPT_VINTR);
    ck_assert_uint_eq(vmcb.eventinj, 0);
}
END_TEST

START_TEST(generation_2_gives_the_processor_the_class_and_no_cr8_intercept)
{
    struct vcpu vcpu = vcpu_at(2, true);

    interrupts_init(CR8_NEVER);
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.intercept_cr_read | vmcb.intercept_cr_write, 0);
    ck_assert_uint_eq(vmcb.v_intr, V_INTR_MASKING | V_IRQ | 2u << 16 | 2u); /* V_IGN_TPR clear, V_TPR 2 */
    ck_assert_uint_eq(vmcb.intercept_1, INTERCEPT_VINTR);
    vmcb.v_intr &= ~(uint64_t)V_TPR; /* the guest lowered CR8, VMEXIT_VINTR */
    interrupts_leave(&vcpu);
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | 0x2F);
    ck_assert_uint_eq(vmcb.v_intr, V_INTR_MASKING | 2u << 16);
    ck_assert_uint_eq(vmcb.intercept_1, 0);
}
END_TEST

START_TEST(a_vector_in_service_alone_opens_no_window)
{
    for (unsigned generation = 0; generation < CR8_GENERATIONS; generation++) {
        struct vcpu vcpu = vcpu_at(0, true);

        interrupts_init((enum cr8_generation)generation);
        interrupts_enter(&vcpu);
        vmcb.eventinj = 0;
        put(&vcpu, 0x300, SELF_2F);
        interrupts_leave(&vcpu);
        interrupts_enter(&vcpu);
        ck_assert_uint_eq(vmcb.v_intr & V_IRQ, 0);
        ck_assert_uint_eq(vmcb.eventinj, 0);
        put(&vcpu, 0x0B0, 0);
        interrupts_enter(&vcpu);
        ck_assert_uint_eq(vmcb.eventinj, EVENT_V | 0x2F);
    }
}
END_TEST

START_TEST(tpr_follows_cr8_and_loses_its_low_bits_at_an_exit)
{
    struct vcpu vcpu = vcpu_at(0, false);

    interrupts_init(CR8_WHILE_MASKED);
    put(&vcpu, 0x080, 0x5A);
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(svm_v_tpr(&vcpu.svm), 5);
    interrupts_leave(&vcpu);
    ck_assert_uint_eq(vlapic_read(&vcpu.apic, 0x080, 0), 0x50);
    svm_set_v_tpr(&vcpu.svm, 9); /* the guest wrote CR8 */
    interrupts_leave(&vcpu);
    ck_assert_uint_eq(vlapic_read(&vcpu.apic, 0x080, 0), 0x90);
}
END_TEST

START_TEST(an_interrupt_cut_off_in_delivery_goes_again)
{
    struct vcpu vcpu = vcpu_at(0, false);

    vmcb.exitintinfo = EVENT_V | 0x2F;
    interrupts_leave(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | 0x2F);
    vmcb.eventinj = 0;
    vmcb.exitintinfo = EVENT_V | 4u << 8 | 0x80; /* INT 80h */
    interrupts_leave(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, 0);
}
END_TEST

START_TEST(the_window_waits_for_an_event_before_it)
{
    struct vcpu vcpu = vcpu_at(0, true);

    interrupts_init(CR8_NEVER);
    vmcb.eventinj = EVENT_V | EVENT_TYPE_EXCEPTION << 8 | 6;
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | EVENT_TYPE_EXCEPTION << 8 | 6);
    ck_assert_uint_eq(vmcb.v_intr & V_IRQ, V_IRQ);
}
END_TEST

/* The 8259s, IRQ 0 at vector 20h, through LINT0. */
static void raise_8259_irq0(void)
{
    vdev_init(&guest.vdev, NULL, NULL);
    for (unsigned i = 0; i < 5; i++) {
        static const uint8_t ports[5] = { 0x20, 0x21, 0x21, 0x21, 0x21 }, words[5] = { 0x11, 0x20, 0x04, 0x01, 0xFE };

        vpic_write(&guest.vdev.pics, ports[i], words[i]);
    }
    vpic_set_line(&guest.vdev.pics, 0, true);
    guest.vdev.pic_intr = vpic_intr(&guest.vdev.pics);
}

START_TEST(the_8259s_interrupt_comes_through_lint0_and_asks_no_tpr)
{
    struct vcpu vcpu = vcpu_at(13, false);

    interrupts_init(CR8_NEVER);
    raise_8259_irq0();
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, 0); /* LINT0 is masked at reset */
    vlapic_set_virtual_wire(&vcpu.apic);
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | 0x20);
    ck_assert(!guest.vdev.pic_intr);
    ck_assert_uint_eq(vmcb.v_intr & V_IRQ, 0);
}
END_TEST

START_TEST(the_8259s_interrupt_waits_for_if_with_a_window)
{
    struct vcpu vcpu = vcpu_at(13, false);

    interrupts_init(CR8_NEVER);
    raise_8259_irq0();
    vlapic_set_virtual_wire(&vcpu.apic);
    vmcb.rflags = 0;
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, 0);
    ck_assert_uint_eq(vmcb.v_intr & (V_IRQ | V_IGN_TPR), V_IRQ | V_IGN_TPR);
    ck_assert(!interrupts_wake(&vcpu));
    vmcb.rflags = IF;
    ck_assert(interrupts_wake(&vcpu));
    guest.vdev.pic_intr = false;
}
END_TEST

START_TEST(an_nmi_blocks_others_until_iret)
{
    struct vcpu vcpu = vcpu_at(0, false);

    vmcb.rflags = 0;
    vcpu.nmi_pending = true;
    ck_assert(interrupts_wake(&vcpu));
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | EVENT_TYPE_NMI << 8 | 2);
    ck_assert_uint_eq(vmcb.intercept_1 & INTERCEPT_IRET, INTERCEPT_IRET);
    vmcb.eventinj = 0;
    vcpu.nmi_pending = true;
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, 0);
    interrupts_iret(&vcpu);
    ck_assert_uint_eq(vmcb.intercept_1 & INTERCEPT_IRET, 0);
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | EVENT_TYPE_NMI << 8 | 2);
}
END_TEST

/* Events ask IF and the shadow, not TPR, and go before the local APIC's vector, which then waits for its window. */
START_TEST(events_come_by_the_callback_vector_before_all_others)
{
    struct vcpu vcpu = vcpu_at(13, true);

    interrupts_init(CR8_NEVER);
    guest.callback_vector = 0xF3;
    event_due = true;
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | 0xF3);
    ck_assert_uint_eq(vmcb.v_intr >> V_INTR_PRIO_SHIFT & 0xF, 2);
    vcpu = vcpu_at(13, false);
    vmcb.rflags = 0;
    ck_assert(!interrupts_wake(&vcpu));
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, 0);
    ck_assert(vmcb.v_intr & V_IRQ && vmcb.v_intr & V_IGN_TPR);
    vmcb.rflags = IF;
    ck_assert(interrupts_wake(&vcpu));
    guest.callback_vector = 0; /* no vector, no upcall */
    ck_assert(!interrupts_wake(&vcpu));
    event_due = false;
}
END_TEST

/*
 * Priorities none < NMI < MCE (hypervisor-features.md A6.4): #MC in an NMI's handler, not the other way, never in its
 * own.
 */
START_TEST(a_machine_check_comes_over_an_nmi_and_blocks_what_is_below_until_its_iret)
{
    struct vcpu vcpu = vcpu_at(0, false);

    interrupts_init(CR8_NEVER);
    vcpu.nmi_pending = true;
    interrupts_enter(&vcpu);
    vmcb.eventinj = 0;
    vcpu.machine_check_pending = true;
    ck_assert(interrupts_wake(&vcpu));
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | EVENT_TYPE_EXCEPTION << 8 | 18);
    ck_assert(!vcpu.machine_check_pending);
    vmcb.eventinj = 0;
    vcpu.machine_check_pending = vcpu.nmi_pending = true;
    ck_assert(!interrupts_wake(&vcpu));
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, 0);
    ck_assert(vcpu.machine_check_pending);
    interrupts_iret(&vcpu); /* the machine check's: the NMI's handler goes on, and IRET is still wanted */
    ck_assert(vmcb.intercept_1 & INTERCEPT_IRET);
    ck_assert(vcpu.nmi_blocked);
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | EVENT_TYPE_EXCEPTION << 8 | 18);
    vmcb.eventinj = 0;
    interrupts_iret(&vcpu);
    interrupts_iret(&vcpu);
    ck_assert(!(vmcb.intercept_1 & INTERCEPT_IRET));
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | EVENT_TYPE_NMI << 8 | 2);
}
END_TEST

START_TEST(a_machine_check_behind_another_event_ends_the_guests_run_right_after_it)
{
    struct vcpu vcpu = vcpu_at(0, false);

    interrupts_init(CR8_NEVER);
    sent_to_itself = 0;
    vmcb.eventinj = EVENT_V | 0x55;
    vcpu.machine_check_pending = true;
    interrupts_enter(&vcpu);
    ck_assert_uint_eq(vmcb.eventinj, EVENT_V | 0x55);
    ck_assert_uint_eq(sent_to_itself, 1);
    ck_assert(vcpu.machine_check_pending);
}
END_TEST

UNIT_TESTS("interrupts", a_machine_check_comes_over_an_nmi_and_blocks_what_is_below_until_its_iret,
           a_machine_check_behind_another_event_ends_the_guests_run_right_after_it,
           events_come_by_the_callback_vector_before_all_others,
           generation_0_intercepts_reads_and_writes_always,
           generation_1_intercepts_writes_while_tpr_masks_a_request, generation_1_disarms_when_the_write_let_it_in,
           generation_1_leaves_what_if_blocks_to_the_window,
           generation_2_gives_the_processor_the_class_and_no_cr8_intercept, a_vector_in_service_alone_opens_no_window,
           tpr_follows_cr8_and_loses_its_low_bits_at_an_exit, an_interrupt_cut_off_in_delivery_goes_again,
           the_window_waits_for_an_event_before_it, the_8259s_interrupt_comes_through_lint0_and_asks_no_tpr,
           the_8259s_interrupt_waits_for_if_with_a_window, an_nmi_blocks_others_until_iret)
