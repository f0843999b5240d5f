/* SPDX-License-Identifier: MIT */
/*
 * Access to the system-physical address space: DRAM or a device, whichever claims the address.
 * Accesses of 1, 2, 4 or 8 bytes; the multi-byte forms may cross a page. Values are little-endian.
 */
#ifndef FAM10H_SPA_H
#define FAM10H_SPA_H

#include "sim/bus.h"

uint64_t spa_read(struct spa_space *space, spa_t address, unsigned size);
void spa_write(struct spa_space *space, spa_t address, unsigned size, uint64_t value);

/* Blocks of any size (a VMCB, an image, a DMA transfer). Device registers are reached in 8-byte pieces. */
void spa_read_block(struct spa_space *space, spa_t address, void *data, size_t size);
void spa_write_block(struct spa_space *space, spa_t address, const void *data, size_t size);

/* Stores of `size` bytes at `native`, the native pointer to DRAM `address`; tells the page's watchers. */
void spa_stored(struct spa_space *space, spa_t address, unsigned size);

#endif
