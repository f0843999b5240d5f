/* SPDX-License-Identifier: MIT */
/* Loader of 32-bit ELF executables (the container of multiboot images). Pure: the caller writes the memory. */
#ifndef HV_VM_ELF32_H
#define HV_VM_ELF32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Put `size` bytes from `data`, then zeros up to memory_size, at a physical address; false: not the guest's memory. */
typedef bool elf32_place(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size);

/* NULL, or one line: what is wrong with the image. */
const char *elf32_load(const void *image, size_t size, elf32_place *place, void *ctx, uint32_t *entry);

#endif
