/* SPDX-License-Identifier: MIT */
#include "hv/vm/elf32.h"

#include <string.h>

#include "sim/unit_test.h"

#define MEMORY 0x1000

/* A header and one program header, then four bytes of content. */
struct image {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
    uint32_t p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align;
    uint8_t content[4];
};

static uint8_t memory[MEMORY];

static bool place(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size)
{
    (void)ctx;
    if (address + memory_size > MEMORY)
        return false;
    memcpy(memory + address, data, size);
    memset(memory + address + size, 0, memory_size - size);
    return true;
}

static struct image good_image(void)
{
    struct image image = {
        .ident = { 0x7F, 'E', 'L', 'F', 1, 1, 1 }, .type = 2, .machine = 3, .version = 1, .entry = 0x104,
        .phoff = 52, .ehsize = 52, .phentsize = 32, .phnum = 1,
        .p_type = 1, .p_offset = 84, .p_vaddr = 0x900, .p_paddr = 0x100, .p_filesz = 4, .p_memsz = 8,
        .content = { 1, 2, 3, 4 },
    };

    return image;
}

START_TEST(a_segment_goes_to_its_physical_address_and_its_rest_is_cleared)
{
    struct image image = good_image();
    uint32_t entry = 0;

    memset(memory, 0xEE, sizeof(memory));
    ck_assert_ptr_null(elf32_load(&image, sizeof(image), place, NULL, &entry));
    ck_assert_uint_eq(entry, 0x104);
    ck_assert_mem_eq(memory + 0xFF, "\xEE\1\2\3\4\0\0\0\0\xEE", 10);
}
END_TEST

START_TEST(truncated_images_are_refused_at_every_length)
{
    struct image image = good_image();
    uint32_t entry;

    for (size_t size = 0; size < sizeof(image); size++)
        ck_assert_ptr_nonnull(elf32_load(&image, size, place, NULL, &entry));
}
END_TEST

START_TEST(lying_headers_are_refused)
{
    uint32_t entry;
    struct image image;

#define REFUSED(change)                                                              \
    image = good_image();                                                            \
    change;                                                                          \
    ck_assert_ptr_nonnull(elf32_load(&image, sizeof(image), place, NULL, &entry))
    REFUSED(image.ident[4] = 2);
    REFUSED(image.machine = 62);
    REFUSED(image.type = 3);
    REFUSED(image.phoff = 0xFFFFFFFF);
    REFUSED(image.phnum = 2);
    REFUSED(image.phentsize = 31);
    REFUSED(image.p_offset = 0xFFFFFFFE);
    REFUSED(image.p_filesz = 9);
    REFUSED(image.p_filesz = image.p_memsz = 0xFFFFFFFF);
    REFUSED(image.p_memsz = MEMORY);
#undef REFUSED
}
END_TEST

UNIT_TESTS("hv elf32", a_segment_goes_to_its_physical_address_and_its_rest_is_cleared,
           truncated_images_are_refused_at_every_length, lying_headers_are_refused)
