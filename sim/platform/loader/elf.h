/* SPDX-License-Identifier: MIT */
/* ELF32 and ELF64 little-endian images (System V ABI, chapters 4 and 5), read without trusting one byte of them. */
#ifndef FAM10H_PLATFORM_LOADER_ELF_H
#define FAM10H_PLATFORM_LOADER_ELF_H

#include <glib.h>

#include "sim/platform/platform.h"

#define ELF_SEGMENTS 128 /* more program headers than this are refused */

/* Little-endian value of `size` bytes at `offset`; 0 outside the image. */
uint64_t image_value(const struct image *image, uint64_t offset, unsigned size);
/* Whether the image has `size` bytes at `offset`. */
bool image_has(const struct image *image, uint64_t offset, uint64_t size);

/* Where a table of the file lies. */
struct elf_table {
    uint64_t offset;
    unsigned count;
    unsigned entry; /* bytes in one */
};

struct elf {
    const struct image *image;
    bool wide; /* ELF64 */
    unsigned machine;
    uint64_t entry;
    struct elf_table segments, sections;
};

/* A loadable piece: of the file and of memory. */
struct segment {
    uint64_t offset, file_bytes;
    spa_t address;      /* p_paddr */
    uint64_t virtual_address;
    uint64_t memory_bytes;
    bool executable;    /* PF_X */
};

bool image_is_elf(const struct image *image);
/* Header and program header table; every offset checked. */
bool elf_open(struct elf *elf, const struct image *image, GError **error);
/* The PT_LOAD segments that have memory, in file order, into `segment[ELF_SEGMENTS]`. */
bool elf_segments(const struct elf *elf, struct segment *segment, unsigned *count, GError **error);

#endif
