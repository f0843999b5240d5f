/* SPDX-License-Identifier: MIT */
/* ELF's structures in a file (System V ABI, chapters 4 and 5), both classes. */
#ifndef HV_VM_ELF_FORMAT_H
#define HV_VM_ELF_FORMAT_H

#include <stdint.h>

#define ELF_IDENT_BYTES 16
#define ELF_CLASS 4 /* offsets in ident */
#define ELF_DATA 5
#define ELF_VERSION 6
#define ELF_CLASS32 1
#define ELF_CLASS64 2
#define ELF_LITTLE_ENDIAN 1

struct elf32_header {
    uint8_t ident[ELF_IDENT_BYTES];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_header {
    uint8_t ident[ELF_IDENT_BYTES];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf32_segment {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct elf64_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf32_section {
    uint32_t name, type, flags, address, offset, size, link, info, align, entry_size;
};

struct elf64_section {
    uint32_t name, type;
    uint64_t flags, address, offset, size;
    uint32_t link, info;
    uint64_t align, entry_size;
};

/* Sizes in bytes of name and description, then both, each padded to four bytes. */
struct elf_note {
    uint32_t name_bytes, bytes, type;
};

_Static_assert(sizeof(struct elf32_header) == 52 && sizeof(struct elf64_header) == 64, "ELF headers");
_Static_assert(sizeof(struct elf32_segment) == 32 && sizeof(struct elf64_segment) == 56, "ELF program headers");
_Static_assert(sizeof(struct elf32_section) == 40 && sizeof(struct elf64_section) == 64, "ELF section headers");

#endif
