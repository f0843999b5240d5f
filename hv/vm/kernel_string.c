/* SPDX-License-Identifier: MIT */
/* The older form of a kernel's notes: NAME=value,NAME=value... (Xen 3's section __xen_guest). */
#include "hv/core/text.h"
#include "hv/vm/kernel_notes.h"

#define FRAME_BITS 12

struct word {
    const char *name, *value;
    uint64_t name_size, value_size;
};

static bool equals(const char *text, uint64_t size, const char *word)
{
    return size == text_length(word) && memcmp(text, word, size) == 0;
}

/* ---- Features -------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum kernel_feature bit;
} features[] = {
    { "writable_page_tables", FEATURE_WRITABLE_PAGE_TABLES },
    { "writable_descriptor_tables", FEATURE_WRITABLE_DESCRIPTOR_TABLES },
    { "auto_translated_physmap", FEATURE_AUTO_TRANSLATED_PHYSMAP },
    { "supervisor_mode_kernel", FEATURE_SUPERVISOR_MODE_KERNEL },
    { "pae_pgdir_above_4gb", FEATURE_PAE_PGDIR_ABOVE_4GB },
    { "hvm_callback_vector", FEATURE_HVM_CALLBACK_VECTOR },
    { "dom0", FEATURE_DOM0 },
};

static const char *take_feature(const char *name, uint64_t size, struct kernel_notes *notes)
{
    bool required = size && name[0] == '!';

    for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        if (!equals(name + required, size - required, features[i].name))
            continue;
        notes->features_supported |= 1u << features[i].bit;
        if (required)
            notes->features_required |= 1u << features[i].bit;
        return NULL;
    }
    return required ? "the kernel requires a feature that no Xen of this interface has" : NULL;
}

const char *kernel_features_read(const char *text, uint64_t size, struct kernel_notes *notes)
{
    const char *wrong = NULL;

    for (uint64_t at = 0; at < size && !wrong;) {
        uint64_t length = 0;

        while (at + length < size && text[at + length] != '|')
            length++;
        wrong = take_feature(text + at, length, notes);
        at += length + 1;
    }
    return wrong;
}

/* ---- Words ----------------------------------------------------------------------------------------------- */

static bool digit(char c, unsigned base, uint64_t *value)
{
    unsigned digit_value = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;

    if (digit_value >= base || *value > (UINT64_MAX - digit_value) / base)
        return false;
    *value = *value * base + digit_value;
    return true;
}

/* As C writes numbers: 0x, a leading 0 for octal, decimal. */
static bool read_number(const struct word *word, uint64_t *number)
{
    const char *text = word->value;
    uint64_t size = word->value_size, at = 0;
    unsigned base = 10;

    if (size > 1 && text[0] == '0') {
        base = text[1] == 'x' || text[1] == 'X' ? 16 : 8;
        at = base == 16 ? 2 : 1;
    }
    *number = 0;
    if (at == size)
        return false;
    for (; at < size; at++)
        if (!digit(text[at], base, number))
            return false;
    return true;
}

static void take_pae(const struct word *word, struct kernel_notes *notes)
{
    notes->given |= 1u << NOTE_PAE_MODE;
    if (equals(word->value, word->value_size, "yes[extended-cr3]"))
        notes->pae = KERNEL_PAE_EXTENDED_CR3;
    else if (word->value_size >= 3 && memcmp(word->value, "yes", 3) == 0)
        notes->pae = KERNEL_PAE_YES;
}

static bool take_text(const struct word *word, struct kernel_notes *notes)
{
    const struct {
        const char *name;
        char *to;
        enum kernel_note note;
    } texts[] = {
        { "GUEST_OS", notes->guest_os, NOTE_GUEST_OS },
        { "GUEST_VER", notes->guest_version, NOTE_GUEST_VERSION },
        { "XEN_VER", notes->xen_version, NOTE_XEN_VERSION },
        { "LOADER", notes->loader, NOTE_LOADER },
    };

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t size = word->value_size < KERNEL_TEXT_BYTES ? word->value_size : KERNEL_TEXT_BYTES - 1;

        if (!equals(word->name, word->name_size, texts[i].name))
            continue;
        memcpy(texts[i].to, word->value, size);
        texts[i].to[size] = '\0';
        notes->given |= 1u << texts[i].note;
        return true;
    }
    return false;
}

static const char *take_number(const struct word *word, struct kernel_notes *notes)
{
    const struct {
        const char *name;
        uint64_t *to;
        enum kernel_note note;
    } numbers[] = {
        { "VIRT_BASE", &notes->virt_base, NOTE_VIRT_BASE },
        { "VIRT_ENTRY", &notes->entry, NOTE_ENTRY },
        { "ELF_PADDR_OFFSET", &notes->paddr_offset, NOTE_PADDR_OFFSET },
        { "HYPERCALL_PAGE", &notes->hypercall_page, NOTE_HYPERCALL_PAGE },
    };

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (!equals(word->name, word->name_size, numbers[i].name))
            continue;
        if (!read_number(word, numbers[i].to))
            return "section __xen_guest: VIRT_BASE, VIRT_ENTRY, ELF_PADDR_OFFSET or HYPERCALL_PAGE is no number";
        notes->given |= 1u << numbers[i].note;
    }
    return NULL;
}

/* Words that are not known are for others. */
static const char *take_word(const struct word *word, struct kernel_notes *notes)
{
    if (equals(word->name, word->name_size, "FEATURES")) {
        notes->given |= 1u << NOTE_FEATURES;
        return kernel_features_read(word->value, word->value_size, notes);
    }
    if (equals(word->name, word->name_size, "PAE")) {
        take_pae(word, notes);
    } else if (equals(word->name, word->name_size, "BSD_SYMTAB")) {
        notes->given |= 1u << NOTE_BSD_SYMTAB;
        notes->bsd_symtab = !equals(word->value, word->value_size, "no");
    } else if (!take_text(word, notes)) {
        return take_number(word, notes);
    }
    return NULL;
}

const char *kernel_string_read(const char *text, uint64_t size, struct kernel_notes *notes)
{
    const char *wrong = NULL;

    for (uint64_t at = 0; at < size && text[at] && !wrong;) {
        struct word word = { .name = text + at, .value = text + at };

        while (at < size && text[at] && text[at] != ',' && text[at] != '=')
            at++;
        word.name_size = (uint64_t)(text + at - word.name);
        if (at < size && text[at] == '=')
            at++;
        word.value = text + at;
        while (at < size && text[at] && text[at] != ',')
            at++;
        word.value_size = (uint64_t)(text + at - word.value);
        wrong = take_word(&word, notes);
        if (at < size && text[at] == ',')
            at++;
    }
    /* A page number counted from VIRT_BASE, which may come after it. */
    if (!wrong && kernel_note_is_given(notes, NOTE_HYPERCALL_PAGE)) {
        if (notes->hypercall_page >> (64 - FRAME_BITS))
            return "section __xen_guest: HYPERCALL_PAGE is no page number";
        notes->hypercall_page = (notes->hypercall_page << FRAME_BITS) + notes->virt_base;
    }
    return wrong;
}
