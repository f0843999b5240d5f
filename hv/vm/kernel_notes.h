/* SPDX-License-Identifier: MIT */
/*
 * What a kernel says of itself to Xen: as ELF notes named "Xen" (Xen's elfnote.h; in a PT_NOTE segment or an SHT_NOTE
 * section), or, older, as one string in a section __xen_guest: "GUEST_OS=netbsd,XEN_VER=xen-3.0,LOADER=generic,
 * VIRT_BASE=0xc0000000,...". Notes win where a kernel has both, as with Xen. Pure.
 */
#ifndef HV_VM_KERNEL_NOTES_H
#define HV_VM_KERNEL_NOTES_H

#include "hv/vm/elf.h"

#define KERNEL_TEXT_BYTES 16 /* of the names, as Xen keeps them; longer ones are cut */

enum kernel_notes_form { KERNEL_HAS_NO_NOTES, KERNEL_HAS_ELF_NOTES, KERNEL_HAS_XEN_GUEST };

/* Note types, and bits of `given`: 1 << type. The string form's words set the bit of the note that says the same. */
enum kernel_note {
    NOTE_ENTRY = 1, NOTE_HYPERCALL_PAGE = 2, NOTE_VIRT_BASE = 3, NOTE_PADDR_OFFSET = 4, NOTE_XEN_VERSION = 5,
    NOTE_GUEST_OS = 6, NOTE_GUEST_VERSION = 7, NOTE_LOADER = 8, NOTE_PAE_MODE = 9, NOTE_FEATURES = 10,
    NOTE_BSD_SYMTAB = 11, NOTE_HV_START_LOW = 12, NOTE_L1_MFN_VALID = 13, NOTE_SUSPEND_CANCEL = 14, NOTE_INIT_P2M = 15,
    NOTE_MOD_START_PFN = 16, NOTE_SUPPORTED_FEATURES = 17, NOTE_PHYS32_ENTRY = 18
};

enum kernel_pae { KERNEL_PAE_NO, KERNEL_PAE_YES, KERNEL_PAE_EXTENDED_CR3, KERNEL_PAE_BIMODAL };

/* Bits of features_supported and features_required (Xen's features.h). */
enum kernel_feature {
    FEATURE_WRITABLE_PAGE_TABLES = 0, FEATURE_WRITABLE_DESCRIPTOR_TABLES = 1, FEATURE_AUTO_TRANSLATED_PHYSMAP = 2,
    FEATURE_SUPERVISOR_MODE_KERNEL = 3, FEATURE_PAE_PGDIR_ABOVE_4GB = 4, FEATURE_HVM_CALLBACK_VECTOR = 8,
    FEATURE_DOM0 = 11
};

/* Addresses are virtual but for phys32_entry and paddr_offset; what is not given is 0. */
struct kernel_notes {
    enum kernel_notes_form form;
    uint32_t given;
    uint64_t entry, virt_base, paddr_offset, hypercall_page, hv_start_low, init_p2m;
    uint32_t phys32_entry;                          /* PVH: 32-bit, paging off */
    char guest_os[KERNEL_TEXT_BYTES], guest_version[KERNEL_TEXT_BYTES];
    char xen_version[KERNEL_TEXT_BYTES], loader[KERNEL_TEXT_BYTES];
    enum kernel_pae pae;
    uint32_t features_supported, features_required; /* what is required is supported, too */
    bool bsd_symtab;                                /* wants its symbol table behind it (bsd_symbols.h) */
    bool suspend_cancel;
    bool ramdisk_unmapped;                          /* MOD_START_PFN: start_info's mod_start may be a frame number */
    uint64_t l1_valid_mask, l1_valid_value;         /* an L1 entry is valid if (entry & mask) == value */
};

/* Where a paravirtual kernel lies: virtual = p_paddr + virt_offset, all addresses virtual. */
struct kernel_layout {
    uint64_t virt_offset;
    uint64_t start, end; /* of its segments, and behind them its symbols */
    uint64_t symbols;    /* where its symbol table goes; 0: none */
    uint64_t entry;
};

static inline bool kernel_note_is_given(const struct kernel_notes *notes, enum kernel_note note)
{
    return notes->given >> note & 1;
}

/* Reads either form; none is no error. NULL, or one line: what is wrong. */
const char *kernel_notes_read(const struct elf *elf, struct kernel_notes *notes);
/* A paravirtual kernel's addresses, after what Xen checks before it builds one: loader, version, order of addresses. */
const char *kernel_notes_lay_out(const struct elf *elf, const struct kernel_notes *notes, struct kernel_layout *layout);

/* kernel_string.c: the string of a section __xen_guest, `size` bytes of it or up to a zero byte. */
const char *kernel_string_read(const char *text, uint64_t size, struct kernel_notes *notes);
/* Names separated by `|`; `!` before one: required. Unknown ones matter only if required. */
const char *kernel_features_read(const char *text, uint64_t size, struct kernel_notes *notes);

#endif
