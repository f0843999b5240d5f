/* SPDX-License-Identifier: MIT */
/* Expected values: Multiboot Specification 0.6.96, sections 3.1-3.3. */
#include "sim/platform/loader/images.h"

typedef void make_image(struct test_image *t);

static make_image *const all_images[] = { make_elf32, make_elf64, make_addresses };

static bool boot(struct fixture *f, const struct test_image *t, struct load_result *result, GError **error)
{
    return load_multiboot(f->platform, &t->image, "one two", NULL, 0, result, error);
}

START_TEST(every_kind_of_image_is_loaded_and_entered)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(all_images); i++) {
        struct fixture *f = fixture_new(1, 1, 64 * MIB);
        struct test_image t;
        struct load_result result = { 0 };

        store(f, IMAGE_ADDRESS + 0x100, 8, ~UINT64_C(0)); /* bss is cleared, also where something was */
        store(f, IMAGE_ADDRESS + 0x100 + IMAGE_BSS, 8, 0x55);
        all_images[i](&t);
        ck_assert(boot(f, &t, &result, NULL));
        ck_assert_uint_eq(result.entry, IMAGE_ADDRESS + 0x80);
        ck_assert_uint_eq(result.eax, 0x2badb002);
        ck_assert(result.protected_flat);
        for (unsigned k = 0; k < 16; k++)
            ck_assert_uint_eq(load(f, IMAGE_ADDRESS + 0x80 + k, 1), 0xc0 + k);
        ck_assert_uint_eq(load(f, IMAGE_ADDRESS, 4), 0x1badb002);
        ck_assert_uint_eq(load(f, IMAGE_ADDRESS + 0x100, 8), 0);
        ck_assert_uint_eq(load(f, IMAGE_ADDRESS + 0x100 + IMAGE_BSS, 8), 0x55);
        fixture_free(f);
    }
}
END_TEST

static void expect_string(struct fixture *f, spa_t at, const char *expected)
{
    for (unsigned i = 0; i <= strlen(expected); i++)
        ck_assert_uint_eq(load(f, at + i, 1), (uint8_t)expected[i]);
}

START_TEST(the_information_block_tells_memory_command_line_and_loader)
{
    struct fixture *f = fixture_new(1, 1, 4 * GIB);
    struct test_image t;
    struct load_result result;
    spa_t info;

    make_elf32(&t);
    ck_assert(boot(f, &t, &result, NULL));
    info = result.ebx;
    ck_assert_uint_lt(info, 0x9fc00);
    ck_assert_uint_eq(load(f, info, 4), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    ck_assert_uint_eq(load(f, info + 4, 4), 639);                        /* 9FC00h / 1024 */
    ck_assert_uint_eq(load(f, info + 8, 4), (0xbfff0000 - 0x100000) / 1024); /* up to the ACPI tables */
    expect_string(f, load(f, info + 16, 4), "one two");
    expect_string(f, load(f, info + 64, 4), "fam10h");
    ck_assert_uint_eq(load(f, info + 20, 4), 0);
    fixture_free(f);
}
END_TEST

START_TEST(the_memory_map_is_the_platforms)
{
    struct fixture *f = fixture_new(2, 1, 8 * GIB);
    struct test_image t;
    struct load_result result;
    size_t count;
    const struct memory_range *range = platform_memory(f->platform, &count);
    spa_t at;

    make_elf32(&t);
    ck_assert(boot(f, &t, &result, NULL));
    ck_assert_uint_eq(load(f, result.ebx + 44, 4), 24 * count);
    at = load(f, result.ebx + 48, 4);
    for (size_t i = 0; i < count; i++, at += 24) {
        ck_assert_uint_eq(load(f, at, 4), 20);
        ck_assert_uint_eq(load(f, at + 4, 8), range[i].base);
        ck_assert_uint_eq(load(f, at + 12, 8), range[i].size);
        ck_assert_uint_eq(load(f, at + 20, 4), range[i].type);
    }
    fixture_free(f);
}
END_TEST

START_TEST(modules_follow_on_page_boundaries_with_their_strings)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    struct test_image t;
    struct load_result result;
    uint8_t first[5000], second[3] = { 9, 8, 7 };
    const struct image modules[] = {
        { "a", first, sizeof first, "guest width=64" }, { "b", second, 3, NULL }, { "empty", NULL, 0, "x" },
    };
    spa_t list;

    memset(first, 0x5a, sizeof first);
    make_elf32(&t);
    ck_assert(load_multiboot(f->platform, &t.image, NULL, modules, 3, &result, NULL));
    ck_assert_uint_eq(load(f, result.ebx + 20, 4), 3);
    list = load(f, result.ebx + 24, 4);
    /* The image ends at 110000 + 100 + 2000 = 112100: modules at 113000, 115000 (5000 bytes later) and 116000. */
    ck_assert_uint_eq(load(f, list, 8), UINT64_C(0x113000) | (UINT64_C(0x113000) + 5000) << 32);
    ck_assert_uint_eq(load(f, list + 16, 8), UINT64_C(0x115000) | UINT64_C(0x115003) << 32);
    ck_assert_uint_eq(load(f, list + 32, 8), UINT64_C(0x116000) | UINT64_C(0x116000) << 32);
    expect_string(f, load(f, list + 8, 4), "guest width=64");
    expect_string(f, load(f, list + 24, 4), "");
    ck_assert_uint_eq(load(f, 0x113000 + 4999, 2), 0x005a);
    ck_assert_uint_eq(load(f, 0x115000, 4), 0x070809);
    expect_string(f, load(f, result.ebx + 16, 4), "");
    fixture_free(f);
}
END_TEST

START_TEST(the_information_block_keeps_clear_of_the_image)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    struct test_image t;
    struct load_result result;

    make_elf32(&t); /* a low image that ends at 9FC00 */
    put(&t, 24, 4, 0x90080);
    put(&t, 60, 4, 0x90000);
    put(&t, 64, 4, 0x90000);
    put(&t, 72, 4, 0xfc00);
    ck_assert(boot(f, &t, &result, NULL));
    ck_assert_uint_lt(result.ebx, 0x90000);
    ck_assert_uint_eq(load(f, 0x90080, 1), 0xc0);
    put(&t, 24, 4, 0x1080); /* one that leaves no room */
    put(&t, 60, 4, 0x1000);
    put(&t, 64, 4, 0x1000);
    put(&t, 72, 4, 0x9ec00);
    ck_assert(!boot(f, &t, &result, NULL));
    fixture_free(f);
}
END_TEST

/* One line that has `says` in it. */
static void expect_refused(const struct test_image *t, const char *says)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    struct load_result result;
    GError *error = NULL;

    ck_assert(!boot(f, t, &result, &error));
    ck_assert_ptr_nonnull(error);
    ck_assert_msg(strstr(error->message, says) != NULL, "\"%s\" does not say \"%s\"", error->message, says);
    ck_assert_ptr_null(strchr(error->message, '\n'));
    ck_assert(g_str_has_prefix(error->message, t->image.name));
    g_error_free(error);
    fixture_free(f);
}

#define REFUSED(make, offset, size, value, says)  \
    do {                                          \
        struct test_image t_;                     \
        make(&t_);                                \
        put(&t_, offset, size, value);            \
        expect_refused(&t_, says);                \
    } while (0)

START_TEST(each_defect_has_its_own_line)
{
    REFUSED(make_elf32, IMAGE_HEADER, 4, 0, "no multiboot header");
    REFUSED(make_elf32, IMAGE_HEADER + 8, 4, 0, "no multiboot header");
    REFUSED(make_elf32, 0, 4, 0, "neither an ELF file nor");
    REFUSED(make_elf32, 4, 1, 3, "ELF class 3; 1 (32-bit) or 2 (64-bit)");
    REFUSED(make_elf32, 5, 1, 2, "data encoding 2; 1 (little-endian)");
    REFUSED(make_elf32, 18, 2, 40, "ELF machine 40; 3 (80386) or 62 (x86-64)");
    REFUSED(make_elf32, 28, 4, 0x3f0, "truncated: 1 ELF program headers of 32 bytes at offset 0x3f0");
    REFUSED(make_elf32, 42, 2, 8, "of 8 bytes each; at least 32");
    REFUSED(make_elf32, 44, 2, 0, "no loadable segment");
    REFUSED(make_elf64, 56, 2, 0xffff, "truncated: 65535 ELF program headers");
    REFUSED(make_elf32, 56, 4, 0x380, "truncated: ELF segment 0 has 0x100 bytes at offset 0x380");
    REFUSED(make_elf64, 72, 8, UINT64_C(0xffffffffffffff80), "truncated: ELF segment 0"); /* offset + size wraps */
    REFUSED(make_elf32, 72, 4, 0x80, "0x100 bytes in the file but only 0x80 in memory");
    REFUSED(make_elf32, 64, 4, 0xa0000, "are not all RAM");
    REFUSED(make_elf32, 72, 4, 0x4000000, "are not all RAM");
    REFUSED(make_elf64, 88, 8, UINT64_C(0xfffffffffffffff0), "wraps round");
    REFUSED(make_elf32, 24, 4, 0x200000, "entry point 0x200000 lies in none of the loaded segments");
    REFUSED(make_addresses, IMAGE_HEADER + 16, 4, IMAGE_ADDRESS + 1, "load_addr");
    REFUSED(make_addresses, IMAGE_HEADER + 16, 4, IMAGE_ADDRESS - 0x101, "load_addr");
    REFUSED(make_addresses, IMAGE_HEADER + 20, 4, IMAGE_ADDRESS - 0x80, "load_end_addr");
    REFUSED(make_addresses, IMAGE_HEADER + 20, 4, IMAGE_ADDRESS + 0x400, "load_end_addr");
    REFUSED(make_addresses, IMAGE_HEADER + 24, 4, IMAGE_ADDRESS, "bss_end_addr");
    REFUSED(make_addresses, IMAGE_HEADER + 28, 4, 0, "lies in none");
}
END_TEST

START_TEST(a_requirement_that_the_loader_does_not_know_is_refused)
{
    struct test_image t;

    make_elf32(&t);
    put_header(&t, 0x83);
    expect_refused(&t, "flags 0x83 ask for what this loader does not know");
}
END_TEST

START_TEST(modules_that_do_not_fit_are_refused)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    struct test_image t;
    struct load_result result;
    uint8_t *large = g_malloc0(64 * MIB);
    const struct image module = { "large.img", large, 64 * MIB, NULL };
    GError *error = NULL;

    make_elf32(&t);
    ck_assert(!load_multiboot(f->platform, &t.image, NULL, &module, 1, &result, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "large.img: no RAM for this module of 67108864 bytes"));
    g_error_free(error);
    g_free(large);
    fixture_free(f);
}
END_TEST

START_TEST(the_limit_on_native_memory_is_told)
{
    struct fixture *f = g_new0(struct fixture, 1);
    struct platform_config config = fixture_config(f, 1, 1, 64 * MIB);
    struct platform *platform;
    struct test_image t;
    struct load_result result;
    GError *error = NULL;

    config.host_memory = 2 * MIB; /* one chunk: the module does not fit */
    platform = platform_new(&config, NULL);
    make_elf32(&t);
    ck_assert(load_multiboot(platform, &t.image, NULL, NULL, 0, &result, NULL));
    put(&t, 24, 4, 0x200080);
    put(&t, 60, 4, 0x200000);
    put(&t, 64, 4, 0x200000);
    ck_assert(!load_multiboot(platform, &t.image, NULL, NULL, 0, &result, &error));
    ck_assert_ptr_nonnull(strstr(error->message, "--host-memory"));
    g_error_free(error);
    platform_free(platform);
    g_free(f);
}
END_TEST

/* An image in a block of its own size, so that the sanitizers see every byte beyond it. */
static void boot_exactly(struct fixture *f, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = g_malloc(size);
    const struct image image = { "damaged", copy, size, NULL };
    struct load_result result;
    GError *error = NULL;
    uint64_t address;

    if (size)
        memcpy(copy, bytes, size);
    if (!load_multiboot(f->platform, &image, "", NULL, 0, &result, &error))
        ck_assert_ptr_null(strchr(error->message, '\n'));
    g_clear_error(&error);
    image_symbol(&image, "start", &address);
    image_symbol_at(&image, IMAGE_ADDRESS + 0x90, &address);
    g_free(copy);
}

START_TEST(truncation_at_every_length_is_survived)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    for (unsigned i = 0; i < G_N_ELEMENTS(all_images); i++) {
        struct test_image t;
        GError *error = NULL;
        struct load_result result;

        all_images[i](&t);
        for (size_t size = 0; size < IMAGE_BYTES; size++)
            boot_exactly(f, t.bytes, size);
        t.image.size = IMAGE_HEADER + 0xff; /* one byte of the segment is missing */
        ck_assert(!boot(f, &t, &result, &error));
        g_error_free(error);
    }
    fixture_free(f);
}
END_TEST

START_TEST(every_byte_flipped_is_survived)
{
    static const uint8_t flips[] = { 0x01, 0x80, 0xff };
    struct fixture *f = fixture_new(1, 1, 64 * MIB);

    for (unsigned i = 0; i < G_N_ELEMENTS(all_images); i++) {
        struct test_image t;

        all_images[i](&t);
        for (unsigned at = 0; at < IMAGE_BYTES; at++) {
            for (unsigned k = 0; k < G_N_ELEMENTS(flips); k++) {
                t.bytes[at] ^= flips[k];
                boot_exactly(f, t.bytes, IMAGE_BYTES);
                t.bytes[at] ^= flips[k];
            }
        }
    }
    fixture_free(f);
}
END_TEST

START_TEST(symbols_are_found_by_name_and_by_address)
{
    make_image *const makes[] = { make_elf32, make_elf64 };

    for (unsigned i = 0; i < 2; i++) {
        struct test_image t;
        uint64_t value = 0;

        makes[i](&t);
        ck_assert(image_symbol(&t.image, "start", &value));
        ck_assert_uint_eq(value, IMAGE_ADDRESS + 0x80);
        ck_assert(image_symbol(&t.image, "table", &value));
        ck_assert_uint_eq(value, IMAGE_ADDRESS + 0x180);
        ck_assert(!image_symbol(&t.image, "star", &value));
        ck_assert_str_eq(image_symbol_at(&t.image, IMAGE_ADDRESS + 0x17f, &value), "start");
        ck_assert_uint_eq(value, 0xff);
        ck_assert_str_eq(image_symbol_at(&t.image, IMAGE_ADDRESS + 0x1000, &value), "table");
        ck_assert_ptr_null(image_symbol_at(&t.image, IMAGE_ADDRESS, &value));
    }
}
END_TEST

START_TEST(an_image_without_symbols_has_none)
{
    struct test_image t;
    uint64_t value;

    make_addresses(&t);
    ck_assert(!image_symbol(&t.image, "start", &value));
    ck_assert_ptr_null(image_symbol_at(&t.image, 0, &value));
    make_elf32(&t);
    put(&t, 48, 2, 0);
    ck_assert(!image_symbol(&t.image, "start", &value));
}
END_TEST

START_TEST(firmware_ends_at_four_gib_and_is_shadowed_below_one_mib)
{
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    uint8_t *bytes = g_malloc0(0x30000);
    const struct image image = { "bios.bin", bytes, 0x30000, NULL };
    struct load_result result;

    for (unsigned i = 0; i < 0x30000; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    ck_assert(load_firmware(f->platform, &image, &result, NULL));
    ck_assert_uint_eq(result.entry, 0xfffffff0);
    ck_assert(!result.protected_flat);
    ck_assert_uint_eq(load(f, 0xfffffff0, 1), bytes[0x2fff0]);
    ck_assert_uint_eq(load(f, 0xfffd0000, 1), bytes[0]);
    ck_assert_uint_eq(load(f, 0xfffcffff, 1), 0xff);
    ck_assert_uint_eq(load(f, 0xfffffff0, 1), load(f, 0xffff0, 1));
    ck_assert_uint_eq(load(f, 0xe0000, 1), bytes[0x10000]); /* the last 128 KiB */
    store(f, 0xfffffff0, 1, 0x12); /* a flash does not take stores */
    ck_assert_uint_eq(load(f, 0xfffffff0, 1), bytes[0x2fff0]);
    platform_reset(f->platform, false); /* nor does a reset change it */
    ck_assert_uint_eq(load(f, 0xfffffff0, 1), bytes[0x2fff0]);
    g_free(bytes);
    fixture_free(f);
}
END_TEST

START_TEST(firmware_of_a_wrong_size_is_refused)
{
    static const size_t sizes[] = { 0, 1, 0xffff, 0x10001, 0x1010000 };
    struct fixture *f = fixture_new(1, 1, 64 * MIB);
    uint8_t *bytes = g_malloc0(0x1010000);

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const struct image image = { "bios.bin", bytes, sizes[i], NULL };
        struct load_result result;
        GError *error = NULL;

        ck_assert(!load_firmware(f->platform, &image, &result, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "a multiple of 65536 from 65536 to 16777216"));
        g_error_free(error);
    }
    g_free(bytes);
    fixture_free(f);
}
END_TEST

UNIT_TESTS("multiboot", every_kind_of_image_is_loaded_and_entered,
           the_information_block_tells_memory_command_line_and_loader, the_memory_map_is_the_platforms,
           modules_follow_on_page_boundaries_with_their_strings, the_information_block_keeps_clear_of_the_image,
           each_defect_has_its_own_line, a_requirement_that_the_loader_does_not_know_is_refused,
           modules_that_do_not_fit_are_refused, the_limit_on_native_memory_is_told,
           truncation_at_every_length_is_survived, every_byte_flipped_is_survived,
           symbols_are_found_by_name_and_by_address, an_image_without_symbols_has_none,
           firmware_ends_at_four_gib_and_is_shadowed_below_one_mib, firmware_of_a_wrong_size_is_refused)
