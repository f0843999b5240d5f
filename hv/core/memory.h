/* SPDX-License-Identifier: MIT */
/* The machine's memory: the loader's map, what of it is taken, and one page pool over the rest. */
#ifndef HV_CORE_MEMORY_H
#define HV_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/core/multiboot.h"
#include "hv/core/pages.h"

/* Build the pool from the multiboot information; everything the loader brought stays reserved. */
void memory_init(const struct multiboot_info *info);
/* 2^order frames of unspecified content; 0: none. */
uint64_t memory_alloc(unsigned order);
/* One zeroed page; panics if there is none: hv cannot go on without its own pages. */
void *memory_alloc_page(void);
void memory_free(uint64_t address, unsigned order);
/* A bad frame that nobody uses: never given out again. False: somebody uses it. */
bool memory_retire(uint64_t address);
uint64_t memory_free_frames(void);
/* Whether nobody uses the frame at address. Takes no lock: in a machine check's context the answer may be a moment old. */
bool memory_is_free(uint64_t address);
/* Frames of the pool when it was whole, and the end of the highest memory. */
uint64_t memory_total_frames(void);
uint64_t memory_end(void);
/* hv maps memory one to one. */
static inline void *memory_pointer(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

#endif
