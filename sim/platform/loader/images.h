/* SPDX-License-Identifier: MIT */
/* For the loaders' tests: small images built byte by byte. */
#ifndef FAM10H_PLATFORM_LOADER_IMAGES_H
#define FAM10H_PLATFORM_LOADER_IMAGES_H

#include "sim/platform/fixture.h"

#define IMAGE_BYTES 0x400
#define IMAGE_HEADER 0x100     /* offset of the multiboot header */
#define IMAGE_CODE 0x180       /* offset of the loaded bytes; header included: from IMAGE_HEADER */
#define IMAGE_ADDRESS 0x110000
#define IMAGE_BSS 0x2000       /* bytes of memory beyond the file's */
#define IMAGE_SYMBOLS 0x200

struct test_image {
    uint8_t bytes[IMAGE_BYTES];
    struct image image;
};

static inline void put(struct test_image *t, unsigned offset, unsigned size, uint64_t value)
{
    memcpy(t->bytes + offset, &value, size);
}

static inline void put_header(struct test_image *t, uint32_t flags)
{
    put(t, IMAGE_HEADER, 4, 0x1badb002);
    put(t, IMAGE_HEADER + 4, 4, flags);
    put(t, IMAGE_HEADER + 8, 4, (uint32_t)-(0x1badb002 + flags));
}

static inline void image_finish(struct test_image *t, const char *name)
{
    for (unsigned i = 0; i < 16; i++)
        t->bytes[IMAGE_CODE + i] = (uint8_t)(0xc0 + i);
    t->image = (struct image){ name, t->bytes, IMAGE_BYTES, NULL };
}

/* One symbol table of `start` (at the entry) and `table` (100h above), after the null entry. */
static inline void put_symbols(struct test_image *t, bool wide)
{
    unsigned entry = wide ? 24 : 16, section = wide ? 64 : 40, at = IMAGE_SYMBOLS, headers = 0x300;

    for (unsigned i = 1; i <= 2; i++) {
        put(t, at + i * entry, 4, i == 1 ? 1 : 7);
        put(t, at + i * entry + (wide ? 4 : 12), 1, 0x12);
        put(t, at + i * entry + (wide ? 6 : 14), 2, 1);
        put(t, at + i * entry + (wide ? 8 : 4), wide ? 8 : 4, IMAGE_ADDRESS + 0x80 + (i - 1) * 0x100);
    }
    memcpy(t->bytes + 0x2c0, "\0start\0table", 13);
    /* section 1: SHT_SYMTAB, link 2; section 2: its strings */
    put(t, headers + section + 4, 4, 2);
    put(t, headers + section + (wide ? 24 : 16), 4, at);
    put(t, headers + section + (wide ? 32 : 20), 4, 3 * entry);
    put(t, headers + section + (wide ? 40 : 24), 4, 2);
    put(t, headers + 2 * section + 4, 4, 3);
    put(t, headers + 2 * section + (wide ? 24 : 16), 4, 0x2c0);
    put(t, headers + 2 * section + (wide ? 32 : 20), 4, 13);
}

static inline void make_elf32(struct test_image *t)
{
    memset(t, 0, sizeof *t);
    memcpy(t->bytes, "\177ELF\1\1\1", 7);
    put(t, 16, 2, 2);
    put(t, 18, 2, 3);                    /* 80386 */
    put(t, 20, 4, 1);
    put(t, 24, 4, IMAGE_ADDRESS + 0x80); /* entry: IMAGE_CODE's place */
    put(t, 28, 4, 52);
    put(t, 32, 4, 0x300);
    put(t, 40, 2, 52);
    put(t, 42, 2, 32);
    put(t, 44, 2, 1);
    put(t, 46, 2, 40);
    put(t, 48, 2, 3);
    put(t, 52, 4, 1);                    /* PT_LOAD of header and code */
    put(t, 56, 4, IMAGE_HEADER);
    put(t, 60, 4, IMAGE_ADDRESS);
    put(t, 64, 4, IMAGE_ADDRESS);
    put(t, 68, 4, 0x100);
    put(t, 72, 4, 0x100 + IMAGE_BSS);
    put_header(t, 3);
    put_symbols(t, false);
    image_finish(t, "elf32");
}

static inline void make_elf64(struct test_image *t)
{
    memset(t, 0, sizeof *t);
    memcpy(t->bytes, "\177ELF\2\1\1", 7);
    put(t, 16, 2, 2);
    put(t, 18, 2, 62);                   /* x86-64 */
    put(t, 20, 4, 1);
    put(t, 24, 8, UINT64_C(0xffffffff80110080)); /* virtual; its segment lies at IMAGE_ADDRESS */
    put(t, 32, 8, 64);
    put(t, 40, 8, 0x300);
    put(t, 52, 2, 64);
    put(t, 54, 2, 56);
    put(t, 56, 2, 1);
    put(t, 58, 2, 64);
    put(t, 60, 2, 3);
    put(t, 64, 4, 1);
    put(t, 72, 8, IMAGE_HEADER);
    put(t, 80, 8, UINT64_C(0xffffffff80110000));
    put(t, 88, 8, IMAGE_ADDRESS);
    put(t, 96, 8, 0x100);
    put(t, 104, 8, 0x100 + IMAGE_BSS);
    put_header(t, 3);
    put_symbols(t, true);
    image_finish(t, "elf64");
}

static inline void make_addresses(struct test_image *t)
{
    memset(t, 0, sizeof *t);
    put_header(t, 0x10003);
    put(t, IMAGE_HEADER + 12, 4, IMAGE_ADDRESS);                     /* header_addr */
    put(t, IMAGE_HEADER + 16, 4, IMAGE_ADDRESS - 0x40);              /* load_addr: from offset C0h */
    put(t, IMAGE_HEADER + 20, 4, IMAGE_ADDRESS + 0x100);             /* load_end_addr */
    put(t, IMAGE_HEADER + 24, 4, IMAGE_ADDRESS + 0x100 + IMAGE_BSS); /* bss_end_addr */
    put(t, IMAGE_HEADER + 28, 4, IMAGE_ADDRESS + 0x80);              /* entry_addr */
    image_finish(t, "addresses");
}

#endif
