/* SPDX-License-Identifier: MIT */
#include "hv/vm/guest.h"

#include "hv/abi/guest_calls.h"
#include "hv/core/clock.h"
#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/devices.h"
#include "hv/vm/event_channel.h"
#include "hv/vm/exits.h"
#include "hv/vm/guest_image.h"
#include "hv/vm/map_counts.h"
#include "hv/vm/paging.h"
#include "hv/vm/physmap.h"
#include "hv/vm/pv_guest.h"
#include "hv/vm/report.h"
#include "hv/vm/schedule.h"
#include "hv/vm/shared_info.h"
#include "hv/vm/vcpu_timer.h"

#define VCPUS_ORDER 3

_Static_assert(GUEST_VCPUS_MAX * sizeof(struct vcpu) <= (size_t)PAGE_SIZE << VCPUS_ORDER, "room for all vCPUs");

struct guest guests[GUESTS_MAX];
unsigned guest_count;

static struct lock life_lock; /* places, numbers, the step from dying to free */
static unsigned last_domid;
static enum npt_size backing_limit = NPT_1G;

void guest_init(enum npt_size limit)
{
    backing_limit = limit;
}

/* ---- Life ------------------------------------------------------------------------------------------------ */

bool guest_create_vcpus(struct guest *guest)
{
    uint64_t room = memory_alloc(VCPUS_ORDER);

    if (!room)
        return false;
    guest->vcpus = memory_pointer(room);
    text_zero(guest->vcpus, GUEST_VCPUS_MAX * sizeof(*guest->vcpus));
    for (unsigned i = 0; i < guest->spec.vcpus; i++) {
        struct vcpu *vcpu = &guest->vcpus[i];

        vcpu->guest = guest;
        vcpu->id = i;
        if (!svm_vcpu_init(&vcpu->svm, guest->npt.root))
            return false;
        counts_init(&vcpu->counts);
        devices_add_vcpu(vcpu);
        credit_vcpu_init(&vcpu->credit);
        vcpu_timer_begin(vcpu);
        vcpu->affinity = guest->spec.cores;
        vcpu->state_since = clock_now();
        if (!guest->paging->vcpu_begin(vcpu))
            return false;
    }
    vmexit_cpuid_features(&guest->vcpus[0], &guest->features);
    return shared_info_begin(guest) && event_channels_begin(guest);
}

static bool domid_taken(unsigned domid)
{
    for (unsigned i = 0; i < guest_count; i++)
        if (guests[i].life != GUEST_FREE && guests[i].domid == domid)
            return true;
    return false;
}

/* The next number after the one given last, round and round, so that an old number is not soon another guest's. */
static unsigned next_domid(void)
{
    do
        last_domid = last_domid + 1 < DOMID_FIRST_RESERVED ? last_domid + 1 : 1;
    while (domid_taken(last_domid));
    return last_domid;
}

struct guest *guest_claim(bool control)
{
    struct guest *guest = NULL;

    lock_acquire(&life_lock);
    for (unsigned i = 0; i < GUESTS_MAX && !guest; i++)
        if (guests[i].life == GUEST_FREE)
            guest = &guests[i];
    if (guest && !(control && domid_taken(DOMID_CONTROL))) {
        *guest = (struct guest){ .life = GUEST_BUILDING, .place = (unsigned)(guest - guests),
                                 .share = { CREDIT_WEIGHT_DEFAULT, 0 } };
        guest->domid = (uint16_t)(control ? DOMID_CONTROL : next_domid());
        if (guest->place >= guest_count)
            __atomic_store_n(&guest_count, guest->place + 1, __ATOMIC_RELEASE);
    } else {
        guest = NULL;
    }
    lock_release(&life_lock);
    return guest;
}

static void give_back(uint64_t spa, unsigned order)
{
    memory_free(spa, order);
}

/* The guest's vCPUs are on no core, and nobody else looks at it any more. */
static void free_guest(struct guest *guest)
{
    if (guest->vcpus)
        devices_end(guest);
    event_channels_end(guest);
    for (unsigned i = 0; guest->vcpus && i < guest->spec.vcpus; i++)
        vcpu_timer_end(&guest->vcpus[i]);
    shared_info_end(guest);
    if (guest->grant_frames)
        memory_free(guest->grant_frames, GUEST_GRANT_ORDER);
    for (unsigned i = 0; guest->vcpus && i < guest->spec.vcpus; i++)
        svm_vcpu_free(&guest->vcpus[i].svm);
    if (guest->vcpus)
        memory_free((uintptr_t)guest->vcpus, VCPUS_ORDER);
    guest->vcpus = NULL;
    if (guest->paging)
        guest->paging->guest_end(guest);
    map_counts_retire(guest);
    pv_guest_end(guest);
    npt_destroy(&guest->npt, give_back);
    physmap_free(guest);
    __atomic_store_n(&guest->life, GUEST_FREE, __ATOMIC_RELEASE);
}

/* Its string read, its devices and an empty map. */
static const char *begin(struct guest *guest)
{
    const char *wrong = guest_spec_parse(&guest->spec, guest->string, guest->place, backing_limit);

    if (wrong)
        return wrong;
    if (guest->vcpus_allowed && guest->spec.vcpus > guest->vcpus_allowed)
        return "vcpus= is more than the domain may have";
    if (guest->memory_allowed && guest->spec.memory > guest->memory_allowed)
        return "memory= is more than the domain may have";
    guest->paging = guest->spec.type == GUEST_PV ? &paging_pv : paging_of(guest->spec.hap);
    devices_begin(guest);
    return guest_memory_begin(guest) && guest->paging->guest_begin(guest) ? NULL
                                                                                   : "not enough memory for the guest";
}

static const char *build(struct guest *guest, const struct multiboot_module *module)
{
    const char *wrong = begin(guest);

    if (wrong)
        return wrong;
    if (guest->spec.type == GUEST_PV)
        return pv_guest_build(guest, module);
    if (!guest->spec.on_demand && !guest_populate_all(guest))
        return "not enough memory for the guest";
    return guest_image_load(guest, module);
}

/* All but what is in its memory and its vCPUs. */
static const char *build_empty(struct guest *guest)
{
    const char *wrong = begin(guest);

    if (wrong)
        return wrong;
    if (guest->spec.type == GUEST_PV)
        return pv_guest_build_empty(guest);
    return guest_create_vcpus(guest) ? NULL : "not enough memory for the vCPUs";
}

const char *guest_build_empty(struct guest *guest, const char *string)
{
    size_t length = text_length(string);
    const char *wrong = "the guest's string is too long";

    if (length < sizeof(guest->string)) {
        memcpy(guest->string, string, length + 1);
        wrong = build_empty(guest);
    }
    if (wrong)
        free_guest(guest);
    return wrong;
}

void guest_come_alive(struct guest *guest)
{
    __atomic_store_n(&guest->life, GUEST_ALIVE, __ATOMIC_RELEASE);
}

const char *guest_build(struct guest *guest, const struct multiboot_module *module, const char *string)
{
    size_t length = text_length(string);
    const char *wrong = "the guest's string is too long";

    if (length < sizeof(guest->string)) {
        memcpy(guest->string, string, length + 1);
        wrong = build(guest, module);
    }
    if (wrong)
        free_guest(guest);
    else
        __atomic_store_n(&guest->life, GUEST_ALIVE, __ATOMIC_RELEASE);
    return wrong;
}

void guest_forget(struct guest *guest)
{
    free_guest(guest);
}

void guests_hold(void)
{
    lock_acquire(&life_lock);
}

void guests_release(void)
{
    lock_release(&life_lock);
}

void guest_set_created(struct guest *guest)
{
    __atomic_store_n(&guest->life, GUEST_CREATED, __ATOMIC_RELEASE);
}

struct guest *guest_take_created(unsigned domid)
{
    struct guest *found = NULL;

    lock_acquire(&life_lock);
    for (unsigned i = 0; i < guest_count && !found; i++)
        if (guests[i].life == GUEST_CREATED && guests[i].domid == domid)
            found = &guests[i];
    if (found)
        __atomic_store_n(&found->life, GUEST_BUILDING, __ATOMIC_RELEASE);
    lock_release(&life_lock);
    return found;
}

struct guest *guest_by_domid(unsigned domid)
{
    for (unsigned i = 0; i < guest_count; i++)
        if (guest_is_alive(&guests[i]) && guests[i].domid == domid)
            return &guests[i];
    return NULL;
}

void guest_left(struct guest *guest)
{
    bool mine = false;

    lock_acquire(&life_lock);
    if (guest->life == GUEST_DYING && schedule_is_quiet(guest)) {
        mine = true;
        __atomic_store_n(&guest->life, GUEST_BUILDING, __ATOMIC_RELEASE); /* nobody's but ours from here on */
    }
    lock_release(&life_lock);
    if (!mine)
        return;
    report_retire(guest);
    free_guest(guest);
}

void guest_destroy(struct guest *guest)
{
    bool first;

    guest_finish(guest, GUEST_DESTROYED, 0);
    lock_acquire(&life_lock);
    first = guest->life == GUEST_ALIVE;
    if (first)
        __atomic_store_n(&guest->life, GUEST_DYING, __ATOMIC_RELEASE);
    lock_release(&life_lock);
    if (!first)
        return;
    schedule_kick(guest);
    guest_left(guest);
}

/* ---- Console --------------------------------------------------------------------------------------------- */

static void print_line(struct guest *guest)
{
    guest->line[guest->line_length] = '\0';
    console_print("(%s) %s", guest->spec.name, guest->line);
    guest->line_length = 0;
}

void guest_console_put(struct guest *guest, char c)
{
    lock_acquire(&guest->console_lock);
    if (c == '\n') {
        print_line(guest);
    } else if (c != '\r') {
        guest->line[guest->line_length++] = c;
        if (guest->line_length == sizeof(guest->line) - 1)
            print_line(guest);
    }
    lock_release(&guest->console_lock);
}

void guest_shutdown(struct guest *guest, uint32_t reason)
{
    if (guest->outcome == GUEST_RUNS)
        guest->shutdown_reason = reason;
    guest_finish(guest, reason == SHUTDOWN_CRASH ? GUEST_CRASHED : GUEST_FINISHED, 0);
}

void guest_finish(struct guest *guest, enum guest_outcome outcome, uint64_t result)
{
    lock_acquire(&guest->console_lock);
    if (guest->line_length)
        print_line(guest);
    if (guest->outcome == GUEST_RUNS) {
        if (outcome == GUEST_CRASHED)
            guest->shutdown_reason = SHUTDOWN_CRASH;
        guest->result = result;
        __atomic_store_n(&guest->outcome, outcome, __ATOMIC_RELEASE); /* the scheduler looks without this lock */
    }
    lock_release(&guest->console_lock);
}
