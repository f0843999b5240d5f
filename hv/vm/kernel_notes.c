/* SPDX-License-Identifier: MIT */
#include "hv/vm/kernel_notes.h"

#include "hv/core/text.h"
#include "hv/vm/bsd_symbols.h"
#include "hv/vm/elf_format.h"

#define NOTE_NAME "Xen"
#define NOTE_NAME_BYTES 4 /* its zero byte included */
#define NOTES_MAX 256     /* far above any kernel's; a hostile image has no more of hv's time */

enum value_kind { VALUE_NONE, VALUE_NUMBER, VALUE_NUMBER32, VALUE_FLAG, VALUE_TEXT, VALUE_READ };

struct note_value {
    const uint8_t *bytes;
    uint64_t size;
};

static const char *read_pae(const struct note_value *value, struct kernel_notes *notes);
static const char *read_symtab(const struct note_value *value, struct kernel_notes *notes);
static const char *read_features(const struct note_value *value, struct kernel_notes *notes);
static const char *read_supported(const struct note_value *value, struct kernel_notes *notes);
static const char *read_l1_valid(const struct note_value *value, struct kernel_notes *notes);

/* What each note holds and where it goes. */
static const struct note_form {
    enum value_kind kind;
    uint16_t field;
    const char *(*read)(const struct note_value *value, struct kernel_notes *notes);
} forms[] = {
#define FIELD(name) offsetof(struct kernel_notes, name)
    [NOTE_ENTRY] = { VALUE_NUMBER, FIELD(entry), NULL },
    [NOTE_HYPERCALL_PAGE] = { VALUE_NUMBER, FIELD(hypercall_page), NULL },
    [NOTE_VIRT_BASE] = { VALUE_NUMBER, FIELD(virt_base), NULL },
    [NOTE_PADDR_OFFSET] = { VALUE_NUMBER, FIELD(paddr_offset), NULL },
    [NOTE_XEN_VERSION] = { VALUE_TEXT, FIELD(xen_version), NULL },
    [NOTE_GUEST_OS] = { VALUE_TEXT, FIELD(guest_os), NULL },
    [NOTE_GUEST_VERSION] = { VALUE_TEXT, FIELD(guest_version), NULL },
    [NOTE_LOADER] = { VALUE_TEXT, FIELD(loader), NULL },
    [NOTE_PAE_MODE] = { VALUE_READ, 0, read_pae },
    [NOTE_FEATURES] = { VALUE_READ, 0, read_features },
    [NOTE_BSD_SYMTAB] = { VALUE_READ, 0, read_symtab },
    [NOTE_HV_START_LOW] = { VALUE_NUMBER, FIELD(hv_start_low), NULL },
    [NOTE_L1_MFN_VALID] = { VALUE_READ, 0, read_l1_valid },
    [NOTE_SUSPEND_CANCEL] = { VALUE_FLAG, FIELD(suspend_cancel), NULL },
    [NOTE_INIT_P2M] = { VALUE_NUMBER, FIELD(init_p2m), NULL },
    [NOTE_MOD_START_PFN] = { VALUE_FLAG, FIELD(ramdisk_unmapped), NULL },
    [NOTE_SUPPORTED_FEATURES] = { VALUE_READ, 0, read_supported },
    [NOTE_PHYS32_ENTRY] = { VALUE_NUMBER32, FIELD(phys32_entry), NULL },
#undef FIELD
};

#define FORM_COUNT (sizeof(forms) / sizeof(forms[0]))

/* ---- Values ---------------------------------------------------------------------------------------------- */

/* Little-endian, as wide as the kernel wrote it. */
static bool read_number(const struct note_value *value, uint64_t *number)
{
    *number = 0;
    if (value->size != 1 && value->size != 2 && value->size != 4 && value->size != 8)
        return false;
    for (unsigned i = 0; i < value->size; i++)
        *number |= (uint64_t)value->bytes[i] << 8 * i;
    return true;
}

/* Up to its zero byte, which need not be there. */
static uint64_t text_size(const struct note_value *value)
{
    uint64_t n = 0;

    while (n < value->size && value->bytes[n])
        n++;
    return n;
}

static bool value_is(const struct note_value *value, const char *text)
{
    return text_size(value) == text_length(text) && memcmp(value->bytes, text, text_length(text)) == 0;
}

static void read_text(const struct note_value *value, char *text)
{
    uint64_t n = text_size(value);

    if (n > KERNEL_TEXT_BYTES - 1)
        n = KERNEL_TEXT_BYTES - 1;
    memcpy(text, value->bytes, n);
    text[n] = '\0';
}

static const char *read_pae(const struct note_value *value, struct kernel_notes *notes)
{
    notes->pae = value_is(value, "yes") ? KERNEL_PAE_EXTENDED_CR3
               : value_is(value, "bimodal") || value_is(value, "yes,bimodal") ? KERNEL_PAE_BIMODAL : KERNEL_PAE_NO;
    return NULL;
}

static const char *read_symtab(const struct note_value *value, struct kernel_notes *notes)
{
    notes->bsd_symtab = value_is(value, "yes");
    return NULL;
}

static const char *read_features(const struct note_value *value, struct kernel_notes *notes)
{
    return kernel_features_read((const char *)value->bytes, text_size(value), notes);
}

static const char *read_supported(const struct note_value *value, struct kernel_notes *notes)
{
    uint64_t number;

    if (!read_number(&(struct note_value){ value->bytes, value->size < 4 ? value->size : 4 }, &number))
        return "Xen note 17 (SUPPORTED_FEATURES) must be a 32-bit number";
    notes->features_supported |= (uint32_t)number;
    return NULL;
}

/* Pairs of mask and value as wide as the kernel's pointers; the first one is what Xen's builder needs. */
static const char *read_l1_valid(const struct note_value *value, struct kernel_notes *notes)
{
    uint64_t half = value->size >= 16 ? 8 : 4;

    if (value->size < 8)
        return "Xen note 13 (L1_MFN_VALID) must be a mask and a value";
    read_number(&(struct note_value){ value->bytes, half }, &notes->l1_valid_mask);
    read_number(&(struct note_value){ value->bytes + half, half }, &notes->l1_valid_value);
    return NULL;
}

/* ---- Notes ----------------------------------------------------------------------------------------------- */

static const char *take_note(uint32_t type, const struct note_value *value, struct kernel_notes *notes)
{
    const struct note_form *form = type < FORM_COUNT ? &forms[type] : NULL;
    void *field = (char *)notes + (form ? form->field : 0);
    uint64_t number;

    if (!form || form->kind == VALUE_NONE)
        return NULL; /* unknown ones are newer than hv, and optional */
    notes->given |= 1u << type;
    if (form->kind == VALUE_READ)
        return form->read(value, notes);
    if (form->kind == VALUE_TEXT) {
        read_text(value, field);
        return NULL;
    }
    if (!read_number(value, &number))
        return "a Xen note that must be a number is not 1, 2, 4 or 8 bytes long";
    if (form->kind == VALUE_FLAG)
        *(bool *)field = number != 0;
    else if (form->kind == VALUE_NUMBER32)
        *(uint32_t *)field = (uint32_t)number;
    else
        *(uint64_t *)field = number;
    return NULL;
}

static uint64_t padded(uint64_t bytes, uint64_t align)
{
    return (bytes + align - 1) & ~(align - 1);
}

/* Notes one after the other, each header, name and description beginning at a multiple of four (or eight) bytes. */
static const char *read_notes(const uint8_t *bytes, uint64_t size, uint64_t align, unsigned *left,
                              struct kernel_notes *notes)
{
    for (uint64_t at = 0; at < size;) {
        struct elf_note note;
        uint64_t description;
        const char *wrong;

        if (size - at < sizeof(note))
            return "ELF note is cut off";
        if (!(*left)--)
            return "image has more than 256 ELF notes";
        memcpy(&note, bytes + at, sizeof(note));
        description = padded(at + sizeof(note) + note.name_bytes, align);
        if (description > size || note.bytes > size - description)
            return "ELF note is longer than what holds it";
        if (note.name_bytes == NOTE_NAME_BYTES && memcmp(bytes + at + sizeof(note), NOTE_NAME, NOTE_NAME_BYTES) == 0) {
            notes->form = KERNEL_HAS_ELF_NOTES;
            wrong = take_note(note.type, &(struct note_value){ bytes + description, note.bytes }, notes);
            if (wrong)
                return wrong;
        }
        at = padded(description + note.bytes, align);
    }
    return NULL;
}

static uint64_t note_align(uint64_t align)
{
    return align == 8 ? 8 : 4;
}

static const char *read_note_segments(const struct elf *elf, unsigned *left, struct kernel_notes *notes)
{
    const char *wrong = NULL;
    struct elf_segment segment;

    for (unsigned i = 0; i < elf->phnum && !wrong; i++) {
        wrong = elf_segment(elf, i, &segment);
        if (!wrong && segment.type == ELF_PT_NOTE)
            wrong = read_notes(elf->bytes + segment.offset, segment.filesz, note_align(segment.align), left, notes);
    }
    return wrong;
}

/* Where no segment held notes: sections that do, then the older string. */
static const char *read_sections(const struct elf *elf, unsigned *left, struct kernel_notes *notes)
{
    const char *wrong = NULL;
    struct elf_section section;

    for (unsigned i = 0; i < elf->shnum && !wrong; i++) {
        wrong = elf_section(elf, i, &section);
        if (!wrong && section.type == ELF_SHT_NOTE)
            wrong = read_notes(elf->bytes + section.offset, section.size, note_align(section.align), left, notes);
    }
    for (unsigned i = 0; i < elf->shnum && !wrong && notes->form == KERNEL_HAS_NO_NOTES; i++) {
        wrong = elf_section(elf, i, &section);
        if (wrong || section.type == ELF_SHT_NOBITS || !elf_section_is_named(elf, &section, "__xen_guest"))
            continue;
        notes->form = KERNEL_HAS_XEN_GUEST;
        wrong = kernel_string_read((const char *)elf->bytes + section.offset, section.size, notes);
    }
    return wrong;
}

const char *kernel_notes_read(const struct elf *elf, struct kernel_notes *notes)
{
    unsigned left = NOTES_MAX;
    const char *wrong;

    *notes = (struct kernel_notes){ .form = KERNEL_HAS_NO_NOTES };
    wrong = read_note_segments(elf, &left, notes);
    if (!wrong && notes->form == KERNEL_HAS_NO_NOTES)
        wrong = read_sections(elf, &left, notes);
    return wrong;
}

/* ---- Layout ---------------------------------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *prefix)
{
    return text_length(text) >= text_length(prefix) && memcmp(text, prefix, text_length(prefix)) == 0;
}

/* Only what was built for Xen 3's interface, by a builder that asks for no other loader (Xen's own rule). */
static const char *check_names(const struct kernel_notes *notes)
{
    if (notes->form == KERNEL_HAS_NO_NOTES)
        return "image has neither Xen notes nor a section __xen_guest: no paravirtual kernel";
    if (!begins_with(notes->loader, "generic") && !begins_with(notes->guest_os, "linux"))
        return "the kernel's LOADER must be generic";
    if (!begins_with(notes->xen_version, "xen-3.0"))
        return "the kernel's Xen version (note 5, XEN_VER) must be xen-3.0";
    if (!kernel_note_is_given(notes, NOTE_VIRT_BASE) && kernel_note_is_given(notes, NOTE_PADDR_OFFSET))
        return "the kernel gives an ELF_PADDR_OFFSET but no VIRT_BASE";
    return NULL;
}

const char *kernel_notes_lay_out(const struct elf *elf, const struct kernel_notes *notes, struct kernel_layout *layout)
{
    struct elf_extent extent, symbols = { 0, 0 };
    uint64_t paddr_offset = notes->paddr_offset;
    const char *wrong = check_names(notes);

    if (!wrong)
        wrong = elf_measure(elf, &extent);
    if (!wrong && notes->bsd_symtab)
        wrong = bsd_symbols_measure(elf, extent.end, &symbols);
    if (wrong)
        return wrong;
    /* The string form's physical addresses are virtual ones unless it says otherwise. */
    if (!kernel_note_is_given(notes, NOTE_PADDR_OFFSET) && notes->form == KERNEL_HAS_XEN_GUEST)
        paddr_offset = notes->virt_base;
    layout->virt_offset = notes->virt_base - paddr_offset;
    layout->start = extent.start + layout->virt_offset;
    layout->symbols = symbols.end ? symbols.start + layout->virt_offset : 0;
    layout->end = (symbols.end ? symbols.end : extent.end) + layout->virt_offset;
    layout->entry = kernel_note_is_given(notes, NOTE_ENTRY) ? notes->entry : elf->entry;
    if (extent.start < paddr_offset || layout->end <= layout->start || layout->start < notes->virt_base)
        return "the kernel's segments lie below its VIRT_BASE";
    if (!elf->wide && layout->end > UINT32_MAX)
        return "the kernel's segments end beyond 4 GiB, where 32-bit addresses end";
    if (layout->entry < layout->start || layout->entry >= layout->end)
        return "the kernel's entry lies outside the kernel";
    if (kernel_note_is_given(notes, NOTE_INIT_P2M) && notes->init_p2m >= layout->start && notes->init_p2m < layout->end)
        return "the kernel's INIT_P2M lies inside the kernel";
    return NULL;
}
