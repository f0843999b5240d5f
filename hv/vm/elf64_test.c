/* SPDX-License-Identifier: MIT */
#include "hv/vm/elf64.h"

#include <string.h>

#include "sim/unit_test.h"

#define MEMORY 0x1000

struct program {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* A header, a segment of four bytes, and notes: one that is not meant, then the entry. */
struct image {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
    struct program program[2];
    uint8_t content[4];
    uint32_t notes[12];
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
        .ident = { 0x7F, 'E', 'L', 'F', 2, 1, 1 }, .type = 2, .machine = 62, .version = 1, .entry = 0xFFFFFFFF81000000,
        .phoff = offsetof(struct image, program), .phentsize = sizeof(struct program), .phnum = 2,
        .program = {
            { .type = 1, .offset = offsetof(struct image, content), .vaddr = 0xFFFFFFFF81000000, .paddr = 0x100,
              .filesz = 4, .memsz = 8 },
            { .type = 4, .offset = offsetof(struct image, notes), .filesz = sizeof(image.notes) },
        },
        .content = { 1, 2, 3, 4 },
        /* name "GNU", 5 bytes (padded to 8), type 18; name "Xen", 8 bytes, type 18 */
        .notes = { 4, 5, 18, 0x00554E47, 0x11111111, 0x22222222, 4, 8, 18, 0x006E6558, 0x01000850, 0 },
    };

    return image;
}

START_TEST(segments_are_placed_and_the_note_gives_the_entry)
{
    struct image image = good_image();
    uint32_t entry = 0;

    memset(memory, 0xEE, sizeof(memory));
    ck_assert(elf64_is(&image, sizeof(image)));
    ck_assert_ptr_null(elf64_load(&image, sizeof(image), place, NULL, &entry));
    ck_assert_uint_eq(entry, 0x01000850);
    ck_assert_mem_eq(memory + 0x100, ((uint8_t[]){ 1, 2, 3, 4, 0, 0, 0, 0, 0xEE }), 9);
}
END_TEST

START_TEST(bad_images_are_refused)
{
    uint32_t entry;

    for (unsigned i = 0; i < 9; i++) {
        struct image image = good_image();

        switch (i) {
        case 0: image.machine = 3; break;
        case 1: image.phoff = UINT64_MAX - 8; break;
        case 2: image.phentsize = 8; break;
        case 3: image.program[0].offset = sizeof(image) - 2; break;
        case 4: image.program[0].memsz = 2; break;
        case 5: image.program[0].paddr = MEMORY; break;
        case 6: image.notes[8] = 17; break;
        case 7: image.notes[7] = UINT32_MAX; break; /* longer than the segment */
        default: image.program[0].paddr = UINT64_MAX - 2; break;
        }
        ck_assert_msg(elf64_load(&image, sizeof(image), place, NULL, &entry) != NULL, "case %u", i);
    }
}
END_TEST

START_TEST(other_files_are_not_64_bit_elf)
{
    struct image image = good_image();

    ck_assert(!elf64_is(&image, 20));
    image.ident[4] = 1;
    ck_assert(!elf64_is(&image, sizeof(image)));
}
END_TEST

UNIT_TESTS("hv elf64", segments_are_placed_and_the_note_gives_the_entry, bad_images_are_refused,
           other_files_are_not_64_bit_elf)
