/* SPDX-License-Identifier: MIT */
/* Symbols of an ELF image by name and by address. A damaged table has no symbols; nothing is trusted. */
#include <string.h>

#include "sim/platform/loader/elf.h"

#define SHT_SYMTAB 2
#define SHN_UNDEF 0
#define STT_SECTION 3
#define STT_FILE 4

struct symbol {
    const char *name;
    uint64_t address;
};

/* The symbol table and its strings; count 0 if there is none. */
struct symbol_table {
    const struct elf *elf;
    uint64_t offset, count, entry;
    uint64_t strings, strings_size;
};

/* A field of section header `index`: its place differs between the classes. */
static uint64_t section_value(const struct elf *elf, unsigned index, unsigned at32, unsigned at64, unsigned size64)
{
    uint64_t base = elf->sections.offset + (uint64_t)index * elf->sections.entry;

    return elf->wide ? image_value(elf->image, base + at64, size64) : image_value(elf->image, base + at32, 4);
}

static bool symbol_table_from(struct symbol_table *table, const struct elf *elf, unsigned section)
{
    uint64_t size = section_value(elf, section, 20, 32, 8);
    unsigned link = (unsigned)section_value(elf, section, 24, 40, 4);

    table->elf = elf;
    table->entry = elf->wide ? 24 : 16;
    table->offset = section_value(elf, section, 16, 24, 8);
    if (!image_has(elf->image, table->offset, size) || link >= elf->sections.count)
        return false;
    table->count = size / table->entry;
    table->strings = section_value(elf, link, 16, 24, 8);
    table->strings_size = section_value(elf, link, 20, 32, 8);
    return image_has(elf->image, table->strings, table->strings_size);
}

static bool symbol_table_find(struct symbol_table *table, struct elf *elf, const struct image *image)
{
    uint64_t bytes;

    if (!elf_open(elf, image, NULL))
        return false;
    bytes = (uint64_t)elf->sections.count * elf->sections.entry;
    if (elf->sections.entry < (elf->wide ? 64 : 40) || !image_has(image, elf->sections.offset, bytes))
        return false;
    for (unsigned i = 0; i < elf->sections.count; i++) {
        if (section_value(elf, i, 4, 4, 4) == SHT_SYMTAB)
            return symbol_table_from(table, elf, i);
    }
    return false;
}

/* Entry `index` if it names an address: not a section, a file, an undefined symbol, or a name without end. */
static bool symbol_get(const struct symbol_table *table, uint64_t index, struct symbol *symbol)
{
    const struct image *image = table->elf->image;
    uint64_t at = table->offset + index * table->entry;
    bool wide = table->elf->wide;
    uint64_t name = image_value(image, at, 4);
    unsigned type = (unsigned)image_value(image, at + (wide ? 4 : 12), 1) & 15;
    unsigned section = (unsigned)image_value(image, at + (wide ? 6 : 14), 2);

    if (type == STT_SECTION || type == STT_FILE || section == SHN_UNDEF || name >= table->strings_size)
        return false;
    symbol->name = (const char *)image->data + table->strings + name;
    if (!memchr(symbol->name, 0, table->strings_size - name) || !*symbol->name)
        return false;
    symbol->address = image_value(image, at + (wide ? 8 : 4), wide ? 8 : 4);
    return true;
}

bool image_symbol(const struct image *image, const char *name, uint64_t *address)
{
    struct elf elf;
    struct symbol_table table;
    struct symbol symbol;

    if (!symbol_table_find(&table, &elf, image))
        return false;
    for (uint64_t i = 0; i < table.count; i++) {
        if (symbol_get(&table, i, &symbol) && strcmp(symbol.name, name) == 0) {
            *address = symbol.address;
            return true;
        }
    }
    return false;
}

const char *image_symbol_at(const struct image *image, uint64_t address, uint64_t *offset)
{
    struct elf elf;
    struct symbol_table table;
    struct symbol symbol, best = { NULL, 0 };

    if (!symbol_table_find(&table, &elf, image))
        return NULL;
    for (uint64_t i = 0; i < table.count; i++) {
        if (!symbol_get(&table, i, &symbol) || symbol.address > address)
            continue;
        if (!best.name || symbol.address > best.address)
            best = symbol;
    }
    if (best.name)
        *offset = address - best.address;
    return best.name;
}
