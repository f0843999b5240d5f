/* SPDX-License-Identifier: MIT */
/* Start information of a PVH guest (Xen's arch-x86/hvm/start_info.h), and what firmware would have left for it. */
#ifndef HV_VM_PVH_H
#define HV_VM_PVH_H

#include "hv/vm/guest.h"

#define PVH_START_INFO 0x9000ull

/*
 * Memory map, ACPI tables, command line (what stands behind `--` in the guest's string), and the module that its
 * ramdisk= names, at the end of memory below 3 GiB. NULL, or one line: what is wrong.
 */
const char *pvh_write_start(struct guest *guest);
/* The boot vCPU's registers: 32-bit flat, EBX the start information. */
void pvh_enter(struct vcpu *vcpu, uint32_t entry);

#endif
