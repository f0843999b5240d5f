/* SPDX-License-Identifier: MIT */
/* The machine's memory: the loader's map, what of it is taken, and a page pool of each node over the rest. */
#ifndef HV_CORE_MEMORY_H
#define HV_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/core/multiboot.h"
#include "hv/core/numa.h"
#include "hv/core/pages.h"

/*
 * Build the pools from the multiboot information; everything the loader brought stays reserved. `topology`, choice and
 * fake are as numa_build wants them.
 */
void memory_init(const struct multiboot_info *info, const struct acpi_topology *topology, enum numa_choice choice,
                 unsigned fake);
const struct numa_map *memory_numa(void);
/* 2^order frames of unspecified content; 0: none. hv's own: from node 0 as long as it has any. */
uint64_t memory_alloc(unsigned order);
/* A stretch of a node's memory, as firmware says; before there are other cores. */
#define MEMORY_RANGES_MAX 32
void memory_add_node_range(uint64_t base, uint64_t size, unsigned node);
/* Of that node; a single frame, if it has none left, of any. */
uint64_t memory_alloc_near(unsigned order, unsigned node);
/*
 * What memory_alloc or memory_alloc_near gave, for a guest: cleared if anybody had memory there before. What nobody had
 * is as the machine came up. Returns the address, which may be 0.
 */
uint64_t memory_clear_used(uint64_t address, unsigned order);
/* The same from this node, else from the next one in the order of their numbers, round and round. */
uint64_t memory_alloc_on(unsigned node, unsigned order);
uint64_t memory_free_frames_on(unsigned node);
/* One zeroed page; panics if there is none: hv cannot go on without its own pages. */
void *memory_alloc_page(void);
void memory_free(uint64_t address, unsigned order);
/* pages_offline, pages_online, pages_marks of hv's pool. */
unsigned memory_offline(uint64_t address, bool broken);
bool memory_online(uint64_t address);
unsigned memory_marks(uint64_t address);
uint64_t memory_free_frames(void);
/* Once, before cores start: a copy of hv's text and constants, so that a page of them can be replaced. */
void memory_keep_text(void);
/* Whether the frame at address is the one that such a page lies in, and there is a copy of it. */
bool memory_is_text(uint64_t address);
/*
 * Put the copy of this page into a frame from the pool, which hv sees at the page's address from then on. False: no
 * memory. Other cores may hold the old translation until they have called memory_follow.
 */
bool memory_replace_text(uint64_t address);
/* On each core, in its loop: forget translations that a replacement made old. */
void memory_follow(unsigned core);
bool memory_settled(unsigned cores);
/*
 * Whether nobody uses the frame at address. Takes no lock: in a machine check's context the answer may be a
 * moment old.
 */
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
