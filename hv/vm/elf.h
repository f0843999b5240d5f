/* SPDX-License-Identifier: MIT */
/*
 * Reader and loader of x86 ELF executables, 32-bit (multiboot's container, older kernels) and 64-bit. Everything that
 * it gives out has been checked against the image's size. Pure: the caller writes the memory.
 */
#ifndef HV_VM_ELF_H
#define HV_VM_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 64

enum elf_segment_type { ELF_PT_LOAD = 1, ELF_PT_NOTE = 4 };
enum elf_section_type { ELF_SHT_SYMTAB = 2, ELF_SHT_STRTAB = 3, ELF_SHT_NOTE = 7, ELF_SHT_NOBITS = 8 };

struct elf {
    const uint8_t *bytes;
    size_t size;
    bool wide; /* ELFCLASS64 */
    uint64_t entry;
    uint64_t phoff, shoff;
    unsigned phentsize, phnum, shentsize, shnum, shstrndx;
};

/* A row of the program header table; the same for both classes. */
struct elf_segment {
    uint32_t type;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* A row of the section header table. */
struct elf_section {
    uint32_t name, type, link;
    uint64_t offset, size, align;
};

/* Where a kernel's segments lie in physical memory. */
struct elf_extent {
    uint64_t start, end;
};

/* Put `size` bytes from `data`, then zeros up to memory_size, at a physical address; false: not the guest's memory. */
typedef bool elf_place(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size);

/* All functions below that return text: NULL, or one line: what is wrong with the image. */

/* The header and both tables; the image stays the caller's. */
const char *elf_open(struct elf *elf, const void *image, size_t size);
/* Row `index` of the program headers, its content inside the image. */
const char *elf_segment(const struct elf *elf, unsigned index, struct elf_segment *segment);
/* Row `index` of the section headers, its content inside the image unless it has none (NOBITS). */
const char *elf_section(const struct elf *elf, unsigned index, struct elf_section *section);
/* Whether the section's name is this one; sections without a readable name have no name. */
bool elf_section_is_named(const struct elf *elf, const struct elf_section *section, const char *name);
/* The first byte of all loaded segments and the one after the last; two that overlap are refused. */
const char *elf_measure(const struct elf *elf, struct elf_extent *extent);
/* All segments at their physical addresses. */
const char *elf_load(const struct elf *elf, elf_place *place, void *ctx);

#endif
