/* SPDX-License-Identifier: MIT */
/* An HVM guest's first image and the state that its first vCPU starts in. */
#ifndef HV_VM_GUEST_IMAGE_H
#define HV_VM_GUEST_IMAGE_H

#include "hv/vm/guest.h"

/* Into the guest's memory; makes its vCPUs. NULL, or one line: what is wrong. */
const char *guest_image_load(struct guest *guest, const struct multiboot_module *module);

#endif
