/* SPDX-License-Identifier: MIT */
/*
 * Guests that begin in real mode: their module is a flat image instead of an ELF one. firmware=bios (xl's word): it
 * ends at 1 MiB and is entered at F000:FFF0, as the reset vector leads there. boot=a and boot=c (xl's letters for a
 * floppy disk and a hard disk): it is entered at 0000:7C00 as if a BIOS had read it from there. There is no BIOS: no
 * INT of its services, and an interrupt vector table of zeros.
 */
#ifndef HV_VM_REAL_MODE_H
#define HV_VM_REAL_MODE_H

#include "hv/vm/guest.h"

/* The image to where it is entered. NULL, or one line: what is wrong. */
const char *real_mode_load(struct guest *guest, const struct multiboot_module *module);
/* The first vCPU, as the guest's spec.start says; its local APIC is in virtual wire mode, so that INTR reaches it. */
void real_mode_enter(struct vcpu *vcpu);

#endif
