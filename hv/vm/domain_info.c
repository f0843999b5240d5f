/* SPDX-License-Identifier: MIT */
#include "hv/vm/domain_info.h"

#include "hv/core/memory.h"
#include "hv/vm/paging.h"
#include "hv/vm/schedule.h"

bool domain_info_has_hap(void)
{
    return paging_of(true) == &paging_nested;
}

void domain_info_vcpu(const struct vcpu *vcpu, struct domctl_getvcpuinfo *info)
{
    struct vcpu_runstate_info state;

    schedule_runstate(vcpu, &state);
    *info = (struct domctl_getvcpuinfo){
        .vcpu = vcpu->id,
        .online = vcpu->state != VCPU_DOWN && vcpu->state != VCPU_DONE,
        .blocked = vcpu->state == VCPU_BLOCKED,
        .running = vcpu->state == VCPU_RUNNING,
        .cpu_time_ns = state.time[RUNSTATE_RUNNING],
        .cpu = vcpu->core,
    };
}

static uint32_t life_flags(const struct guest *guest)
{
    uint32_t flags = guest->pv ? 0 : DOMINF_HVM | (guest->paging == &paging_nested ? DOMINF_HAP : 0);

    if (guest->life == GUEST_DYING)
        flags |= DOMINF_DYING;
    if (guest->outcome != GUEST_RUNS)
        flags |= DOMINF_SHUTDOWN | guest->shutdown_reason << DOMINF_REASON_SHIFT;
    if (guest->pauses || guest->life == GUEST_CREATED)
        flags |= DOMINF_PAUSED;
    return flags;
}

/* Blocked: all its vCPUs that are up; running: one of them is on a core. */
static void add_vcpus(const struct guest *guest, struct domctl_getdomaininfo *info)
{
    uint32_t blocked = DOMINF_BLOCKED;

    for (unsigned v = 0; v < guest->spec.vcpus; v++) {
        struct domctl_getvcpuinfo vcpu;

        domain_info_vcpu(&guest->vcpus[v], &vcpu);
        info->cpu_time_ns += vcpu.cpu_time_ns;
        info->online_vcpus += vcpu.online;
        if (vcpu.running)
            info->flags |= DOMINF_RUNNING;
        if (vcpu.online && !vcpu.blocked)
            blocked = 0;
    }
    info->flags |= info->online_vcpus ? blocked : 0;
    info->max_vcpu_id = guest->spec.vcpus - 1;
}

static void describe(const struct guest *guest, struct domctl_getdomaininfo *info)
{
    *info = (struct domctl_getdomaininfo){
        .domain = guest->domid,
        .flags = life_flags(guest),
        .total_pages = guest->life == GUEST_CREATED ? 0 : guest_pages(guest),
        .max_pages = (guest->life == GUEST_CREATED ? guest->memory_allowed : guest->spec.memory) / PAGE_SIZE,
        .shared_info_frame = (uintptr_t)guest->shared_info / PAGE_SIZE,
        .max_vcpu_id = UINT32_MAX, /* Xen: no vCPUs */
        .gpaddr_bits = 48,
    };
    if (guest->life != GUEST_CREATED)
        add_vcpus(guest, info);
}

bool domain_info_next(unsigned first, struct domctl_getdomaininfo *info)
{
    const struct guest *next = NULL;

    guests_hold();
    for (unsigned g = 0; g < guest_count; g++) {
        const struct guest *guest = &guests[g];

        if (guest->life >= GUEST_CREATED && guest->domid >= first && (!next || guest->domid < next->domid))
            next = guest;
    }
    if (next)
        describe(next, info);
    guests_release();
    return next;
}
