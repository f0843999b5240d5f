/* SPDX-License-Identifier: MIT */
#include "hv/vm/elf64.h"

#include "hv/core/text.h"

#define EM_X86_64 62
#define ET_EXEC 2
#define PT_LOAD 1
#define PT_NOTE 4
#define NOTE_PHYS32_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

struct elf64_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_program {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_note {
    uint32_t name_bytes, bytes, type;
};

static bool inside(uint64_t offset, uint64_t length, size_t size)
{
    return offset <= size && length <= size - offset;
}

bool elf64_is(const void *image, size_t size)
{
    static const uint8_t ident[] = { 0x7F, 'E', 'L', 'F', 2 /* 64-bit */, 1 /* little-endian */, 1 };

    return size >= sizeof(struct elf64_header) && memcmp(image, ident, sizeof(ident)) == 0;
}

static uint64_t padded(uint64_t bytes)
{
    return (bytes + 3) & ~3ull;
}

/* Notes one after the other: sizes, type, name and description, both padded to four bytes. */
static bool find_entry(const uint8_t *bytes, uint64_t size, uint32_t *entry)
{
    uint64_t at = 0;

    while (size - at >= sizeof(struct elf_note)) {
        struct elf_note note;
        uint64_t description;

        memcpy(&note, bytes + at, sizeof(note));
        description = at + sizeof(note) + padded(note.name_bytes);
        if (!inside(description, padded(note.bytes), size))
            return false;
        if (note.type == NOTE_PHYS32_ENTRY && note.name_bytes == 4 && note.bytes >= 4 &&
            memcmp(bytes + at + sizeof(note), "Xen", 4) == 0) {
            memcpy(entry, bytes + description, sizeof(*entry));
            return true;
        }
        at = description + padded(note.bytes);
    }
    return false;
}

const char *elf64_load(const void *image, size_t size, elf32_place *place, void *ctx, uint32_t *entry)
{
    const uint8_t *bytes = image;
    struct elf64_header header;
    bool found = false;

    memcpy(&header, bytes, sizeof(header));
    if (header.type != ET_EXEC || header.machine != EM_X86_64)
        return "image is no 64-bit x86 ELF executable";
    if (header.phentsize < sizeof(struct elf64_program) ||
        !inside(header.phoff, (uint64_t)header.phnum * header.phentsize, size))
        return "ELF program headers lie outside the image";
    for (unsigned i = 0; i < header.phnum; i++) {
        struct elf64_program program;

        memcpy(&program, bytes + header.phoff + i * header.phentsize, sizeof(program));
        if (program.type != PT_LOAD && program.type != PT_NOTE)
            continue;
        if (!inside(program.offset, program.filesz, size))
            return "ELF segment lies outside the image";
        if (program.type == PT_NOTE)
            found |= find_entry(bytes + program.offset, program.filesz, entry);
        else if (program.filesz > program.memsz || program.paddr + program.memsz < program.paddr)
            return "ELF segment is smaller in memory than in the image";
        else if (!place(ctx, program.paddr, bytes + program.offset, program.filesz, program.memsz))
            return "ELF segment lies outside the guest's memory";
    }
    return found ? NULL : "64-bit ELF image has no Xen note 18 (a PVH entry)";
}
