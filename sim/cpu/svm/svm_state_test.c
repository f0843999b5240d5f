/* SPDX-License-Identifier: MIT */
/* Snapshots of a core's SVM state and local APIC: whole, and the same after a restore. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "sim/cpu/apic/apic_private.h"
#include "sim/cpu/svm/svm_fixture.h"
#include "sim/state.h"

/* Bytes of [base, base + size) whose change the hash does not notice. */
static size_t unnoticed(struct state *state, void *base, size_t size)
{
    char *before = state_hash(state);
    size_t count = 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t *byte = (uint8_t *)base + i;
        char *after;

        *byte ^= 1;
        after = state_hash(state);
        count += strcmp(before, after) == 0;
        *byte ^= 1;
        g_free(after);
    }
    g_free(before);
    return count;
}

static struct state *described(struct fixture *fix, struct counter_set *counters)
{
    struct state *state = state_new();

    svm_describe(fix->core[0], state, counters, "core");
    apic_describe(fix->core[0]->apic, state, counters, "core");
    counters_describe(counters, state);
    clock_describe(&fix->clock, state, "clock");
    return state;
}

/*
 * What stays outside is known: pointers and padding. A new member that nobody describes makes these grow.
 */
#define SVM_OUTSIDE (2 * sizeof(void *) + 48)
#define APIC_OUTSIDE (6 * sizeof(void *) + 1)

START_TEST(every_byte_of_svm_and_apic_state_is_in_the_hash)
{
    struct fixture *fix = fixture_new("10h-b3");
    struct counter_set *counters = counter_set_new();
    struct state *state = described(fix, counters);
    struct local_apic *apic = fix->core[0]->apic;

    ck_assert_uint_eq(unnoticed(state, &fix->core[0]->svm, sizeof(struct svm_core)), SVM_OUTSIDE);
    ck_assert_uint_eq(unnoticed(state, apic, offsetof(struct local_apic, timer)), APIC_OUTSIDE);
    ck_assert_uint_eq(unnoticed(state, &apic->count, sizeof(apic->count)), 0);
    ck_assert_uint_eq(unnoticed(state, fix->core[0]->svm.count, sizeof(struct svm_counters)), 0);
    state_free(state);
    counter_set_free(counters);
    fixture_free(fix);
}
END_TEST

START_TEST(a_guest_and_a_running_timer_come_back_from_a_snapshot)
{
    char *file = g_strdup_printf("svm_state_test.%d.snapshot", (int)getpid());
    struct fixture *one = fixture_new("10h-b3"), *two = fixture_new("10h-b3");
    struct counter_set *counters[2] = { counter_set_new(), counter_set_new() };
    struct state *state[2] = { described(one, counters[0]), described(two, counters[1]) };
    struct core *core = two->core[0];

    fixture_guest(one);
    put(one, VMCB_PA + VMCB_V_INTR, 8, UINT64_C(0x4400050100));
    fixture_in_guest(one);
    apic_enter(one->core[0]->apic);
    one->core[0]->apic->bar = UINT64_C(0x12345000) | APIC_BAR_ENABLE;
    apic_page_write(one->core[0]->apic, 0x3E0, 4, 11);
    apic_page_write(one->core[0]->apic, 0x320, 4, 0x40);
    apic_page_write(one->core[0]->apic, 0x380, 4, 100);
    ck_assert(state_save(state[0], file, "test", NULL));
    ck_assert(state_restore(state[1], file, "test", NULL));
    ck_assert(core->svm.guest && core->svm.v_irq);
    ck_assert_uint_eq(core->svm.v_intr_vector, 0x44);
    ck_assert_uint_eq(core->svm.vmcb, VMCB_PA);
    ck_assert_uint_eq(core->apic_page.base, 0x12345000); /* derived again */
    ck_assert_uint_eq(two->clock.next_due, 500000);
    clock_fire(&two->clock, 500000);
    ck_assert_uint_eq(apic_interrupt_acknowledge(core), 0x40);
    g_unlink(file);
    g_free(file);
    for (unsigned i = 0; i < 2; i++) {
        state_free(state[i]);
        counter_set_free(counters[i]);
    }
    fixture_free(one);
    fixture_free(two);
}
END_TEST

UNIT_TESTS("svm state", every_byte_of_svm_and_apic_state_is_in_the_hash,
           a_guest_and_a_running_timer_come_back_from_a_snapshot)
