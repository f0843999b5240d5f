/* SPDX-License-Identifier: MIT */
#include "hv/vm/vcpu_timer.h"

#include "hv/abi/xen.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/schedule.h"

static void fire_virq(void *ctx)
{
    event_raise_virq(ctx, VIRQ_TIMER);
}

static void fire_poll(void *ctx)
{
    schedule_wake(ctx);
}

void vcpu_timer_begin(struct vcpu *vcpu)
{
    vcpu->singleshot = (struct timer){ .fire = fire_virq, .ctx = vcpu };
    vcpu->poll_timer = (struct timer){ .fire = fire_poll, .ctx = vcpu };
}

void vcpu_timer_end(struct vcpu *vcpu)
{
    timer_retire(&vcpu->singleshot);
    timer_retire(&vcpu->poll_timer);
}

void vcpu_timer_set(struct vcpu *vcpu, uint64_t at)
{
    timer_set(&vcpu->singleshot, at - vcpu->guest->system_offset);
}

void vcpu_timer_stop(struct vcpu *vcpu)
{
    timer_stop(&vcpu->singleshot);
}

void vcpu_timer_poll(struct vcpu *vcpu, uint64_t at)
{
    timer_set(&vcpu->poll_timer, at - vcpu->guest->system_offset);
}

void vcpu_timer_freeze(struct vcpu *vcpu)
{
    vcpu->frozen = vcpu->singleshot.armed;
    vcpu->frozen_at = guest_system_time(vcpu->guest, vcpu->singleshot.at);
    timer_retire(&vcpu->singleshot);
}

void vcpu_timer_thaw(struct vcpu *vcpu)
{
    if (vcpu->frozen)
        vcpu_timer_set(vcpu, vcpu->frozen_at);
    vcpu->frozen = false;
}
