/* SPDX-License-Identifier: MIT */
/*
 * ELF images of both classes for unit tests, made with the system's <elf.h>, which knows nothing of hv's own
 * structures. Rows are described in 64-bit structures; a 32-bit image gets them narrowed.
 */
#ifndef HV_VM_TEST_ELF_H
#define HV_VM_TEST_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TEST_ELF_BYTES 4096
#define TEST_ELF_CONTENT 1024 /* where contents begin: behind both tables */
#define TEST_ELF_ROWS 8

/* The caller fills rows, and contents at offsets that it chooses; then test_elf_write makes the image of them. */
struct test_elf {
    bool wide;
    uint64_t entry;
    unsigned segment_count, section_count, name_section;
    Elf64_Phdr segments[TEST_ELF_ROWS];
    Elf64_Shdr sections[TEST_ELF_ROWS];
    uint8_t bytes[TEST_ELF_BYTES];
};

static inline void test_elf_header(struct test_elf *test)
{
    const uint8_t ident[EI_NIDENT] = { 0x7F, 'E', 'L', 'F', test->wide ? ELFCLASS64 : ELFCLASS32, ELFDATA2LSB, 1 };
    Elf64_Ehdr wide = { .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_entry = test->entry,
                        .e_phoff = 64, .e_shoff = 512, .e_ehsize = sizeof(wide), .e_phentsize = sizeof(Elf64_Phdr),
                        .e_phnum = (Elf64_Half)test->segment_count, .e_shentsize = sizeof(Elf64_Shdr),
                        .e_shnum = (Elf64_Half)test->section_count, .e_shstrndx = (Elf64_Half)test->name_section };
    Elf32_Ehdr narrow = { .e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
                          .e_entry = (uint32_t)test->entry, .e_phoff = 64, .e_shoff = 512, .e_ehsize = sizeof(narrow),
                          .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = wide.e_phnum,
                          .e_shentsize = sizeof(Elf32_Shdr), .e_shnum = wide.e_shnum, .e_shstrndx = wide.e_shstrndx };

    memcpy(wide.e_ident, ident, sizeof(ident));
    memcpy(narrow.e_ident, ident, sizeof(ident));
    memcpy(test->bytes, test->wide ? (void *)&wide : (void *)&narrow, test->wide ? sizeof(wide) : sizeof(narrow));
}

static inline void test_elf_write(struct test_elf *test)
{
    test_elf_header(test);
    for (unsigned i = 0; i < test->segment_count; i++) {
        const Elf64_Phdr *row = &test->segments[i];
        Elf32_Phdr narrow = { .p_type = row->p_type, .p_offset = (uint32_t)row->p_offset,
                              .p_vaddr = (uint32_t)row->p_vaddr, .p_paddr = (uint32_t)row->p_paddr,
                              .p_filesz = (uint32_t)row->p_filesz, .p_memsz = (uint32_t)row->p_memsz,
                              .p_align = (uint32_t)row->p_align };

        memcpy(test->bytes + 64 + i * (test->wide ? sizeof(*row) : sizeof(narrow)),
               test->wide ? (const void *)row : (const void *)&narrow, test->wide ? sizeof(*row) : sizeof(narrow));
    }
    for (unsigned i = 0; i < test->section_count; i++) {
        const Elf64_Shdr *row = &test->sections[i];
        Elf32_Shdr narrow = { .sh_name = row->sh_name, .sh_type = row->sh_type, .sh_offset = (uint32_t)row->sh_offset,
                              .sh_size = (uint32_t)row->sh_size, .sh_link = row->sh_link, .sh_info = row->sh_info,
                              .sh_addralign = (uint32_t)row->sh_addralign, .sh_entsize = (uint32_t)row->sh_entsize };

        memcpy(test->bytes + 512 + i * (test->wide ? sizeof(*row) : sizeof(narrow)),
               test->wide ? (const void *)row : (const void *)&narrow, test->wide ? sizeof(*row) : sizeof(narrow));
    }
}

/* Guest memory of a test: what was placed, and EEh where nothing was. */
struct test_memory {
    uint8_t bytes[0x2000];
};

static inline bool test_place(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size)
{
    struct test_memory *memory = ctx;

    if (address > sizeof(memory->bytes) || memory_size > sizeof(memory->bytes) - address || size > memory_size)
        return false;
    memcpy(memory->bytes + address, data, size);
    memset(memory->bytes + address + size, 0, memory_size - size);
    return true;
}

#endif
