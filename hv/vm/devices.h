/* SPDX-License-Identifier: MIT */
/*
 * A guest's virtual devices (hv/vdev) in the world: their lock, their time, and the waking of vCPUs. A vCPU's local
 * APIC is touched by the core that runs it; everything else of struct vdev under guest->vdev_lock.
 */
#ifndef HV_VM_DEVICES_H
#define HV_VM_DEVICES_H

#include "hv/core/clock.h"
#include "hv/vm/guest.h"

/* With the guest's life: before its vCPUs are made, for each of them, and when they are gone. */
void devices_begin(struct guest *guest);
void devices_add_vcpu(struct vcpu *vcpu);
void devices_end(struct guest *guest);
/* The devices' time, and where it stands; a guest whose state came from elsewhere goes on from `time`. It is paused. */
uint64_t devices_time(const struct guest *guest);
void devices_resume(struct guest *guest, uint64_t time);

/* Let happen what is due: timers, and messages posted to this vCPU. On its own core, before each VMRUN. */
void devices_enter(struct vcpu *vcpu);

/* Accesses by a vCPU, on its own core. */
uint32_t devices_port_read(struct vcpu *vcpu, unsigned port, unsigned size);
void devices_port_write(struct vcpu *vcpu, unsigned port, unsigned size, uint32_t value);
uint32_t devices_apic_read(const struct vcpu *vcpu, unsigned offset);
void devices_apic_write(struct vcpu *vcpu, unsigned offset, uint32_t value);
uint32_t devices_ioapic_read(struct vcpu *vcpu, uint64_t gpa);
void devices_ioapic_write(struct vcpu *vcpu, uint64_t gpa, uint32_t value);
/* A byte for the guest's UART, from any core; false: no room. */
bool devices_receive(struct guest *guest, char c);

#endif
