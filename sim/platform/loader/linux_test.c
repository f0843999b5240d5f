/* SPDX-License-Identifier: MIT */
/* Expected values: the Linux boot protocol (2.04-2.15) and the comment of Xen's arch-x86/hvm/start_info.h. */
#include "sim/platform/loader/images.h"

#define BZIMAGE_BYTES 0x1400
#define CODE_AT 0xa00 /* after 4 setup sectors and the boot sector */
#define NOTE_AT 0x1c0

struct bzimage_file {
    uint8_t bytes[BZIMAGE_BYTES];
    struct image image;
};

static void put_value(struct bzimage_file *t, unsigned offset, unsigned size, uint64_t value)
{
    memcpy(t->bytes + offset, &value, size);
}

static void make_bzimage(struct bzimage_file *t)
{
    memset(t, 0, sizeof *t);
    for (unsigned i = CODE_AT; i < BZIMAGE_BYTES; i++)
        t->bytes[i] = (uint8_t)(i * 7);
    put_value(t, 0x1ef, 1, 0xff);        /* the sentinel, which must not be copied */
    put_value(t, 0x1f1, 1, 4);
    put_value(t, 0x1fe, 2, 0xaa55);
    put_value(t, 0x200, 2, 0x6aeb);      /* jmp: the header ends at 202h + 6Ah = 26Ch */
    memcpy(t->bytes + 0x202, "HdrS", 4);
    put_value(t, 0x206, 2, 0x20f);
    put_value(t, 0x211, 1, 1);           /* LOADED_HIGH */
    put_value(t, 0x22c, 4, 0x7fffffff);  /* initrd_addr_max */
    put_value(t, 0x238, 4, 20);          /* cmdline_size */
    put_value(t, 0x258, 8, 0x1000000);   /* pref_address */
    put_value(t, 0x260, 4, 0x200000);    /* init_size */
    t->image = (struct image){ "bzimage", t->bytes, BZIMAGE_BYTES, NULL };
}

static void expect_string(struct fixture *f, spa_t at, const char *expected)
{
    for (unsigned i = 0; i <= strlen(expected); i++)
        ck_assert_uint_eq(load(f, at + i, 1), (uint8_t)expected[i]);
}

/* Expects one line that holds `text`, and no success. */
static void expect_refusal(const struct image *kernel, const char *line, size_t modules, uint64_t memory,
                           const char *text)
{
    static const uint8_t bytes[4096];
    const struct image module[2] = { { "a", bytes, sizeof bytes, NULL }, { "b", bytes, sizeof bytes, NULL } };
    struct fixture *f = fixture_new(1, 1, memory);
    struct load_result result;
    GError *error = NULL;

    ck_assert(!load_kernel(f->platform, kernel, line, module, modules, &result, &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(strstr(error->message, text), "%s", error->message);
    ck_assert_ptr_null(strchr(error->message, '\n'));
    g_error_free(error);
    fixture_free(f);
}

START_TEST(a_bzimage_goes_to_its_preferred_address_with_header_and_rsdp_in_the_boot_parameters)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    struct bzimage_file t;
    struct load_result result = { 0 };

    make_bzimage(&t);
    ck_assert(load_kernel(f->platform, &t.image, "quiet", NULL, 0, &result, NULL));
    ck_assert(result.protected_flat);
    ck_assert_uint_eq(result.entry, 0x1000000);
    ck_assert_uint_eq(result.ebx, 0); /* the protocol wants EBP, EDI and EBX 0 */
    for (unsigned i = 0; i < BZIMAGE_BYTES - CODE_AT; i++)
        ck_assert_uint_eq(load(f, 0x1000000 + i, 1), (uint8_t)((CODE_AT + i) * 7));
    ck_assert_uint_eq(load(f, result.esi + 0x202, 4), 0x53726448);
    ck_assert_uint_eq(load(f, result.esi + 0x1ef, 1), 0);
    ck_assert_uint_eq(load(f, result.esi + 0x210, 1), 0xff); /* type_of_loader */
    ck_assert_uint_eq(load(f, result.esi + 0x214, 4), 0x1000000);
    ck_assert_uint_eq(load(f, result.esi + 0x70, 8), 0xf0000);
    ck_assert_uint_eq(load(f, result.esi + 0x26c, 4), 0); /* behind the header */
    ck_assert_uint_eq(load(f, result.esi + 0x218, 8), 0); /* no initrd */
    expect_string(f, load(f, result.esi + 0x228, 4), "quiet");
    fixture_free(f);
}
END_TEST

START_TEST(the_boot_parameters_hold_the_platforms_memory_map)
{
    struct fixture *f = fixture_new(2, 1, 8 * GIB);
    struct bzimage_file t;
    struct load_result result;
    size_t count;
    const struct memory_range *range = platform_memory(f->platform, &count);

    make_bzimage(&t);
    ck_assert(load_kernel(f->platform, &t.image, NULL, NULL, 0, &result, NULL));
    ck_assert_uint_eq(load(f, result.esi + 0x1e8, 1), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(load(f, result.esi + 0x2d0 + 20 * i, 8), range[i].base);
        ck_assert_uint_eq(load(f, result.esi + 0x2d0 + 20 * i + 8, 8), range[i].size);
        ck_assert_uint_eq(load(f, result.esi + 0x2d0 + 20 * i + 16, 4), range[i].type);
    }
    fixture_free(f);
}
END_TEST

START_TEST(the_initrd_lies_as_high_as_kernel_and_memory_allow)
{
    static const uint8_t bytes[5000] = { 0x1f, 0x8b };
    const struct image initrd = { "initrd", bytes, sizeof bytes, NULL };
    struct bzimage_file t;
    /* 64 MiB: below the ACPI tables at 3FF0000h; 4 GiB: below initrd_addr_max; both less 5000 bytes, page aligned */
    static const struct { uint64_t memory; spa_t expected; } rows[] = {
        { 64 * MIB, 0x3fee000 }, { 4 * GIB, 0x7fffe000 },
    };

    make_bzimage(&t);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct fixture *f = fixture_new(1, 1, rows[i].memory);
        struct load_result result;

        ck_assert(load_kernel(f->platform, &t.image, NULL, &initrd, 1, &result, NULL));
        ck_assert_uint_eq(load(f, result.esi + 0x218, 4), rows[i].expected);
        ck_assert_uint_eq(load(f, result.esi + 0x21c, 4), 5000);
        ck_assert_uint_eq(load(f, rows[i].expected, 2), 0x8b1f);
        fixture_free(f);
    }
}
END_TEST

START_TEST(a_bzimage_that_cannot_be_booted_is_refused_with_what_would_be_right)
{
    struct bzimage_file t;

    make_bzimage(&t);
    expect_refusal(&t.image, "123456789012345678901", 0, 64 * MIB, "takes 20");
    expect_refusal(&t.image, "", 2, 64 * MIB, "one initrd");
    put_value(&t, 0x260, 4, 0x4000000);
    expect_refusal(&t.image, "", 0, 64 * MIB, "64 MiB of RAM at 0x1000000");
    make_bzimage(&t);
    put_value(&t, 0x260, 4, 0x2ff0000); /* all RAM up to the ACPI tables */
    expect_refusal(&t.image, "", 1, 64 * MIB, "no RAM for this initrd");
    make_bzimage(&t);
    put_value(&t, 0x206, 2, 0x203);
    expect_refusal(&t.image, "", 0, 64 * MIB, "2.04 or later");
    make_bzimage(&t);
    put_value(&t, 0x211, 1, 0);
    expect_refusal(&t.image, "", 0, 64 * MIB, "zImage");
    make_bzimage(&t);
    put_value(&t, 0x1f1, 1, 255);
    expect_refusal(&t.image, "", 0, 64 * MIB, "truncated");
}
END_TEST

/* ---- PVH --------------------------------------------------------------------------------------------------------- */

/* A second program header, PT_NOTE, and another note before Xen's; `bytes` is the size of its description. */
static void put_note(struct test_image *t, bool wide, unsigned bytes)
{
    unsigned header = wide ? 120 : 84;

    put(t, wide ? 56 : 44, 2, 2);
    put(t, header, 4, 4);
    put(t, header + (wide ? 8 : 4), wide ? 8 : 4, NOTE_AT);
    put(t, header + (wide ? 32 : 16), wide ? 8 : 4, 24 + 16 + bytes);
    put(t, NOTE_AT, 4, 4);
    put(t, NOTE_AT + 4, 4, 5); /* padded to 8 */
    put(t, NOTE_AT + 8, 4, 18);
    memcpy(t->bytes + NOTE_AT + 12, "GNU", 4);
    put(t, NOTE_AT + 24, 4, 4);
    put(t, NOTE_AT + 28, 4, bytes);
    put(t, NOTE_AT + 32, 4, 18);
    memcpy(t->bytes + NOTE_AT + 36, "Xen", 4);
    put(t, NOTE_AT + 40, bytes, IMAGE_ADDRESS + 0x90);
}

static void make_pvh(struct test_image *t, bool wide, unsigned bytes)
{
    if (wide)
        make_elf64(t);
    else
        make_elf32(t);
    put(t, IMAGE_HEADER, 4, 0); /* no multiboot header */
    put_note(t, wide, bytes);
}

START_TEST(a_pvh_image_is_entered_at_its_notes_address_with_the_start_information_in_ebx)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct fixture *f = fixture_new(1, 1, 64 * MIB);
        struct test_image t;
        struct load_result result = { 0 };

        make_pvh(&t, wide, wide ? 8 : 4);
        ck_assert(load_kernel(f->platform, &t.image, "one two", NULL, 0, &result, NULL));
        ck_assert(result.protected_flat);
        ck_assert_uint_eq(result.entry, IMAGE_ADDRESS + 0x90);
        ck_assert_uint_eq(load(f, IMAGE_ADDRESS + 0x90, 1), t.bytes[IMAGE_CODE + 0x10]);
        ck_assert_uint_eq(load(f, result.ebx, 4), 0x336ec578);
        ck_assert_uint_eq(load(f, result.ebx + 4, 4), 1);
        ck_assert_uint_eq(load(f, result.ebx + 12, 4), 0); /* modules */
        ck_assert_uint_eq(load(f, result.ebx + 16, 8), 0);
        ck_assert_uint_eq(load(f, result.ebx + 32, 8), 0xf0000);
        expect_string(f, load(f, result.ebx + 24, 8), "one two");
        fixture_free(f);
    }
}
END_TEST

START_TEST(the_start_information_lists_modules_and_memory)
{
    static const uint8_t bytes[16] = { 0xab };
    const struct image modules[] = { { "a", bytes, 16, "first" }, { "b", bytes, 8, NULL } };
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    struct test_image t;
    struct load_result result;
    size_t count;
    const struct memory_range *range = platform_memory(f->platform, &count);
    spa_t list, map;

    make_pvh(&t, true, 8);
    ck_assert(load_kernel(f->platform, &t.image, "", modules, 2, &result, NULL));
    list = load(f, result.ebx + 16, 8);
    ck_assert_uint_eq(load(f, result.ebx + 12, 4), 2);
    ck_assert_uint_eq(load(f, list + 8, 8), 16);
    ck_assert_uint_eq(load(f, load(f, list, 8), 1), 0xab);
    expect_string(f, load(f, list + 16, 8), "first");
    ck_assert_uint_eq(load(f, list + 32, 8) & 0xfff, 0);
    ck_assert_uint_eq(load(f, list + 40, 8), 8);
    map = load(f, result.ebx + 40, 8);
    ck_assert_uint_eq(load(f, result.ebx + 48, 4), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(load(f, map + 24 * i, 8), range[i].base);
        ck_assert_uint_eq(load(f, map + 24 * i + 8, 8), range[i].size);
        ck_assert_uint_eq(load(f, map + 24 * i + 16, 8), range[i].type);
    }
    fixture_free(f);
}
END_TEST

START_TEST(multiboot_wins_over_a_pvh_note_and_what_is_neither_is_refused)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    struct test_image t;
    struct load_result result;

    make_elf32(&t);
    put_note(&t, false, 4);
    ck_assert(load_kernel(f->platform, &t.image, "", NULL, 0, &result, NULL));
    ck_assert_uint_eq(result.eax, 0x2badb002);
    make_pvh(&t, false, 4);
    put(&t, NOTE_AT + 32, 4, 17); /* another of Xen's notes */
    expect_refusal(&t.image, "", 0, 64 * MIB, "PVH entry note");
    make_pvh(&t, false, 4);
    put(&t, 84 + 16, 4, 0x7fffffff); /* a note segment beyond the file */
    expect_refusal(&t.image, "", 0, 64 * MIB, "PVH entry note");
    make_pvh(&t, false, 4);
    put(&t, NOTE_AT + 40, 4, 0x200000); /* an entry outside the segments */
    expect_refusal(&t.image, "", 0, 64 * MIB, "none of the loaded segments");
    fixture_free(f);
}
END_TEST

UNIT_TESTS("linux", a_bzimage_goes_to_its_preferred_address_with_header_and_rsdp_in_the_boot_parameters,
           the_boot_parameters_hold_the_platforms_memory_map,
           the_initrd_lies_as_high_as_kernel_and_memory_allow,
           a_bzimage_that_cannot_be_booted_is_refused_with_what_would_be_right,
           a_pvh_image_is_entered_at_its_notes_address_with_the_start_information_in_ebx,
           the_start_information_lists_modules_and_memory,
           multiboot_wins_over_a_pvh_note_and_what_is_neither_is_refused)
