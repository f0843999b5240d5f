/* SPDX-License-Identifier: MIT */
#include "hv/vm/kernel_notes.h"

#include "hv/vm/test_elf.h"
#include "sim/unit_test.h"

#define NOTES_AT (TEST_ELF_CONTENT + 64)

/* ---- Making images --------------------------------------------------------------------------------------- */

/* A kernel of 100h bytes at physical 100000h (linked at `virtual`), its notes at NOTES_AT, `bytes` of them. */
static struct test_elf kernel(bool wide, uint64_t virtual_base, size_t bytes)
{
    return (struct test_elf){
        .wide = wide, .entry = virtual_base + 0x100010, .segment_count = 2,
        .segments = {
            { .p_type = PT_LOAD, .p_offset = TEST_ELF_CONTENT, .p_vaddr = virtual_base + 0x100000, .p_paddr = 0x100000,
              .p_filesz = 64, .p_memsz = 0x100 },
            { .p_type = PT_NOTE, .p_offset = NOTES_AT, .p_filesz = bytes, .p_align = 4 },
        },
    };
}

/* One more note at `at`; returns where the next one goes. */
static size_t add(uint8_t *notes, size_t at, const char *name, uint32_t type, const void *value, uint32_t bytes)
{
    const uint32_t header[] = { (uint32_t)strlen(name) + 1, bytes, type };

    memcpy(notes + at, header, sizeof(header));
    memcpy(notes + at + 12, name, header[0]);
    at += 12 + ((header[0] + 3) & ~3u);
    memcpy(notes + at, value, bytes);
    return at + ((bytes + 3) & ~3u);
}

static size_t add_number(uint8_t *notes, size_t at, uint32_t type, uint64_t value, uint32_t bytes)
{
    return add(notes, at, "Xen", type, &value, bytes);
}

static size_t add_text(uint8_t *notes, size_t at, uint32_t type, const char *text)
{
    return add(notes, at, "Xen", type, text, (uint32_t)strlen(text) + 1);
}

static const char *read_image(struct test_elf *test, struct kernel_notes *notes, struct kernel_layout *layout)
{
    struct elf elf;
    const char *wrong;

    test_elf_write(test);
    wrong = elf_open(&elf, test->bytes, sizeof(test->bytes));
    if (!wrong)
        wrong = kernel_notes_read(&elf, notes);
    return wrong || !layout ? wrong : kernel_notes_lay_out(&elf, notes, layout);
}

/* A kernel whose section __xen_guest holds this string. */
static struct test_elf string_kernel(bool wide, uint64_t virtual_base, const char *string)
{
    struct test_elf test = kernel(wide, virtual_base, 0);

    test.segment_count = 1;
    test.section_count = 3;
    test.name_section = 1;
    test.sections[1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = NOTES_AT, .sh_size = 13 };
    test.sections[2] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = NOTES_AT + 16,
                                     .sh_size = strlen(string) };
    memcpy(test.bytes + NOTES_AT, "\0__xen_guest", 13);
    memcpy(test.bytes + NOTES_AT + 16, string, strlen(string));
    return test;
}

/* ---- Notes ----------------------------------------------------------------------------------------------- */

/* The notes of Debian 12's kernel (hypervisor-features H0). */
static size_t debian(uint8_t *notes)
{
    const uint64_t l1_valid[] = { 1, 1 };
    size_t at = add(notes, 0, "GNU", 18, "build-id", 8); /* another name, the number of the PVH entry */

    at = add(notes, at, "Linux", 257, "", 0);
    at = add_text(notes, at, NOTE_GUEST_OS, "linux");
    at = add_text(notes, at, NOTE_GUEST_VERSION, "2.6");
    at = add_text(notes, at, NOTE_XEN_VERSION, "xen-3.0");
    at = add_number(notes, at, NOTE_VIRT_BASE, 0xFFFFFFFF80000000, 8);
    at = add_number(notes, at, NOTE_INIT_P2M, 0x8000000000, 8);
    at = add_number(notes, at, NOTE_ENTRY, 0xFFFFFFFF80100020, 8);
    at = add(notes, at, "Xen", NOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb", 41); /* no zero byte */
    at = add_number(notes, at, NOTE_SUPPORTED_FEATURES, 0x8801, 4);
    at = add_text(notes, at, NOTE_PAE_MODE, "yes");
    at = add_text(notes, at, NOTE_LOADER, "generic");
    at = add(notes, at, "Xen", NOTE_L1_MFN_VALID, l1_valid, sizeof(l1_valid));
    at = add_number(notes, at, NOTE_SUSPEND_CANCEL, 1, 4);
    at = add_number(notes, at, NOTE_MOD_START_PFN, 1, 4);
    at = add_number(notes, at, NOTE_HV_START_LOW, 0xFFFF800000000000, 8);
    at = add_number(notes, at, NOTE_PADDR_OFFSET, 0, 8);
    at = add_number(notes, at, NOTE_PHYS32_ENTRY, 0x01000850, 8);
    return add(notes, at, "Xen", 99, "?", 1); /* from the future */
}

START_TEST(all_notes_of_a_linux_kernel_are_understood)
{
    struct test_elf test = kernel(true, 0xFFFFFFFF80000000, 0);
    struct kernel_layout layout;
    struct kernel_notes notes;

    test.segments[1].p_filesz = debian(test.bytes + NOTES_AT);
    ck_assert_ptr_null(read_image(&test, &notes, &layout));
    ck_assert_int_eq(notes.form, KERNEL_HAS_ELF_NOTES);
    ck_assert_uint_eq(notes.given, 0x7F7FA); /* types 1 to 18 but 2, HYPERCALL_PAGE, and 11, BSD_SYMTAB */
    ck_assert_str_eq(notes.guest_os, "linux");
    ck_assert_str_eq(notes.guest_version, "2.6");
    ck_assert_str_eq(notes.xen_version, "xen-3.0");
    ck_assert_str_eq(notes.loader, "generic");
    ck_assert_uint_eq(notes.virt_base, 0xFFFFFFFF80000000);
    ck_assert_uint_eq(notes.init_p2m, 0x8000000000);
    ck_assert_uint_eq(notes.entry, 0xFFFFFFFF80100020);
    ck_assert_uint_eq(notes.hv_start_low, 0xFFFF800000000000);
    ck_assert_uint_eq(notes.phys32_entry, 0x01000850);
    ck_assert_uint_eq(notes.features_required, 1);
    ck_assert_uint_eq(notes.features_supported, 0x8801 | 1 | 1 << 4);
    ck_assert_int_eq(notes.pae, KERNEL_PAE_EXTENDED_CR3);
    ck_assert(notes.suspend_cancel && notes.ramdisk_unmapped && !notes.bsd_symtab);
    ck_assert(notes.l1_valid_mask == 1 && notes.l1_valid_value == 1);
    ck_assert_uint_eq(layout.virt_offset, 0xFFFFFFFF80000000);
    ck_assert_uint_eq(layout.start, 0xFFFFFFFF80100000);
    ck_assert_uint_eq(layout.end, 0xFFFFFFFF80100100);
    ck_assert_uint_eq(layout.entry, 0xFFFFFFFF80100020);
    ck_assert_uint_eq(layout.symbols, 0);
}
END_TEST

START_TEST(notes_in_a_section_serve_where_no_segment_has_any)
{
    struct test_elf test = string_kernel(false, 0, "XEN_VER=xen-3.0,LOADER=other");
    struct kernel_notes notes;

    test.section_count = 4;
    test.sections[3] = (Elf64_Shdr){ .sh_type = SHT_NOTE, .sh_offset = NOTES_AT + 64 };
    test.sections[3].sh_size = add_text(test.bytes + NOTES_AT + 64, 0, NOTE_LOADER, "generic");
    ck_assert_ptr_null(read_image(&test, &notes, NULL));
    ck_assert_int_eq(notes.form, KERNEL_HAS_ELF_NOTES); /* and win against the string */
    ck_assert_str_eq(notes.loader, "generic");
    ck_assert_str_eq(notes.xen_version, "");
}
END_TEST

START_TEST(numbers_of_every_width_count_and_long_texts_are_cut)
{
    for (uint32_t bytes = 0; bytes <= 16; bytes++) {
        struct test_elf test = kernel(true, 0, 0);
        const uint64_t value[] = { 0x8877665544332211, 0 };
        bool good = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
        struct kernel_notes notes;
        size_t at = add_text(test.bytes + NOTES_AT, 0, NOTE_GUEST_OS, "0123456789abcdef");

        test.segments[1].p_filesz = add(test.bytes + NOTES_AT, at, "Xen", NOTE_ENTRY, value, bytes);
        if (!good) {
            ck_assert_str_eq(read_image(&test, &notes, NULL),
                             "a Xen note that must be a number is not 1, 2, 4 or 8 bytes long");
            continue;
        }
        ck_assert_ptr_null(read_image(&test, &notes, NULL));
        ck_assert_uint_eq(notes.entry, bytes == 8 ? value[0] : value[0] & ((1ull << 8 * bytes) - 1));
        ck_assert_str_eq(notes.guest_os, "0123456789abcde");
    }
}
END_TEST

START_TEST(notes_aligned_to_eight_bytes_are_found)
{
    struct test_elf test = kernel(true, 0, 0);
    uint8_t *notes_at = test.bytes + NOTES_AT;
    struct kernel_notes notes;
    size_t first = add(notes_at, 0, "Abcdefg", 1, "x", 1); /* 12 + 8, padded to 24, and one byte, padded to 32 */

    memmove(notes_at + 24, notes_at + 20, 1);
    ck_assert_uint_eq(first, 24);
    test.segments[1].p_filesz = add_number(notes_at, 32, NOTE_VIRT_BASE, 0x1234, 4);
    test.segments[1].p_align = 8;
    ck_assert_ptr_null(read_image(&test, &notes, NULL));
    ck_assert_uint_eq(notes.virt_base, 0x1234);
}
END_TEST

START_TEST(notes_cut_off_at_every_length_are_refused_or_stand)
{
    struct test_elf whole = kernel(true, 0xFFFFFFFF80000000, 0);
    size_t bytes = debian(whole.bytes + NOTES_AT), stands = 0;

    for (size_t size = 0; size <= bytes; size++) {
        struct test_elf test = whole;
        struct kernel_notes notes;
        const char *wrong;

        test.segments[1].p_filesz = size;
        wrong = read_image(&test, &notes, NULL);
        ck_assert(!wrong || !strcmp(wrong, "ELF note is cut off") ||
                  !strcmp(wrong, "ELF note is longer than what holds it"));
        stands += !wrong;
    }
    /* It stands before and behind each of 19 notes, and where padding alone is missing: texts of 6, 41 and 1 bytes. */
    ck_assert_uint_eq(stands, 20 + 2 + 3 + 3);
}
END_TEST

START_TEST(lying_notes_are_refused)
{
    const struct {
        uint32_t header[3];
        const char *says;
    } cases[] = {
        { { UINT32_MAX, 4, NOTE_ENTRY }, "ELF note is longer than what holds it" },
        { { 4, UINT32_MAX, NOTE_ENTRY }, "ELF note is longer than what holds it" },
        { { UINT32_MAX, UINT32_MAX, NOTE_ENTRY }, "ELF note is longer than what holds it" },
        { { 4, 5, NOTE_ENTRY }, "ELF note is longer than what holds it" },
        { { 4, 4, NOTE_L1_MFN_VALID }, "Xen note 13 (L1_MFN_VALID) must be a mask and a value" },
        { { 4, 3, NOTE_SUPPORTED_FEATURES }, "Xen note 17 (SUPPORTED_FEATURES) must be a 32-bit number" },
        { { 4, 2, NOTE_FEATURES }, "the kernel requires a feature that no Xen of this interface has" },
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_elf test = kernel(true, 0, 20);
        struct kernel_notes notes;

        memcpy(test.bytes + NOTES_AT, cases[i].header, 12);
        memcpy(test.bytes + NOTES_AT + 12, "Xen\0!x\0", 8);
        ck_assert_str_eq(read_image(&test, &notes, NULL), cases[i].says);
    }
}
END_TEST

START_TEST(an_image_of_nothing_but_notes_does_not_keep_the_reader)
{
    struct test_elf test = kernel(true, 0, 257 * 12);
    struct kernel_notes notes;

    memset(test.bytes + TEST_ELF_CONTENT, 0, TEST_ELF_BYTES - TEST_ELF_CONTENT);
    test.segments[1].p_offset = TEST_ELF_BYTES - 257 * 12;
    test.section_count = 0;
    test.segments[0].p_offset = 0;
    test.segments[1].p_filesz = 256 * 12;
    ck_assert_uint_le(64 + 2 * sizeof(Elf64_Phdr), TEST_ELF_BYTES - 257 * 12);
    ck_assert_ptr_null(read_image(&test, &notes, NULL));
    test.segments[1].p_filesz = 257 * 12;
    ck_assert_str_eq(read_image(&test, &notes, NULL), "image has more than 256 ELF notes");
}
END_TEST

/* ---- The string ------------------------------------------------------------------------------------------ */

#define NETBSD "GUEST_OS=netbsd,GUEST_VER=3.0,XEN_VER=xen-3.0,LOADER=generic,VIRT_BASE=0xc0000000," \
               "ELF_PADDR_OFFSET=0xc0000000,VIRT_ENTRY=0xc0100000,HYPERCALL_PAGE=0x00000101,BSD_SYMTAB=yes,PAE=yes"

START_TEST(the_string_of_a_netbsd_kernel_is_understood)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct test_elf test = string_kernel(wide, 0, NETBSD);
        struct kernel_layout layout;
        struct kernel_notes notes;

        test.segments[0].p_paddr = 0xC0100000; /* with this offset physical addresses are virtual ones */
        ck_assert_ptr_null(read_image(&test, &notes, &layout));
        ck_assert_int_eq(notes.form, KERNEL_HAS_XEN_GUEST);
        ck_assert_str_eq(notes.guest_os, "netbsd");
        ck_assert_str_eq(notes.guest_version, "3.0");
        ck_assert_uint_eq(notes.virt_base, 0xC0000000);
        ck_assert_uint_eq(notes.paddr_offset, 0xC0000000);
        ck_assert_uint_eq(notes.entry, 0xC0100000);
        ck_assert_uint_eq(notes.hypercall_page, 0xC0101000); /* page 101h from VIRT_BASE */
        ck_assert(notes.bsd_symtab);
        ck_assert_int_eq(notes.pae, KERNEL_PAE_YES);
        ck_assert_uint_eq(layout.virt_offset, 0);
        ck_assert_uint_eq(layout.start, 0xC0100000);
        ck_assert_uint_eq(layout.entry, 0xC0100000);
        ck_assert_uint_eq(layout.symbols, 0); /* asked for, but this image has none */
        ck_assert_uint_eq(layout.end, 0xC0100100);
    }
}
END_TEST

START_TEST(words_may_come_in_any_order_and_unknown_ones_are_skipped)
{
    struct test_elf test = string_kernel(false, 0, "HYPERCALL_PAGE=2,,NEW=1,ALONE,=,XEN_VER=xen-3.0,LOADER=generic,"
                                         "PAE=yes[extended-cr3],FEATURES=!writable_page_tables|dom0|later,"
                                         "VIRT_BASE=010000");
    struct kernel_layout layout;
    struct kernel_notes notes;

    test.segments[0].p_paddr = test.entry = 0x100000;
    ck_assert_ptr_null(read_image(&test, &notes, &layout));
    ck_assert_uint_eq(notes.virt_base, 010000); /* octal, as C has it */
    ck_assert_uint_eq(notes.hypercall_page, 010000 + 0x2000);
    ck_assert_int_eq(notes.pae, KERNEL_PAE_EXTENDED_CR3);
    ck_assert_uint_eq(notes.features_required, 1);
    ck_assert_uint_eq(notes.features_supported, 1 | 1 << 11);
    ck_assert_uint_eq(layout.virt_offset, 0); /* without ELF_PADDR_OFFSET it is VIRT_BASE in this form */
}
END_TEST

START_TEST(the_string_ends_at_its_zero_byte_or_with_its_section)
{
    static const char string[] = "VIRT_BASE=17\0,VIRT_BASE=2";
    struct kernel_notes notes = { .form = KERNEL_HAS_XEN_GUEST };

    ck_assert_ptr_null(kernel_string_read(string, sizeof(string), &notes));
    ck_assert_uint_eq(notes.virt_base, 17);
    ck_assert_ptr_null(kernel_string_read(string, 11, &notes));
    ck_assert_uint_eq(notes.virt_base, 1);
}
END_TEST

START_TEST(damaged_strings_are_refused)
{
    const struct {
        const char *string, *says;
    } cases[] = {
#define NO_NUMBER \
    "section __xen_guest: VIRT_BASE, VIRT_ENTRY, ELF_PADDR_OFFSET or HYPERCALL_PAGE is no number"
        { "VIRT_BASE=", NO_NUMBER },
        { "VIRT_BASE", NO_NUMBER },
        { "VIRT_BASE=0x", NO_NUMBER },
        { "VIRT_ENTRY=12a", NO_NUMBER },
        { "VIRT_ENTRY=08", NO_NUMBER },
        { "ELF_PADDR_OFFSET=-1", NO_NUMBER },
        { "HYPERCALL_PAGE=0x10000000000000000", NO_NUMBER },
        { "HYPERCALL_PAGE=0x10000000000000", "section __xen_guest: HYPERCALL_PAGE is no page number" },
        { "FEATURES=dom0|!later", "the kernel requires a feature that no Xen of this interface has" },
#undef NO_NUMBER
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_elf test = string_kernel(false, 0, cases[i].string);
        struct kernel_notes notes;

        ck_assert_str_eq(read_image(&test, &notes, NULL), cases[i].says);
    }
}
END_TEST

/* ---- Layout ---------------------------------------------------------------------------------------------- */

START_TEST(kernels_that_cannot_be_laid_out_are_refused)
{
    const struct {
        const char *string, *says;
    } cases[] = {
#define NAMES "XEN_VER=xen-3.0,LOADER=generic,"
        { "XEN_VER=xen-3.0,LOADER=bsd", "the kernel's LOADER must be generic" },
        { "XEN_VER=xen-2.0,LOADER=generic", "the kernel's Xen version (note 5, XEN_VER) must be xen-3.0" },
        { NAMES "ELF_PADDR_OFFSET=0", "the kernel gives an ELF_PADDR_OFFSET but no VIRT_BASE" },
        { NAMES "VIRT_BASE=0x100001", "the kernel's segments lie below its VIRT_BASE" },
        { NAMES "VIRT_BASE=0,ELF_PADDR_OFFSET=0x100001", "the kernel's segments lie below its VIRT_BASE" },
        { NAMES "VIRT_BASE=0xffffff80,ELF_PADDR_OFFSET=0x100000",
          "the kernel's segments end beyond 4 GiB, where 32-bit addresses end" },
        { NAMES "VIRT_BASE=0xfffffffffffff000,ELF_PADDR_OFFSET=0xff000",
          "the kernel's segments lie below its VIRT_BASE" },
        { NAMES "VIRT_ENTRY=0x100100", "the kernel's entry lies outside the kernel" },
        { NAMES "VIRT_ENTRY=0xfffff", "the kernel's entry lies outside the kernel" },
        { NAMES "VIRT_ENTRY=0x1000ff", NULL },
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_elf test = string_kernel(false, 0, cases[i].string);
        struct kernel_layout layout;
        struct kernel_notes notes;
        const char *wrong = read_image(&test, &notes, &layout);

        ck_assert_msg(wrong == cases[i].says || (wrong && cases[i].says && !strcmp(wrong, cases[i].says)), "%u: %s", i,
                      wrong ? wrong : "none");
    }
}
END_TEST

START_TEST(a_p2m_inside_the_kernel_and_an_image_without_notes_are_refused)
{
    struct test_elf test = kernel(true, 0, 0);
    struct kernel_layout layout;
    struct kernel_notes notes;
    size_t at;

    ck_assert_str_eq(read_image(&test, &notes, &layout),
                     "image has neither Xen notes nor a section __xen_guest: no paravirtual kernel");
    at = add_text(test.bytes + NOTES_AT, 0, NOTE_XEN_VERSION, "xen-3.0");
    at = add_text(test.bytes + NOTES_AT, at, NOTE_GUEST_OS, "linux"); /* passes without a LOADER */
    test.segments[1].p_filesz = add_number(test.bytes + NOTES_AT, at, NOTE_INIT_P2M, 0x1000FF, 8);
    ck_assert_str_eq(read_image(&test, &notes, &layout), "the kernel's INIT_P2M lies inside the kernel");
    add_number(test.bytes + NOTES_AT, at, NOTE_INIT_P2M, 0x100100, 8);
    ck_assert_ptr_null(read_image(&test, &notes, &layout));
}
END_TEST

UNIT_TESTS("hv kernel notes", all_notes_of_a_linux_kernel_are_understood,
           notes_in_a_section_serve_where_no_segment_has_any, numbers_of_every_width_count_and_long_texts_are_cut,
           notes_aligned_to_eight_bytes_are_found, notes_cut_off_at_every_length_are_refused_or_stand,
           lying_notes_are_refused, an_image_of_nothing_but_notes_does_not_keep_the_reader,
           the_string_of_a_netbsd_kernel_is_understood, words_may_come_in_any_order_and_unknown_ones_are_skipped,
           the_string_ends_at_its_zero_byte_or_with_its_section, damaged_strings_are_refused,
           kernels_that_cannot_be_laid_out_are_refused,
           a_p2m_inside_the_kernel_and_an_image_without_notes_are_refused)
