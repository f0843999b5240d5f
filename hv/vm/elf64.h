/* SPDX-License-Identifier: MIT */
/* Loader of 64-bit ELF kernels that are entered the PVH way: Xen note 18 has the entry. Pure. */
#ifndef HV_VM_ELF64_H
#define HV_VM_ELF64_H

#include "hv/vm/elf32.h"

/* Whether the image says that it is a 64-bit ELF file. */
bool elf64_is(const void *image, size_t size);
/* Segments at their physical addresses. NULL, or one line: what is wrong with the image. */
const char *elf64_load(const void *image, size_t size, elf32_place *place, void *ctx, uint32_t *entry);

#endif
