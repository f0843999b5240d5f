/* SPDX-License-Identifier: MIT */
#include "hv/vm/bsd_symbols.h"

#include "hv/vm/kernel_notes.h"
#include "hv/vm/test_elf.h"
#include "sim/unit_test.h"

#define SYMBOLS_AT (TEST_ELF_CONTENT + 16)
#define STRINGS_AT (TEST_ELF_CONTENT + 64)
#define SYMBOLS_BYTES 37 /* of no alignment, so that padding shows */
#define STRINGS_BYTES 11

static struct test_memory memory;

/* Sections 2 (symbols) and 4 (their strings), others around them. */
static struct test_elf kernel(bool wide)
{
    struct test_elf test = { .wide = wide, .entry = 0x100, .section_count = 5 };

    test.sections[1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = STRINGS_AT, .sh_size = 1 };
    test.sections[2] = (Elf64_Shdr){ .sh_name = 7, .sh_type = SHT_SYMTAB, .sh_offset = SYMBOLS_AT,
                                     .sh_size = SYMBOLS_BYTES, .sh_link = 4, .sh_info = 3, .sh_entsize = 16 };
    test.sections[4] = (Elf64_Shdr){ .sh_name = 9, .sh_type = SHT_STRTAB, .sh_offset = STRINGS_AT,
                                     .sh_size = STRINGS_BYTES, .sh_addralign = 1 };
    for (unsigned i = 0; i < SYMBOLS_BYTES; i++)
        test.bytes[SYMBOLS_AT + i] = (uint8_t)(0x80 + i);
    memcpy(test.bytes + STRINGS_AT, "\0main\0start", STRINGS_BYTES);
    return test;
}

static const char *load(struct test_elf *test, uint64_t end, struct elf_extent *extent)
{
    struct elf elf;
    const char *wrong;

    test_elf_write(test);
    memset(&memory, 0xEE, sizeof(memory));
    wrong = elf_open(&elf, test->bytes, sizeof(test->bytes));
    if (!wrong)
        wrong = bsd_symbols_measure(&elf, end, extent);
    return wrong ? wrong : bsd_symbols_load(&elf, extent, test_place, &memory);
}

START_TEST(a_32_bit_kernel_finds_its_symbols_behind_it)
{
    struct test_elf test = kernel(false);
    struct elf_extent extent;
    Elf32_Ehdr header;
    Elf32_Shdr sections[3];
    uint32_t size;

    /* 4 + 52 + 3 x 40 = 176; symbols to 213, so strings at 216, to 227, so the end at 228. */
    ck_assert_ptr_null(load(&test, 0x801, &extent));
    ck_assert_uint_eq(extent.start, 0x804);
    ck_assert_uint_eq(extent.end, 0x804 + 228);
    memcpy(&size, memory.bytes + 0x804, sizeof(size));
    ck_assert_uint_eq(size, 227 - 4); /* what follows the word, its last padding aside */
    memcpy(&header, memory.bytes + 0x808, sizeof(header));
    ck_assert_mem_eq(header.e_ident, "\x7F" "ELF\1\1\1", 7);
    ck_assert_uint_eq(header.e_entry, 0x100);
    ck_assert_uint_eq(header.e_shoff, 52);
    ck_assert_uint_eq(header.e_shentsize, 40);
    ck_assert_uint_eq(header.e_shnum, 3);
    ck_assert(!header.e_phoff && !header.e_phnum && !header.e_phentsize && !header.e_shstrndx);
    memcpy(sections, memory.bytes + 0x808 + header.e_shoff, sizeof(sections));
    ck_assert_uint_eq(sections[0].sh_type, SHT_NULL);
    ck_assert_uint_eq(sections[1].sh_type, SHT_SYMTAB);
    ck_assert_uint_eq(sections[1].sh_link, 2);
    ck_assert_uint_eq(sections[1].sh_info, 3);
    ck_assert_uint_eq(sections[1].sh_size, SYMBOLS_BYTES);
    ck_assert_mem_eq(memory.bytes + 0x808 + sections[1].sh_offset, test.bytes + SYMBOLS_AT, SYMBOLS_BYTES);
    ck_assert_uint_eq(sections[2].sh_type, SHT_STRTAB);
    ck_assert_uint_eq(sections[2].sh_size, STRINGS_BYTES);
    ck_assert_mem_eq(memory.bytes + 0x808 + sections[2].sh_offset, "\0main\0start\0\xEE", STRINGS_BYTES + 2);
    ck_assert_uint_eq(memory.bytes[0x803], 0xEE);
}
END_TEST

START_TEST(a_64_bit_kernel_finds_its_symbols_behind_it)
{
    struct test_elf test = kernel(true);
    struct elf_extent extent;
    Elf64_Ehdr header;
    Elf64_Shdr sections[3];
    uint32_t size;

    /* 4 + 64 + 3 x 64 = 260, padded to 264; symbols to 301, so strings at 304, to 315, so the end at 320. */
    ck_assert_ptr_null(load(&test, 0x801, &extent));
    ck_assert_uint_eq(extent.start, 0x808);
    ck_assert_uint_eq(extent.end, 0x808 + 320);
    memcpy(&size, memory.bytes + 0x808, sizeof(size));
    ck_assert_uint_eq(size, 315 - 4);
    memcpy(&header, memory.bytes + 0x80C, sizeof(header));
    ck_assert_uint_eq(header.e_shoff, 64);
    ck_assert_uint_eq(header.e_shentsize, 64);
    memcpy(sections, memory.bytes + 0x80C + header.e_shoff, sizeof(sections));
    ck_assert_uint_eq(sections[1].sh_offset, 260);
    ck_assert_uint_eq(sections[2].sh_offset, 300);
    ck_assert_mem_eq(memory.bytes + 0x80C + 260, test.bytes + SYMBOLS_AT, SYMBOLS_BYTES);
    ck_assert_mem_eq(memory.bytes + 0x80C + 300, "\0main\0start\0\0\0\0\0\xEE", STRINGS_BYTES + 6);
}
END_TEST

START_TEST(a_stripped_kernel_gets_nothing)
{
    struct test_elf test = kernel(true);
    struct elf_extent extent = { 1, 1 };

    test.sections[2].sh_type = SHT_PROGBITS;
    ck_assert_ptr_null(load(&test, 0x801, &extent));
    ck_assert_uint_eq(extent.end, 0);
    ck_assert_uint_eq(memory.bytes[0x808], 0xEE);
}
END_TEST

START_TEST(lying_symbol_tables_are_refused)
{
    for (unsigned i = 0; i < 12; i++) {
        struct test_elf test = kernel(i & 1);
        const char *says = "ELF section lies outside the image";
        struct elf_extent extent;
        uint64_t end = 0x801;

        switch (i / 2) {
        case 0: test.sections[2].sh_size = test.wide ? UINT64_MAX : UINT32_MAX; break;
        case 1: test.sections[4].sh_offset = TEST_ELF_BYTES - STRINGS_BYTES + 1; break;
        case 2: test.sections[2].sh_link = 5; says = "ELF section has a number that no section has"; break;
        case 3: test.sections[2].sh_link = 3; says = "ELF symbol table has no string table"; break;
        case 4: end = 0x2000 - 200; says = "ELF symbol table lies outside the guest's memory"; break;
        default: end = UINT64_MAX - 100; says = "ELF symbol table goes beyond the end of all addresses"; break;
        }
        ck_assert_str_eq(load(&test, end, &extent), says);
    }
}
END_TEST

START_TEST(the_symbols_belong_to_a_paravirtual_kernels_extent)
{
    static const char string[] =
        "XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0xc0000000,ELF_PADDR_OFFSET=0,BSD_SYMTAB=yes";
    struct test_elf test = kernel(false);
    struct kernel_layout layout;
    struct kernel_notes notes;
    struct elf elf;

    test.name_section = 1;
    test.entry = 0xC0000900;
    test.sections[1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = STRINGS_AT + 16, .sh_size = 13 };
    test.sections[3] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = STRINGS_AT + 32,
                                     .sh_size = sizeof(string) };
    memcpy(test.bytes + STRINGS_AT + 16, "\0__xen_guest", 13);
    memcpy(test.bytes + STRINGS_AT + 32, string, sizeof(string));
    test.segment_count = 1;
    test.segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_paddr = 0x900, .p_memsz = 0x101 };
    test_elf_write(&test);
    ck_assert_ptr_null(elf_open(&elf, test.bytes, sizeof(test.bytes)));
    ck_assert_ptr_null(kernel_notes_read(&elf, &notes));
    ck_assert_ptr_null(kernel_notes_lay_out(&elf, &notes, &layout));
    ck_assert_uint_eq(layout.symbols, 0xC0000A04); /* 900h + 101h, to the next multiple of 4 */
    ck_assert_uint_eq(layout.end, 0xC0000A04 + 228);
}
END_TEST

UNIT_TESTS("hv bsd symbols", a_32_bit_kernel_finds_its_symbols_behind_it, a_64_bit_kernel_finds_its_symbols_behind_it,
           a_stripped_kernel_gets_nothing, lying_symbol_tables_are_refused,
           the_symbols_belong_to_a_paravirtual_kernels_extent)
