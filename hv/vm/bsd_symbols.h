/* SPDX-License-Identifier: MIT */
/*
 * A BSD kernel's symbol table behind the kernel, as Xen's loader leaves it: a 32-bit word (the bytes that follow it),
 * an ELF header, three section headers (none, symbols, strings; their offsets count from that ELF header), the symbols,
 * the strings. Symbols and strings begin at a multiple of the kernel's word, 4 or 8 bytes, and so does the whole. Pure.
 */
#ifndef HV_VM_BSD_SYMBOLS_H
#define HV_VM_BSD_SYMBOLS_H

#include "hv/vm/elf.h"

/*
 * Where it goes behind a kernel that ends at `end`; an end of 0: the image has no symbol table (it was stripped), so
 * that nothing is put there. NULL, or one line: what is wrong.
 */
const char *bsd_symbols_measure(const struct elf *elf, uint64_t end, struct elf_extent *extent);
/* Put it at what bsd_symbols_measure said. */
const char *bsd_symbols_load(const struct elf *elf, const struct elf_extent *extent, elf_place *place, void *ctx);

#endif
