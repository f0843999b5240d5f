/* SPDX-License-Identifier: MIT */
/*
 * Credits as Xen's credit scheduler shows them outside: running costs a vCPU 300 credits a time slice; once a slice,
 * accounting hands out 300 for each core, by weight over the guests that want to run, within caps. Who has credits
 * left (UNDER) runs before who has none (OVER), and a vCPU that wakes with credits left runs before both (BOOST) until
 * its core's next tick. Pure.
 */
#ifndef HV_VM_CREDIT_H
#define HV_VM_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#define CREDITS_PER_SLICE 300
#define CREDIT_TICKS_PER_SLICE 3
#define CREDIT_WEIGHT_DEFAULT 256
#define CREDIT_WEIGHT_MAX 65535

enum credit_priority { CREDIT_OVER, CREDIT_UNDER, CREDIT_BOOST };

struct credit_vcpu {
    int32_t credits;
    enum credit_priority priority;
    bool parked;      /* over its guest's cap: does not run before the next accounting */
    bool active;      /* ran or waited since the last accounting */
    uint64_t residue; /* ns x credits not yet charged */
};

struct credit_guest {
    uint16_t weight;
    uint16_t cap; /* percent of one core, 0: none */
};

/* Accounting's view of one guest. */
struct credit_account {
    const struct credit_guest *guest;
    struct credit_vcpu *const *vcpus;
    unsigned vcpu_count;
};

void credit_vcpu_init(struct credit_vcpu *vcpu);
/* It has run for so many ns. */
void credit_charge(struct credit_vcpu *vcpu, uint64_t ns, uint64_t slice_ns);
/* The tick of the core that runs it: no boost any more. */
void credit_tick(struct credit_vcpu *vcpu);
/* It wakes from a HLT. */
void credit_wake(struct credit_vcpu *vcpu);
/* Once a slice, over all guests, on so many cores. */
void credit_distribute(const struct credit_account *accounts, unsigned count, unsigned cores);

#endif
