/* SPDX-License-Identifier: MIT */
#include "hv/vm/real_mode.h"

#include "hv/core/memory.h"
#include "hv/vm/acpi_tables.h"

#define FIRMWARE_END 0x100000u /* what C0000h-FFFFFh may hold; tables of hv's are not there then */
#define FIRMWARE_MAX 0x40000u
#define FIRMWARE_MIN 0x10u     /* the reset vector's 16 bytes */
#define RESET_CS 0xF000u
#define RESET_IP 0xFFF0u
#define BOOT_AT 0x7C00u
#define BOOT_MAX (0xA0000u - BOOT_AT)
#define FLOPPY_DISK 0x00u      /* the BIOS's numbers of disks, in DL */
#define HARD_DISK 0x80u
#define GPR_RDX 2
#define GPR_RSP 4
#define CR0_CACHES_ON 0x10ull  /* ET alone */

static const char *load_firmware(struct guest *guest, const void *image, uint64_t size)
{
    if (size < FIRMWARE_MIN || size > FIRMWARE_MAX)
        return "firmware=bios wants a flat image of 16 bytes to 256 KiB";
    return guest_write(guest, FIRMWARE_END - size, image, size) ? NULL : "not enough memory for the guest";
}

static const char *load_boot_image(struct guest *guest, const void *image, uint64_t size)
{
    uint8_t tables[ACPI_TABLES_MAX];

    if (size == 0 || size > BOOT_MAX)
        return "boot= wants a flat image of at most 609 KiB (7C00h to 9FFFFh)";
    if (!guest_write(guest, BOOT_AT, image, size) ||
        !guest_write(guest, ACPI_TABLES_AT, tables, acpi_tables_write(tables, guest->spec.vcpus)))
        return "not enough memory for the guest";
    return NULL;
}

const char *real_mode_load(struct guest *guest, const struct multiboot_module *module)
{
    const void *image = memory_pointer(module->start);
    uint64_t size = module->end - module->start;

    return guest->spec.start == GUEST_START_FIRMWARE ? load_firmware(guest, image, size)
                                                     : load_boot_image(guest, image, size);
}

/*
 * deviation: at the reset vector CS.base is F0000h already, as firmware itself makes it with its first far jump, not
 * FFFF0000h: the guest has no memory below 4 GiB's end. And its local APIC is enabled, not as after reset.
 */
void real_mode_enter(struct vcpu *vcpu)
{
    enum guest_start start = vcpu->guest->spec.start;
    struct svm_paging paging = { .cr0 = CR0_CACHES_ON };

    vlapic_set_virtual_wire(&vcpu->apic);
    if (start == GUEST_START_FIRMWARE) {
        svm_set_real_mode(&vcpu->svm, RESET_CS, RESET_IP);
        return;
    }
    svm_set_real_mode(&vcpu->svm, 0, BOOT_AT);
    svm_set_guest_paging(&vcpu->svm, &paging);
    svm_set_gpr(&vcpu->svm, GPR_RSP, BOOT_AT);
    svm_set_gpr(&vcpu->svm, GPR_RDX, start == GUEST_START_FLOPPY ? FLOPPY_DISK : HARD_DISK);
}
