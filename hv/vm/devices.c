/* SPDX-License-Identifier: MIT */
#include "hv/vm/devices.h"

#include "hv/vm/schedule.h"

#define APIC_SVR 0x0F0
#define APIC_LVT_FIRST 0x320 /* from here on lies what the timer depends on */

/* ---- Time ------------------------------------------------------------------------------------------------ */

static uint64_t now_of(const struct guest *guest)
{
    return clock_now() - guest->epoch;
}

/* A timer that is set may end a HLT. `at`: in the guest's time, which began at its epoch. */
static void set_timer(struct guest *guest, struct timer *timer, uint64_t *due, uint64_t at)
{
    uint64_t deadline = at == VTIME_NEVER ? VTIME_NEVER : guest->epoch + at;

    if (deadline == *due)
        return;
    if (*due == VTIME_NEVER)
        __atomic_fetch_add(&guest->wakers, 1, __ATOMIC_RELEASE);
    if (deadline == VTIME_NEVER) {
        __atomic_fetch_sub(&guest->wakers, 1, __ATOMIC_RELEASE);
        timer_stop(timer);
    } else {
        timer_set(timer, deadline);
    }
    *due = deadline;
}

static void arm_apic(struct vcpu *vcpu)
{
    set_timer(vcpu->guest, &vcpu->apic_timer, &vcpu->apic_due, vlapic_timer_next(&vcpu->apic));
}

static void wake(void *vcpu)
{
    schedule_wake(vcpu);
}

/* The 8259s' INTR is vCPU 0's, so it is the one that lets the devices' time pass. */
static void wake_first(void *guest)
{
    schedule_wake(&((struct guest *)guest)->vcpus[0]);
}

/* ---- Life ------------------------------------------------------------------------------------------------ */

static void put(void *ctx, char c)
{
    guest_console_put(ctx, c);
}

void devices_begin(struct guest *guest)
{
    guest->epoch = clock_now();
    vdev_init(&guest->vdev, put, guest);
    guest->vdev_timer = (struct timer){ .fire = wake_first, .ctx = guest };
    guest->vdev_due = VTIME_NEVER;
}

void devices_add_vcpu(struct vcpu *vcpu)
{
    vlapic_init(&vcpu->apic, (uint8_t)vcpu->id);
    vcpu->apic_timer = (struct timer){ .fire = wake, .ctx = vcpu };
    vcpu->apic_due = VTIME_NEVER;
    vdev_add_apic(&vcpu->guest->vdev, &vcpu->apic);
}

void devices_end(struct guest *guest)
{
    timer_retire(&guest->vdev_timer);
    for (unsigned i = 0; i < guest->spec.vcpus; i++)
        timer_retire(&guest->vcpus[i].apic_timer);
}

/* ---- Messages -------------------------------------------------------------------------------------------- */

/* INIT and SIPI (APM2 14.1.3): the registers as after reset, but that it waits for a start, or makes one. */
static void reset(struct vcpu *vcpu)
{
    uint8_t page = __atomic_load_n(&vcpu->apic.startup_page, __ATOMIC_RELAXED); /* its SIPI may be there already */

    vlapic_init(&vcpu->apic, (uint8_t)vcpu->id);
    __atomic_store_n(&vcpu->apic.startup_page, page, __ATOMIC_RELAXED);
    arm_apic(vcpu);
    vcpu->nmi_pending = vcpu->nmi_blocked = vcpu->halted = false;
    vcpu->initialised = false;
}

static void start(struct vcpu *vcpu)
{
    uint8_t page = __atomic_load_n(&vcpu->apic.startup_page, __ATOMIC_RELAXED);

    svm_set_real_mode(&vcpu->svm, (uint16_t)(page << 8), 0);
    vcpu->initialised = true;
    vcpu->halted = false;
}

/* A vCPU that is down runs no code of its own: whoever sends it a message does its part. vdev_lock is held. */
static void deliver_to_down(struct vcpu *vcpu)
{
    uint32_t events = vlapic_take_posted(&vcpu->apic);

    if (events & VLAPIC_POSTED_INIT)
        reset(vcpu);
    if (events & VLAPIC_POSTED_STARTUP) {
        start(vcpu);
        schedule_up(vcpu);
    }
}

/* vdev_lock is held; `self` (NULL: none) sees its own messages before its next entry. */
static void kick_targets(struct guest *guest, const struct vcpu *self)
{
    uint32_t targets = guest->vdev.kick;

    guest->vdev.kick = 0;
    for (; targets; targets &= targets - 1) {
        struct vcpu *vcpu = &guest->vcpus[__builtin_ctz(targets)];

        if (vcpu == self)
            continue;
        if (schedule_claim(vcpu))
            deliver_to_down(vcpu);
        else
            schedule_wake(vcpu);
    }
}

static void take_messages(struct vcpu *vcpu)
{
    uint32_t events;

    lock_acquire(&vcpu->guest->vdev_lock); /* INIT clears the APIC while nobody posts */
    events = vlapic_take_posted(&vcpu->apic);
    if (events & VLAPIC_POSTED_NMI)
        vcpu->nmi_pending = true;
    if (events & VLAPIC_POSTED_INIT) {
        reset(vcpu);
        if (events & VLAPIC_POSTED_STARTUP)
            start(vcpu);
        else
            vcpu->down_wanted = true;
    }
    lock_release(&vcpu->guest->vdev_lock);
}

/* ---- Before each VMRUN ----------------------------------------------------------------------------------- */

static void finish_if_off(struct guest *guest)
{
    if (guest->vdev.power == VDEV_ON || guest->outcome != GUEST_RUNS)
        return;
    if (guest->vdev.power == VDEV_RESET)
        console_print("hv: guest %s resets itself, which ends it", guest->spec.name);
    guest_finish(guest, guest->vdev.power == VDEV_OFF ? GUEST_FINISHED : GUEST_CRASHED, 0);
}

/* What an access, or time, has changed: targets to wake, the next deadline, power. vdev_lock is held. */
static void settle(struct guest *guest, const struct vcpu *self)
{
    if (guest->vdev.kick)
        kick_targets(guest, self);
    set_timer(guest, &guest->vdev_timer, &guest->vdev_due, vdev_next(&guest->vdev));
    finish_if_off(guest);
}

static void run_devices(struct vcpu *vcpu)
{
    struct guest *guest = vcpu->guest;

    lock_acquire(&guest->vdev_lock);
    vdev_run(&guest->vdev, now_of(guest));
    settle(guest, vcpu);
    lock_release(&guest->vdev_lock);
}

static void run_apic(struct vcpu *vcpu)
{
    vlapic_timer_run(&vcpu->apic, now_of(vcpu->guest));
    arm_apic(vcpu);
}

void devices_enter(struct vcpu *vcpu)
{
    uint64_t now = clock_now();

    if (now >= vcpu->apic_due)
        run_apic(vcpu);
    if (vcpu->id == 0 && now >= __atomic_load_n(&vcpu->guest->vdev_due, __ATOMIC_RELAXED))
        run_devices(vcpu);
    if (vlapic_has_posted(&vcpu->apic))
        take_messages(vcpu);
}

uint64_t devices_time(const struct guest *guest)
{
    return now_of(guest);
}

void devices_resume(struct guest *guest, uint64_t time)
{
    guest->epoch = clock_now() - time;
    for (unsigned i = 0; i < guest->spec.vcpus; i++)
        arm_apic(&guest->vcpus[i]);
    lock_acquire(&guest->vdev_lock);
    settle(guest, NULL);
    lock_release(&guest->vdev_lock);
}

/* ---- Accesses -------------------------------------------------------------------------------------------- */

uint32_t devices_port_read(struct vcpu *vcpu, unsigned port, unsigned size)
{
    struct guest *guest = vcpu->guest;
    uint32_t value;

    lock_acquire(&guest->vdev_lock);
    value = vdev_port_read(&guest->vdev, port, size, now_of(guest));
    settle(guest, vcpu);
    lock_release(&guest->vdev_lock);
    return value;
}

void devices_port_write(struct vcpu *vcpu, unsigned port, unsigned size, uint32_t value)
{
    struct guest *guest = vcpu->guest;

    lock_acquire(&guest->vdev_lock);
    vdev_port_write(&guest->vdev, port, size, value, now_of(guest));
    settle(guest, vcpu);
    lock_release(&guest->vdev_lock);
}

uint32_t devices_apic_read(const struct vcpu *vcpu, unsigned offset)
{
    return vlapic_read(&vcpu->apic, offset, now_of(vcpu->guest));
}

void devices_apic_write(struct vcpu *vcpu, unsigned offset, uint32_t value)
{
    struct guest *guest = vcpu->guest;
    struct vlapic_message message;
    enum vlapic_effect effect = vlapic_write(&vcpu->apic, offset, value, now_of(guest), &message);

    if (offset == APIC_SVR || offset >= APIC_LVT_FIRST)
        arm_apic(vcpu);
    if (effect == VLAPIC_NO_EFFECT)
        return;
    lock_acquire(&guest->vdev_lock);
    if (effect == VLAPIC_SENDS)
        vdev_send(&guest->vdev, (int)vcpu->id, &message);
    else
        vdev_end(&guest->vdev, message.vector);
    settle(guest, vcpu);
    lock_release(&guest->vdev_lock);
}

uint32_t devices_ioapic_read(struct vcpu *vcpu, uint64_t gpa)
{
    struct guest *guest = vcpu->guest;
    uint32_t value;

    lock_acquire(&guest->vdev_lock);
    value = vdev_mmio_read(&guest->vdev, gpa);
    lock_release(&guest->vdev_lock);
    return value;
}

void devices_ioapic_write(struct vcpu *vcpu, uint64_t gpa, uint32_t value)
{
    struct guest *guest = vcpu->guest;

    lock_acquire(&guest->vdev_lock);
    vdev_mmio_write(&guest->vdev, gpa, value);
    settle(guest, vcpu);
    lock_release(&guest->vdev_lock);
}

bool devices_receive(struct guest *guest, char c)
{
    bool taken;

    lock_acquire(&guest->vdev_lock);
    taken = vdev_receive(&guest->vdev, c);
    settle(guest, NULL);
    lock_release(&guest->vdev_lock);
    return taken;
}
