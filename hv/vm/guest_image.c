/* SPDX-License-Identifier: MIT */
#include "hv/vm/guest_image.h"

#include "hv/core/memory.h"
#include "hv/core/text.h"
#include "hv/vm/elf.h"
#include "hv/vm/kernel_notes.h"
#include "hv/vm/pvh.h"
#include "hv/vm/real_mode.h"

#define BOOT_INFO 0x9000ull      /* multiboot information block, then the map, then the command line */
#define BOOT_MMAP (BOOT_INFO + 0x100)
#define BOOT_STRING (BOOT_INFO + 0x200)
#define BOOT_STRING_MAX 0x600
#define BOOT_STACK 0x8000u

/* What a multiboot loader leaves (multiboot 0.6.96, 3.3): memory sizes, map, command line. */
static bool write_boot_information(struct guest *guest)
{
    struct guest_ram ram[GUEST_RAM_PIECES];
    struct multiboot_mmap map[GUEST_RAM_PIECES];
    unsigned pieces = guest_ram_told(guest, ram);
    struct multiboot_info info = {
        .flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MMAP,
        .mem_lower = (uint32_t)(ram[0].end >> 10),
        .mem_upper = (uint32_t)((ram[1].end - ram[1].start) >> 10),
        .cmdline = BOOT_STRING,
        .mmap_length = pieces * (uint32_t)sizeof(map[0]),
        .mmap_addr = BOOT_MMAP,
    };
    uint64_t length = text_length(guest->string) + 1;

    for (unsigned i = 0; i < pieces; i++)
        map[i] = (struct multiboot_mmap){ sizeof(map[i]) - 4, ram[i].start, ram[i].end - ram[i].start,
                                          MULTIBOOT_MEMORY_RAM };
    return length <= BOOT_STRING_MAX && guest_write(guest, BOOT_INFO, &info, sizeof(info)) &&
           guest_write(guest, BOOT_MMAP, map, pieces * sizeof(map[0])) &&
           guest_write(guest, BOOT_STRING, guest->string, length);
}

static void enter_multiboot(struct vcpu *vcpu, uint32_t entry)
{
    svm_vcpu_set_entry(&vcpu->svm, entry, BOOT_STACK);
    svm_set_rax(&vcpu->svm, MULTIBOOT_LOADER_MAGIC);
    vcpu->svm.registers.rbx = BOOT_INFO;
}

static bool place_segment(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size)
{
    struct guest *guest = ctx;

    return guest_write(guest, address, data, size) &&
           guest_zero(guest, address + size, memory_size - size);
}

/* The segments, and where the kernel begins: a 64-bit one has a Xen note that says it, a 32-bit one its header. */
static const char *load_image(struct guest *guest, const struct elf *elf, uint32_t *entry)
{
    struct kernel_notes notes;
    const char *wrong = elf->wide ? kernel_notes_read(elf, &notes) : NULL;

    if (!wrong && elf->wide && !kernel_note_is_given(&notes, NOTE_PHYS32_ENTRY))
        wrong = "64-bit ELF image has no Xen note 18 (a PVH entry)";
    if (!wrong)
        *entry = elf->wide ? notes.phys32_entry : (uint32_t)elf->entry;
    return wrong ? wrong : elf_load(elf, place_segment, guest);
}

static void make_first_runnable(struct guest *guest)
{
    guest->vcpus[0].initialised = true;
    guest->vcpus[0].state = VCPU_RUNNABLE;
}

static const char *load_flat(struct guest *guest, const struct multiboot_module *module)
{
    const char *wrong = real_mode_load(guest, module);

    if (wrong)
        return wrong;
    if (!guest_create_vcpus(guest))
        return "not enough memory for the vCPUs";
    real_mode_enter(&guest->vcpus[0]);
    make_first_runnable(guest);
    return NULL;
}

/* A 64-bit ELF kernel enters the PVH way, a 32-bit one as from a multiboot loader. */
static const char *load_elf(struct guest *guest, const struct multiboot_module *module)
{
    struct elf elf;
    uint32_t entry;
    const char *wrong = elf_open(&elf, memory_pointer(module->start), module->end - module->start);
    bool pvh = elf.wide;

    if (!wrong)
        wrong = load_image(guest, &elf, &entry);
    if (!wrong && pvh)
        wrong = pvh_write_start(guest);
    else if (!wrong && !write_boot_information(guest))
        wrong = "the guest's command line is too long";
    if (wrong)
        return wrong;
    if (!guest_create_vcpus(guest))
        return "not enough memory for the vCPUs";
    (pvh ? pvh_enter : enter_multiboot)(&guest->vcpus[0], entry);
    make_first_runnable(guest);
    return NULL;
}

const char *guest_image_load(struct guest *guest, const struct multiboot_module *module)
{
    return (guest->spec.start == GUEST_START_IMAGE ? load_elf : load_flat)(guest, module);
}
