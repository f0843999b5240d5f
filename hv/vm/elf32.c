/* SPDX-License-Identifier: MIT */
#include "hv/vm/elf32.h"

#include "hv/core/text.h"

#define EM_386 3
#define ET_EXEC 2
#define PT_LOAD 1

struct elf32_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf32_program {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

static bool inside(uint64_t offset, uint64_t length, size_t size)
{
    return offset <= size && length <= size - offset;
}

const char *elf32_load(const void *image, size_t size, elf32_place *place, void *ctx, uint32_t *entry)
{
    static const uint8_t ident[] = { 0x7F, 'E', 'L', 'F', 1 /* 32-bit */, 1 /* little-endian */, 1 };
    const uint8_t *bytes = image;
    struct elf32_header header;
    struct elf32_program program;

    if (size < sizeof(header))
        return "image is shorter than an ELF header";
    memcpy(&header, bytes, sizeof(header));
    if (memcmp(header.ident, ident, sizeof(ident)) || header.type != ET_EXEC || header.machine != EM_386)
        return "image is no 32-bit x86 ELF executable";
    if (header.phentsize < sizeof(program) ||
        !inside(header.phoff, (uint64_t)header.phnum * header.phentsize, size))
        return "ELF program headers lie outside the image";
    for (unsigned i = 0; i < header.phnum; i++) {
        memcpy(&program, bytes + header.phoff + i * header.phentsize, sizeof(program));
        if (program.type != PT_LOAD)
            continue;
        if (program.filesz > program.memsz || !inside(program.offset, program.filesz, size))
            return "ELF segment lies outside the image";
        if (!place(ctx, program.paddr, bytes + program.offset, program.filesz, program.memsz))
            return "ELF segment lies outside the guest's memory";
    }
    *entry = header.entry;
    return NULL;
}
