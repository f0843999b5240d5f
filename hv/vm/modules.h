/* SPDX-License-Identifier: MIT */
/* What the loader brought: one image and one string each. They stay where they are. */
#ifndef HV_VM_MODULES_H
#define HV_VM_MODULES_H

#include "hv/core/multiboot.h"

/* The loader's information, before the first question. */
void modules_init(const struct multiboot_info *info);
unsigned modules_count(void);
/* NULL beyond the last. */
const struct multiboot_module *module_at(unsigned index);
const char *module_string(unsigned index);

#endif
