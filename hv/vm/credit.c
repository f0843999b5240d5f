/* SPDX-License-Identifier: MIT */
#include "hv/vm/credit.h"

#include <stddef.h>

void credit_vcpu_init(struct credit_vcpu *vcpu)
{
    *vcpu = (struct credit_vcpu){ .priority = CREDIT_UNDER };
}

void credit_charge(struct credit_vcpu *vcpu, uint64_t ns, uint64_t slice_ns)
{
    uint64_t owed = vcpu->residue + ns * CREDITS_PER_SLICE;

    vcpu->credits -= (int32_t)(owed / slice_ns);
    vcpu->residue = owed % slice_ns;
    vcpu->active = true;
}

void credit_tick(struct credit_vcpu *vcpu)
{
    if (vcpu->priority == CREDIT_BOOST)
        vcpu->priority = vcpu->credits < 0 ? CREDIT_OVER : CREDIT_UNDER;
}

void credit_wake(struct credit_vcpu *vcpu)
{
    vcpu->active = true;
    if (vcpu->priority == CREDIT_UNDER && !vcpu->parked)
        vcpu->priority = CREDIT_BOOST;
}

static unsigned active_vcpus(const struct credit_account *account)
{
    unsigned active = 0;

    for (unsigned i = 0; i < account->vcpu_count; i++)
        active += account->vcpus[i]->active;
    return active;
}

/* Debts and savings go to one slice's worth; who has saved that much does not want to run. */
static void give(struct credit_vcpu *vcpu, int32_t credits, int32_t cap)
{
    vcpu->credits += credits;
    if (vcpu->credits < 0) {
        vcpu->priority = CREDIT_OVER;
        vcpu->parked = cap && vcpu->credits < -cap;
        if (vcpu->credits < -CREDITS_PER_SLICE)
            vcpu->credits = -CREDITS_PER_SLICE;
        return;
    }
    if (vcpu->priority == CREDIT_OVER)
        vcpu->priority = CREDIT_UNDER;
    vcpu->parked = false;
    if (vcpu->credits > CREDITS_PER_SLICE) {
        vcpu->credits /= 2;
        vcpu->active = false;
    }
}

/* What one guest's cap lets it have in a slice. */
static uint64_t limit_of(const struct credit_account *account, unsigned active)
{
    uint64_t all = (uint64_t)active * CREDITS_PER_SLICE, cap = account->guest->cap * CREDITS_PER_SLICE / 100u;

    return account->guest->cap && cap < all ? cap : all;
}

/*
 * A guest gets its share of what is left by its share of the weight that is left, but no more than its vCPUs can use
 * or its cap allows: what it leaves goes to those that come after. Two rounds: first those that are held back by
 * their limit take it, then the others share the rest, so that the order of guests does not matter.
 */
void credit_distribute(const struct credit_account *accounts, unsigned count, unsigned cores)
{
    uint64_t credits = (uint64_t)cores * CREDITS_PER_SLICE, weight = 0;
    bool limited[64] = { false }, again = true;

    for (unsigned i = 0; i < count; i++)
        weight += (uint64_t)accounts[i].guest->weight * active_vcpus(&accounts[i]);
    while (again) {
        again = false;
        for (unsigned i = 0; i < count; i++) {
            unsigned active = active_vcpus(&accounts[i]);
            uint64_t own = (uint64_t)accounts[i].guest->weight * active, limit = limit_of(&accounts[i], active);

            if (limited[i] || !active || credits * own < limit * weight)
                continue;
            limited[i] = again = true;
            credits -= limit < credits ? limit : credits;
            weight -= own;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned active = active_vcpus(&accounts[i]);
        uint64_t own = (uint64_t)accounts[i].guest->weight * active;
        uint64_t share = limited[i] ? limit_of(&accounts[i], active) : weight ? credits * own / weight : 0;
        int32_t cap = (int32_t)(accounts[i].guest->cap * CREDITS_PER_SLICE / 100u);

        for (unsigned v = 0; v < accounts[i].vcpu_count && active; v++)
            if (accounts[i].vcpus[v]->active)
                give(accounts[i].vcpus[v], (int32_t)(share / active), cap);
    }
}
