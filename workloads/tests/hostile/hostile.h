/* SPDX-License-Identifier: MIT */
/* What the attacks of this program share. */
#ifndef WORKLOADS_TESTS_HOSTILE_H
#define WORKLOADS_TESTS_HOSTILE_H

#include "workloads/lib/exceptions.h"
#include "workloads/lib/guest.h"
#include "workloads/lib/instructions.h"

/* An option of the program: where the random numbers begin, and which target a guest tries that dies of its first. */
extern uint64_t seed;
/* The next random number. */
uint64_t random64(void);
static inline uint64_t random_below(uint64_t limit)
{
    return random64() % limit;
}
/* An address that no honest guest gives: devices, beyond memory, not canonical, unmapped, crossing a page ... */
uint64_t wild_address(void);

/* A hypercall with five arguments. */
intptr_t call5(uint64_t number, const uint64_t a[5]);

/* Each carries out `rounds` attacks; what comes back is the number of exceptions that they raised. */
uint64_t attack_calls(uint64_t rounds);
uint64_t attack_control(uint64_t rounds);
uint64_t attack_vcpus(uint64_t rounds);
uint64_t attack_tables(uint64_t rounds);
uint64_t attack_roots(uint64_t rounds);
uint64_t attack_descriptors(uint64_t rounds);
uint64_t attack_shutdown(uint64_t rounds);
uint64_t attack_ports(uint64_t rounds);
uint64_t attack_mmio(uint64_t rounds);
uint64_t attack_interrupts(uint64_t rounds);
uint64_t attack_svm(uint64_t rounds);
uint64_t attack_msrs(uint64_t rounds);
/* Words that are not zero in memory that this guest has never used: somebody else's. Looks once, at each. */
uint64_t attack_peek(uint64_t rounds);
/* The control domain moves, cuts and destroys; what comes back is the number of answers and pages that are wrong. */
uint64_t attack_storm(uint64_t rounds);
/* Another domain asks for the same; what comes back is how often it was not refused. */
uint64_t attack_asks(uint64_t rounds);

#endif
