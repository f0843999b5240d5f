/* SPDX-License-Identifier: MIT */
#include "hv/vm/bsd_symbols.h"

#include "hv/core/text.h"
#include "hv/vm/elf_format.h"

#define SECTIONS 3
#define SYMBOLS 1 /* section numbers in the copy */
#define STRINGS 2

struct tables {
    unsigned symbols, strings; /* section numbers in the image; symbols 0: none */
    struct elf_section symbols_section, strings_section;
    /* Offsets from the size word. */
    uint64_t header_bytes, symbols_at, strings_at, end;
};

/* What is put first; the size word stands apart from the aligned rest. */
struct head32 {
    struct elf32_header header;
    struct elf32_section sections[SECTIONS];
};
struct head64 {
    struct elf64_header header;
    struct elf64_section sections[SECTIONS];
};
#define SIZE_WORD_BYTES 4u

static uint64_t word_bytes(const struct elf *elf)
{
    return elf->wide ? 8 : 4;
}

static uint64_t round_up(uint64_t bytes, uint64_t align)
{
    return (bytes + align - 1) & ~(align - 1);
}

static const char *find_tables(const struct elf *elf, struct tables *tables)
{
    const char *wrong = NULL;

    tables->symbols = 0;
    for (unsigned i = 1; i < elf->shnum && !wrong && !tables->symbols; i++) {
        wrong = elf_section(elf, i, &tables->symbols_section);
        if (!wrong && tables->symbols_section.type == ELF_SHT_SYMTAB)
            tables->symbols = i;
    }
    if (wrong || !tables->symbols)
        return wrong;
    tables->strings = tables->symbols_section.link;
    wrong = elf_section(elf, tables->strings, &tables->strings_section);
    if (wrong)
        return wrong;
    return tables->strings_section.type == ELF_SHT_STRTAB ? NULL : "ELF symbol table has no string table";
}

static const char *lay_out(const struct elf *elf, struct tables *tables)
{
    const char *wrong = find_tables(elf, tables);
    uint64_t align = word_bytes(elf);

    if (wrong || !tables->symbols)
        return wrong;
    tables->header_bytes = SIZE_WORD_BYTES + (elf->wide ? sizeof(struct head64) : sizeof(struct head32));
    tables->symbols_at = round_up(tables->header_bytes, align);
    tables->strings_at = round_up(tables->symbols_at + tables->symbols_section.size, align);
    tables->end = round_up(tables->strings_at + tables->strings_section.size, align);
    return tables->end > UINT32_MAX ? "ELF symbol table is larger than its 32-bit size can say" : NULL;
}

const char *bsd_symbols_measure(const struct elf *elf, uint64_t end, struct elf_extent *extent)
{
    struct tables tables;
    const char *wrong = lay_out(elf, &tables);

    *extent = (struct elf_extent){ 0, 0 };
    if (wrong || !tables.symbols)
        return wrong;
    if (end > UINT64_MAX - tables.end - word_bytes(elf))
        return "ELF symbol table goes beyond the end of all addresses";
    extent->start = round_up(end, word_bytes(elf));
    extent->end = extent->start + tables.end;
    return NULL;
}

/* The two headers differ in the widths of fields alone. */
#define FILL_HEAD(head, elf, tables)                                                                                   \
    do {                                                                                                               \
        memcpy(&(head)->header, (elf)->bytes, sizeof((head)->header));                                                 \
        (head)->header.phoff = 0;                                                                                      \
        (head)->header.phnum = (head)->header.phentsize = (head)->header.shstrndx = 0;                                 \
        (head)->header.ehsize = sizeof((head)->header);                                                                \
        (head)->header.shoff = sizeof((head)->header);                                                                 \
        (head)->header.shentsize = sizeof((head)->sections[0]);                                                        \
        (head)->header.shnum = SECTIONS;                                                                               \
        memset(&(head)->sections[0], 0, sizeof((head)->sections[0]));                                                  \
        memcpy(&(head)->sections[SYMBOLS], row((elf), (tables)->symbols), sizeof((head)->sections[0]));                \
        memcpy(&(head)->sections[STRINGS], row((elf), (tables)->strings), sizeof((head)->sections[0]));                \
        (head)->sections[SYMBOLS].name = (head)->sections[STRINGS].name = 0; /* no table of names goes with them */    \
        (head)->sections[SYMBOLS].link = STRINGS;                                                                      \
        (head)->sections[SYMBOLS].offset = (uint32_t)((tables)->symbols_at - SIZE_WORD_BYTES);                         \
        (head)->sections[STRINGS].offset = (uint32_t)((tables)->strings_at - SIZE_WORD_BYTES);                         \
    } while (0)

static const uint8_t *row(const struct elf *elf, unsigned section)
{
    return elf->bytes + elf->shoff + (uint64_t)section * elf->shentsize;
}

const char *bsd_symbols_load(const struct elf *elf, const struct elf_extent *extent, elf_place *place, void *ctx)
{
    uint8_t first[SIZE_WORD_BYTES + sizeof(struct head64)];
    union {
        struct head32 narrow;
        struct head64 wide;
    } head;
    struct tables tables;
    const char *wrong = lay_out(elf, &tables);
    uint32_t size;

    if (wrong || !tables.symbols)
        return wrong;
    if (elf->wide)
        FILL_HEAD(&head.wide, elf, &tables);
    else
        FILL_HEAD(&head.narrow, elf, &tables);
    size = (uint32_t)(tables.strings_at + tables.strings_section.size - SIZE_WORD_BYTES);
    memcpy(first, &size, sizeof(size));
    memcpy(first + SIZE_WORD_BYTES, &head, tables.header_bytes - SIZE_WORD_BYTES);
    if (!place(ctx, extent->start, first, tables.header_bytes, tables.symbols_at) ||
        !place(ctx, extent->start + tables.symbols_at, elf->bytes + tables.symbols_section.offset,
               tables.symbols_section.size, tables.strings_at - tables.symbols_at) ||
        !place(ctx, extent->start + tables.strings_at, elf->bytes + tables.strings_section.offset,
               tables.strings_section.size, tables.end - tables.strings_at))
        return "ELF symbol table lies outside the guest's memory";
    return NULL;
}
