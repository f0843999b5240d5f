/* SPDX-License-Identifier: MIT */
#include "hv/vm/elf.h"

#include <stdio.h>

#include "hv/vm/test_elf.h"
#include "sim/unit_test.h"

static struct test_memory memory;

/* Two segments: 4 bytes of 8 at 100h, 2 of 2 at 108h, the first byte behind the other's last. */
static struct test_elf good(bool wide)
{
    struct test_elf test = {
        .wide = wide, .entry = 0x104, .segment_count = 3,
        .segments = {
            { .p_type = PT_LOAD, .p_offset = TEST_ELF_CONTENT, .p_vaddr = 0x900, .p_paddr = 0x100, .p_filesz = 4,
              .p_memsz = 8 },
            { .p_type = PT_NULL, .p_offset = UINT32_MAX, .p_filesz = 1 },
            { .p_type = PT_LOAD, .p_offset = TEST_ELF_CONTENT + 4, .p_paddr = 0x108, .p_filesz = 2, .p_memsz = 2 },
        },
    };

    memcpy(test.bytes + TEST_ELF_CONTENT, "\1\2\3\4\5\6", 6);
    return test;
}

/* What elf_load says of an image, all its checks included. */
static const char *load(struct test_elf *test, size_t size)
{
    struct elf elf;
    const char *wrong = elf_open(&elf, test->bytes, size);

    memset(&memory, 0xEE, sizeof(memory));
    return wrong ? wrong : elf_load(&elf, test_place, &memory);
}

START_TEST(segments_go_to_their_physical_addresses_and_their_rest_is_cleared)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct test_elf test = good(wide);
        struct elf elf;
        struct elf_extent extent;

        test_elf_write(&test);
        ck_assert_ptr_null(load(&test, sizeof(test.bytes)));
        ck_assert_mem_eq(memory.bytes + 0xFF, "\xEE\1\2\3\4\0\0\0\0\5\6\xEE", 12);
        ck_assert_ptr_null(elf_open(&elf, test.bytes, sizeof(test.bytes)));
        ck_assert_uint_eq(elf.wide, wide);
        ck_assert_uint_eq(elf.entry, 0x104);
        ck_assert_ptr_null(elf_measure(&elf, &extent));
        ck_assert_uint_eq(extent.start, 0x100);
        ck_assert_uint_eq(extent.end, 0x10A);
    }
}
END_TEST

START_TEST(images_cut_off_before_the_last_segments_end_are_refused_at_every_length)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct test_elf test = good(wide);

        test_elf_write(&test);
        for (size_t size = 0; size < TEST_ELF_CONTENT + 6; size++)
            ck_assert_msg(load(&test, size) != NULL, "%zu bytes", size);
        ck_assert_ptr_null(load(&test, TEST_ELF_CONTENT + 6));
    }
}
END_TEST

START_TEST(other_files_classes_and_machines_are_refused)
{
    const struct {
        unsigned offset;
        uint8_t value;
        const char *says;
    } cases[] = {
        { 0, 0x7E, "image is no ELF file" },
        { EI_CLASS, 0, "image is no x86 ELF file: its class, byte order or version is another" },
        { EI_CLASS, 3, "image is no x86 ELF file: its class, byte order or version is another" },
        { EI_DATA, ELFDATA2MSB, "image is no x86 ELF file: its class, byte order or version is another" },
        { EI_VERSION, 0, "image is no x86 ELF file: its class, byte order or version is another" },
        { 16, ET_DYN, "image is no 32-bit x86 ELF executable" },
        { 18, EM_68K, "image is no 32-bit x86 ELF executable" },
        { EI_CLASS, ELFCLASS64, "image is no 64-bit x86 ELF executable" },
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_elf test = good(false);

        test_elf_write(&test);
        test.bytes[cases[i].offset] = cases[i].value;
        ck_assert_str_eq(load(&test, sizeof(test.bytes)), cases[i].says);
    }
}
END_TEST

static void write_header(struct test_elf *test, unsigned offset32, unsigned offset64, uint64_t value, size_t size)
{
    memcpy(test->bytes + (test->wide ? offset64 : offset32), &value, size);
}

START_TEST(tables_outside_the_image_are_refused)
{
    for (unsigned i = 0; i < 10; i++) {
        struct test_elf test = good(i & 1);
        const char *says = "ELF section headers lie outside the image";

        test.section_count = 2;
        test_elf_write(&test);
        switch (i / 2) {
        case 0: write_header(&test, 28, 32, UINT64_MAX - 8, test.wide ? 8 : 4); says = "ELF program"; break;
        case 1: write_header(&test, 42, 54, 31, 2); says = "ELF program"; break; /* bytes in a row */
        case 2: write_header(&test, 44, 56, 65, 2); says = "ELF image has more than 64 program headers"; break;
        case 3: write_header(&test, 32, 40, TEST_ELF_BYTES - 79, test.wide ? 8 : 4); break;
        default: write_header(&test, 46, 58, 39, 2); break;
        }
        ck_assert_int_eq(strncmp(load(&test, sizeof(test.bytes)), says, strlen(says)), 0);
    }
}
END_TEST

START_TEST(lying_segments_are_refused)
{
    for (unsigned i = 0; i < 16; i++) {
        struct test_elf test = good(i & 1);
        uint64_t all = test.wide ? UINT64_MAX : UINT32_MAX;
        const char *says = "ELF segment lies outside the image";

        switch (i / 2) {
        case 0: test.segments[0].p_offset = all - 1; break;
        case 1: test.segments[0].p_filesz = test.segments[0].p_memsz = all; break;
        case 2: test.segments[0].p_memsz = 3; says = "ELF segment is smaller in memory than in the image"; break;
        case 3: test.segments[2].p_paddr = 0x107; says = "ELF segments overlap in memory"; break;
        case 4: test.segments[2].p_paddr = 0xFF; says = "ELF segments overlap in memory"; break;
        case 5: test.segments[0].p_paddr = 0x1FFC; says = "ELF segment lies outside the guest's memory"; break;
        case 6: test.segment_count = 0; says = "ELF image has no segment to load"; break;
        default:
            test.segments[0].p_paddr = all - 3;
            says = test.wide ? "ELF segment goes beyond the end of all addresses"
                             : "ELF segment lies outside the guest's memory";
            break;
        }
        test_elf_write(&test);
        ck_assert_str_eq(load(&test, sizeof(test.bytes)), says);
    }
}
END_TEST

START_TEST(sections_are_found_by_name_and_checked)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct test_elf test = good(wide);
        struct elf_section section;
        struct elf elf;

        test.section_count = 4;
        test.name_section = 1;
        test.sections[1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = TEST_ELF_CONTENT, .sh_size = 12 };
        test.sections[2] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS, .sh_offset = TEST_ELF_BYTES, .sh_size = 1 };
        test.sections[3] = (Elf64_Shdr){ .sh_name = 7, .sh_type = SHT_NOBITS, .sh_offset = UINT32_MAX, .sh_size = 9 };
        memcpy(test.bytes + TEST_ELF_CONTENT, "\0three\0three", 12);
        test_elf_write(&test);
        ck_assert_ptr_null(elf_open(&elf, test.bytes, sizeof(test.bytes)));
        ck_assert_str_eq(elf_section(&elf, 2, &section), "ELF section lies outside the image");
        ck_assert_str_eq(elf_section(&elf, 4, &section), "ELF section has a number that no section has");
        ck_assert(elf_section_is_named(&elf, &(struct elf_section){ .name = 1 }, "three"));
        ck_assert(!elf_section_is_named(&elf, &(struct elf_section){ .name = 1 }, "thre"));
        ck_assert_ptr_null(elf_section(&elf, 3, &section)); /* has no content that could lie outside */
        ck_assert(!elf_section_is_named(&elf, &section, "three")); /* its zero byte is cut off */
        ck_assert(!elf_section_is_named(&elf, &(struct elf_section){ .name = UINT32_MAX }, "three"));
        elf.shstrndx = 9;
        ck_assert(!elf_section_is_named(&elf, &(struct elf_section){ .name = 1 }, "three"));
    }
}
END_TEST

UNIT_TESTS("hv elf", segments_go_to_their_physical_addresses_and_their_rest_is_cleared,
           images_cut_off_before_the_last_segments_end_are_refused_at_every_length,
           other_files_classes_and_machines_are_refused, tables_outside_the_image_are_refused,
           lying_segments_are_refused, sections_are_found_by_name_and_checked)
