/* SPDX-License-Identifier: MIT */
#include "sim/platform/loader/elf.h"

#include <string.h>

#include "sim/platform/error.h"

#define EI_CLASS 4
#define EI_DATA 5
#define ELFCLASS32 1
#define ELFCLASS64 2
#define ELFDATA2LSB 1
#define EM_386 3
#define EM_X86_64 62
#define PT_LOAD 1
#define PF_X 1

bool image_has(const struct image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->size && size <= image->size - offset;
}

uint64_t image_value(const struct image *image, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    if (!image_has(image, offset, size))
        return 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)image->data[offset + i] << (8 * i);
    return value;
}

bool image_is_elf(const struct image *image)
{
    return image_has(image, 0, 4) && memcmp(image->data, "\177ELF", 4) == 0;
}

static bool elf_check_table(const struct elf *elf, const struct elf_table *table, const char *what, unsigned minimum,
                            GError **error)
{
    if (!table->count)
        return true;
    if (table->entry < minimum)
        return platform_fail(error, "%s: ELF %s headers of %u bytes each; at least %u are needed",
                             elf->image->name, what, table->entry, minimum);
    if (!image_has(elf->image, table->offset, (uint64_t)table->count * table->entry))
        return platform_fail(error, "%s: truncated: %u ELF %s headers of %u bytes at offset %#" PRIx64
                             ", but the file ends at %#zx", elf->image->name, table->count, what, table->entry,
                             table->offset, elf->image->size);
    return true;
}

static bool elf_check_identification(const struct image *image, GError **error)
{
    unsigned class = (unsigned)image_value(image, EI_CLASS, 1);
    unsigned data = (unsigned)image_value(image, EI_DATA, 1);
    unsigned header = class == ELFCLASS64 ? 64 : 52;

    if (!image_is_elf(image))
        return platform_fail(error, "%s: not an ELF file: it must begin with 7f 45 4c 46", image->name);
    if (class != ELFCLASS32 && class != ELFCLASS64)
        return platform_fail(error, "%s: ELF class %u; 1 (32-bit) or 2 (64-bit) would be right", image->name, class);
    if (data != ELFDATA2LSB)
        return platform_fail(error, "%s: ELF data encoding %u; 1 (little-endian) would be right", image->name, data);
    if (!image_has(image, 0, header))
        return platform_fail(error, "%s: truncated: an ELF header has %u bytes, the file only %zu", image->name,
                             header, image->size);
    return true;
}

bool elf_open(struct elf *elf, const struct image *image, GError **error)
{
    if (!elf_check_identification(image, error))
        return false;
    elf->image = image;
    elf->wide = image_value(image, EI_CLASS, 1) == ELFCLASS64;
    elf->machine = (unsigned)image_value(image, 18, 2);
    elf->entry = image_value(image, 24, elf->wide ? 8 : 4);
    if (elf->wide) {
        elf->segments.offset = image_value(image, 32, 8);
        elf->sections.offset = image_value(image, 40, 8);
    } else {
        elf->segments.offset = image_value(image, 28, 4);
        elf->sections.offset = image_value(image, 32, 4);
    }
    elf->segments.entry = (unsigned)image_value(image, elf->wide ? 54 : 42, 2);
    elf->segments.count = (unsigned)image_value(image, elf->wide ? 56 : 44, 2);
    elf->sections.entry = (unsigned)image_value(image, elf->wide ? 58 : 46, 2);
    elf->sections.count = (unsigned)image_value(image, elf->wide ? 60 : 48, 2);
    if (elf->machine != EM_386 && elf->machine != EM_X86_64)
        return platform_fail(error, "%s: ELF machine %u; 3 (80386) or 62 (x86-64) would be right", image->name,
                             elf->machine);
    return elf_check_table(elf, &elf->segments, "program", elf->wide ? 56 : 32, error);
}

static struct segment elf_segment(const struct elf *elf, uint64_t at)
{
    const struct image *image = elf->image;

    if (elf->wide)
        return (struct segment){
            .offset = image_value(image, at + 8, 8), .virtual_address = image_value(image, at + 16, 8),
            .address = image_value(image, at + 24, 8), .file_bytes = image_value(image, at + 32, 8),
            .memory_bytes = image_value(image, at + 40, 8), .executable = image_value(image, at + 4, 4) & PF_X,
        };
    return (struct segment){
        .offset = image_value(image, at + 4, 4), .virtual_address = image_value(image, at + 8, 4),
        .address = image_value(image, at + 12, 4), .file_bytes = image_value(image, at + 16, 4),
        .memory_bytes = image_value(image, at + 20, 4), .executable = image_value(image, at + 24, 4) & PF_X,
    };
}

static bool elf_check_segment(const struct elf *elf, unsigned number, const struct segment *segment, GError **error)
{
    const char *name = elf->image->name;

    if (segment->file_bytes > segment->memory_bytes)
        return platform_fail(error, "%s: ELF segment %u has %#" PRIx64 " bytes in the file but only %#" PRIx64
                             " in memory", name, number, segment->file_bytes, segment->memory_bytes);
    if (!image_has(elf->image, segment->offset, segment->file_bytes))
        return platform_fail(error, "%s: truncated: ELF segment %u has %#" PRIx64 " bytes at offset %#" PRIx64
                             ", but the file ends at %#zx", name, number, segment->file_bytes, segment->offset,
                             elf->image->size);
    if (segment->memory_bytes > UINT64_MAX - segment->address)
        return platform_fail(error, "%s: ELF segment %u of %#" PRIx64 " bytes at %#" PRIx64
                             " wraps round the end of the address space", name, number, segment->memory_bytes,
                             segment->address);
    return true;
}

bool elf_segments(const struct elf *elf, struct segment *segment, unsigned *count, GError **error)
{
    const struct elf_table *table = &elf->segments;

    *count = 0;
    if (table->count > ELF_SEGMENTS)
        return platform_fail(error, "%s: %u ELF program headers; at most %u are taken", elf->image->name,
                             table->count, ELF_SEGMENTS);
    for (unsigned i = 0; i < table->count; i++) {
        uint64_t at = table->offset + (uint64_t)i * table->entry;
        struct segment next = elf_segment(elf, at);

        if (image_value(elf->image, at, 4) != PT_LOAD || !next.memory_bytes)
            continue;
        if (!elf_check_segment(elf, i, &next, error))
            return false;
        segment[(*count)++] = next;
    }
    if (!*count)
        return platform_fail(error, "%s: the ELF file has no loadable segment (PT_LOAD)", elf->image->name);
    return true;
}

static unsigned image_segments(const struct image *image, bool all, struct image_code *to, unsigned limit)
{
    struct elf elf;
    struct segment segment[ELF_SEGMENTS];
    unsigned count = 0, found = 0;

    if (!elf_open(&elf, image, NULL) || !elf_segments(&elf, segment, &count, NULL))
        return 0;
    for (unsigned i = 0; i < count && found < limit; i++) {
        if (all || segment[i].executable)
            to[found++] = (struct image_code){ segment[i].address, segment[i].virtual_address,
                                               segment[i].memory_bytes };
    }
    return found;
}

unsigned image_code(const struct image *image, struct image_code *code, unsigned limit)
{
    return image_segments(image, false, code, limit);
}

unsigned image_memory(const struct image *image, struct image_code *memory, unsigned limit)
{
    return image_segments(image, true, memory, limit);
}
