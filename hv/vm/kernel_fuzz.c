/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry for hv's readers of kernels: the bytes as an ELF image of either class, its notes or __xen_guest string,
 * its symbol table. What is accepted must hold what the headers promise; each byte that would be loaded is read.
 */
#include <stdlib.h>

#include "hv/vm/bsd_symbols.h"
#include "hv/vm/kernel_notes.h"

#define KERNEL_END 0x123 /* of no alignment */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The end of the last thing placed goes to *ctx. */
static bool place(void *ctx, uint64_t address, const void *data, uint64_t size, uint64_t memory_size)
{
    const volatile uint8_t *bytes = data;

    for (uint64_t i = 0; i < size; i++)
        (void)bytes[i];
    must(size <= memory_size && address + memory_size >= address);
    *(uint64_t *)ctx = address + memory_size;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_extent extent, symbols;
    struct kernel_layout layout;
    struct kernel_notes notes;
    uint64_t end = 0;
    struct elf elf;

    if (elf_open(&elf, data, size))
        return 0;
    if (!elf_load(&elf, place, &end))
        must(!elf_measure(&elf, &extent) && extent.start < extent.end);
    if (!kernel_notes_read(&elf, &notes) && !kernel_notes_lay_out(&elf, &notes, &layout))
        must(notes.form != KERNEL_HAS_NO_NOTES && layout.start < layout.end && layout.entry >= layout.start &&
             layout.entry < layout.end && (elf.wide || layout.end <= UINT32_MAX));
    if (!bsd_symbols_measure(&elf, KERNEL_END, &symbols) && symbols.end) {
        must(symbols.start >= KERNEL_END && symbols.start % 4 == 0);
        must(!bsd_symbols_load(&elf, &symbols, place, &end) && end == symbols.end);
    }
    return 0;
}
