/* SPDX-License-Identifier: MIT */
#include "hv/vm/pvh.h"

#include "hv/core/memory.h"
#include "hv/core/options.h"
#include "hv/core/text.h"
#include "hv/vm/acpi_tables.h"
#include "hv/vm/modules.h"

#define START_MAGIC 0x336EC578u
#define START_VERSION 1
#define MAP_RAM 1
#define MAP_RESERVED 2
#define MAP_AT (PVH_START_INFO + 0x100)
#define MODULES_AT (PVH_START_INFO + 0x200)
#define COMMAND_LINE_AT (PVH_START_INFO + 0x300)
#define COMMAND_LINE_MAX 0xC00
#define ROM_START 0xE0000ull
#define ROM_BYTES 0x20000ull
#define RAMDISK_NAME_MAX 128

struct start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist, cmdline, rsdp, memmap;
    uint32_t memmap_entries, reserved;
};

struct start_module {
    uint64_t address, size, cmdline, reserved;
};

struct start_map {
    uint64_t address, size;
    uint32_t type, reserved;
};

static uint32_t write_map(struct guest *guest)
{
    struct guest_ram ram[GUEST_RAM_PIECES];
    struct start_map map[GUEST_RAM_PIECES + 1];
    unsigned pieces = guest_ram_told(guest, ram);

    for (unsigned i = 0; i < pieces; i++)
        map[i] = (struct start_map){ ram[i].start, ram[i].end - ram[i].start, MAP_RAM, 0 };
    map[pieces] = (struct start_map){ ROM_START, ROM_BYTES, MAP_RESERVED, 0 };
    return guest_write(guest, MAP_AT, map, (pieces + 1) * sizeof(map[0])) ? pieces + 1 : 0;
}

/* What follows the word `--`. */
static const char *command_line(const char *string)
{
    size_t length;

    for (const char *word = option_word(string, &length); length; word = option_word(word + length, &length))
        if (length == 2 && word[0] == '-' && word[1] == '-')
            return option_word(word + 2, &length);
    return "";
}

/* The module whose string begins with this word. */
static const struct multiboot_module *find_module(const char *name)
{
    size_t wanted = text_length(name), length;

    for (unsigned i = 0; i < modules_count(); i++) {
        const char *word = option_word(module_string(i), &length);

        if (length == wanted && memcmp(word, name, length) == 0)
            return module_at(i);
    }
    return NULL;
}

static const char *place_ramdisk(struct guest *guest, struct start_module *to)
{
    char name[RAMDISK_NAME_MAX] = "";
    const struct multiboot_module *module;
    struct guest_ram ram[GUEST_RAM_PIECES];
    uint64_t size;

    option_text(guest->string, "ramdisk", name, sizeof(name));
    if (!name[0])
        return NULL;
    module = find_module(name);
    if (!module)
        return "ramdisk= must be the first word of another module's string";
    guest_ram_told(guest, ram);
    size = module->end - module->start;
    if (size > (ram[1].end - ram[1].start) / 2)
        return "the ramdisk takes more than half of the guest's memory";
    *to = (struct start_module){ (ram[1].end - size) & ~(uint64_t)(PAGE_SIZE - 1), size, 0, 0 };
    return guest_write(guest, to->address, memory_pointer(module->start), size) ? NULL : "no memory for the ramdisk";
}

const char *pvh_write_start(struct guest *guest)
{
    uint8_t tables[ACPI_TABLES_MAX];
    struct start_module ramdisk = { 0, 0, 0, 0 };
    const char *line = command_line(guest->string), *wrong = place_ramdisk(guest, &ramdisk);
    struct start_info info = {
        .magic = START_MAGIC, .version = START_VERSION, .nr_modules = ramdisk.size != 0, .modlist = MODULES_AT,
        .cmdline = COMMAND_LINE_AT, .rsdp = ACPI_TABLES_AT, .memmap = MAP_AT, .memmap_entries = write_map(guest),
    };
    size_t length = text_length(line) + 1;

    if (wrong)
        return wrong;
    if (length > COMMAND_LINE_MAX)
        return "the guest's command line is too long";
    if (!info.memmap_entries || !guest_write(guest, PVH_START_INFO, &info, sizeof(info)) ||
        !guest_write(guest, MODULES_AT, &ramdisk, sizeof(ramdisk)) ||
        !guest_write(guest, COMMAND_LINE_AT, line, length) ||
        !guest_write(guest, ACPI_TABLES_AT, tables, acpi_tables_write(tables, guest->spec.vcpus)))
        return "not enough memory for the start information";
    return NULL;
}

void pvh_enter(struct vcpu *vcpu, uint32_t entry)
{
    svm_vcpu_set_entry(&vcpu->svm, entry, 0);
    vcpu->svm.registers.rbx = PVH_START_INFO;
    vlapic_set_virtual_wire(&vcpu->apic);
}
