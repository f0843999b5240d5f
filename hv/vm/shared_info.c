/* SPDX-License-Identifier: MIT */
#include "hv/vm/shared_info.h"

#include "hv/core/clock.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/paging.h"

static void begin_mask(struct vcpu *vcpu)
{
    struct vcpu_info_64 *info = shared_info_vcpu(vcpu);

    if (info)
        info->evtchn_upcall_mask = vcpu->guest->spec.type == GUEST_PV; /* an HVM vCPU has RFLAGS.IF for that */
}

bool shared_info_begin(struct guest *guest)
{
    uint64_t page = memory_alloc(ORDER_4K);

    if (!page)
        return false;
    guest->shared_info = text_zero(memory_pointer(page), PAGE_SIZE);
    guest->shared_info_32 = guest->spec.width == 32;
    for (unsigned i = 0; i < guest->spec.vcpus; i++) {
        begin_mask(&guest->vcpus[i]);
        shared_info_stamp(&guest->vcpus[i]);
    }
    return true;
}

void shared_info_end(struct guest *guest)
{
    if (guest->shared_info)
        memory_free((uintptr_t)guest->shared_info, ORDER_4K);
    guest->shared_info = NULL;
}

bool shared_info_map(struct guest *guest, uint64_t gpa)
{
    uint64_t old = 0;
    struct npt_page page;
    bool ok;

    gpa &= ~(uint64_t)(PAGE_SIZE - 1);
    lock_acquire(&guest->memory_lock);
    if (npt_find(&guest->npt, gpa, &page) && npt_is_present(page.type) && page.type != NPT_FOREIGN)
        old = page.spa;
    ok = npt_place(&guest->npt, gpa, (uintptr_t)guest->shared_info, NPT_FOREIGN, NPT_FOR_SHARING);
    log_dirty_mark(&guest->log, gpa >> PAGE_SHIFT);
    lock_release(&guest->memory_lock);
    if (!ok)
        return false;
    paging_lowered(guest, gpa, PAGE_SIZE);
    if (old)
        memory_free(old, ORDER_4K);
    return true;
}

/* Registered memory is looked up each time: it may be moved to another page. */
void *shared_info_vcpu(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;
    enum npt_size size;
    uint64_t spa;

    if (vcpu->info_registered)
        return npt_lookup(&guest->npt, vcpu->info_gpa, &spa, &size) ? memory_pointer(spa) : NULL;
    if (!guest->shared_info || vcpu->id >= SHARED_VCPUS)
        return NULL;
    return &guest->shared_info->vcpu_info[vcpu->id];
}

bool shared_info_register(struct vcpu *vcpu, uint64_t gpa)
{
    const struct vcpu_info_64 *old = shared_info_vcpu(vcpu);
    struct vcpu_info_64 record = { 0 };

    if ((gpa & (PAGE_SIZE - 1)) + sizeof(record) > PAGE_SIZE || vcpu->info_registered)
        return false;
    if (old)
        record = *old;
    if (!guest_write(vcpu->guest, gpa, &record, sizeof(record)))
        return false;
    vcpu->info_gpa = gpa;
    vcpu->info_registered = true;
    shared_info_stamp(vcpu);
    return true;
}

/* The version is odd while the record changes. */
void shared_info_stamp(struct vcpu *vcpu)
{
    struct vcpu_info_64 *info = shared_info_vcpu(vcpu);
    struct clock_scale scale = clock_scale();

    if (!info)
        return;
    info->time.version = (info->time.version | 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    info->time.tsc_timestamp = clock_epoch() + svm_tsc_offset(&vcpu->svm);
    info->time.system_time = vcpu->guest->system_offset;
    info->time.tsc_to_system_mul = scale.mul;
    info->time.tsc_shift = scale.shift;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    info->time.version++;
}
