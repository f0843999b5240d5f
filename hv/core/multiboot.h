/* SPDX-License-Identifier: MIT */
/* Multiboot 1, as far as hv reads it from its loader and writes it for its guests. */
#ifndef HV_CORE_MULTIBOOT_H
#define HV_CORE_MULTIBOOT_H

#define MULTIBOOT_HEADER_MAGIC 0x1BADB002
#define MULTIBOOT_LOADER_MAGIC 0x2BADB002
#define MULTIBOOT_HEADER_ALIGN 1  /* modules on page boundaries */
#define MULTIBOOT_HEADER_MEMORY 2 /* memory sizes wanted */

#define MULTIBOOT_INFO_MEMORY 0x001
#define MULTIBOOT_INFO_CMDLINE 0x004
#define MULTIBOOT_INFO_MODULES 0x008
#define MULTIBOOT_INFO_MMAP 0x040

#define MULTIBOOT_MEMORY_RAM 1

#ifndef __ASSEMBLER__
#include <stdint.h>

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper; /* KiB below 640 KiB and from 1 MiB */
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
};

struct multiboot_module {
    uint32_t start, end;
    uint32_t string;
    uint32_t reserved;
};

struct multiboot_mmap {
    uint32_t size; /* of the rest of this entry */
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));
#endif

#endif
