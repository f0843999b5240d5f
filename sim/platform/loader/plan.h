/* SPDX-License-Identifier: MIT */
/*
 * What the loaders of kernels share: where an image's segments go, RAM that is free for them, and blocks of boot
 * information.
 */
#ifndef FAM10H_PLATFORM_LOADER_PLAN_H
#define FAM10H_PLATFORM_LOADER_PLAN_H

#include "sim/platform/loader/elf.h"

/* What is to be put where, before the first byte is written. */
struct load_plan {
    const struct image *image;
    struct segment segment[ELF_SEGMENTS];
    unsigned segments;
    uint64_t entry;
    spa_t end; /* of the highest segment */
};

/* Whether [base, base + size) is RAM that firmware leaves to the operating system. */
bool platform_has_ram(struct platform *platform, spa_t base, uint64_t size);
/* e_entry is virtual; paging is off at the entry, so that it counts where its segment was loaded. */
uint64_t plan_physical_entry(const struct load_plan *plan, uint64_t entry);
/* Every segment in RAM, the entry in one of them and below 4 GiB; finds the end. */
bool plan_check(struct platform *platform, struct load_plan *plan, GError **error);
void plan_load(struct platform *platform, const struct load_plan *plan);
/* Modules follow the image, each on a page boundary; their addresses into `address[count]`. */
bool plan_load_modules(struct platform *platform, const struct load_plan *plan, const struct image *modules,
                       size_t count, spa_t *address, GError **error);
/* FALSE, with the line, when what was loaded needs more native memory than allowed. */
bool plan_fits(struct platform *platform, const struct image *image, GError **error);

/* A block of guest memory that is filled from its start. */
struct block {
    spa_t base;
    GByteArray *bytes;
};

void block_put(struct block *block, unsigned offset, uint64_t value, unsigned size);
/* Zero bytes at the end; their offset. */
unsigned block_reserve(struct block *block, size_t size);
/* A string with its terminator; its address in guest memory. */
spa_t block_string(struct block *block, const char *string);
/* Writes the block to its place and frees it. */
void block_write(struct platform *platform, struct block *block);

/* Which loader an image is for. */
bool image_is_multiboot(const struct image *image);
bool image_is_bzimage(const struct image *image);
bool image_is_pvh(const struct image *image);

bool load_bzimage(struct platform *platform, const struct image *kernel, const char *command_line,
                  const struct image *modules, size_t module_count, struct load_result *result, GError **error);
bool load_pvh(struct platform *platform, const struct image *kernel, const char *command_line,
              const struct image *modules, size_t module_count, struct load_result *result, GError **error);

#endif
