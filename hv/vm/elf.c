/* SPDX-License-Identifier: MIT */
#include "hv/vm/elf.h"

#include "hv/core/text.h"
#include "hv/vm/elf_format.h"

#define EM_386 3
#define EM_X86_64 62
#define ET_EXEC 2

static bool inside(uint64_t offset, uint64_t length, size_t size)
{
    return offset <= size && length <= size - offset;
}

/* From a row of either class, field by field. */
#define COPY_SEGMENT(to, from)                                                                                        \
    (*(to) = (struct elf_segment){ (from).type, (from).offset, (from).vaddr, (from).paddr, (from).filesz,             \
                                   (from).memsz, (from).align })
#define COPY_SECTION(to, from)                                                                                        \
    (*(to) = (struct elf_section){ (from).name, (from).type, (from).link, (from).offset, (from).size, (from).align })
#define COPY_HEADER(to, from)                                                                                         \
    ((to)->entry = (from).entry, (to)->phoff = (from).phoff, (to)->shoff = (from).shoff,                              \
     (to)->phentsize = (from).phentsize, (to)->phnum = (from).phnum, (to)->shentsize = (from).shentsize,              \
     (to)->shnum = (from).shnum, (to)->shstrndx = (from).shstrndx)

static const char *read_header32(struct elf *elf)
{
    struct elf32_header header;

    memcpy(&header, elf->bytes, sizeof(header));
    if (header.type != ET_EXEC || header.machine != EM_386)
        return "image is no 32-bit x86 ELF executable";
    COPY_HEADER(elf, header);
    return NULL;
}

static const char *read_header64(struct elf *elf)
{
    struct elf64_header header;

    memcpy(&header, elf->bytes, sizeof(header));
    if (header.type != ET_EXEC || header.machine != EM_X86_64)
        return "image is no 64-bit x86 ELF executable";
    COPY_HEADER(elf, header);
    return NULL;
}

static const char *check_tables(const struct elf *elf)
{
    size_t segment = elf->wide ? sizeof(struct elf64_segment) : sizeof(struct elf32_segment);
    size_t section = elf->wide ? sizeof(struct elf64_section) : sizeof(struct elf32_section);

    if (elf->phnum > ELF_SEGMENTS_MAX)
        return "ELF image has more than 64 program headers";
    if (elf->phentsize < segment || !inside(elf->phoff, (uint64_t)elf->phnum * elf->phentsize, elf->size))
        return "ELF program headers lie outside the image";
    if (elf->shnum &&
        (elf->shentsize < section || !inside(elf->shoff, (uint64_t)elf->shnum * elf->shentsize, elf->size)))
        return "ELF section headers lie outside the image";
    return NULL;
}

const char *elf_open(struct elf *elf, const void *image, size_t size)
{
    static const uint8_t magic[] = { 0x7F, 'E', 'L', 'F' };
    const uint8_t *ident = image;
    const char *wrong;

    *elf = (struct elf){ .bytes = image, .size = size };
    if (size < ELF_IDENT_BYTES || memcmp(ident, magic, sizeof(magic)))
        return "image is no ELF file";
    if ((ident[ELF_CLASS] != ELF_CLASS32 && ident[ELF_CLASS] != ELF_CLASS64) || ident[ELF_DATA] != ELF_LITTLE_ENDIAN ||
        ident[ELF_VERSION] != 1)
        return "image is no x86 ELF file: its class, byte order or version is another";
    elf->wide = ident[ELF_CLASS] == ELF_CLASS64;
    if (size < (elf->wide ? sizeof(struct elf64_header) : sizeof(struct elf32_header)))
        return "image is shorter than an ELF header";
    wrong = elf->wide ? read_header64(elf) : read_header32(elf);
    return wrong ? wrong : check_tables(elf);
}

const char *elf_segment(const struct elf *elf, unsigned index, struct elf_segment *segment)
{
    const uint8_t *row = elf->bytes + elf->phoff + (uint64_t)index * elf->phentsize;

    if (elf->wide) {
        struct elf64_segment wide;

        memcpy(&wide, row, sizeof(wide));
        COPY_SEGMENT(segment, wide);
    } else {
        struct elf32_segment narrow;

        memcpy(&narrow, row, sizeof(narrow));
        COPY_SEGMENT(segment, narrow);
    }
    if (segment->type != ELF_PT_LOAD && segment->type != ELF_PT_NOTE)
        return NULL;
    if (!inside(segment->offset, segment->filesz, elf->size))
        return "ELF segment lies outside the image";
    if (segment->type == ELF_PT_LOAD && segment->filesz > segment->memsz)
        return "ELF segment is smaller in memory than in the image";
    if (segment->type == ELF_PT_LOAD && segment->paddr + segment->memsz < segment->paddr)
        return "ELF segment goes beyond the end of all addresses";
    return NULL;
}

const char *elf_section(const struct elf *elf, unsigned index, struct elf_section *section)
{
    const uint8_t *row = elf->bytes + elf->shoff + (uint64_t)index * elf->shentsize;

    if (index >= elf->shnum)
        return "ELF section has a number that no section has";
    if (elf->wide) {
        struct elf64_section wide;

        memcpy(&wide, row, sizeof(wide));
        COPY_SECTION(section, wide);
    } else {
        struct elf32_section narrow;

        memcpy(&narrow, row, sizeof(narrow));
        COPY_SECTION(section, narrow);
    }
    if (section->type != ELF_SHT_NOBITS && !inside(section->offset, section->size, elf->size))
        return "ELF section lies outside the image";
    return NULL;
}

bool elf_section_is_named(const struct elf *elf, const struct elf_section *section, const char *name)
{
    size_t bytes = text_length(name) + 1;
    struct elf_section names;

    if (elf_section(elf, elf->shstrndx, &names) || names.type != ELF_SHT_STRTAB)
        return false;
    return inside(section->name, bytes, names.size) &&
           memcmp(elf->bytes + names.offset + section->name, name, bytes) == 0;
}

/* Whether a loaded segment before `index` shares a byte with this one. */
static bool overlaps_an_earlier_one(const struct elf *elf, unsigned index, const struct elf_segment *segment)
{
    struct elf_segment other;

    for (unsigned i = 0; i < index; i++) {
        elf_segment(elf, i, &other); /* that it is sound was asked in its turn */
        if (other.type == ELF_PT_LOAD && other.paddr < segment->paddr + segment->memsz &&
            segment->paddr < other.paddr + other.memsz)
            return true;
    }
    return false;
}

const char *elf_measure(const struct elf *elf, struct elf_extent *extent)
{
    struct elf_segment segment;

    *extent = (struct elf_extent){ UINT64_MAX, 0 };
    for (unsigned i = 0; i < elf->phnum; i++) {
        const char *wrong = elf_segment(elf, i, &segment);

        if (wrong)
            return wrong;
        if (segment.type != ELF_PT_LOAD || !segment.memsz)
            continue;
        if (overlaps_an_earlier_one(elf, i, &segment))
            return "ELF segments overlap in memory";
        if (segment.paddr < extent->start)
            extent->start = segment.paddr;
        if (segment.paddr + segment.memsz > extent->end)
            extent->end = segment.paddr + segment.memsz;
    }
    return extent->end ? NULL : "ELF image has no segment to load";
}

const char *elf_load(const struct elf *elf, elf_place *place, void *ctx)
{
    struct elf_segment segment;
    struct elf_extent extent;
    const char *wrong = elf_measure(elf, &extent);

    for (unsigned i = 0; i < elf->phnum && !wrong; i++) {
        wrong = elf_segment(elf, i, &segment);
        if (!wrong && segment.type == ELF_PT_LOAD && segment.memsz &&
            !place(ctx, segment.paddr, elf->bytes + segment.offset, segment.filesz, segment.memsz))
            wrong = "ELF segment lies outside the guest's memory";
    }
    return wrong;
}
