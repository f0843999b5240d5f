/* SPDX-License-Identifier: MIT */
#include "hv/vm/credit.h"

#include "sim/unit_test.h"

#define SLICE 30000000ull /* ns */
#define STEP (SLICE / 30)

struct one {
    struct credit_guest guest;
    struct credit_vcpu vcpu;
    struct credit_vcpu *list[1];
    uint64_t ran;
};

static void begin(struct one *one, uint16_t weight, uint16_t cap)
{
    one->guest = (struct credit_guest){ weight, cap };
    credit_vcpu_init(&one->vcpu);
    one->vcpu.active = true;
    one->list[0] = &one->vcpu;
    one->ran = 0;
}

/* `count` guests of one vCPU each that always want to run, on `cores` cores, 1 ms at a time, for a second. */
static void compete(struct one *ones, unsigned count, unsigned cores)
{
    struct credit_account accounts[4];

    for (unsigned i = 0; i < count; i++)
        accounts[i] = (struct credit_account){ &ones[i].guest, ones[i].list, 1 };
    for (unsigned step = 0; step < 1000; step++) {
        bool taken[4] = { false };

        for (unsigned core = 0; core < cores; core++) {
            struct one *best = NULL;

            for (unsigned i = 0; i < count; i++) { /* round robin within a priority: who ran least */
                struct one *one = &ones[i];

                if (taken[i] || one->vcpu.parked)
                    continue;
                if (!best || one->vcpu.priority > best->vcpu.priority ||
                    (one->vcpu.priority == best->vcpu.priority && one->ran < best->ran))
                    best = one;
            }
            if (!best)
                continue;
            taken[best - ones] = true;
            best->ran += STEP;
            credit_charge(&best->vcpu, STEP, SLICE);
        }
        for (unsigned i = 0; i < count; i++)
            ones[i].vcpu.active = true;
        if (step % 30 == 29)
            credit_distribute(accounts, count, cores);
    }
}

static uint64_t percent(const struct one *one)
{
    return one->ran / (1000 * STEP / 100);
}

START_TEST(a_slice_costs_300_credits_whatever_the_pieces)
{
    struct credit_vcpu vcpu;

    credit_vcpu_init(&vcpu);
    for (unsigned i = 0; i < 7; i++)
        credit_charge(&vcpu, SLICE / 7, SLICE);
    credit_charge(&vcpu, SLICE % 7, SLICE);
    ck_assert_int_eq(vcpu.credits, -CREDITS_PER_SLICE);
}
END_TEST

START_TEST(twice_the_weight_gives_twice_the_time)
{
    struct one ones[2];

    begin(&ones[0], 512, 0);
    begin(&ones[1], 256, 0);
    compete(ones, 2, 1);
    ck_assert_uint_ge(percent(&ones[0]), 65);
    ck_assert_uint_le(percent(&ones[0]), 68);
    ck_assert_uint_eq(ones[0].ran + ones[1].ran, 1000 * STEP); /* no time is lost */
}
END_TEST

START_TEST(a_cap_holds_on_an_idle_core)
{
    struct one ones[1];

    begin(&ones[0], 256, 40);
    compete(ones, 1, 1);
    ck_assert_uint_ge(percent(&ones[0]), 37);
    ck_assert_uint_le(percent(&ones[0]), 43);
}
END_TEST

/* One vCPU cannot use more than one core, whatever its weight: the other two share the second core. */
START_TEST(what_one_guest_cannot_use_goes_to_the_others)
{
    struct one ones[3];

    begin(&ones[0], 60000, 0);
    begin(&ones[1], 256, 0);
    begin(&ones[2], 256, 0);
    compete(ones, 3, 2);
    ck_assert_uint_ge(percent(&ones[0]), 98);
    ck_assert_uint_ge(percent(&ones[1]), 48);
    ck_assert_uint_ge(percent(&ones[2]), 48);
}
END_TEST

START_TEST(a_boost_is_for_wakers_with_credits_until_the_tick)
{
    struct credit_vcpu vcpu;

    credit_vcpu_init(&vcpu);
    credit_wake(&vcpu);
    ck_assert_uint_eq(vcpu.priority, CREDIT_BOOST);
    credit_tick(&vcpu);
    ck_assert_uint_eq(vcpu.priority, CREDIT_UNDER);
    vcpu.priority = CREDIT_OVER;
    credit_wake(&vcpu);
    ck_assert_uint_eq(vcpu.priority, CREDIT_OVER);
}
END_TEST

START_TEST(who_saves_a_slice_does_not_want_to_run)
{
    struct one ones[1];
    struct credit_account account = { &ones[0].guest, ones[0].list, 1 };

    begin(&ones[0], 256, 0);
    credit_distribute(&account, 1, 1);
    ck_assert_int_eq(ones[0].vcpu.credits, CREDITS_PER_SLICE);
    ck_assert(ones[0].vcpu.active);
    credit_distribute(&account, 1, 1);
    ck_assert_int_eq(ones[0].vcpu.credits, CREDITS_PER_SLICE);
    ck_assert(!ones[0].vcpu.active);
}
END_TEST

UNIT_TESTS("hv credit", a_slice_costs_300_credits_whatever_the_pieces, twice_the_weight_gives_twice_the_time,
           a_cap_holds_on_an_idle_core, what_one_guest_cannot_use_goes_to_the_others,
           a_boost_is_for_wakers_with_credits_until_the_tick, who_saves_a_slice_does_not_want_to_run)
