/* SPDX-License-Identifier: MIT */
/* vCPUs of all guests, time-sliced over all cores. */
#ifndef HV_VM_SCHEDULE_H
#define HV_VM_SCHEDULE_H

#include "hv/abi/guest_calls.h"
#include "hv/vm/guest.h"

struct schedule_options {
    bool asids;           /* asid= */
    bool switch_bumps;    /* asid_switch_bump: a vCPU switch costs the core its ASIDs, as Xen's CR3 write did */
    uint64_t asid_bench;  /* asid_bench=N: take the vCPU's ASID away until the core has assigned N */
    void (*link_work)(void); /* on the core that takes the link's interrupts, after one; NULL: nobody cares */
};

/* Each core's main loop, entered after all guests are created. The core that sees the last guest end reports. */
void schedule_loop(const struct schedule_options *options) __attribute__((noreturn));

/* Before the other cores start. */
void schedule_set_slice(uint64_t ns);
/* On each core before its loop: ticks, and on core 0 the accounting of credits, once a slice. */
void schedule_begin(unsigned core);

/* For vcpu_op. A vCPU that is down can be claimed for (re)initialisation; false: it is up. */
bool schedule_claim(struct vcpu *vcpu);
/* Down or blocked -> runnable. */
void schedule_up(struct vcpu *vcpu);
/* At its next exit it stays out. */
void schedule_down(struct vcpu *vcpu);
bool schedule_is_up(struct vcpu *vcpu);

/* Something has come for the vCPU (an interrupt, an event): out of HLT, or out of the guest to see it. */
void schedule_wake(struct vcpu *vcpu);
/* Each pause wants its unpause. When schedule_pause returns, no core runs a vCPU of the guest, not the caller's own. */
void schedule_pause(struct guest *guest);
/* The same without waiting, also for the caller's own guest: it stays out from its next exit on. */
void schedule_pause_soon(struct guest *guest);
void schedule_unpause(struct guest *guest);
/* This one vCPU is not entered, until it is let go. Does not wait for it to leave. */
void schedule_hold(struct vcpu *vcpu, bool hold);
/* Whom a core is working for; NULL: nobody. Takes no lock. */
struct vcpu *schedule_running(unsigned core);
/*
 * A core runs vCPUs or none. When it went offline, no vCPU runs there, but the caller's own until its next exit is
 * over. 0, or one of Xen's errors, negated.
 */
int64_t schedule_set_online(unsigned core, bool online);
bool schedule_is_online(unsigned core);
/* The cores that the vCPU may run on, of those there are; returns them, 0 (and no change): none is there. */
uint64_t schedule_set_affinity(struct vcpu *vcpu, uint64_t cores);
/* Time spent running, waiting for a core, blocked, offline. */
void schedule_runstate(const struct vcpu *vcpu, struct vcpu_runstate_info *info);
/* Write it where the vCPU wants it; the time in the state that goes on is not counted there yet. */
void schedule_publish_runstate(struct vcpu *vcpu);
/* Have the cores that run its vCPUs look up. */
void schedule_kick(const struct guest *guest);
/* Have every other core come to its loop soon. */
void schedule_call_cores(void);
/* Whether no core runs a vCPU of the guest. */
bool schedule_is_quiet(const struct guest *guest);

/* What a core's ASID scheme has done so far. */
uint64_t schedule_asid_assignments(unsigned core);
uint64_t schedule_asid_flushes(unsigned core);

#endif
